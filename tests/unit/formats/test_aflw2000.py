from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.dataset_builders import build_300w_lp, build_aflw2000, face
from scipy.io import savemat

from kpcli.formats.aflw2000 import read, sniff
from kpcli.types import Reject, Sample


@pytest.mark.parametrize(
    ("yaw", "subset"), [(0, "yaw 0-30"), (-29, "yaw 0-30"), (45, "yaw 30-60"), (-80, "yaw 60-90")]
)
def test_yaw_gives_the_subset(yaw: float, subset: str, tmp_path: Path) -> None:
    root = build_aflw2000(tmp_path).root
    pose = np.radians([[5, yaw, -10, 0, 0, 0, 0]])
    points = np.vstack([face(68).T, np.zeros(68)])
    savemat(root / "image00000.mat", {"pt3d_68": points, "Pose_Para": pose})
    sample = next(iter(read(root)))
    assert isinstance(sample, Sample)
    assert sample.subset == subset
    assert sample.split == "test"
    assert {k: float(v) for k, v in sample.attributes.items()} == pytest.approx(
        {"pitch": 5, "yaw": yaw, "roll": -10}, abs=0.01
    )


def test_300w_lp_pictures_stand_in_the_folder_beside_landmarks(tmp_path: Path) -> None:
    found = [s for s in read(build_300w_lp(tmp_path).root) if isinstance(s, Sample)]
    assert [s.image.relative_to(tmp_path).as_posix() for s in found] == [
        "AFW/AFW_134212_1_0.jpg",
        "AFW_Flip/AFW_134212_1_1.jpg",
    ]
    assert {s.group for s in found} == {"300w-lp/AFW_134212"}


@pytest.mark.parametrize(
    ("stem", "group"),
    [
        ("HELEN_1629243_1_0", "HELEN_1629243"),
        ("LFPW_image_train_0001_12", "LFPW_image_train_0001"),
        ("IBUG_image_003_1_3", "IBUG_image_003"),
    ],
)
def test_poses_of_one_picture_share_a_group(stem: str, group: str, tmp_path: Path) -> None:
    savemat(tmp_path / f"{stem}_pts.mat", {"pts_2d": face(68)})
    assert [s.group for s in read(tmp_path)] == [f"300w-lp/{group}"]


def test_damaged_files_are_rejects(tmp_path: Path) -> None:
    root = build_aflw2000(tmp_path).root
    savemat(root / "image00000.mat", {"pt3d_68": np.zeros((3, 21))})
    raw = (root / "image00001.mat").read_bytes()
    (root / "image00001.mat").write_bytes(raw[: len(raw) // 2])
    (root / "image00002.mat").write_bytes(b"")
    first, second, third = read(root)
    assert isinstance(first, Reject)
    assert "(3, 21)" in first.detail
    assert isinstance(second, Reject)
    assert isinstance(third, Reject)
    assert {second.reason, third.reason} == {"damaged file"}


def test_other_mat_files_are_not_ours(tmp_path: Path) -> None:
    savemat(tmp_path / "results.mat", {"a": 1})
    assert not sniff(tmp_path)
