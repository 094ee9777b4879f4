from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from kpcli.formats.matlab import read_arrays

VALUES = {
    "pts_2d": np.random.default_rng(0).normal(100, 30, (68, 2)),
    "single": np.arange(6, dtype=np.float32).reshape(1, 2, 3),
    "byte": np.array([[1, 200]], np.uint8),
    "whole": np.arange(-3, 3).reshape(3, 2),  # saved as int64
    "short": np.array([[7]], np.int16),  # in a short element
    "empty": np.zeros((0, 3)),
}


@pytest.mark.parametrize("compressed", [False, True])
def test_reads_what_scipy_writes(tmp_path: Path, compressed: bool) -> None:
    others = {"text": "abc", "list": np.array([1, "a"], object), "i": np.array([[1j]])}
    savemat(tmp_path / "a.mat", {**others, **VALUES}, do_compression=compressed)
    found = read_arrays(tmp_path / "a.mat", {*VALUES, *others, "missing"})
    assert found.keys() == VALUES.keys()
    for name, values in VALUES.items():
        np.testing.assert_array_equal(found[name], values)
        assert found[name].shape == values.shape
    assert read_arrays(tmp_path / "a.mat", {"byte"}).keys() == {"byte"}


def test_a_cut_file_and_another_kind_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    savemat(path, VALUES)
    whole = path.read_bytes()
    for end in (0, 100, 129, 140, 200, len(whole) // 2):
        path.write_bytes(whole[:end])
        with pytest.raises(ValueError, match=r"MATLAB|promised"):
            read_arrays(path, VALUES)


def test_a_variable_that_inflates_without_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    savemat(path, {"pts_2d": np.zeros((3000, 3000))}, do_compression=True)
    assert path.stat().st_size < 200_000
    with pytest.raises(ValueError, match="without end"):
        read_arrays(path, {"pts_2d"})
