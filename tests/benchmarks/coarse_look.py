"""How often the coarse look settles a picture, and which faces the fine look would have found.

Usage: python tests/benchmarks/coarse_look.py ../shared/data [FOLDER ...]

For the pictures of WIDER FACE's val and of the kinds of scene that no detector was trained on (see
`detector_ap.py`), and for those of each FOLDER: how many the coarse look settles, the faces that
the fine look finds in those, and how many of these the coarse one lacks.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from detector_ap import load
from detector_data import corners, report

from kpcli.boxes import pairwise_iou
from kpcli.detectors import builtin
from kpcli.images import read_image
from kpcli.sources.folder import is_media
from kpcli.types import Frame, Pixels

SAME = 0.4


def pictures(shared: Path, name: str) -> Iterator[Pixels]:
    if name in ("val", "held_out"):
        yield from (p.pixels for p in load(shared, name))
    else:
        yield from (read_image(p) for p in sorted(Path(name).rglob("*")) if is_media(p))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", type=Path)
    parser.add_argument("folders", nargs="*")
    options = parser.parse_args()
    detector = builtin.open_detector(builtin.BUNDLE, threads=1)
    rows = []
    for name in ("val", "held_out", *options.folders):
        n = settled = faces = lacking = 0
        for pixels in pictures(options.shared, name):
            n += 1
            fitted = detector._coarse(pixels)
            (coarse,) = detector._search([fitted], "landmark_box", builtin.DOUBT)
            if not builtin._settled(coarse, max(fitted.scale)):
                continue
            settled += 1
            ((fine, _),) = detector.arrays([pixels], "landmark_box")
            (given,) = detector.detect([Frame.still(Path(), pixels)])
            best = pairwise_iou(fine, corners(given)).max(axis=1, initial=0)
            faces, lacking = faces + len(fine), lacking + int(np.sum(best < SAME))
        rows.append({
            "set": name, "pictures": n, "settled": settled, "faces": faces, "lacking": lacking,
        })  # fmt: skip
    report(rows)


if __name__ == "__main__":
    main()
