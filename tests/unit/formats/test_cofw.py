from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
from helpers.dataset_builders import build_cofw, face, picture

from kpcli.formats.cofw import read
from kpcli.types import FaceBox, Reject, Sample


def test_pictures_points_and_occlusion(tmp_path: Path) -> None:
    found = [s for s in read(build_cofw(tmp_path).root) if isinstance(s, Sample)]
    assert [s.split for s in found] == ["test", "train", "train"]
    first, gray = found[1:]
    np.testing.assert_array_equal(first.pixels, picture(face(29), 60))
    np.testing.assert_array_equal(gray.pixels[..., 0], picture(face(29, (121, 118)), 61)[..., 0])
    assert np.flatnonzero(~first.visible).tolist() == [0, 1, 2]
    assert first.face == FaceBox(60, 50, 180, 180)


def test_one_damaged_picture_is_one_reject(tmp_path: Path) -> None:
    root = build_cofw(tmp_path).root
    with h5py.File(root / "COFW_train_color.mat", "r+") as file:
        file["IsTr"][0, 1] = file.create_dataset("#refs#/odd", data=np.zeros(4)).ref
    (reject,) = (i for i in read(root) if isinstance(i, Reject))
    assert reject.origin == f"{root / 'COFW_train_color.mat'}: face 2"


def test_a_file_that_is_no_hdf5_is_one_reject(tmp_path: Path) -> None:
    root = build_cofw(tmp_path).root
    (root / "COFW_test_color.mat").write_bytes(b"MATLAB 5.0 MAT-file")
    with h5py.File(root / "COFW_train_color.mat", "r+") as file:
        del file["phisTr"]
        file["phisTr"] = np.zeros((58, 2))
    rejects = list(read(root))
    assert [(Path(r.origin).name, r.reason) for r in rejects if isinstance(r, Reject)] == [
        ("COFW_test_color.mat", "damaged file"),
        ("COFW_train_color.mat", "damaged file"),
    ]
    assert "58 rows, not 87" in rejects[1].detail
