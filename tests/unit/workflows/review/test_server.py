import http.client
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from helpers.reviewed import request, results, saved, server
from PIL import Image

from kpcli.formats.review import JOURNAL, read
from kpcli.images import read_image
from kpcli.types import Sample


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return results(tmp_path_factory.mktemp("review"))


@pytest.fixture(scope="module")
def address(out: Path) -> Iterator[str]:
    with server(out) as found:
        yield found


def place(address: str, file: str, frame: int = 1) -> dict[str, int]:
    _, queue = request(address, "api/queue")
    return {"file": queue["files"].index(file), "frame": frame}


def shown(address: str, where: dict[str, int], face: str = "0") -> dict:
    _, values = request(address, "api/frame?file={file}&frame={frame}".format(**where))
    return next(f for f in values["faces"] if f["face"] == face)


def test_who_does_not_know_the_token_gets_nothing(address: str) -> None:
    base = "http://" + urlsplit(address).netloc
    token = urlsplit(address).path.strip("/")
    wrong = token[:-1] + ("a" if token[-1] != "a" else "b")
    for path in ("/", f"/{wrong}/", f"/{wrong}/api/queue", "/api/queue", "/page.js", "//"):
        assert request(base, path)[0] == 403, path
    assert request(base, f"/{wrong}/api/save", {})[0] == 403


def test_a_page_from_elsewhere_gets_nothing(address: str) -> None:
    port = urlsplit(address).port
    assert request(address, "api/queue", Host=f"localhost:{port}")[0] == 200
    for host in (f"evil.example:{port}", "evil.example", "127.0.0.1", f"127.0.0.1:{port}.evil"):
        assert request(address, "api/queue", Host=host)[0] == 403, host
    assert request(address, "api/save", {}, Origin="http://evil.example")[0] == 403
    assert request(address, "api/queue", Origin="null")[0] == 403


def test_no_path_names_a_file(address: str, out: Path) -> None:
    secret = out / "secret.txt"
    secret.write_text("secret")
    at = urlsplit(address)
    for path in ("../../../../etc/passwd", "..%2f..%2fetc%2fpasswd", f"/{secret}", "session.py",
                 "../session.py", "%2e%2e/session.py", "page.js/../../session.py"):  # fmt: skip
        link = http.client.HTTPConnection(at.hostname or "", at.port or 0, timeout=30)
        link.request("GET", at.path + path)  # as it stands: urllib would tidy it
        assert link.getresponse().status in (403, 404), path
        link.close()
    for file in ("../a.png", "/etc/passwd", "-1", "99", ""):
        assert request(address, f"api/picture?file={file}&frame=1")[0] == 400


def test_the_page_loads_nothing_from_elsewhere(address: str) -> None:
    for name in ("", "page.css", "page.js", "face.js", "canvas.js", "store.js", "panels.js",
                 "pointer.js"):  # fmt: skip
        status, content = request(address, name)
        assert status == 200
        assert b"http://" not in content
        assert b"https://" not in content


def test_broken_requests_are_refused(address: str) -> None:
    where = place(address, "a.png")
    face = shown(address, where)
    good = saved(face, where)
    assert request(address, "api/nothing")[0] == 404
    assert request(address, "api/save", good, Content_Type="text/plain")[0] == 400
    for bad in ({"points": [[1, 2]]}, {"face": "../x"}, {"status": "?"}, {"base": "x"},
                {"points": [["a", 1]] * 5}, {"points": [[1e9, 1]] * 5}, {"box": [1, 2]},
                {"box": ["", 0, 0, 0]}, {"file": 7}, {"frame": 0}, {"occluded": [77]},
                {"points": [None] * 5, "status": "corrected"}, {"points": [[float("inf"), 0]] * 5},
                ):  # fmt: skip
        assert request(address, "api/save", {**good, **bad})[0] == 400, bad
    assert request(address, "api/propose", {**where, "box": [1, 1, 2, 2]})[0] == 400
    assert request(address, "api/frame?file=0&frame=999")[0] == 422


def test_a_corrected_face_is_a_label_and_the_prediction_stays(address: str, out: Path) -> None:
    table = (out / "landmarks.csv").read_bytes()
    where = place(address, "a.png")
    face = shown(address, where)
    points = [[p[0] + 2, p[1] - 1] for p in face["points"]]
    points[3] = None
    body = saved(face, where, points=points, occluded=[1], status="corrected", what="dragged")
    status, answer = request(address, "api/save", body)
    assert status == 200
    assert answer["version"] == 1
    assert answer["face"]["raw"] == face["points"]
    status, answer = request(address, "api/save", body)
    assert status == 409, "another tab began with the same version"
    assert answer["newer"]["points"] == points
    assert (out / "landmarks.csv").read_bytes() == table
    sample = next(s for s in read(out / "review") if isinstance(s, Sample))
    assert sample.image == (out.parent / "in" / "a.png").resolve()
    np.testing.assert_allclose(sample.points[0], points[0])
    assert np.isnan(sample.points[3]).all()
    assert sample.visible.tolist() == [True, False, True, False, True]


def test_a_frame_of_a_video_becomes_a_picture(address: str, out: Path) -> None:
    where = place(address, "clip.mp4", 7)
    status, data = request(address, "api/picture?file={file}&frame={frame}".format(**where))
    assert status == 200
    assert data[:2] == b"\xff\xd8"
    face = shown(address, where)
    body = saved(face, where, status="accepted")
    assert request(address, "api/save", body)[0] == 200
    written = out / "review" / "frames" / "clip.mp4" / "000007.jpg"
    assert Image.open(written).size == (64, 48)
    from helpers.media import picture

    apart = np.abs(read_image(written).astype(int) - picture(64, 48, seed=6))
    assert apart.mean() < 12, "it is the 7th frame: seed 6"
    found = [s for s in read(out / "review") if isinstance(s, Sample) and s.image == written]
    assert [s.group for s in found] == ["out/clip.mp4"]


def test_a_missed_face_gets_usual_points(address: str, out: Path) -> None:
    where = place(address, "b.png")
    status, found = request(address, "api/propose", {**where, "box": [4, 6, 34, 36]})
    assert status == 200
    assert found["how"] in ("usual face", "celeba5") or "confidence" in found["how"]
    body = {**where, **found, "face": "nab12", "base": 0, "status": "corrected", "occluded": []}
    assert request(address, "api/save", body)[0] == 200
    assert shown(address, where, "nab12")["raw"] is None
    assert JOURNAL in {p.name for p in (out / "review").iterdir()}


def test_next_steps_are_commands(address: str, out: Path) -> None:
    _, found = request(address, "api/steps")
    prepare, train, evaluate = (step["command"] for step in found["steps"])
    assert prepare.startswith(f"kpcli prepare {out / 'review'} ")
    assert "--init celeba5 --arch" in train
    assert "--model" in evaluate
    assert found["result"] is None
