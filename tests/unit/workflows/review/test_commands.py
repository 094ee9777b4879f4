import json
from pathlib import Path

from kpcli.scheme_definition import from_definition
from kpcli.schemes import key_of
from kpcli.workflows.review.commands import next_steps, result

OWN = key_of(from_definition('{"name": "mine", "points": ["tip", "l", "r"]}'))


def lines(folder: Path, scheme: str, splits: set[str]) -> list[str]:
    found = next_steps(folder, "celeba5", 30, scheme, splits)
    assert found["advice"] == []
    return [step["command"] for step in found["steps"]]


def test_sides_that_are_there_stay_and_the_others_are_cut_off(tmp_path: Path) -> None:
    for splits, cut in (
        (set(), "--test 0.3 --val 0.1"), ({"train"}, "--test 0.3 --val 0.1"),
        ({"train", "test"}, "--val 0.1"), ({"train", "val", "test"}, ""),
    ):  # fmt: skip
        prepare, _, evaluate = lines(tmp_path, "celeba5", splits)
        assert prepare == f"kpcli prepare {tmp_path} --exif upright {cut}".strip() + (
            f" --out {tmp_path / 'faces.csv'}"
        )
        assert evaluate.count("--model") == 2
    (tmp_path / "faces.csv").touch()
    again = lines(tmp_path, "celeba5", {"train"})[0]
    assert f"--keep-split {tmp_path / 'faces.csv'}" in again, "no face changes its side"


def test_a_model_of_other_points_is_a_start_but_nothing_to_compare_with(tmp_path: Path) -> None:
    _, train, evaluate = lines(tmp_path, OWN, set())
    assert "--init celeba5 --arch" in train
    assert evaluate.count("--model") == 1
    report = tmp_path / "eval"
    assert result(report) is None
    report.mkdir()
    (report / "metrics.json").write_text(json.dumps({"nme_mean": 3.5, "faces": 9, "model": "new"}))
    found = result(report)
    assert found is not None
    assert found["before"] is None
    assert found["after"]["nme_mean"] == 3.5
    (report / "model_2").mkdir()
    old = {"nme_mean": 4.5, "faces": 9, "model": "old"}
    (report / "model_2" / "metrics.json").write_text(json.dumps(old))
    found = result(report)
    assert found is not None
    assert (found["before"]["nme_mean"], found["old"], found["new"]) == (4.5, "old", "new")
