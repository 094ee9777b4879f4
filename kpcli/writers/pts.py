"""iBUG ``.pts`` files, one a face; 1-based, as the format has it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kpcli.atomic import atomic_path


def write_pts(path: Path, points: NDArray[np.floating]) -> None:
    """Write points (N, 2), 0-based pixels, as the 1-based lines of a ``.pts`` file."""
    lines = [f"{x:.6f} {y:.6f}" for x, y in np.asarray(points, np.float64) + 1]
    text = "\n".join(["version: 1", f"n_points: {len(lines)}", "{", *lines, "}", ""])
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="ascii")
