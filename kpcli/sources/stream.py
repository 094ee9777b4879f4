"""Pictures of a camera or a file that the user names by its URL: the one case of a connection."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from kpcli.errors import InputError
from kpcli.images import MAX_PIXELS, check_size
from kpcli.media import VIDEO_FORMATS, metadata_leniency, picture_stream
from kpcli.sources.display import Display
from kpcli.types import Frame

SCHEMES = ("rtsp", "rtsps", "rtmp", "http", "https", "udp", "rtp", "srt", "tcp")
_PROTOCOLS = (*SCHEMES, "tls", "crypto", "httpproxy")
"""No files: a play list from the network must not have files of this machine opened."""
_FORMATS = (*VIDEO_FORMATS, "rtsp", "rtp", "sdp", "hls", "mpjpeg", "mjpeg", "live_flv")
TIMEOUT = 10.0
"""Seconds that opening, or the next picture, may take."""


def is_url(text: str) -> bool:
    """Whether it names something on a network."""
    return "://" in text and urlsplit(text).scheme.lower() in SCHEMES


def shown_url(url: str) -> str:
    """The URL without the user's name, password and query, for tables and messages."""
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{place}{parts.path}"


class Stream:
    """Frames of a URL.

    Of what has a length (a file on a server) the times are its own; of what has none (a camera)
    they are those of the frames' arrival, the first at 0.

    Raises
    ------
    InputError
        If it cannot be opened, or holds no pictures.
    """

    def __init__(self, url: str) -> None:
        import av

        self.name = shown_url(url)
        options = {"format_whitelist": ",".join(_FORMATS)}
        options["protocol_whitelist"] = ",".join(_PROTOCOLS)
        try:
            self._container = av.open(
                url, container_options=options, timeout=TIMEOUT, **metadata_leniency()
            )
        except (av.FFmpegError, ValueError, OSError) as e:
            raise InputError(
                f"{self.name}: cannot be opened",
                actual=getattr(e, "strerror", "") or type(e).__name__,
                next_step="see whether a player, such as ffplay, opens it",
            ) from e
        stream = picture_stream(self._container)
        if stream is None:
            self._container.close()
            raise InputError(f"{self.name}: holds no pictures")
        stream.thread_type = "SLICE"
        self._stream = stream
        self.waits = self._container.duration is not None

    def frames(self) -> Iterator[Frame]:
        """Frame after frame.

        Raises
        ------
        InputError
            If the connection ends before the stream does.
        """
        import av

        display = Display(self._stream)
        begun = time.perf_counter()
        index = 0
        try:
            for frame in self._container.decode(self._stream):
                index += 1
                arrived = time.perf_counter() - begun if index > 1 else 0.0
                begun = begun if index > 1 else time.perf_counter()
                own = frame.time if self.waits else None
                check_size(display.size(frame), Path(self.name), MAX_PIXELS)
                seconds = arrived if own is None else own
                yield Frame(Path(self.name), index, seconds, display.show(frame), moving=True)
        except (av.FFmpegError, ValueError) as e:
            raise InputError(
                f"{self.name}: gives no more pictures", actual=getattr(e, "strerror", "") or str(e)
            ) from e
        if not self.waits:
            raise InputError(f"{self.name}: gives no more pictures", actual="the sender ended it")

    def close(self) -> None:
        """End the connection."""
        self._container.close()
