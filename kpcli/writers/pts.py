"""iBUG ``.pts`` files, one a face; 1-based, as the format has it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kpcli.files import atomic_folder
from kpcli.schemes import LandmarkScheme
from kpcli.types import FrameFaces

OUTPUT = "pts"
PACKAGE = ""


def write_pts(path: Path, points: NDArray[np.floating]) -> None:
    """Write points (N, 2), 0-based pixels, as the 1-based lines of a ``.pts`` file."""
    values = (np.asarray(points, np.float64) + 1).ravel().tolist()
    lines = "%.6f %.6f\n" * len(points) % tuple(values)
    path.write_text(f"version: 1\nn_points: {len(points)}\n{{\n{lines}}}\n", encoding="ascii")


class PtsFolder:
    """One file a face in a mirror of the annotated folder: ``pts/FILE_FRAME_FACE.pts``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: Path | None = None

    def write(self, frame: FrameFaces) -> None:
        """Write the frame's faces."""
        for face in frame.faces:
            number = f"{frame.index:06d}_{face.track}" if frame.moving else f"{face.track}"
            path = self._folder / f"{frame.stem}_{number}.pts"
            if path.parent != self._made:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._made = path.parent
            # The whole folder appears at once: a file need not.
            write_pts(path, face.points)


@contextmanager
def create(out: Path, scheme: LandmarkScheme, extras: Collection[str] = ()) -> Iterator[PtsFolder]:
    """Writes ``out/pts/``; see `kpcli.plug_ins.WriterModule`."""
    with atomic_folder(out / OUTPUT) as temporary:
        yield PtsFolder(temporary)
