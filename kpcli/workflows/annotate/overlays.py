"""Overlays of frames that come file by file: pictures at once, videos frame by frame."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

from kpcli.files import staged_path
from kpcli.images import write_image
from kpcli.options import AnnotateOptions
from kpcli.schemes import LandmarkScheme
from kpcli.types import Face, Frame
from kpcli.writers.overlay import VideoOverlay, draw_faces, overlay_name


class Overlays:
    """Writes a mirror of the annotated folder ``root`` to ``folder``, with the faces drawn."""

    def __init__(
        self,
        folder: Path,
        root: Path,
        staging: Path,
        scheme: LandmarkScheme,
        options: AnnotateOptions,
    ) -> None:
        self._folder = folder
        self._root = root
        self._staging = staging
        self._scheme = scheme
        self._options = options
        self._open = ExitStack()
        self._video: VideoOverlay | None = None

    def add(self, file: str, frame: Frame, faces: tuple[Face, ...]) -> None:
        """Draw the faces onto the frame's own pixels and write them.

        Raises
        ------
        InputError
            If the overlay cannot be written; `abandon` it then.
        """
        draw_faces(frame.pixels, faces, self._scheme)
        if not frame.moving:
            with self._staged(file, moving=False) as temporary:
                write_image(temporary, frame.pixels)
            return
        if self._video is None:
            temporary = self._open.enter_context(self._staged(file, moving=True))
            video = VideoOverlay(
                temporary,
                frame.source,
                selection=self._options.frames,
                fps=self._options.overlay_fps,
            )
            self._video = self._open.enter_context(video)
        self._video.write(frame.pixels, frame.seconds)

    def end(self) -> str:
        """The file is complete; raises InputError as `add` does.

        Returns
        -------
        str
            Codec of the sound that had to be left out, "" if there was none.
        """
        silent = self._video.silent if self._video is not None else ""
        self._video = None
        self._open.close()
        return silent

    def abandon(self, error: BaseException) -> None:
        """Leave nothing of the current file's overlay."""
        self._video = None
        self._open.__exit__(type(error), error, error.__traceback__)

    def _staged(self, file: str, *, moving: bool) -> AbstractContextManager[Path]:
        name = overlay_name(file, moving=moving, root=self._root)
        return staged_path(self._folder / name, self._staging)
