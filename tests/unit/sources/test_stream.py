"""Streams from a server of this machine: its times, its end, and nothing that it may not open."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from helpers.media import write_video

from kpcli.errors import InputError
from kpcli.sources.stream import Stream, is_url, shown_url


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def test_a_file_on_a_server_has_its_own_times(tmp_path: Path) -> None:
    write_video(tmp_path / "clip.mp4", pts=[0, 30, 90, 100])
    with served(tmp_path) as url:
        stream = Stream(f"{url}/clip.mp4")
        frames = list(stream.frames())
        stream.close()
    assert stream.waits
    assert [f.index for f in frames] == [1, 2, 3, 4]
    assert [f.seconds for f in frames] == pytest.approx([0, 0.05, 0.15, 1 / 6], abs=1e-3)
    assert frames[0].moving


def test_a_play_list_opens_no_file_of_this_machine(tmp_path: Path) -> None:
    secret = write_video(tmp_path / "private" / "clip.ts", count=3)
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "list.m3u8").write_text(
        f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{secret}\n#EXT-X-ENDLIST\n"
    )
    with served(tmp_path / "www") as url, pytest.raises(InputError):
        list(Stream(f"{url}/list.m3u8").frames())


def test_what_is_not_there(tmp_path: Path) -> None:
    with served(tmp_path) as url, pytest.raises(InputError, match="cannot be opened") as caught:
        Stream(f"{url}/none.mp4?token=secret")
    assert "secret" not in str(caught.value)
    with pytest.raises(InputError, match="cannot be opened"):
        Stream("rtsp://127.0.0.1:9/cam")


@pytest.mark.parametrize(
    ("text", "url"),
    [("rtsp://cam/1", True), ("http://a/b.mp4", True), ("HTTPS://a", True), ("clip.mp4", False),
     ("file:///etc/passwd", False), ("concat:a|b", False), ("C://x", False)],
)  # fmt: skip
def test_only_urls_are_urls(text: str, url: bool) -> None:
    assert is_url(text) == url


def test_a_password_is_told_to_nobody() -> None:
    assert shown_url("rtsp://me:secret@cam:554/1?key=2") == "rtsp://cam:554/1"
