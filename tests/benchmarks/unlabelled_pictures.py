"""Link the WIDER FACE train pictures that no val or test face of WFLW was cut from.

Usage: python tests/benchmarks/unlabelled_pictures.py ../shared/data/widerface FACES.csv OUT

WFLW's faces are cut from WIDER FACE's pictures: `X_12.jpg` of WIDER FACE is `X_12_0.jpg` there.
FACES.csv is a prepared CSV with WFLW's rows. OUT/images can then be annotated with one model to
teach another (see the recipe `default_taught`) without a look at what either is measured on.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from kpcli.dataset_csv import read_dataset


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("widerface", type=Path)
    parser.add_argument("csv", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    held_out = {
        s.image.stem.rpartition("_")[0]
        for s in read_dataset(options.csv)
        if s.dataset == "wflw" and s.split != "train"
    }
    if not held_out:
        raise SystemExit(f"{options.csv}: no val or test rows of wflw")
    images = options.widerface / "WIDER_train" / "images"
    linked = left_out = 0
    for picture in sorted(images.glob("*/*.jpg")):
        if picture.stem in held_out:
            left_out += 1
            continue
        link = options.out / "images" / picture.relative_to(images)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(picture.resolve())
        linked += 1
    print(f"{linked} pictures linked, {left_out} left out")


if __name__ == "__main__":
    main()
