"""Killed before or after any change of the disk: prepare, export and merge, run again, finish."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.dataset_builders import build_cofw
from helpers.fakes import FakePredictor
from helpers.media import picture, write_picture
from helpers.tiny import SHAPE, tiny_card

from kpcli.errors import InputError
from kpcli.model_bundle import ModelBundle, write_card
from kpcli.options import AnnotateOptions, ExportOptions, MergeOptions, PrepareOptions
from kpcli.workflows.annotate.merge import merge
from kpcli.workflows.annotate.run import annotate
from kpcli.workflows.export import run as exporting
from kpcli.workflows.prepare.run import prepare

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks, to be killed")

CHANGES = ("replace", "unlink", "fsync", "link", "mkdir", "rename", "rmdir")


def killed(work: Callable[[], object], after: int) -> bool:
    """Do the work in a child that kills itself before its nth change of the disk."""
    child = os.fork()
    if child == 0:
        gc.disable()  # frames of earlier tests would wait for threads that only the parent has
        left = after

        def counted(plain: Callable[..., object]) -> Callable[..., object]:
            def change(*a: object, **k: object) -> object:
                nonlocal left
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return plain(*a, **k)

            return change

        try:
            for name in CHANGES:
                setattr(os, name, counted(getattr(os, name)))
            work()
            os._exit(0)
        finally:
            os._exit(1)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def moments(work: Callable[[], object], every: int) -> Iterator[int]:
    """Kill the work at every nth change, until it comes to its end; KPCLI_KILLS=1: at all."""
    after = 0
    every = 1 if os.environ.get("KPCLI_KILLS") else every
    while killed(work, after):
        yield after
        after += every


def contents(folder: Path) -> dict[str, bytes]:
    """All files but the state's."""
    return {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and ".kpcli" not in p.parts
    }


def leftovers(folder: Path) -> list[Path]:
    names = [p.relative_to(folder) for p in folder.rglob("*")]
    return [n for n in names if "tmp" in n.parts or n.name.startswith(".kpcli-")]


@pytest.mark.parametrize("again", [False, True], ids=["first", "replacing"])
def test_prepare(tmp_path: Path, again: bool) -> None:
    sources = (build_cofw(tmp_path / "a").root, tmp_path / "b")
    out = tmp_path / "o"
    sources[1].mkdir()
    (sources[1] / "broken.pts").write_text("no points")
    wanted = PrepareOptions(sources, out / "f.csv", preview=out / "s.png", scheme="celeba5")
    (out / "mine").mkdir(parents=True)
    (out / "mine" / "notes.txt").write_text("mine")
    if again:
        prepare(replace(wanted, seed=1, sources=sources[:1]))
    count = 0
    for _ in moments(lambda: prepare(wanted), 11):
        count += 1
        assert (out / "mine" / "notes.txt").read_text() == "mine"
    assert count > 2
    prepare(wanted)
    assert not leftovers(out)
    whole = tmp_path / "whole"
    prepare(replace(wanted, out=whole / "f.csv", preview=whole / "s.png"))
    found = contents(out)
    assert found.pop("mine/notes.txt") == b"mine"
    assert {n: d for n, d in found.items() if n != "f.csv"} == {
        n: d for n, d in contents(whole).items() if n != "f.csv"
    }
    text = found["f.csv"].replace(b"o/f_pictures", b"whole/f_pictures")
    assert text == contents(whole)["f.csv"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_merge(tmp_path: Path, overwrite: bool) -> None:
    for i in range(4):
        write_picture(tmp_path / "in" / f"{i}.png", picture(40, 30, seed=i))
    plain = AnnotateOptions((tmp_path / "in",), tmp_path / "whole", detector="whole_image")
    formats = ("pts", "coco")
    annotate(replace(plain, formats=formats), FakePredictor())
    shards = (tmp_path / "s1", tmp_path / "s2")
    for i, shard in enumerate(shards, 1):
        annotate(replace(plain, out=shard, shard=(i, 2)), FakePredictor())
    before = [contents(shard) for shard in shards]
    wanted = MergeOptions(shards, tmp_path / "m", formats, overwrite=True)
    if overwrite:
        merge(wanted)
    count = 0
    for _ in moments(lambda: merge(wanted), 23):
        count += 1
        assert [contents(shard) for shard in shards] == before
        if not overwrite:  # each from the beginning, as its user would try it
            merged = merge(wanted)
            assert merged.counts == {"done": 4}
    assert count > 2
    merge(wanted)
    same = ("landmarks.csv", "annotations", "pts", "overlays")
    found, whole = contents(tmp_path / "m"), contents(tmp_path / "whole")
    assert {n: d for n, d in found.items() if n.startswith(same)} == {
        n: d for n, d in whole.items() if n.startswith(same)
    }
    assert not leftovers(tmp_path / "m")


class Export:
    line = "a stand-in"

    def run(self, pictures: object) -> dict[str, object]:
        return {"points": (SHAPE * 2 - 1)[None].repeat(len(pictures), 0)}  # type: ignore[arg-type]


class Exporter:
    QUANTIZE = ("none",)

    def __init__(self, file: str, text: str) -> None:
        self.FILE, self._text = file, text

    def export(self, weights: Path, path: Path, **_: object) -> None:
        (path / "graph" if path.is_dir() else path).write_text(self._text)

    def open_export(self, path: Path) -> Export:
        return Export()


@pytest.mark.parametrize("file", ["model.fake", "fake"], ids=["file", "folder"])
def test_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str) -> None:
    folder = tmp_path / "bundle"
    folder.mkdir()
    write_card(tiny_card(outputs=("points",)), folder)
    monkeypatch.setattr("kpcli.runtimes.keras_runtime.KerasRuntime", lambda weights: Export())

    def run(text: str) -> None:
        monkeypatch.setattr(exporting.EXPORTERS, "load", lambda name: Exporter(file, text))
        exporting.export(ExportOptions(str(folder), "fake"), lambda line: None)

    for text in ("first", "second, longer", "third"):
        assert sum(1 for _ in moments(lambda t=text: run(t), 1)) > 3
        run(text)
        made = folder / file / "graph" if file == "fake" else folder / file
        assert made.read_text() == text
        assert ModelBundle.open(folder).card.exports["fake"]["file"] == file
        assert not leftovers(folder)
    made.write_text("the user's")
    with pytest.raises(InputError, match="in the way"):
        run("fourth")
    assert made.read_text() == "the user's"
