"""How much the points of a face tremble, raw and smoothed, in a video that was annotated.

Usage: kpcli annotate file clip.mp4 --smooth one-euro --out OUT
       python tests/benchmarks/jitter.py OUT/landmarks.csv

Jitter is the mean length of the second difference from frame to frame, in percent of the face's
side; lag is the mean distance of the smoothed points from the raw ones, in the same unit.
"""

import sys

import numpy as np
import pandas as pd

table = pd.read_csv(sys.argv[1])
table = table[table["success"] == 1]
for (file, face), part in table.groupby(["file", "face_id"]):
    if len(part) < 25:
        continue
    side = (part["right"] - part["left"]).to_numpy().mean()
    points = {
        kind: np.stack(
            [part.filter(regex=rf"^{kind}{axis}_\d+$").to_numpy() for axis in "xy"], axis=2
        )
        for kind in ("", "smooth_")
    }
    jitter = {
        kind or "raw": 100 / side * np.linalg.norm(np.diff(p, 2, axis=0), axis=2)
        for kind, p in points.items()
    }
    lag = 100 / side * np.linalg.norm(points[""] - points["smooth_"], axis=2).mean()
    words = ", ".join(f"{k} {v.mean():.3f} (median {np.median(v):.3f})" for k, v in jitter.items())
    print(f"{file} face {face}: {len(part)} frames, jitter {words}; lag {lag:.3f}")
