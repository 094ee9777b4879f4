"""What is done of an annotation run, on disk: kill it anywhere, and --resume goes on.

``OUT/.kpcli/`` holds ``settings.json`` (what determines the rows), ``lock``, ``tmp/`` (all that
is half-written), ``parts/NNNNNN.csv`` (rows of some files, without a header) and, written last,
``parts/NNNNNN.jsonl``: a line a file with its outcome and the bytes that are its rows. `finish`
joins the parts in the files' order to landmarks.csv; ``files.jsonl`` then says which of
landmarks.csv's bytes are whose, and the parts go.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from kpcli.errors import InputError
from kpcli.files import remove, staged_path
from kpcli.sources.folder import STATE
from kpcli.writers.landmark_csv import OUTPUT as LANDMARKS

DONE, NO_FACE, PARTIAL, FAILED, SKIPPED = "done", "no_face", "partial", "failed", "skipped"
MANIFEST = "manifest.csv"
RUN = "run.json"
OVERLAYS = "overlays"


@dataclass(slots=True)
class FileResult:
    """The outcome of one file.

    ``sizes`` has [frame, width, height] of every frame whose size differs from the one before.
    ``silent`` is the codec of the sound that its overlay lacks; ``start`` and ``end`` are the bytes
    of its rows in its part.
    """

    file: str
    status: str
    faces: int = 0
    frames: int = 0
    reason: str = ""
    seconds: float = 0.0
    width: int = 0
    height: int = 0
    moving: bool = False
    sizes: list[list[int]] = field(default_factory=list)
    silent: str = ""
    size: int = -1
    mtime_ns: int = 0
    start: int = 0
    end: int = 0

    @property
    def finished(self) -> bool:
        """Whether --resume may take the outcome as it is; what went wrong is tried again."""
        return self.status in (DONE, NO_FACE, SKIPPED)

    def note_size(self, frame: int, width: int, height: int) -> None:
        """Frame by frame: its number and its size."""
        if self.size_at(frame) != (width, height):
            self.sizes.append([frame, width, height])

    def size_at(self, frame: int) -> tuple[int, int]:
        """Width and height of the frame of this number."""
        later = [(w, h) for first, w, h in self.sizes if first <= frame]
        return later[-1] if later else (self.width, self.height)

    def unchanged(self, path: Path) -> bool:
        """Whether the file is still the one that was read."""
        try:
            status = path.stat()
        except OSError:
            return False
        return (status.st_size, status.st_mtime_ns) == (self.size, self.mtime_ns)


class Ledger:
    """The state of one output folder; only one process at a time may hold it.

    ``outputs`` are the names of all that a run may write there.
    """

    def __init__(self, out: Path, outputs: Sequence[str] = ()) -> None:
        self.out = out
        self._outputs = (LANDMARKS, MANIFEST, RUN, OVERLAYS, *outputs)
        self._state = out / STATE
        self._parts = self._state / "parts"
        self.staging = self._state / "tmp"
        self._lock: IO[str] | None = None
        self._next_part = 0

    def open(self, settings: Mapping[str, Any], *, resume: bool, overwrite: bool) -> None:
        """Take hold of the output folder; start it, go on with it, or start it anew.

        Raises
        ------
        InputError
            As `check` does, and if another process writes there, or it is not writable.
        """
        self.check(settings, resume=resume, overwrite=overwrite)
        try:
            self._parts.mkdir(parents=True, exist_ok=True)
            self._take_lock()
            if overwrite or self.settings() is None:
                self._clear(results=overwrite)
            shutil.rmtree(self.staging, ignore_errors=True)
            self.staging.mkdir()
            with staged_path(self._state / "settings.json", self.staging) as temporary:
                temporary.write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")
        except OSError as e:
            raise InputError(
                f"{self.out}: the output folder cannot be written",
                actual=str(e),
                next_step="choose another --out",
            ) from e
        self._next_part = max((int(p.stem) for p in self._parts.iterdir()), default=-1) + 1

    def check(self, settings: Mapping[str, Any], *, resume: bool, overwrite: bool) -> None:
        """See whether a run may write here; changes nothing.

        Raises
        ------
        InputError
            If there are results and neither resume nor overwrite is asked for, or they come from
            other settings and are to be resumed.
        """
        held = self.holds()
        if overwrite or not held:
            return
        if not resume:
            raise InputError(
                f"{self.out}: the folder holds results already",
                actual=", ".join(held),
                next_step="--resume to finish them, --overwrite to start anew, or another --out",
            )
        before, now = self.settings(), json.loads(json.dumps(settings))
        other = sorted(k for k in {*(before or now), *now} if (before or now).get(k) != now.get(k))
        if other and before:
            raise InputError(
                f"{self.out}: the results there were made with other options",
                expected="; ".join(f"{k} = {before.get(k)}" for k in other),
                actual="; ".join(f"{k} = {now.get(k)}" for k in other),
                next_step="resume with the same options, --overwrite, or another --out",
            )

    def holds(self) -> list[str]:
        """Names of results that lie in the output folder."""
        names = [n for n in (LANDMARKS, MANIFEST, RUN) if (self.out / n).exists()]
        return names or [f"{STATE}/parts" for _ in self._parts.glob("*.jsonl")][:1]

    def _take_lock(self) -> None:
        self._lock = (self._state / "lock").open("w")
        try:
            import fcntl
        except ImportError:  # Windows: two runs into one folder are the user's affair
            return
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as e:
            self._lock.close()
            raise InputError(
                f"{self.out}: another kpcli annotate is writing here",
                next_step="wait for it, or choose another --out",
            ) from e

    def settings(self) -> dict[str, Any] | None:
        """What the results there were made with; without it, they cannot be trusted."""
        try:
            values: dict[str, Any] = json.loads(
                (self._state / "settings.json").read_text(encoding="utf-8")
            )
            return values
        except (OSError, ValueError):
            return None

    def _clear(self, *, results: bool) -> None:
        """Forget what was done; with ``results``, remove what was written too."""
        (self._state / "settings.json").unlink(missing_ok=True)  # first: now nothing is valid
        (self._state / "files.jsonl").unlink(missing_ok=True)
        shutil.rmtree(self._parts)
        self._parts.mkdir()
        if results:
            for name in self._outputs:
                remove(self.out / name)

    def results(self) -> dict[str, tuple[FileResult, Path]]:
        """The outcome of every committed file, and the file that holds its rows."""
        found: dict[str, tuple[FileResult, Path]] = {}
        for result in self._folded():
            found[result.file] = (result, self.out / LANDMARKS)
        for part in sorted(self._parts.glob("*.jsonl")):
            for line in part.read_text(encoding="utf-8").splitlines():
                result = _parse(json.loads(line))
                found[result.file] = (result, part.with_suffix(".csv"))
        return found

    def _folded(self) -> Iterator[FileResult]:
        """Outcomes whose rows stand in landmarks.csv, provided that it is the one we wrote."""
        try:
            status = (self.out / LANDMARKS).stat()
            lines = (self._state / "files.jsonl").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return
        if json.loads(lines[0]) == [status.st_size, status.st_mtime_ns]:
            for line in lines[1:]:
                yield _parse(json.loads(line))

    def commit(self, rows: Path, results: Sequence[FileResult]) -> None:
        """Make the outcome of some files last: from now on --resume takes it as done."""
        stem = f"{self._next_part:06d}"
        self._next_part += 1
        try:
            os.replace(rows, self._parts / f"{stem}.csv")
            with staged_path(self._parts / f"{stem}.jsonl", self.staging) as temporary:
                temporary.write_text(_lines(results), encoding="utf-8")
        except OSError as e:
            raise InputError(
                f"{self.out}: the results cannot be written",
                actual=str(e),
                next_step="make room, then run the same command with --resume",
            ) from e

    def finish(self, header: bytes, files: Sequence[str]) -> list[FileResult]:
        """Write landmarks.csv from what is committed of ``files``, in their order."""
        found = self.results()
        chosen = [found[file] for file in files if file in found]
        found.clear()
        landmarks = self.out / LANDMARKS
        results: list[FileResult] = []
        with staged_path(landmarks, self.staging) as temporary, temporary.open("wb") as target:
            target.write(header)
            for result, part in chosen:
                start = target.tell()
                _copy(part, result.start, result.end, target)
                result.start, result.end = start, target.tell()
                results.append(result)
        status = landmarks.stat()
        with staged_path(self._state / "files.jsonl", self.staging) as temporary:
            stamp = json.dumps([status.st_size, status.st_mtime_ns]) + "\n"
            temporary.write_text(stamp + _lines(results), encoding="utf-8")
        os.replace(self._parts, self.staging / "joined")  # all of them at once
        self._parts.mkdir()
        return results

    def close(self) -> None:
        """Let go of the folder."""
        shutil.rmtree(self.staging, ignore_errors=True)
        if self._lock is not None:
            self._lock.close()


def _copy(source: Path, start: int, end: int, target: IO[bytes]) -> None:
    if start == end:
        return
    with source.open("rb") as file:
        file.seek(start)
        while start < end:
            block = file.read(min(end - start, 1 << 20))
            if not block:
                raise InputError(f"{source}: shorter than it was written")
            target.write(block)
            start += len(block)


def _lines(results: Sequence[FileResult]) -> str:
    return "".join(json.dumps(asdict(r)) + "\n" for r in results)


def _parse(values: dict[str, Any]) -> FileResult:
    values["status"] = sys.intern(values["status"])  # thousands of results share few words
    return FileResult(**values)
