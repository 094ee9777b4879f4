"""What one file, the power, the terminal or a stranger's folder does never ends or fools a run."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.fakes import FakeFaces, FakePredictor, InterruptedPredictor
from helpers.media import picture, write_picture, write_video

from kpcli.batch.ledger import Ledger
from kpcli.batch.outcome import seal
from kpcli.catalogue import WRITERS
from kpcli.errors import InputError, shown
from kpcli.options import AnnotateOptions, MergeOptions
from kpcli.outputs import Outputs
from kpcli.workflows.annotate.merge import merge
from kpcli.workflows.annotate.run import annotate

REPO = Path(__file__).resolve().parents[2]


def options(source: Path, out: Path, **changes: object) -> AnnotateOptions:
    plain = AnnotateOptions((source,), out, detector="whole_image", overlays=False)
    return replace(plain, **changes)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source")
    for i in range(40):
        write_picture(folder / f"{i:02}.png", picture(40, 30, seed=i))
    write_video(folder / "v.mp4", 10)
    return folder


@pytest.fixture(scope="module")
def undisturbed(source: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    assert annotate(options(source, out), FakePredictor()).counts == {"done": 41}
    return (out / "landmarks.csv").read_bytes()


class OddPredictor(FakePredictor):
    """A library with a bug that a red face brings to light."""

    def predict(self, crops: np.ndarray) -> FakeFaces:
        mean = crops.reshape(len(crops), -1, 3).mean(axis=1)
        if (mean[:, 0] > mean[:, 1] + 60).any():
            raise ValueError("deep in a library")
        return super().predict(crops)


def write_red(path: Path) -> Path:
    return write_picture(path, np.full((30, 40, 3), [250, 10, 10], np.uint8))


@pytest.mark.parametrize("workers", [1, 2])
def test_a_file_that_a_library_stumbles_over_costs_itself(tmp_path: Path, workers: int) -> None:
    for i in range(20):
        write_picture(tmp_path / "in" / f"{i:02}.png", picture(40, 30, seed=i))
    write_red(tmp_path / "in" / "03red.png")
    write_video(tmp_path / "in" / "red.mp4", 3, frames=[write_pixels()] * 3)
    wanted = options(
        tmp_path / "in", tmp_path / "out", workers=workers, overlays=True, formats=("coco", "pts")
    )
    report = annotate(wanted, OddPredictor())
    assert report.counts == {"done": 20, "failed": 2}
    assert report.exit_code == 5
    assert {p.file for p in report.problems} == {"03red.png", "red.mp4"}
    assert all("deep in a library" in p.reason for p in report.problems)
    assert (tmp_path / "out" / "annotations").exists()
    assert len(list((tmp_path / "out" / "overlays").iterdir())) == 20
    rows = (tmp_path / "out" / "landmarks.csv").read_bytes()
    again = annotate(replace(wanted, resume=True), OddPredictor())
    assert (again.counts, again.exit_code) == ({"done": 20, "failed": 2}, 5)
    assert (tmp_path / "out" / "landmarks.csv").read_bytes() == rows


def write_pixels() -> np.ndarray:
    return np.full((30, 40, 3), [250, 10, 10], np.uint8)


def test_what_only_files_together_bring_about_fails_them_all(tmp_path: Path) -> None:
    for i in range(3):
        write_picture(tmp_path / "in" / f"{i}.png")

    class Together(FakePredictor):
        def predict(self, crops: np.ndarray) -> FakeFaces:
            if len(crops) > 1:
                raise RuntimeError("too many")
            return super().predict(crops)

    report = annotate(options(tmp_path / "in", tmp_path / "out"), Together())
    assert report.counts == {"failed": 3}
    assert (tmp_path / "out" / "manifest.csv").read_text().count("too many") == 3


@pytest.mark.parametrize("length", [240, 250, 252, 255])
def test_long_names(tmp_path: Path, length: int) -> None:
    """An output whose name would be too long is told of that file; all others are written."""
    for ending in (".jpg", ".gif"):
        write_picture(tmp_path / "in" / ("n" * (length - 4) + ending))
    write_video(tmp_path / "in" / ("v" * (length - 4) + ".mov"), 2)
    write_picture(tmp_path / "in" / "a.png")
    formats = tuple(WRITERS)
    wanted = options(tmp_path / "in", tmp_path / "out", overlays=True, formats=formats)
    report = annotate(wanted, FakePredictor())
    assert not report.unwritten
    assert len(report.written) == len(formats) - 1
    assert report.exit_code == (0 if length == 240 else 5)
    assert report.counts["done"] + report.counts["partial"] == 4
    assert report.counts["done"] >= 1
    assert all("File name too long" in p.reason for p in report.problems)
    assert (tmp_path / "out" / "pts" / "a.png_0.pts").exists()
    assert (tmp_path / "out" / "overlays" / "a.png").exists()
    again = annotate(replace(wanted, resume=True), FakePredictor())
    assert (again.counts, again.exit_code) == (report.counts, report.exit_code)


def test_a_format_that_fails_costs_no_other(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("kpcli.writers.coco.CocoStream.write", full)
    wanted = options(source, tmp_path / "out", formats=("coco", "json", "pts"))
    report = annotate(wanted, FakePredictor())
    assert report.unwritten == {tmp_path / "out" / "annotations": "No space left on device"}
    assert report.exit_code == 5
    assert "not written" in report.summary()
    assert {p.name for p in report.written} == {"landmarks.json", "pts"}
    assert json.loads((tmp_path / "out" / "run.json").read_text())["exit_code"] == 5


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "cut": lambda data: data[: len(data) * 2 // 3],
    "zeroed": lambda data: bytes(len(data)),
    "zeros at the end": lambda data: data[: len(data) // 2] + bytes(len(data) - len(data) // 2),
    "a number changed": lambda data: data.replace(b"1", b"2", 1),
    "no utf-8": lambda data: b"\xff\xfe" + data[2:],
    "a list": lambda data: b"[]\n",
}


@pytest.mark.parametrize("damage", DAMAGE, ids=str)
@pytest.mark.parametrize("finished", [False, True])
def test_damaged_state_is_work_not_done(
    source: Path, undisturbed: bytes, tmp_path: Path, damage: str, finished: bool
) -> None:
    out = tmp_path / "out"
    annotate(options(source, out), FakePredictor() if finished else InterruptedPredictor(6))
    state = out / ".kpcli"
    if not finished:  # as a killed run leaves it: a part that is not joined
        ledger = Ledger(out)
        results = [r for r, _ in ledger.results().values()]
        shutil.copyfile(out / "landmarks.csv", state / "parts" / "000007.csv")
        text = seal(out / "landmarks.csv", results)
        (state / "parts" / "000007.jsonl").write_text(text)
    files = [p for p in state.rglob("*") if p.is_file() and p.parent.name != "outputs"]
    if damage == "a number changed":  # other settings are whole, and refused
        files.remove(state / "settings.json")
    assert len(files) >= (2 if finished else 4), files
    for i, path in enumerate(files):
        copy = tmp_path / f"copy{i}"
        shutil.copytree(out, copy)
        hurt = copy / path.relative_to(out)
        hurt.write_bytes(DAMAGE[damage](hurt.read_bytes()))
        (copy / ".kpcli" / "parts" / ".DS_Store").write_bytes(b"\0\1")
        (copy / ".kpcli" / "parts" / "notes.jsonl").write_text("[1")
        (copy / ".kpcli" / "parts" / "000123.tmp").write_text("")
        annotate(options(source, copy, resume=True), FakePredictor())
        assert (copy / "landmarks.csv").read_bytes() == undisturbed
        assert (copy / ".kpcli" / "parts" / "notes.jsonl").read_text() == "[1"


def test_a_damaged_record_vouches_for_nothing(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    annotate(options(source, out), FakePredictor())
    record = out / ".kpcli" / "outputs" / "annotate.jsonl"
    text = record.read_text()
    for damaged in ("", text[:40], '[]\n{}\n0\n"a"\n', "[" * 5000):
        record.write_text(damaged)
        assert not Outputs(out, "annotate").owns("landmarks.csv")
        with pytest.raises(InputError, match="in the way"):
            annotate(options(source, out, overwrite=True), FakePredictor())
    record.write_text(text[:40] + "\n" + text)
    annotate(options(source, out, overwrite=True), FakePredictor())


def test_what_is_done_is_on_the_disk(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows, ledger, record and overlays are synced before the names that make them count."""
    synced: set[int] = set()
    plain_sync, plain_replace = os.fsync, os.replace
    late: list[str] = []

    def sync(handle: int) -> None:
        synced.add(os.fstat(handle).st_ino)
        plain_sync(handle)

    def put(a: str | Path, b: str | Path) -> None:
        if Path(a).stat().st_ino not in synced:
            late.append(str(b))
        plain_replace(a, b)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(os, "replace", put)
    annotate(options(source, tmp_path / "out", overlays=True), FakePredictor())
    assert not late
    assert (tmp_path / "out" / ".kpcli" / "files.jsonl").stat().st_ino in synced


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_the_umask_is_honoured(tmp_path: Path, mask: int) -> None:
    write_picture(tmp_path / "in" / "sub" / "a.png")
    before = os.umask(mask)
    try:
        formats = tuple(WRITERS)
        wanted = options(tmp_path / "in", tmp_path / "out", overlays=True, formats=formats)
        annotate(wanted, FakePredictor())
    finally:
        os.umask(before)
    for path in (tmp_path / "out").rglob("*"):
        full = 0o777 if path.is_dir() else 0o666
        assert path.stat().st_mode & 0o777 == full & ~mask, path


