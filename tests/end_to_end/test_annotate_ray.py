"""A Ray cluster gives, byte for byte, what this machine alone gives; workers and nodes may die."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.fakes import FakeFaces, FakePredictor, TroublePredictor
from helpers.media import picture, write_picture, write_video

from kpcli.errors import ModelError
from kpcli.options import RAY, AnnotateOptions
from kpcli.workflows.annotate.run import annotate

ray = pytest.importorskip("ray", reason="Ray is not installed: pip install '.[ray]'")
from ray.cluster_utils import Cluster  # noqa: E402

TESTS = Path(__file__).resolve().parents[1]
LONG = 120.0
"""Seconds that a worker waits for what is to happen: more than it takes on a busy machine."""


def add_node(cluster: Cluster, settings: dict[str, object]) -> None:
    """Ray gives a node 30 s to start: on a machine that is very busy, it may need another try."""
    for last in (False, False, True):
        try:
            cluster.add_node(**settings)
        except Exception:
            if last:
                raise
        else:
            return


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Two nodes of one CPU each, on this machine."""
    small = {
        "num_cpus": 1, "object_store_memory": 80 * 2**20, "include_dashboard": False,
    }  # fmt: skip
    folder = tempfile.mkdtemp(prefix="ray")  # short: sockets lie in it
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_TMPDIR", folder)
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        # The workers import `fakes` and this file.
        patch.setenv("PYTHONPATH", os.pathsep.join([str(TESTS), str(TESTS.parent)]))
        both = Cluster()
        try:
            for _ in range(2):
                add_node(both, small)
            patch.setenv("RAY_ADDRESS", both.address)
            yield both
        finally:
            both.shutdown()
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source")
    for i in range(40):
        write_picture(folder / f"{i % 3}" / f"{i:03}.png", picture(40, 30, seed=i))
    (folder / "1" / "broken.jpg").write_bytes(b"no picture")
    write_video(folder / "clip.mp4", 12)
    return folder


def options(source: Path, out: Path, **changes: object) -> AnnotateOptions:
    plain = AnnotateOptions((source,), out, detector="whole_image", timeout=0)
    return replace(plain, **{"batch_size": 5, "formats": ("csv", "json", "pts"), **changes})


def contents(out: Path) -> dict[str, bytes]:
    """All that a run leaves but what tells the time."""
    files = [p.relative_to(out) for p in out.rglob("*") if p.is_file()]
    skipped = ("run.json", "manifest.csv", ".kpcli")
    return {f.as_posix(): (out / f).read_bytes() for f in files if f.parts[0] not in skipped}


@pytest.fixture(scope="module")
def local(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("local") / "out"
    assert annotate(options(source, out), FakePredictor()).counts == {"done": 41, "failed": 1}
    return contents(out)


def wait_for(path: Path) -> None:
    end = time.monotonic() + LONG
    while not path.exists():
        assert time.monotonic() < end, f"in vain: {path}"
        time.sleep(0.02)


class MeetingPredictor(FakePredictor):
    """Goes on once it works on two nodes."""

    def __init__(self, board: Path) -> None:
        super().__init__()
        self._board = board

    def predict(self, crops: np.ndarray) -> FakeFaces:
        (self._board / ray.get_runtime_context().get_node_id()).touch()
        end = time.monotonic() + LONG
        while len(list(self._board.iterdir())) < 2 and time.monotonic() < end:
            time.sleep(0.02)
        return super().predict(crops)


class StruckPredictor(FakePredictor):
    """The first of its kind to see its third batch is killed."""

    def __init__(self, mark: Path) -> None:
        super().__init__()
        self._mark = mark

    def predict(self, crops: np.ndarray) -> FakeFaces:
        if len(self.batches) == 2 and not self._mark.exists():
            self._mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().predict(crops)


class DoomedPredictor(FakePredictor):
    """On this node it never comes to an end."""

    def __init__(self, node: str, mark: Path) -> None:
        super().__init__()
        self._node = node
        self._mark = mark

    def predict(self, crops: np.ndarray) -> FakeFaces:
        if ray.get_runtime_context().get_node_id() == self._node:
            self._mark.touch()
            time.sleep(10 * LONG)
        wait_for(self._mark)
        return super().predict(crops)


def test_both_nodes_work_and_give_the_same(
    cluster: Cluster, source: Path, local: dict[str, bytes], tmp_path: Path
) -> None:
    board = tmp_path / "board"
    board.mkdir()
    out = tmp_path / "out"
    report = annotate(options(source, out, engine=RAY), MeetingPredictor(board))
    assert report.counts == {"done": 41, "failed": 1}
    assert len(list(board.iterdir())) == 2
    assert contents(out) == local
    assert not list((out / ".kpcli").glob("tmp/*"))


def test_the_killing_of_a_worker_changes_nothing(
    cluster: Cluster,
    source: Path,
    local: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)  # and relative paths are right on the nodes
    relative = Path(os.path.relpath(source))
    mark = tmp_path / "mark"
    annotate(options(relative, Path("out"), engine=RAY), StruckPredictor(mark))
    assert mark.exists()
    assert contents(Path("out")) == local


def test_a_file_that_kills_its_workers_or_hangs_is_given_up(
    cluster: Cluster, tmp_path: Path
) -> None:
    for name, colour in (("hangs", [250, 20, 20]), ("kills", [20, 20, 250])):
        frames = [np.full((30, 40, 3), colour, np.uint8)] * 3
        write_video(tmp_path / "in" / f"{name}.mp4", frames=frames, pts=[0, 20, 40])
    for i in range(3):
        write_picture(tmp_path / "in" / f"{i}.png")
    wanted = options(tmp_path / "in", tmp_path / "out", engine=RAY, timeout=4)
    report = annotate(wanted, TroublePredictor())
    assert report.counts == {"done": 3, "failed": 2}
    reasons = {problem.file: problem.reason for problem in report.problems}
    assert "no progress in 4 s" in reasons["hangs.mp4"]
    assert "died (ActorDiedError), 2 times" in reasons["kills.mp4"]


def test_what_is_wrong_for_all_files_is_raised(
    cluster: Cluster, source: Path, tmp_path: Path
) -> None:
    wanted = options(source, tmp_path / "out", engine=RAY, detector="builtin:none")
    with pytest.raises(ModelError, match="not a model bundle"):
        annotate(wanted, FakePredictor())
    assert not ray.is_initialized()


def test_the_loss_of_a_node_changes_nothing(
    cluster: Cluster, source: Path, local: dict[str, bytes], tmp_path: Path
) -> None:
    (node,) = cluster.worker_nodes
    mark, out = tmp_path / "mark", tmp_path / "out"

    def strike() -> None:
        wait_for(mark)
        cluster.remove_node(node, allow_graceful=False)

    thread = threading.Thread(target=strike)
    thread.start()
    annotate(options(source, out, engine=RAY), DoomedPredictor(node.node_id, mark))
    thread.join()
    assert contents(out) == local
