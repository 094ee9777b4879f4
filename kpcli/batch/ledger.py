"""What is done of a run, on disk: kill it anywhere, and --resume goes on.

``OUT/.kpcli/`` holds ``settings.json`` (what determines the rows), ``lock``, ``tmp/COMMAND`` (all
that is half-written), ``outputs`` (what is ours, see `kpcli.outputs`), ``parts/NNNNNN.csv`` (rows
of some files, without a header) and, written last, ``parts/NNNNNN.jsonl``: a line a file with its
outcome and the bytes that are its rows. `finish` joins the parts in the files' order to
the table (landmarks.csv); ``files.jsonl`` then says which of its bytes are whose, and the parts go.

The first line of a ``jsonl`` seals the lines below it and the rows that they are about, by size
and SHA-256: what a power cut has emptied, cut or zeroed is work not done. Other files that lie
there are ignored.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from kpcli.batch.outcome import FileResult, seal, sealed
from kpcli.errors import InputError
from kpcli.files import staged_path, sync_file
from kpcli.outputs import Outputs
from kpcli.record import STATE, digest
from kpcli.writers.landmark_csv import OUTPUT as LANDMARKS

COMMAND = "annotate"
"""Command in the record of outputs; also of what merge writes, which may be resumed."""
MANIFEST = "manifest.csv"
RUN = "run.json"
_PART = re.compile(r"(\d{6,})\.(csv|jsonl)")


class Ledger:
    """The state of one output folder; only one process at a time may hold it.

    ``names`` are the files and folders that ``command`` is to write there besides its ``table``,
    to which all rows are joined.
    """

    def __init__(
        self, out: Path, names: Sequence[str] = (), command: str = COMMAND, table: str = LANDMARKS
    ) -> None:
        self.out = out
        self.outputs = Outputs(out, command)
        self._command = command
        self._table = table
        self._names = (table, MANIFEST, RUN, *names)
        self._state = out / STATE
        self._parts = self._state / "parts"
        self.staging = self._state / "tmp" / command
        self._lock: int | None = None
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
            self.staging.mkdir(parents=True)
            self.outputs.tidy()
            with staged_path(self._state / "settings.json", self.staging) as temporary:
                temporary.write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")
        except OSError as e:
            raise InputError(
                f"{self.out}: the output folder cannot be written",
                actual=str(e),
                next_step="choose another --out",
            ) from e
        self._next_part = max((number for number, _ in self._part_files()), default=-1) + 1

    def check(self, settings: Mapping[str, Any], *, resume: bool, overwrite: bool) -> None:
        """See whether a run may write here; changes nothing.

        Raises
        ------
        InputError
            If something of the user's is in the way, if there are results and neither resume nor
            overwrite is asked for, or they come from other settings and are to be resumed.
        """
        self.outputs.check(self._names)
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
        names = [n for n in (self._table, MANIFEST, RUN) if (self.out / n).exists()]
        return names or [f"{STATE}/parts" for _, path in self._part_files()][:1]

    def _part_files(self) -> list[tuple[int, Path]]:
        """The numbers and paths of ``NNNNNN.jsonl``; what else lies there is not ours."""
        try:
            names = sorted(path.name for path in self._parts.iterdir())
        except OSError:
            return []
        matches = [match for name in names if (match := _PART.fullmatch(name))]
        return [(int(m[1]), self._parts / m[0]) for m in matches if m[2] == "jsonl"]

    def _take_lock(self) -> None:
        # Made by whom, in a shared folder? Opened so that it is neither followed nor emptied.
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        self._lock = os.open(self._state / "lock", flags, 0o666)
        try:
            import fcntl
        except ImportError:  # Windows: two runs into one folder are the user's affair
            return
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as e:
            os.close(self._lock)
            self._lock = None
            raise InputError(
                f"{self.out}: another kpcli {self._command} is writing here",
                next_step="wait for it, or choose another --out",
            ) from e

    def settings(self) -> dict[str, Any] | None:
        """What the results there were made with; without it, they cannot be trusted."""
        try:
            values = json.loads((self._state / "settings.json").read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return None
        return values if isinstance(values, dict) else None

    def _clear(self, *, results: bool) -> None:
        """Forget what was done; with ``results``, remove what was written too."""
        (self._state / "settings.json").unlink(missing_ok=True)  # first: now nothing is valid
        (self._state / "files.jsonl").unlink(missing_ok=True)
        for path in self._parts.iterdir():
            if _PART.fullmatch(path.name):
                path.unlink()
        if results:
            self.outputs.remove(self.outputs.names())

    def results(self) -> dict[str, tuple[FileResult, Path]]:
        """The outcome of every committed file, and the file that holds its rows."""
        found: dict[str, tuple[FileResult, Path]] = {}
        table = self.out / self._table
        for result in sealed(self._state / "files.jsonl", table):
            found[result.file] = (result, table)
        for _, part in self._part_files():
            rows = part.with_suffix(".csv")
            for result in sealed(part, rows):
                found[result.file] = (result, rows)
        return found

    def finished(self, root: Path, names: Mapping[str, str]) -> set[str]:
        """Files below ``root`` that need not be looked at again; ``names`` are `Plan.names`."""
        return {
            file
            for file, (result, _) in self.results().items()
            if result.finished
            and result.unchanged(root / file)
            and result.output == names.get(file, "")
        }

    def commit(self, rows: Path, results: Sequence[FileResult]) -> None:
        """Make the outcome of some files last: from now on --resume takes it as done."""
        stem = f"{self._next_part:06d}"
        self._next_part += 1
        try:
            sync_file(rows)
            text = seal(rows, results)
            os.replace(rows, self._parts / f"{stem}.csv")
            with staged_path(self._parts / f"{stem}.jsonl", self.staging) as temporary:
                temporary.write_text(text, encoding="utf-8")
        except OSError as e:
            raise InputError(
                f"{self.out}: the results cannot be written",
                actual=str(e),
                next_step="make room, then run the same command with --resume",
            ) from e

    def finish(self, header: bytes, files: Sequence[str]) -> list[FileResult]:
        """Write the table from what is committed of ``files``, in their order."""
        found = self.results()
        chosen = [found[file] for file in files if file in found]
        found.clear()
        results: list[FileResult] = []
        with self.result(self._table) as temporary:
            with temporary.open("wb") as target:
                target.write(header)
                for result, part in chosen:
                    start = target.tell()
                    _copy(part, result.start, result.end, target)
                    result.start, result.end = start, target.tell()
                    results.append(result)
            text = seal(temporary, results)
        with staged_path(self._state / "files.jsonl", self.staging) as temporary:
            temporary.write_text(text, encoding="utf-8")
        for _, part in self._part_files():
            part.unlink()
            part.with_suffix(".csv").unlink(missing_ok=True)
        self.outputs.record.reload()
        return results

    def table(self) -> str:
        """The digest of the table; "" if there is none."""
        path = self.out / self._table
        return digest(path) if path.is_file() else ""

    def drop(self, outputs: Sequence[str]) -> int:
        """Remove what is ours of these files and folders; how many files went."""
        names = self.outputs.names()
        folders = tuple(f"{output}/" for output in outputs)
        return len(self.outputs.remove(n for n in names if n in outputs or n.startswith(folders)))

    @contextmanager
    def result(self, name: str) -> Iterator[Path]:
        """A temporary path that becomes this file of the output folder when the block ends well.

        Raises
        ------
        InputError
            If it cannot be written.
        """
        temporary = self.staging / name
        try:
            yield temporary
        except OSError as e:
            raise InputError(f"{self.out / name}: cannot be written", actual=str(e)) from e
        for problem in self.outputs.publish([(temporary, name)]).values():
            raise InputError(f"{self.out / name}: cannot be written", actual=str(problem))

    def close(self) -> None:
        """Let go of the folder."""
        shutil.rmtree(self.staging, ignore_errors=True)
        with suppress(OSError):
            self.staging.parent.rmdir()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


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
