"""Every command, every format, in a folder full of the user's own files: not a byte is lost."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.anonymised import seek_drawn
from helpers.dataset_builders import build_cofw, build_ibug
from helpers.fakes import FakePredictor, write_bundle
from helpers.media import picture, write_animation, write_picture, write_video
from helpers.tiny import tiny_card, write_faces

from kpcli.catalogue import EXPORTERS, WRITERS
from kpcli.errors import InputError, KpcliError, UsageError
from kpcli.model_bundle import write_card
from kpcli.options import (
    AnnotateOptions,
    AnonymiseOptions,
    BenchOptions,
    EvalOptions,
    ExportOptions,
    InspectOptions,
    MergeOptions,
    PrepareOptions,
    ReportOptions,
    TrainOptions,
)
from kpcli.workflows.annotate import measures as measure_tables
from kpcli.workflows.annotate.merge import merge
from kpcli.workflows.annotate.run import annotate, dry_run
from kpcli.workflows.anonymise.run import anonymise
from kpcli.workflows.bench.run import bench
from kpcli.workflows.evaluate.run import evaluate
from kpcli.workflows.export.run import export
from kpcli.workflows.inspect import inspect
from kpcli.workflows.prepare.run import prepare
from kpcli.workflows.report.run import report
from kpcli.workflows.train import RUN_FILES, train
from kpcli.writers import coco

COCO = f"{coco.OUTPUT}/{coco.FILE}"
OUTPUTS = {name: str(WRITERS.load(name).OUTPUT) for name in WRITERS}
MEASURED = (measure_tables.OUTPUT, *measure_tables.MORE)
MODES = ({}, {"resume": True}, {"overwrite": True})


def snapshot(folder: Path) -> dict[str, object]:
    """All that is in a folder: bytes of files, targets of links, folders."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = ("link", path.readlink())
        else:
            found[name] = path.read_bytes() if path.is_file() else "folder"
    return found


def options(source: Path, out: Path, **changes: object) -> AnnotateOptions:
    plain = AnnotateOptions((source,), out, detector="whole_image", overlays=False)
    return replace(plain, **changes)


