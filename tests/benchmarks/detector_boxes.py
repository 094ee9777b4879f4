"""The CSV of boxes that the face detector is trained on: WIDER FACE without what measures it.

Usage: python tests/benchmarks/detector_boxes.py WIDER.csv WIDER_MORE.csv --out BOXES.csv

Both come from `kpcli prepare`: of WIDER FACE's train, and of widerface_more. The kinds of scene
`HELD_OUT` of detector_ap.py stay out, and rows of split val of the first.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from detector_ap import HELD_OUT

from kpcli.dataset_csv import read_dataset, write_dataset


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("wider", type=Path)
    parser.add_argument("more", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    samples = [s for s in read_dataset(options.wider) if s.split == "train"]
    more = read_dataset(options.more)
    samples += [s for s in more if s.image.parent.name not in HELD_OUT]
    write_dataset(samples, options.out, Path(os.path.commonpath([s.image for s in samples])))
    pictures = len({s.image for s in samples})
    held = len({s.image for s in more if s.image.parent.name in HELD_OUT})
    print(f"{options.out}: {len(samples)} boxes of {pictures} pictures; {held} pictures held out")


if __name__ == "__main__":
    main()
