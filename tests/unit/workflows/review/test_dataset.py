"""A prepared CSV, of the user's own scheme, reviewed: its sides and groups stay."""

from pathlib import Path

import numpy as np
import pytest
from helpers.media import write_picture
from helpers.reviewed import request, saved, server

from kpcli.dataset_csv import read_dataset, write_dataset
from kpcli.options import PrepareOptions
from kpcli.scheme_definition import from_definition
from kpcli.schemes import key_of
from kpcli.types import FaceBox, Sample
from kpcli.workflows.prepare.run import prepare

OWN = (
    '{"name": "mine", "points": ["tip", "l", "r", "low"], "pairs": [["l", "r"]], '
    '"edges": [["l", "tip"], ["tip", "r"]], "normaliser": ["l", "r"]}'
)
SHAPE = np.array([[20, 18], [12, 12], [28, 12], [20, 26]], np.float32)


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    samples = []
    for i in range(12):
        points = (SHAPE + rng.normal(0, 0.4, SHAPE.shape)).astype(np.float32)
        if i == 7:
            points = points[[0, 2, 1, 3]]
        samples.append(
            Sample(
                write_picture(tmp_path / "in" / f"p{i}.png"), FaceBox(8, 8, 32, 30), points,
                np.ones(4, bool), key_of(from_definition(OWN)), "set", "test" if i < 3 else "train",
                f"set/person{i // 2}", attributes={"light": "dim"},
            )
        )  # fmt: skip
    write_dataset(samples, tmp_path / "faces.csv", tmp_path)
    return tmp_path / "faces.csv"


def test_labels_alone_are_reviewed_the_odd_ones_first(labels: Path, tmp_path: Path) -> None:
    with server(labels) as address:
        _, queue = request(address, "api/queue")
        assert queue["scheme"]["names"] == ["tip", "l", "r", "low"]
        assert queue["scheme"]["flip"] == [0, 2, 1, 3]
        worst = queue["items"][0]
        assert queue["files"][worst["file"]].endswith("p7.png")
        place = {"file": worst["file"], "frame": 1}
        _, shown = request(address, "api/frame?file={file}&frame={frame}".format(**place))
        (face,) = shown["faces"]
        right = [face["points"][i] for i in (0, 2, 1, 3)]
        body = saved(face, place, points=right, status="corrected")
        assert request(address, "api/save", body)[0] == 200
        # A box that is drawn gets the points of a usual face of the set: no model knows them.
        _, found = request(address, "api/propose", {**place, "box": [8, 8, 32, 30]})
        np.testing.assert_allclose(found["points"], SHAPE, atol=1.5)
        other = next(i for i in queue["items"] if i["file"] != worst["file"])
        place = {"file": other["file"], "frame": 1}
        _, shown = request(address, "api/frame?file={file}&frame={frame}".format(**place))
        (face,) = shown["faces"]
        gone = queue["files"][other["file"]]
        body = saved(face, place, status="not_a_face")
        assert request(address, "api/save", body)[0] == 200
    before = {s.image: s for s in read_dataset(labels)}
    prepare(PrepareOptions(sources=(tmp_path / "faces_review",), out=tmp_path / "new.csv"))
    after = {s.image: s for s in read_dataset(tmp_path / "new.csv")}
    assert before.keys() - after.keys() == {Path(gone)}
    for image, sample in after.items():
        assert (sample.split, sample.group) == (before[image].split, before[image].group)
        assert sample.scheme == before[image].scheme
        assert sample.attributes["light"] == "dim"
        wanted = right if image.name == "p7.png" else before[image].points
        np.testing.assert_allclose(sample.points, wanted, atol=0.01)
