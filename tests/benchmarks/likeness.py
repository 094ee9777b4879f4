"""How alike different persons look: shares of pairs of portraits above some likenesses.

Usage: python tests/benchmarks/likeness.py FOLDER [EVERY]
"""

import itertools
import sys
from pathlib import Path

import numpy as np

from kpcli.images import read_image
from kpcli.inference.appearance import likeness, thumbnail
from kpcli.inference.finder import FaceFinder
from kpcli.sources.folder import list_media

LIMITS = (0.3, 0.4, 0.45, 0.5, 0.57, 0.6, 0.63)
MOST = 60
"""Portraits that are compared, each with each."""


def main(folder: Path, every: int) -> None:
    finder = FaceFinder(pose=False)
    looks = []
    for name in list_media(folder).files[: MOST * every : every]:
        pixels = read_image(folder / name)
        if faces := finder.picture(pixels):
            best = max(faces, key=lambda face: face.box.side)
            look = thumbnail(pixels, best.points, finder.scheme)
            looks += [] if look is None else [look]
    values = np.array([likeness(a, b) for a, b in itertools.combinations(looks, 2)])
    print(f"{len(values)} pairs of {len(looks)} portraits, median {np.median(values):.2f}")
    for limit in LIMITS:
        print(f"above {limit:.2f}: {100 * (values > limit).mean():.1f} %")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1)