def users(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(f"the user's own {path.name}".encode())
    return path


def refused(folder: Path, run: Callable[[], object], named: str) -> None:
    """The run is refused, by name, and leaves the folder as it was."""
    before = snapshot(folder)
    with pytest.raises(KpcliError) as e:
        run()
    assert e.value.exit_code in (2, 3)
    assert named in e.value.what
    assert e.value.next_step
    assert snapshot(folder) == before


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    for i in range(3):
        write_picture(tmp_path / "in" / f"{i}.png", picture(40, 30, seed=i))
    return tmp_path / "in"


@pytest.mark.parametrize("mode", MODES, ids=str)
@pytest.mark.parametrize(
    "name", [*WRITERS, "overlays", "manifest.csv", "run.json", "crops", "images", *MEASURED]
)
def test_annotate_leaves_what_is_in_the_way(
    pictures: Path, tmp_path: Path, name: str, mode: dict[str, bool]
) -> None:
    place = OUTPUTS.get(name, name)
    wanted = options(
        pictures, tmp_path / "out", overlays=name == "overlays", crops=name == "crops",
        frames_out=name == "images", measures=name in MEASURED, **mode,
        formats=(name,) if name in WRITERS else ("csv",),
    )  # fmt: skip
    for mine in (f"{place}/deep/mine.txt", place):
        users(tmp_path / "out" / mine)
        refused(tmp_path, lambda: annotate(wanted, FakePredictor()), mine)
        bundle = str(write_bundle(tmp_path / "m"))
        refused(tmp_path, lambda m=bundle: dry_run(replace(wanted, model=m)), mine)
        shutil.rmtree(tmp_path / "out")
        shutil.rmtree(tmp_path / "m")


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_annotate_leaves_what_is_not_in_the_way(
    pictures: Path, tmp_path: Path, mode: dict[str, bool]
) -> None:
    """Files called like formats that are not asked for, and what systems leave in folders."""
    out = tmp_path / "out"
    for place in ("overlays", *OUTPUTS.values()):
        if place != OUTPUTS["csv"]:
            users(out / place if Path(place).suffix else out / place / "mine.txt")
    for litter in ("pts/.DS_Store", "pts/Thumbs.db", ".kpcli/parts/.nfs01", ".kpcli/x.jsonl"):
        users(out / litter)
    before = snapshot(out)
    annotate(options(pictures, out, **mode), FakePredictor())
    (out / "pts" / "mine.txt").unlink()
    del before["pts/mine.txt"]
    again = options(pictures, out, overwrite=True, formats=("pts",))
    annotate(again, FakePredictor())
    after = snapshot(out)
    assert {name: after.get(name) for name in before} == before
    assert "pts/0.png_0.pts" in after


@pytest.mark.parametrize("mode", MODES, ids=str)
@pytest.mark.parametrize(
    "name", ["copies", "covers.csv", "leaks.csv", "leaks.jpg", "manifest.csv", "run.json"]
)
def test_anonymise(
    pictures: Path,
    tmp_path: Path,
    name: str,
    mode: dict[str, bool],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It leaves what is in the way, what it reads, and what is not its own."""
    seek_drawn(monkeypatch)
    out = tmp_path / "out"
    wanted = AnonymiseOptions((pictures,), out, workers=1, **mode)
    for mine in (f"{name}/deep/mine.txt", name):
        users(out / mine)
        refused(tmp_path, lambda: anonymise(wanted), mine)
        refused(tmp_path, lambda: anonymise(replace(wanted, dry_run=True)), mine)
        shutil.rmtree(out)
    users(out / "mine.txt")
    before = snapshot(pictures)
    assert anonymise(wanted).exit_code == 0
    assert snapshot(pictures) == before
    assert (out / "mine.txt").is_file()
    copies = replace(wanted, inputs=(out / "copies",), overwrite=True)
    refused(tmp_path, lambda: anonymise(copies), "0.png")


@pytest.mark.parametrize("name", ["pts", "cvat", "overlays", "."])
@pytest.mark.parametrize("mode", MODES, ids=str)
def test_input_that_is_called_like_an_output(
    tmp_path: Path, name: str, mode: dict[str, bool]
) -> None:
    write_picture(tmp_path / "d" / name / "a.png")
    write_picture(tmp_path / "d" / "overlays" / "a.png", picture(seed=5))
    wanted = options(
        tmp_path / "d" / name, tmp_path / "d", overlays=True, formats=("pts", "cvat"), **mode
    )
    refused(tmp_path, lambda: annotate(wanted, FakePredictor()), "a.png")


@pytest.mark.parametrize("what", ["overlays", "landmarks.csv", "manifest.csv", ".kpcli", "pts"])
def test_links_are_not_followed_out_of_the_folder(
    pictures: Path, tmp_path: Path, what: str
) -> None:
    users(tmp_path / "else" / "mine.txt")
    (tmp_path / "out").mkdir()
    target = tmp_path / "else"
    (tmp_path / "out" / what).symlink_to(target / "mine.txt" if "." in what[1:] else target)
    wanted = options(pictures, tmp_path / "out", overlays=True, formats=("pts",))
    refused(tmp_path, lambda: annotate(wanted, FakePredictor()), what)


@pytest.mark.parametrize("inside", ["lock", "parts", "tmp", "outputs", "settings.json"])
def test_links_in_the_state_are_not_followed(pictures: Path, tmp_path: Path, inside: str) -> None:
    victim = users(tmp_path / "else" / "mine.txt")
    state = tmp_path / "out" / ".kpcli"
    state.mkdir(parents=True)
    is_file = inside in ("lock", "settings.json")
    (state / inside).symlink_to(victim if is_file else victim.parent)
    wanted = options(pictures, tmp_path / "out")
    refused(tmp_path, lambda: annotate(wanted, FakePredictor()), inside)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
@pytest.mark.parametrize("inside", ["lock", "settings.json", "files.jsonl", "parts/000000.jsonl"])
def test_pipes_in_the_state_are_not_waited_for(pictures: Path, tmp_path: Path, inside: str) -> None:
    pipe = tmp_path / "out" / ".kpcli" / inside
    pipe.parent.mkdir(parents=True)
    os.mkfifo(pipe)
    for mode in MODES:
        with pytest.raises(InputError, match=pipe.name):
            annotate(options(pictures, tmp_path / "out", **mode), FakePredictor())


def test_a_link_below_the_overlays_is_not_followed(pictures: Path, tmp_path: Path) -> None:
    write_picture(pictures / "sub" / "s.png")
    out = tmp_path / "out"
    annotate(options(pictures, out, overlays=True), FakePredictor())
    shutil.move(out / "overlays" / "sub", tmp_path / "else")
    (out / "overlays" / "sub").symlink_to(tmp_path / "else")
    for mode in MODES:
        wanted = options(pictures, out, overlays=True, **mode)
        refused(tmp_path, lambda w=wanted: annotate(w, FakePredictor()), "overlays/sub")


def test_an_output_that_the_user_changed_is_the_users(pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    wanted = options(pictures, out, overlays=True, formats=("pts", "coco"))
    annotate(wanted, FakePredictor())
    for name in ("pts/1.png_0.pts", COCO, "overlays/2.png", "run.json"):
        kept = (out / name).read_bytes()
        (out / name).write_bytes(kept[:-2] + b"x\n")  # of the same size
        for mode in ({"resume": True}, {"overwrite": True}):
            now = replace(wanted, **mode)
            refused(tmp_path, lambda n=now: annotate(n, FakePredictor()), name)
        (out / name).write_bytes(kept)  # another time, the same content: ours again
    annotate(replace(wanted, overwrite=True), FakePredictor())


def test_results_are_no_input_of_the_run_that_replaces_them(pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    annotate(options(pictures, out, overlays=True), FakePredictor())
    for wanted in (
        options(out / "overlays", out, overwrite=True),
        options(out / "overlays" / "1.png", out, folder=False, overwrite=True),
        options(pictures, out, overwrite=True, detector=f"boxes_file:{out / 'landmarks.csv'}"),
    ):
        refused(tmp_path, lambda w=wanted: annotate(w, FakePredictor()), "a result that this run")
    other = annotate(options(out / "overlays", tmp_path / "other"), FakePredictor())
    assert other.counts == {"done": 3}, "with another --out they are pictures as any"


def test_folders_annotated_in_place_are_input_of_a_run_on_their_parent(tmp_path: Path) -> None:
    for name in ("2020/a.png", "2020/b.png", "2021/c.png"):
        write_picture(tmp_path / "photos" / name)
    in_place = options(tmp_path / "photos" / "2020", tmp_path / "photos" / "2020", overlays=True)
    assert annotate(in_place, FakePredictor()).counts == {"done": 2}
    assert annotate(replace(in_place, resume=True), FakePredictor()).counts == {"done": 2}
    for out in (tmp_path / "photos" / "all", tmp_path / "elsewhere", tmp_path / "photos"):
        whole = options(tmp_path / "photos", out, overlays=True)
        report = annotate(whole, FakePredictor())
        assert report.counts == {"done": 3}
        assert not report.ignored
    mine = write_picture(tmp_path / "photos" / "2020" / "overlays" / "mine.png")
    report = annotate(options(tmp_path / "photos", tmp_path / "last"), FakePredictor())
    assert report.counts == {"done": 4}, "a picture that the user put there is input"
    assert mine.is_file()


def test_stale_outputs_go_with_resume_and_are_told(tmp_path: Path) -> None:
    for i in range(3):
        write_picture(tmp_path / "in" / "sub" / f"{i}.png", picture(40, 30, seed=i))
    out = tmp_path / "out"
    wanted = options(tmp_path / "in", out, overlays=True, formats=("pts", "coco"))
    annotate(wanted, FakePredictor())
    unchanged = annotate(replace(wanted, resume=True, formats=("pts",)), FakePredictor())
    assert unchanged.stale == 0
    assert (out / COCO).exists(), "the same rows: what was made of them is true"
    (tmp_path / "in" / "sub" / "1.png").unlink()
    report = annotate(replace(wanted, resume=True, formats=("pts",)), FakePredictor())
    assert report.stale == 3, "overlay, .pts, and COCO of other rows"
    assert "3 outputs of earlier runs" in report.summary()
    left = {name for name in snapshot(out) if not name.startswith(".kpcli")}
    assert left == {
        "landmarks.csv", "manifest.csv", "run.json", "overlays", "overlays/sub", "pts", "pts/sub",
        "images",
        *(f"{f}/sub/{i}.png{e}" for f, e in (("overlays", ""), ("pts", "_0.pts")) for i in (0, 2)),
    }  # fmt: skip


def test_outputs_that_would_collide_are_all_kept(tmp_path: Path) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    for name in ("A.png", "a.png", "b.jpg", "b.jpg_0.pts/x.png", "c.gif.mp4/y.png"):
        write_picture(source / name)
    write_animation(source / "c.gif")
    write_video(source / "d.mov", 2)
    write_video(source / "d.mov.mp4", 2)
    wanted = options(source, out, overlays=True, formats=("pts", "cvat", "openface", "dlc"))
    report = annotate(wanted, FakePredictor())
    assert report.counts == {"done": 8}
    assert not report.unwritten
    manifest = {r[0]: r[-1] for r in (s.split(",") for s in _lines(out / "manifest.csv"))}
    assert {f: o for f, o in manifest.items() if f != o} == {
        "a.png": "a~2.png", "b.jpg": "b~2.jpg", "c.gif": "c~2.gif", "d.mov": "d~2.mov",
    }  # fmt: skip
    drawn = {n for n in snapshot(out / "overlays") if (out / "overlays" / n).is_file()}
    assert drawn == {
        "A.png", "a~2.png", "b~2.jpg", "b.jpg_0.pts/x.png", "c.gif.mp4/y.png", "c~2.gif.mp4",
        "d~2.mov.mp4", "d.mov.mp4",
    }  # fmt: skip
    assert (out / "pts" / "b~2.jpg_0.pts").is_file()
    assert annotate(replace(wanted, resume=True), FakePredictor()).stale == 0


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines()[1:]


PREPARED = ("faces.csv", "faces.rejects.csv", "faces.duplicates.csv", "sheet.png")


@pytest.mark.parametrize("name", PREPARED)
def test_prepare(tmp_path: Path, name: str) -> None:
    root = build_ibug(tmp_path / "data").root
    out = tmp_path / "o"
    wanted = PrepareOptions((root,), out / "faces.csv", preview=out / "sheet.png")
    users(out / name)
    refused(tmp_path, lambda: prepare(wanted), name)
    (out / name).unlink()
    prepare(wanted)
    prepare(wanted)
    users(out / name)
    refused(tmp_path, lambda: prepare(wanted), name)


def test_prepare_never_writes_over_its_source(tmp_path: Path) -> None:
    root = build_ibug(tmp_path / "data").root
    files = [p for p in root.rglob("*") if p.is_file()]
    for path in files[:4]:
        refused(tmp_path, lambda p=path: prepare(PrepareOptions((root,), p)), path.name)
    image = next(p for p in files if p.suffix in (".jpg", ".png"))
    wanted = PrepareOptions((root,), tmp_path / "faces.csv", preview=image)
    refused(tmp_path, lambda: prepare(wanted), image.name)


def test_prepare_s_pictures(tmp_path: Path) -> None:
    root = build_cofw(tmp_path / "data").root
    wanted = PrepareOptions((root,), tmp_path / "o" / "faces.csv")
    users(tmp_path / "o" / "faces_pictures" / "mine.png")
    refused(tmp_path, lambda: prepare(wanted), "mine.png")


def test_eval(tmp_path: Path) -> None:
    csv = write_faces(tmp_path, ("test",))

    class Never:
        card = tiny_card()

    for name in ("metrics.json", "per_face.csv", "ced.png", "worst.png"):
        users(tmp_path / name / name)
        wanted = EvalOptions(csv, out=tmp_path / name)
        refused(tmp_path, lambda w=wanted: evaluate(w, predictor=Never()), name)


def test_inspect_bench_and_export(tmp_path: Path) -> None:
    write_card(tiny_card(), write_bundle(tmp_path / "bundle"))
    bundle = str(tmp_path / "bundle")
    image = write_picture(tmp_path / "picture.png")
    for name in ("face.png", "filters.png", "heatmaps.png"):
        wanted = InspectOptions(bundle, image, users(tmp_path / name / name).parent)
        refused(tmp_path, lambda w=wanted: inspect(w), name)
    timings = BenchOptions((image,), bundle, json=users(tmp_path / "b.json"))
    refused(tmp_path, lambda: bench(timings), "b.json")
    for target in EXPORTERS:
        file = str(EXPORTERS.load(target).FILE)
        users(tmp_path / "bundle" / file if "." in file else tmp_path / "bundle" / file / "my.txt")
        wanted = ExportOptions(bundle, target)
        refused(tmp_path, lambda w=wanted: export(w), file)
    copy = ExportOptions(bundle, "onnx", out=tmp_path / "b.json")
    refused(tmp_path, lambda: export(copy), "b.json")


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("name", [*RUN_FILES, "model/model.onnx", "model/openvino/my.bin"])
def test_train(tmp_path: Path, name: str, resume: bool) -> None:
    csv = write_faces(tmp_path)
    place = tmp_path / "run" / name
    users(place / "mine.txt" if name == "tensorboard" else place)
    wanted = TrainOptions(csv, tmp_path / "run", resume=resume)
    refused(tmp_path, lambda: train(wanted), str(tmp_path / "run"))


@pytest.mark.parametrize("overwrite", [False, True])
def test_merge(pictures: Path, tmp_path: Path, overwrite: bool) -> None:
    shards = tuple(tmp_path / f"s{i}" for i in (1, 2))
    for i, shard in enumerate(shards, 1):
        annotate(options(pictures, shard, shard=(i, 2), overlays=True), FakePredictor())
    for out in (*shards, shards[0] / "overlays", shards[1] / "new"):
        wanted = MergeOptions(shards, out, overwrite=overwrite)
        refused(tmp_path, lambda w=wanted: merge(w), "lies there")
    for name in ("landmarks.csv", "overlays/mine.png", "pts/mine.pts"):
        out = users(tmp_path / name.replace("/", "-") / name).parents[name.count("/")]
        wanted = MergeOptions(shards, out, ("pts",), overwrite=overwrite)
        refused(tmp_path, lambda w=wanted: merge(w), name)
    whole = merge(MergeOptions(shards, tmp_path / "m", ("pts",)))
    assert whole.counts == {"done": 3}
    assert {p.name for p in (tmp_path / "m" / "overlays").iterdir()} == {
        f"{i}.png" for i in range(3)
    }
    with pytest.raises(InputError, match="holds results already"):
        merge(MergeOptions(shards, tmp_path / "m"))
    merge(MergeOptions(shards, tmp_path / "m", overwrite=True))
    assert not (tmp_path / "m" / "pts").exists(), "ours, and not asked for this time"


@pytest.mark.parametrize("name", ["crops", "images", *MEASURED])
def test_annotate_leaves_what_it_did_not_write_this_time(
    pictures: Path, tmp_path: Path, name: str
) -> None:
    """A run that writes them leaves the user's beside them where it is not asked to again."""
    out = tmp_path / "out"
    mine = users(out / name / "mine.txt") if "." not in name else users(out / name)
    for mode in MODES:
        annotate(options(pictures, out, **mode), FakePredictor())
        assert mine.read_bytes() == f"the user's own {mine.name}".encode()


def test_crops_and_measures_that_the_user_changed_are_the_users(
    pictures: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    wanted = options(pictures, out, crops=True, crop_size=32, measures=True)
    annotate(wanted, FakePredictor())
    crop = next((out / "crops").rglob("*.jpg")).relative_to(out).as_posix()
    for name in (crop, *MEASURED):
        kept = (out / name).read_bytes()
        (out / name).write_bytes(b"x" + kept[1:])
        for mode in ({"resume": True}, {"overwrite": True}):
            now = replace(wanted, **mode)
            refused(tmp_path, lambda n=now: annotate(n, FakePredictor()), name)
        (out / name).write_bytes(kept)
    annotate(replace(wanted, overwrite=True), FakePredictor())


def test_report(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    annotate(options(pictures, out), FakePredictor())
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    one, two = ReportOptions((out,)), ReportOptions((out, out), compare=True)
    places = [
        (one, out / "report.html"), (two, Path("compare.html")),
        (replace(one, out=tmp_path / "page.html"), tmp_path / "page.html"),
        (replace(one, out=pictures / "1.png"), pictures / "1.png"),
        (replace(two, out=out / "landmarks.csv"), out / "landmarks.csv"),
    ]  # fmt: skip
    for wanted, place in places:
        if not place.exists():
            users(place)
        refused(tmp_path, lambda w=wanted: report(w), place.name)
        if place.suffix == ".html":
            place.unlink()
            place.symlink_to(pictures / "0.png")
            refused(tmp_path, lambda w=wanted: report(w), place.name)
            place.unlink()
            report(wanted)
            report(wanted)  # ours: replaced
            place.write_text("changed by the user")
            refused(tmp_path, lambda w=wanted: report(w), place.name)


def test_sources_are_not_named_as_the_output(tmp_path: Path) -> None:
    """A CSV that prepare wrote, as a source and as --out."""
    root = build_ibug(tmp_path / "data").root
    made = PrepareOptions((root,), tmp_path / "faces.csv")
    prepare(made)
    with pytest.raises(UsageError, match="a result that this run would replace"):
        prepare(replace(made, sources=(tmp_path / "faces.csv",)))
