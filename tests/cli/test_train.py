"""``kpcli train``: a wrong option is said at once, before Keras is loaded."""

import subprocess
import sys

import pytest

from kpcli import options
from kpcli.training.landmarks.losses import LOSSES

PROBE = """
import sys
from kpcli.cli.app import main
sys.argv = ["kpcli", "train", "faces.csv", "--out", "run", *{arguments!r}]
try:
    main()
except SystemExit as end:
    print("exit", end.code)
print("loaded", *[m for m in ("tensorflow", "keras", "pandas") if m in sys.modules])
"""


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ("--loss nonsense", 2, "not one of 'mse', 'l1'"),
        ("--schedule nonsense", 2, "not one of 'cosine'"),
        ("--precision float8", 2, "not one of 'auto'"),
        ("--face-box file", 2, "not one of 'landmarks', 'dataset', 'image'"),
        ("--arch nonsense", 2, "not one of 'heatmap_fpn'"),
        ("--recipe nonsense", 2, "expected: celeba5"),
        ("--weights imagenet", 2, "does not apply to heatmap_fpn"),
        ("--arch naimishnet --weights imagenet", 2, "expected: none, file"),
        ("--arch naimishnet --weights missing.h5", 2, "no such file"),
        ("--arch mobilenetv2_fcn --weights image_net", 2, "expected: none, imagenet, file"),
        ("--init missing", 4, "not a model bundle"),
        ("--val 1.5", 2, "--val"),
        ("--seed -1", 2, "--seed"),
    ],
)
def test_a_wrong_option_is_refused_without_keras(
    arguments: str, code: int, said: str, tmp_path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROBE.format(arguments=arguments.split())],
        capture_output=True, text=True, check=True, cwd=tmp_path,
    )  # fmt: skip
    assert done.stdout.split() == ["exit", str(code), "loaded"], done.stderr
    assert said in done.stderr
    assert not list(tmp_path.iterdir())


def test_every_loss_has_its_name() -> None:
    assert tuple(LOSSES) == options.LOSS_NAMES


def test_help_names_what_there_is() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "kpcli", "train", "--help"],
        capture_output=True, text=True, check=True, env={"COLUMNS": "400"},
    ).stdout  # fmt: skip
    for names in (options.LOSS_NAMES, options.SCHEDULES, options.PRECISIONS, options.FACE_BOXES):
        for name in names:
            assert name in shown