def shards_of(source: Path, base: Path, **changes: object) -> tuple[Path, ...]:
    outs = tuple(base / f"s{i}" for i in (1, 2))
    for i, out in enumerate(outs, 1):
        annotate(options(source, out, shard=(i, 2), **changes), FakePredictor())
    return outs


def test_shards_that_were_copied_without_their_times(source: Path, tmp_path: Path) -> None:
    whole = annotate(options(source, tmp_path / "whole", overlays=True), FakePredictor())
    shards = shards_of(source, tmp_path, overlays=True)
    for shard in shards:
        for path in shard.rglob("*"):
            os.utime(path, (1e9, 1e9))
    report = merge(MergeOptions(shards, tmp_path / "m"))
    assert report.counts == whole.counts
    rows = [(tmp_path / d / "landmarks.csv").read_bytes() for d in ("whole", "m")]
    assert rows[0] == rows[1]
    assert len(list((tmp_path / "m" / "overlays").iterdir())) == 41


@pytest.mark.parametrize(
    "evil", ["../../victim", "/tmp/victim", "a/../../victim", "", "..", "a\0b", "overlays/../../x"]
)
@pytest.mark.parametrize("field", ["file", "output", "overlay"])
def test_shards_never_lead_out_of_the_folder(tmp_path: Path, evil: str, field: str) -> None:
    """Even where a stranger has sealed the names anew."""
    write_picture(tmp_path / "in" / "a.png")
    shard = tmp_path / "s"
    annotate(options(tmp_path / "in", shard, overlays=True), FakePredictor())
    (result,) = (r for r, _ in Ledger(shard).results().values())
    if not evil and field != "file":
        return
    rows = (shard / "landmarks.csv").read_bytes().split(b"\n", 1)
    if field == "file":
        (shard / "landmarks.csv").write_bytes(
            rows[0] + b"\n" + rows[1].replace(b"a.png", evil.encode())
        )
        result.end = (shard / "landmarks.csv").stat().st_size
    setattr(result, field, evil)
    text = seal(shard / "landmarks.csv", [result])
    (shard / ".kpcli" / "files.jsonl").write_text(text)
    with pytest.raises(InputError, match="outside of its folder"):
        merge(MergeOptions((shard,), tmp_path / "m", tuple(WRITERS)))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in", "s"]


