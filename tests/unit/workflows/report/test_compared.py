import csv
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from helpers.annotated import face, frame, write_results
from helpers.media import write_picture

from kpcli.errors import InputError
from kpcli.options import ReportOptions
from kpcli.types import Face, FrameFaces
from kpcli.workflows.report.agreement import Agreement, matched
from kpcli.workflows.report.run import report


def moved(one: Face, by: float, point: int | None = None) -> Face:
    points = one.points.copy()
    points[slice(None) if point is None else point] += [by, 0]
    return Face(one.box, points, one.point_confidences, one.confidence, one.track, one.pose,
                measures=one.measures)  # fmt: skip


def table(tmp_path: Path, name: str, frames: Sequence[FrameFaces]) -> Path:
    return write_results(tmp_path / name, frames) / "landmarks.csv"


def test_distances_by_face_point_file_and_frame(tmp_path: Path) -> None:
    one = face()  # a box of 40 pixels
    a = table(tmp_path, "a", [
        frame("a.jpg", 1, one), frame("b.jpg", 1, one, face(1, left=200)), frame("only_a.jpg", 1),
        frame("v.mp4", 1, one), frame("v.mp4", 2, one), frame("v.mp4", 3, one),
    ])  # fmt: skip
    b = table(tmp_path, "b", [
        frame("a.jpg", 1, moved(one, 4)), frame("b.jpg", 1, one), frame("v.mp4", 1, one),
        frame("v.mp4", 3, moved(one, 2, point=0)),
    ])  # fmt: skip
    agreement = Agreement()
    agreement.read(a, b)
    whole = agreement.whole
    assert (whole.both, whole.only_a, whole.only_b) == (4, 2, 0)
    assert agreement.missing == (1, 0)
    assert whole.mean == pytest.approx((10 + 0 + 0 + 1) / 4, abs=1e-3)  # percent of 40 pixels
    assert [(f, n) for f, n, _, _ in agreement.frames][:2] == [("a.jpg", 1), ("v.mp4", 3)]
    found = agreement.by_point()
    assert found is not None
    np.testing.assert_allclose(found[1], [15 / 4, 2.5, 2.5, 2.5, 2.5], atol=1e-3)
    files = {f.file: f for f in agreement.files}
    assert (files["v.mp4"].both, files["v.mp4"].only_a, files["v.mp4"].worst_frame) == (2, 1, 3)


def test_faces_are_paired_by_overlap_not_by_id() -> None:
    left, right = face(0, left=0), face(1, left=100)
    assert matched([left, right], [face(0, left=102), face(1, left=1)]) == [(0, 1), (1, 0)]
    assert matched([left], [right]) == []


def test_the_page_of_two_tables(tmp_path: Path) -> None:
    evil = "<script>x</script>.jpg"
    a = table(tmp_path, "a", [frame(evil, 1, face())])
    b = table(tmp_path, "b", [frame(evil, 1, moved(face(), 4))])
    out = report(ReportOptions((a, b.parent), compare=True, out=tmp_path / "c.html")).path
    page = out.read_text()
    assert "<b>10.00</b>" in page
    assert "&lt;script&gt;x" in page
    assert "<script>x" not in page


def test_tables_of_other_points(tmp_path: Path) -> None:
    a = table(tmp_path, "a", [frame("a.jpg", 1, face())])
    text = a.read_text().splitlines()
    (tmp_path / "b.csv").write_text("file,frame\n" + text[1][:5] + ",1\n")
    with pytest.raises(InputError, match=r"not a landmarks\.csv"):
        report(ReportOptions((a, tmp_path / "b.csv"), compare=True, out=tmp_path / "c.html"))
    with pytest.raises(InputError, match="nothing to compare"):
        report(ReportOptions((a, tmp_path / "none"), compare=True, out=tmp_path / "c.html"))


def evaluation(folder: Path, errors: Sequence[float | None], **changes: object) -> Path:
    folder.mkdir()
    values = {
        "model": folder.name, "csv": "faces.csv", "split": "test", "protocol": "ocular", "cut": 8.0,
        "normaliser": "eyes", "faces": len(errors), "nme_mean": 3.0, "interval": [2.5, 3.5],
        "nme_median": 2.9, "failure_rate": 1.0, "auc": 60.0, "missed": 1, "boxes": "labels",
        "box_source": "labels", "subsets": {"<b>hard": {"faces": 2, "nme_mean": 5.0}}, **changes,
    }  # fmt: skip
    (folder / "metrics.json").write_text(json.dumps(values))
    with (folder / "per_face.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "origin", "subset", "missed", "nme"])
        for i, error in enumerate(errors):
            missed = int(error is None)
            writer.writerow([f"{i}<i>.jpg", f"x:{i}", "hard" if i < 2 else "easy", missed,
                             "" if error is None else error])  # fmt: skip
    write_picture(folder / "worst.png")
    return folder


def test_the_page_of_an_evaluation(tmp_path: Path) -> None:
    folder = evaluation(tmp_path / "default", [3.0, 9.5, 2.0, None])
    comparison = [{"a": "default", "b": "other", "faces": 3, "difference": -0.25,
                   "interval": [-0.3, -0.2], "better": 80.0}]  # fmt: skip
    (folder / "comparison.json").write_text(json.dumps(comparison))
    page = report(ReportOptions((folder,))).path.read_text()
    assert "<b>3.00</b>NME %, 95 % interval 2.50 to 3.50" in page
    assert "hard (2 faces)" in page
    assert "subset &lt;b&gt;hard" in page
    assert "-0.300 to -0.200" in page
    assert (
        page.index("3&lt;i&gt;.jpg") < page.index("1&lt;i&gt;.jpg") < page.index("0&lt;i&gt;.jpg")
    )
    assert "data:image/jpeg" in page
    assert "terms" in page


def test_two_evaluations(tmp_path: Path) -> None:
    a = evaluation(tmp_path / "a", [3.0, 9.5, 2.0, None])
    b = evaluation(tmp_path / "b", [2.0, 9.0, 2.5, 4.0], nme_mean=2.75, split="val")
    out = tmp_path / "c.html"
    page = report(ReportOptions((a, b), compare=True, out=out)).path.read_text()
    assert "4 labels are in both, 3 of them found by both" in page
    assert "-0.333 points" in page  # (-1 - 0.5 + 0.5) / 3
    assert "B is better on 67% of them" in page
    assert "split: test and val" in page
    assert '<td class="n">-0.25</td>' in page
