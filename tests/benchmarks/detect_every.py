"""What --detect-every costs and saves: time, faces, steadiness, distance from detecting always.

Usage: python tests/benchmarks/detect_every.py ../shared/data/videos/portrait_long.mp4 ...
"""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from kpcli.options import AnnotateOptions
from kpcli.workflows.annotate.run import annotate


def points(table: pd.DataFrame) -> np.ndarray:
    return np.stack([table.filter(regex=rf"^{a}_\d+$").to_numpy() for a in "xy"], axis=2)


def jitter(table: pd.DataFrame) -> float:
    """Mean second difference in percent of the face's side, over all faces."""
    values = []
    for _, part in table.groupby(["file", "face_id"]):
        gaps = (part["frame"].diff() != 1).cumsum()
        for run in (run for _, run in part.groupby(gaps) if len(run) > 2):
            side = (run["right"] - run["left"]).mean()
            values.append(100 / side * np.linalg.norm(np.diff(points(run), 2, axis=0), axis=2))
    return float(np.concatenate(values).mean())


first = None
print("every  seconds  ms/frame  faces  confidence  jitter %  distance from every=1 %")
for every in (1, 2, 3, 5, 8, 12):
    with tempfile.TemporaryDirectory() as folder:
        files = tuple(Path(a) for a in sys.argv[1:])
        out = Path(folder) / "out"
        options = AnnotateOptions(
            files, out, folder=False, overlays=False, detect_every=every, workers=1, pose=False
        )
        begun = time.perf_counter()
        report = annotate(options)
        seconds = time.perf_counter() - begun
        table = pd.read_csv(out / "landmarks.csv")
    table = table[table["success"] == 1]
    first = table if first is None else first
    both = first.merge(table, on=["file", "frame"], suffixes=("", "_other"))
    # Ids may differ: the face of the other run whose box is nearest.
    away = (both["left"] - both["left_other"]).abs() + (both["top"] - both["top_other"]).abs()
    both = both.loc[away.groupby([both["file"], both["frame"], both["face_id"]]).idxmin()]
    other = both[[f"{c}_other" for c in first.columns if c[:2] in ("x_", "y_")]]
    other.columns = [c.removesuffix("_other") for c in other.columns]
    side = (both["right"] - both["left"]).to_numpy()[:, None]
    distance = 100 * np.linalg.norm(points(both) - points(other), axis=2) / side
    print(
        f"{every:5}  {seconds:7.1f}  {1000 * seconds / report.frames:8.1f}  {len(table):5}"
        f"  {table['confidence'].mean():10.3f}  {jitter(table):8.3f}  {distance.mean():.3f}"
    )
