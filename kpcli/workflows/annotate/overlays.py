"""Overlays of frames that come file by file: pictures at once, videos frame by frame."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from kpcli.batch.ledger import COMMAND, Ledger
from kpcli.batch.outcome import FileResult
from kpcli.drawing import Style, draw
from kpcli.images import write_image
from kpcli.options import AnnotateOptions
from kpcli.outputs import Outputs, writer
from kpcli.schemes import LandmarkScheme
from kpcli.types import Face, Frame
from kpcli.workflows.annotate.crops import OUTPUT as CROPS
from kpcli.writers.frame_pictures import OUTPUT as IMAGES
from kpcli.writers.overlay import VideoOverlay, overlay_name

OVERLAYS = "overlays"


class Overlays:
    """Makes a mirror of the annotated folder below ``OUT/overlays``, with the faces drawn.

    The overlays of a chunk wait in the staging folder until `publish`: their records reach the
    disk before them, with one wait for all.
    """

    def __init__(
        self,
        options: AnnotateOptions,
        staging: Path,
        names: Mapping[str, str],
        scheme: LandmarkScheme,
    ) -> None:
        self._options = options
        self._staging = staging
        self._names = names
        self._scheme = scheme
        self._style = Style.of(options.draw, options.draw_size)
        self._outputs = Outputs(options.out, COMMAND, writer())
        self._made: dict[str, tuple[Path, str]] = {}
        self._current: tuple[Path, str] | None = None
        self._open = ExitStack()
        self._video: VideoOverlay | None = None

    def add(self, file: str, frame: Frame, faces: tuple[Face, ...]) -> None:
        """Draw the faces onto the frame's own pixels and write them.

        Raises
        ------
        Exception
            Whatever the libraries raise where they cannot write it; `abandon` it then.
        """
        draw(frame.pixels, faces, self._scheme, self._style)
        if self._current is None:
            name = overlay_name(self._names.get(file, file), moving=frame.moving)
            temporary = self._staging / f"{os.getpid()}-{next(_counter)}{Path(name).suffix}"
            self._current = (temporary, f"{OVERLAYS}/{name}")
        temporary, _ = self._current
        if not frame.moving:
            write_image(temporary, frame.pixels)
            return
        if self._video is None:
            selection, fps = self._options.frames, self._options.overlay_fps
            video = VideoOverlay(temporary, frame.source, selection=selection, fps=fps)
            self._video = self._open.enter_context(video)
        self._video.write(frame.pixels, frame.seconds)

    def end(self, file: str) -> str:
        """The file is complete; raises what `add` does.

        Returns
        -------
        str
            Codec of the sound that had to be left out, "" if there was none.
        """
        video, self._video = self._video, None
        self._open.close()
        if self._current is not None:
            self._made[file], self._current = self._current, None
        return video.silent if video is not None else ""

    def abandon(self, error: BaseException) -> None:
        """Leave nothing of the current file's overlay."""
        self._video = None
        with suppress(Exception):  # what could not be written may not be closed either
            self._open.__exit__(type(error), error, error.__traceback__)
        if self._current is not None:
            self._current[0].unlink(missing_ok=True)
            self._current = None

    def publish(self) -> tuple[dict[str, str], dict[str, OSError]]:
        """Put the finished overlays in place: the names of those that are, why others are not."""
        made, self._made = self._made, {}
        problems = self._outputs.publish(list(made.values()))
        names = {file: name for file, (_, name) in made.items() if name not in problems}
        return names, {f: problems[name] for f, (_, name) in made.items() if name in problems}

    def discard(self) -> None:
        """Leave nothing of what is not published."""
        for temporary, _ in self._made.values():
            temporary.unlink(missing_ok=True)
        self._made = {}


_counter = itertools.count()


def drop_pictures(ledger: Ledger, results: Sequence[FileResult]) -> int:
    """Remove pictures made of files that are gone, or have none now; how many went."""
    drawn = {r.overlay for r in results}
    frames = {f"{IMAGES}/{r.file}" for r in results}
    cropped = {f"{CROPS}/{r.output or r.file}" for r in results if r.frames}

    def old(name: str) -> bool:
        if name.startswith(f"{OVERLAYS}/"):
            return name not in drawn
        if name.startswith(f"{CROPS}/"):
            return name.rpartition("/")[0] not in cropped
        known = name in frames or name.rpartition("/")[0] in frames
        return name.startswith(f"{IMAGES}/") and not known

    return len(ledger.outputs.remove([n for n in ledger.outputs.names() if old(n)]))
