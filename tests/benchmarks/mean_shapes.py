"""Print the mean upright frontal shapes of kpcli.drawing.mean_shapes, from labelled 2-D faces.

Usage: python tests/benchmarks/mean_shapes.py ibug:../shared/data/300w wflw:../shared/data/wflw

The train faces of each data set (FORMAT:FOLDER) are fitted by eyes, nose and mouth corners onto
`kpcli.geometry.REFERENCE_FIVE`; the half that fits best, which are those that look into the
camera, is averaged with its mirror image.
"""

import sys
from pathlib import Path

import numpy as np

from kpcli.catalogue import FORMATS
from kpcli.geometry import REFERENCE_FIVE, similarity
from kpcli.schemes import five_points, get_scheme
from kpcli.types import Sample

for word in sys.argv[1:]:
    name, _, folder = word.partition(":")
    samples = [s for s in FORMATS.load(name).read(Path(folder)) if isinstance(s, Sample)]
    samples = [s for s in samples if s.split == "train" and not np.isnan(s.points).any()]
    scheme = get_scheme(samples[0].scheme)
    shapes, errors = [], []
    for sample in samples:
        five = five_points(sample.points, scheme)
        matrix = similarity(five, REFERENCE_FIVE)
        errors.append(np.abs(five @ matrix[:, :2].T + matrix[:, 2] - REFERENCE_FIVE).mean())
        shapes.append(sample.points @ matrix[:, :2].T + matrix[:, 2])
    good = np.array(shapes)[np.array(errors) <= np.median(errors)]
    mean = good.mean(axis=0)
    mean = (mean + mean[list(scheme.flip_order)] * [-1, 1]) / 2
    print(f"{scheme.name}: {len(good)} faces")
    print(", ".join(f"[{x + 0.0:.3f}, {y + 0.0:.3f}]" for x, y in mean))
