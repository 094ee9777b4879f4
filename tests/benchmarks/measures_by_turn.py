"""What a turn of the head does to the measures, with and without the correction, on labelled faces.

    python tests/benchmarks/measures_by_turn.py ../shared/data/300w

Different people look in different directions, but on the average as wide-eyed: the median over
faces should not depend on yaw and pitch. The eye that is farther from the camera is the one on
the side that the face looks to.
"""

from __future__ import annotations

import itertools
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from kpcli.formats import ibug
from kpcli.inference import measures
from kpcli.inference.head_pose import head_pose
from kpcli.inference.measures import measure
from kpcli.schemes import IBUG68
from kpcli.types import Face, FaceBox, HeadPose, Measures, Sample

YAWS = (0, 5, 10, 15, 20, 25, 30, 40)
PITCHES = (-20, -15, -10, -5, 0, 5, 10, 15, 20)
SIDE = 208
"""Pixels of the pictures, which the pose is fitted by."""


def faces(root: Path) -> list[tuple[HeadPose, Measures, Measures]]:
    """Pose, corrected and raw measures of every labelled face, without the limits of honesty."""
    measures.HONEST_YAW = measures.HONEST_PITCH = measures.SYMMETRIC_YAW = 90.0
    found = []
    for sample in ibug.read(root):
        if isinstance(sample, Sample) and sample.points.shape == (68, 2):
            pose = HeadPose(*head_pose(sample.points, SIDE, SIDE))
            scores = np.ones(68, np.float32)
            face = Face(FaceBox(0, 0, 1, 1), sample.points, scores, 1.0, 0, pose)
            raw = measure(replace(face, pose=None), IBUG68)
            found.append((pose, measure(face, IBUG68), raw))
    return found


def far_and_near(pose: HeadPose, m: Measures) -> tuple[float, float]:
    return (m.ear_right, m.ear_left) if pose.yaw > 0 else (m.ear_left, m.ear_right)


def main(root: Path) -> None:
    rows = faces(root)
    print("| yaw | faces | far eye raw | corrected | near eye raw | corrected | asymmetry raw |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for low, high in itertools.pairwise(YAWS):
        some = [r for r in rows if low <= abs(r[0].yaw) < high and abs(r[0].pitch) < 15]
        values = [(*far_and_near(p, raw), *far_and_near(p, m), raw.asymmetry) for p, m, raw in some]
        raw_far, raw_near, far, near, uneven = np.nanmedian(values, axis=0)
        print(
            f"| {low} to {high} | {len(some)} | {raw_far:.3f} | {far:.3f} | {raw_near:.3f} "
            f"| {near:.3f} | {uneven:.3f} |"
        )
    print("\n| pitch | faces | eyes raw | corrected | brows raw | corrected |")
    print("|---|---:|---:|---:|---:|---:|")
    for low, high in itertools.pairwise(PITCHES):
        some = [r for r in rows if low <= r[0].pitch < high and abs(r[0].yaw) < 15]
        values = [(raw.ear, m.ear, raw.brow_left, m.brow_left) for _, m, raw in some]
        text = " | ".join(f"{v:.3f}" for v in np.nanmedian(values, axis=0))
        print(f"| {low} to {high} | {len(some)} | {text} |")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
