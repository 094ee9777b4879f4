"""How much the points of a face tremble, raw and smoothed, and how far smoothed ones lag.

Usage: python tests/benchmarks/jitter.py FILE...

A video is annotated as it is, with --smooth one-euro. A picture becomes a video of a still face:
3 seconds of it at 30 frames a second with sensor noise (standard deviation 3 of 255), as H.264.

Jitter is the mean length of the second difference from frame to frame, in percent of the face
box's side; lag is the mean distance of the smoothed points from the raw ones, in the same unit.
"""

import sys
import tempfile
from pathlib import Path

import av
import cv2
import numpy as np
import pandas as pd

from kpcli.images import read_image
from kpcli.options import AnnotateOptions
from kpcli.sources.folder import is_video
from kpcli.workflows.annotate.run import annotate

LONG_SIDE = 720
SHORTEST = 25
"""Frames that a face must be seen in a row."""


def write_still(path: Path, picture: Path, seconds: float = 3.0) -> Path:
    pixels = read_image(picture)
    scale = min(1.0, LONG_SIDE / max(pixels.shape[:2]))
    width, height = (round(n * scale / 2) * 2 for n in pixels.shape[1::-1])
    still = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    noise = np.random.default_rng(0)
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=30, options={"crf": "23"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for _ in range(round(30 * seconds)):
            noisy = (still + noise.normal(0, 3, still.shape)).clip(0, 255).astype(np.uint8)
            output.mux(stream.encode(av.VideoFrame.from_ndarray(noisy, format="rgb24")))
        output.mux(stream.encode(None))
    return path


def points(table: pd.DataFrame, kind: str = "") -> np.ndarray:
    """(frames, points, 2)."""
    return np.stack([table.filter(regex=rf"^{kind}{a}_\d+$").to_numpy() for a in "xy"], axis=2)


def line(name: str, run: pd.DataFrame) -> str:
    side = np.maximum(run["right"] - run["left"], run["bottom"] - run["top"]).mean()
    values = []
    for kind in ("", "smooth_"):
        second = np.linalg.norm(np.diff(points(run, kind), 2, axis=0), axis=2)
        values += [100 / side * second.mean(), 100 / side * np.median(second)]
    lag = 100 / side * np.linalg.norm(points(run) - points(run, "smooth_"), axis=2).mean()
    raw, raw_median, smooth, smooth_median = values
    return (
        f"{name:40} {len(run):6} {raw:7.3f} {raw_median:7.3f} {smooth:8.3f} {smooth_median:7.3f}"
        f" {smooth / raw:6.2f} {lag:6.3f}"
    )


print(
    "face                                     frames     raw  median smoothed  median  ratio    lag"
)
for name in sys.argv[1:]:
    source = Path(name)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        if not is_video(source):
            source = write_still(Path(folder) / f"{source.stem}_still.mp4", source)
        annotate(
            AnnotateOptions(
                (source,), out, folder=False, overlays=False, smooth="one-euro", workers=1
            )
        )
        table = pd.read_csv(out / "landmarks.csv")
    table = table[table["success"] == 1]
    for face, mine in table.groupby("face_id"):
        for _, run in mine.groupby((mine["frame"].diff() != 1).cumsum()):
            if len(run) >= SHORTEST:
                first = run["frame"].iloc[0]
                print(line(f"{source.name} face {face:.0f} from frame {first}", run), flush=True)