def test_an_overlay_that_a_shard_has_lost(source: Path, tmp_path: Path) -> None:
    shards = shards_of(source, tmp_path, overlays=True)
    lost = next((shards[0] / "overlays").iterdir())
    lost.unlink()
    lost.symlink_to("/etc/hostname")
    report = merge(MergeOptions(shards, tmp_path / "m"))
    assert report.counts == {"done": 40, "partial": 1}
    assert report.problems[0].file == lost.name
    assert not (tmp_path / "m" / "overlays" / lost.name).exists()


ODD = "bad\udcff \x1b[31mred\x1b[0m\nline\r\x9b2J\u202e.jpg"


def test_names_are_escaped_where_they_are_printed(tmp_path: Path) -> None:
    assert shown("Müller 顔 \U0001f600.jpg") == "Müller 顔 \U0001f600.jpg"
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / ODD).write_bytes(b"no picture")
    write_picture(tmp_path / "in" / "a.png")
    wanted = options(tmp_path / "in", tmp_path / "out")
    report = annotate(wanted, FakePredictor())
    assert report.counts == {"done": 1, "failed": 1}
    for text in (report.summary(), str(InputError(f"{ODD}: odd", actual=ODD))):
        assert r"bad\udcff \x1b[31mred\x1b[0m\nline\r\x9b2J\u202e.jpg" in text
        assert not set(text) & set("\x1b\r\x9b\u202e\udcff")


KPCLI = [sys.executable, "-m", "kpcli"]


