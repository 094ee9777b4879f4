"""The page as a file: what it holds, what it refuses. Run in tests/end_to_end/test_web_page.py."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import re
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.tiny import tiny_card, write_onnx_bundle

from kpcli.errors import InputError, ModelError, UsageError
from kpcli.model_bundle import write_card
from kpcli.options import ExportOptions
from kpcli.workflows.export.web import write_page
from kpcli.workflows.export.web.runtime import GLUE, WASM, WebRuntime

EVIL = "</script><script>alert(1)</script> <b>'\" {name}"


def write_package(folder: Path, name: str = "onnxruntime-web") -> Path:
    """What npm would unpack, with contents that only tests know."""
    for file, content in ((GLUE, b"glue"), (WASM, b"wasm")):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(content)
    (folder / "package.json").write_text(json.dumps({"name": name, "version": "9.8.7"}))
    return folder


def pack(folder: Path, archive: Path) -> Path:
    with tarfile.open(archive, "w:gz") as file:
        file.add(folder, "package")
    return archive


@pytest.fixture
def wanted(tmp_path: Path) -> Callable[..., ExportOptions]:
    write_onnx_bundle(tmp_path / "bundle")
    package = write_package(tmp_path / "npm")

    def options(**choices: object) -> ExportOptions:
        values = {"out": tmp_path / "out.html", "web_runtime": package, **choices}
        return ExportOptions(str(tmp_path / "bundle"), "web", **values)  # type: ignore[arg-type]

    return options


def block(page: str, name: str) -> bytes:
    (found,) = re.findall(f'id="{name}">([^<]*)</script>', page)
    return gzip.decompress(base64.b64decode(found))


def test_the_page_holds_all_that_it_needs(
    wanted: Callable[..., ExportOptions], tmp_path: Path
) -> None:
    said: list[str] = []
    page = write_page(wanted(), said.append).path.read_text()
    assert "ONNX Runtime Web 9.8.7" in said[0]
    assert (block(page, "glue"), block(page, "wasm")) == (b"glue", b"wasm")
    assert block(page, "landmarks") == (tmp_path / "bundle" / "model.onnx").read_bytes()
    assert "MIT License" in page  # of the runtime
    assert b"THIRD" in block(page, "third").upper()
    assert "://" not in re.sub(r"<pre>.*?</pre>", "", page, flags=re.DOTALL)
    script, style = page.rsplit("<script>", 1)[1].split("</script>")[0], page.split("style>")[1]
    for content in (script, style.removesuffix("</")):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"sha256-{digest}" in page
    write_page(wanted())  # its own page is replaced


def test_a_card_cannot_write_into_the_page(
    wanted: Callable[..., ExportOptions], tmp_path: Path
) -> None:
    scheme = {**tiny_card().scheme, "name": EVIL}
    card = tiny_card(outputs=("points",), name=EVIL, licence=EVIL, scheme=scheme)
    write_card(card, tmp_path / "bundle")
    page = write_page(wanted()).path.read_text()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert page.count("<script>") == 1


def test_the_constants_are_those_of_kpcli(wanted: Callable[..., ExportOptions]) -> None:
    from kpcli.inference.upright import UNSURE

    page = write_page(wanted()).path.read_text()
    settings = json.loads(page.split("const S = ")[1].split(";\n")[0])
    assert settings["UNSURE"] == UNSURE
    assert settings["bytes"] == {"landmarks": False, "detector": True}
    assert settings["columns"][:4] == ["file", "frame", "timestamp", "face_id"]
    assert "yaw" not in settings["columns"]  # of 68 points only
    assert settings["inner"] is None


def test_what_cannot_be_a_page(wanted: Callable[..., ExportOptions], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="one file"):
        write_page(wanted(out=tmp_path / "folder"))
    with pytest.raises(UsageError, match="as it is"):
        write_page(wanted(quantize="int8"))
    (tmp_path / "out.html").write_text("mine")
    with pytest.raises(InputError, match=r"out\.html"):
        write_page(wanted())
    assert (tmp_path / "out.html").read_text() == "mine"
    detector = ExportOptions("face_detector", "web", out=tmp_path / "b.html")
    with pytest.raises(ModelError, match="detection"):
        write_page(detector)


def test_the_runtime_is_looked_for_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match="does not carry") as error:
        WebRuntime.open(None)
    assert "npm pack onnxruntime-web" in error.value.next_step
    package = write_package(tmp_path / "npm")
    pack(package, tmp_path / "onnxruntime-web-9.8.7.tgz")
    assert WebRuntime.open(None).version == "9.8.7"
    write_package(tmp_path / "node_modules" / "onnxruntime-web")
    assert WebRuntime.open(None).wasm == b"wasm"


@pytest.mark.parametrize("kind", ["another", "empty", "half", "text", "missing"])
def test_what_is_not_the_package(kind: str, tmp_path: Path) -> None:
    place = tmp_path / "place.tgz"
    if kind == "another":
        pack(write_package(tmp_path / "npm", "left-pad"), place)
    elif kind == "empty":
        with tarfile.open(place, "w:gz"):
            pass
    elif kind == "half":
        whole = io.BytesIO(pack(write_package(tmp_path / "npm"), place).read_bytes())
        place.write_bytes(whole.getvalue()[:120])
    elif kind == "text":
        place.write_text("no archive")
    with pytest.raises(ModelError, match="not the npm package"):
        WebRuntime.open(place)
