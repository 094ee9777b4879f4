"""iBUG ``.pts`` files, one a face; 1-based, as the format has it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kpcli.files import atomic_folder, atomic_path
from kpcli.schemes import LandmarkScheme
from kpcli.types import FrameFaces

OUTPUT = "pts"


def write_pts(path: Path, points: NDArray[np.floating]) -> None:
    """Write points (N, 2), 0-based pixels, as the 1-based lines of a ``.pts`` file."""
    lines = [f"{x:.6f} {y:.6f}" for x, y in np.asarray(points, np.float64) + 1]
    text = "\n".join(["version: 1", f"n_points: {len(lines)}", "{", *lines, "}", ""])
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="ascii")


class PtsFolder:
    """One file a face in a mirror of the annotated folder: ``pts/FILE_FRAME_FACE.pts``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, frame: FrameFaces) -> None:
        """Write the frame's faces."""
        for face in frame.faces:
            number = f"{frame.index:06d}_{face.track}" if frame.moving else f"{face.track}"
            write_pts(self._folder / f"{frame.stem}_{number}.pts", face.points)


@contextmanager
def create(out: Path, scheme: LandmarkScheme) -> Iterator[PtsFolder]:
    """Writes ``out/pts/``; see `kpcli.catalogue.WriterModule`."""
    with atomic_folder(out / OUTPUT) as temporary:
        yield PtsFolder(temporary)