def run_kpcli(
    arguments: list[str], redirect: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """The real command, with ``redirect`` in the shell's words."""
    script = f'exec "$@" {redirect}'
    return subprocess.run(
        ["sh", "-c", script, "sh", *KPCLI, *arguments],
        cwd=REPO, capture_output=True, text=True, check=False, timeout=120,
        env={**os.environ, **environment},
    )  # fmt: skip


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("redirect", ["2>&-", ">&- 2>&- <&-", ">/dev/full", ">/dev/full 2>&1"])
def test_streams_that_are_closed_or_full(tmp_path: Path, redirect: str) -> None:
    write_picture(tmp_path / "in" / "a.png", picture(120, 120))
    (tmp_path / "in" / "bad.jpg").write_bytes(b"no picture")
    out = tmp_path / "out"
    command = ["annotate", "folder", str(tmp_path / "in"), "--out", str(out)]
    done = run_kpcli(command, redirect)
    assert done.returncode == 5
    assert "Traceback" not in done.stderr
    assert json.loads((out / "run.json").read_text())["exit_code"] == 5
    assert (out / "overlays" / "a.png").exists()
    assert run_kpcli(["annotate", "folder", "nowhere", "--out", str(out)], redirect).returncode == 3


@pytest.mark.parametrize("encoding", ["utf-8:strict", "latin-1"])
def test_names_that_the_terminal_cannot_show(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "bad\udcff 顔.jpg").write_bytes(b"no picture")
    command = ["annotate", "folder", str(tmp_path / "in"), "--out", str(tmp_path / "out")]
    done = run_kpcli(command, PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr) == (5, "")
    listed = run_kpcli([*command, "--dry-run", "--overwrite"], PYTHONIOENCODING=encoding)
    assert listed.returncode == 0
    assert r"bad\udcff" in listed.stdout


OFFLINE = """
import os, socket, sys
def forbidden(*a, **k):
    os.write(2, b"NETWORK\\n")
    os._exit(99)
if not os.environ.get("RAY_ADDRESS") and "ray" not in sys.argv:
    for name in ("getaddrinfo", "gethostbyname", "create_connection"):
        setattr(socket, name, forbidden)
    plain = socket.socket.connect
    socket.socket.connect = lambda self, a: (
        plain(self, a) if self.family == socket.AF_UNIX else forbidden()
    )
"""


@pytest.mark.parametrize("workers", ["1", "2"])
def test_no_network_and_an_empty_home_that_stays_so(tmp_path: Path, workers: str) -> None:
    """The real model; Python's sockets are forbidden, and strace's word is not needed for C's:
    ONNX Runtime keeps a device id below the home folder before it asks for a host.
    """
    home, site = tmp_path / "home", tmp_path / "site"
    home.mkdir()
    site.mkdir()
    (site / "sitecustomize.py").write_text(OFFLINE)
    for i in range(4):
        write_picture(tmp_path / "in" / f"{i}.png", picture(120, 120, seed=i))
    paths = os.pathsep.join([str(site), str(REPO)])
    done = run_kpcli(
        ["annotate", "folder", str(tmp_path / "in"), "--out", str(tmp_path / "out"),
         "--detector", "whole_image", "--workers", workers, "--runtime", "onnx"],
        HOME=str(home), PYTHONPATH=paths, XDG_CACHE_HOME="", ORT_DISABLE_TELEMETRY="0",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "ONNX Runtime" in done.stdout
    assert list(home.rglob("*")) == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_workers_end_with_their_parent(tmp_path: Path) -> None:
    """Killed without a word, while its workers hang in a file."""
    red = np.full((30, 40, 3), [250, 20, 20], np.uint8)
    for i in range(40):
        write_picture(tmp_path / "in" / f"{i}.png", red)
    script = tmp_path / "run.py"
    script.write_text(
        f"""
import sys
sys.path.insert(0, {str(REPO / "tests")!r})
from pathlib import Path
from helpers.fakes import TroublePredictor
from kpcli.options import AnnotateOptions
from kpcli.workflows.annotate.run import annotate

if __name__ == "__main__":
    annotate(AnnotateOptions(
        (Path({str(tmp_path / "in")!r}),), Path({str(tmp_path / "out")!r}),
        detector="whole_image", overlays=False, workers=2), TroublePredictor())
"""
    )
    process = subprocess.Popen([sys.executable, script], cwd=REPO)
    deadline = time.monotonic() + 60
    while len(workers := _workers(process.pid)) < 2 or not _hanging(workers):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    while left := [pid for pid in workers if Path(f"/proc/{pid}").exists() and _runs(pid)]:
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


def _workers(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(c) for c in children if b"spawn_main" in Path(f"/proc/{c}/cmdline").read_bytes()]


def _hanging(pids: list[int]) -> bool:
    """Whether all sleep, having loaded what annotating takes."""
    maps = [Path(f"/proc/{pid}/maps").read_text() for pid in pids]
    return all("cv2" in text for text in maps)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
