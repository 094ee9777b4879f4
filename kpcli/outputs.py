"""What kpcli wrote into a folder, by its own record: nothing else is ever replaced or removed.

``FOLDER/.kpcli/outputs/COMMAND*.jsonl`` has a line for every file that a command wrote below
FOLDER: name, size, time, SHA-256. A file is ours only while one of its lines fits: of its size,
and of its time or content (copies lose their times). All else in the way of a result is the
user's: `Outputs.check` refuses it, by name, before the first write. Links below FOLDER are never
followed. A file's line is on the disk before the file is in its place, so that what a killed run
left is known, whether the old file or the new one lies there.

This holds for folders and for single files (``prepare --out FILE`` keeps its record beside FILE).
The one exception is a model bundle, which people copy about: there card.json is the record of its
exports (`kpcli.exporters`).
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path, PurePosixPath

from kpcli.errors import InputError, UsageError
from kpcli.files import put_in_place, sync_file, sync_folder
from kpcli.record import STATE, Record, Stamp, digest, plain_folder
from kpcli.staging import staging

LITTER = frozenset(("Thumbs.db", "desktop.ini"))
"""Files that systems leave in folders that are looked at; these, and hidden files, are in nobody's
way.
"""

_FEW = 64
"""Number of files up to which each is made to last by its own fsync; more are by one call for the
whole disk.
"""


class Outputs:
    """The files below ``folder`` that ``command`` wrote, and the only way to write or remove them.

    Names are relative to the folder, with ``/``.

    Example
    -------
    >>> outputs = Outputs(Path("results"), "eval")
    >>> outputs.check(["metrics.json"])               # the user's own: refused
    >>> with outputs.staging() as folder:
    ...     (folder / "metrics.json").write_text("{}")
    ...     outputs.publish_all(folder)
    """

    def __init__(self, folder: Path, command: str, writer: str = "") -> None:
        self.folder = folder
        self._command = command
        self._state = folder / STATE
        self.record = Record(folder, command, writer)
        self._made: set[Path] = set()

    def names(self) -> list[str]:
        """All that the record names and that is there, fitting or not."""
        return [name for name in self.record.stamps() if os.path.lexists(self.folder / name)]

    def tidy(self) -> None:
        """Forget what is gone; not while other processes write here."""
        self.record.compact({name: (self.folder / name).lstat().st_size for name in self.names()})

    def owns(self, name: str) -> bool:
        """Whether what lies there is what the command wrote."""
        stamps = self.record.stamps().get(name)
        if not stamps or not all(plain_folder(p) for p in self._parents(name)):
            return False
        path = self.folder / name
        try:
            found = path.lstat()
            stamps = [s for s in stamps if s.size == found.st_size]
            if not stamps or not stat.S_ISREG(found.st_mode):
                return False
            same_time = any(s.mtime_ns == found.st_mtime_ns for s in stamps)
            return same_time or digest(path) in {s.sha256 for s in stamps}
        except OSError:
            return False

    def check(self, names: Iterable[str]) -> None:
        """See that nothing of the user's is in the way; changes nothing.

        Parameters
        ----------
        names : str
            Files that are to be written, and folders that are to hold nothing but results.

        Raises
        ------
        InputError
            Naming the file.
        """
        for path in (self._state, *sorted(self._state.glob("*")), *self._state.glob("*/*")):
            try:
                kind = stat.S_IFMT(path.lstat().st_mode)
            except FileNotFoundError:  # nothing yet, or another run's that has just gone
                continue
            except OSError as e:
                raise InputError(
                    f"{self.folder}: the output folder cannot be written",
                    actual=e.strerror or str(e), next_step="choose another --out",
                ) from e  # fmt: skip
            if kind not in (stat.S_IFREG, stat.S_IFDIR):
                what = "a link, which kpcli does not follow" if path.is_symlink() else "no file"
                raise InputError(f"{path}: {what}", next_step="remove it")
        for name in names:
            for foreign in self.foreign(name):
                raise self._in_the_way(foreign)

    def foreign(self, name: str) -> Iterator[str]:
        """What lies at ``name``, a file or a folder, and is not the command's."""
        path = self.folder / name
        blocked = next((p for p in self._parents(name) if not plain_folder(p)), None)
        if blocked is not None:
            yield blocked.relative_to(self.folder).as_posix()
        elif path.is_dir() and not path.is_symlink():
            for entry in sorted(entry.name for entry in path.iterdir()):
                if not entry.startswith(".") and entry not in LITTER:
                    yield from self.foreign(f"{name}/{entry}")
        elif os.path.lexists(path) and not self.owns(name):
            yield name

    def spare(self, inputs: Iterable[Path]) -> None:
        """Refuse to read, in one run, what the run would replace or remove.

        Raises
        ------
        UsageError
            If one of the inputs is one of the command's earlier results.
        """
        ours: dict[tuple[int, int], str] = {}
        for name in self.names():
            found = (self.folder / name).lstat()
            ours[found.st_dev, found.st_ino] = name
        for path in inputs if ours else ():
            with suppress(OSError):
                found = path.stat()
                name = ours.get((found.st_dev, found.st_ino), "")
                if name and path.resolve() == (self.folder / name).resolve():
                    raise UsageError(
                        f"{path}: an input, and a result that this run would replace",
                        next_step="choose another --out",
                    )

    def staging(self) -> AbstractContextManager[Path]:
        """A folder on the same disk to make files in; what it still holds at the end goes."""
        return staging(self._state, self._command)

    def publish(self, staged: Sequence[tuple[Path, str]]) -> dict[str, OSError]:
        """Put files into their places, recorded first; what of them could not be, and why.

        Raises
        ------
        InputError
            If something of the user's has come to lie there meanwhile, or the record cannot be
            written.
        """
        for _, name in staged:
            if os.path.lexists(self.folder / name) and not self.owns(name):
                raise self._in_the_way(name)
        try:
            for path, _ in staged if len(staged) <= _FEW else ():
                sync_file(path)
            self.record.add({name: Stamp.of(path) for path, name in staged})
            if len(staged) > _FEW and hasattr(os, "sync"):
                os.sync()
        except OSError as e:
            raise InputError(
                f"{self.folder}: the results cannot be written",
                actual=str(e),
                next_step="make room, then run the same command again",
            ) from e
        return self._put(staged)

    def publish_all(self, folder: Path, within: str = "") -> list[str]:
        """Put all files of a folder into the same places here, and remove what was there of ours.

        Parameters
        ----------
        folder : Path
        within : str
            The folder here that is to hold just them; "": all that the command wrote here.

        Returns
        -------
        list of str
            Earlier results that went, because there is nothing in their place.

        Raises
        ------
        InputError
            As `publish` does, and if one of them cannot be put there.
        """
        above = f"{within}/" if within else ""
        staged = [(folder / name, f"{above}{name}") for name in files_below(folder)]
        for name, error in self.publish(staged).items():
            raise InputError(f"{self.folder / name}: cannot be written", actual=str(error))
        new = {name for _, name in staged}
        return self.remove(n for n in self.names() if n.startswith(above) and n not in new)

    @contextmanager
    def replacing(self, name: str) -> Iterator[Path]:
        """A temporary path (same ending) that replaces the file when the block ends well.

        Raises
        ------
        InputError
            If the file is not the command's, or cannot be written.
        """
        self.check([name])
        with self.staging() as folder:
            temporary = folder / PurePosixPath(name).name
            yield temporary
            self._publish_one(temporary, name)

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Have `atomic_path` and `atomic_folder`, below the folder, write by the record.

        They raise InputError where something of the user's is in the way.
        """
        plain = put_in_place.get()

        def put(temporary: Path, path: Path) -> None:
            if not path.absolute().is_relative_to(self.folder.absolute()):
                plain(temporary, path)
                return
            name = path.absolute().relative_to(self.folder.absolute()).as_posix()
            self.check([name])
            if temporary.is_dir():
                self.publish_all(temporary, name)
            else:
                self._publish_one(temporary, name)

        token = put_in_place.set(put)
        try:
            yield
        finally:
            put_in_place.reset(token)

    def _publish_one(self, temporary: Path, name: str) -> None:
        for error in self.publish([(temporary, name)]).values():
            raise InputError(f"{self.folder / name}: cannot be written", actual=str(error))

    def remove(self, names: Iterable[str]) -> list[str]:
        """Remove those that are the command's, and folders that get empty by it; what went."""
        gone = [name for name in names if self.owns(name)]
        for name in gone:
            (self.folder / name).unlink()
            for parent in reversed(self._parents(name)):
                with suppress(OSError):
                    parent.rmdir()
        return gone

    def _put(self, staged: Sequence[tuple[Path, str]]) -> dict[str, OSError]:
        problems: dict[str, OSError] = {}
        parents: set[Path] = set()
        for path, name in staged:
            target = self.folder / name
            try:
                self._make_parents(name)
                os.replace(path, target)
                parents.add(target.parent)
            except OSError as e:
                problems[name] = e
        for parent in parents if len(parents) <= _FEW else ():
            sync_folder(parent)
        return problems

    def _make_parents(self, name: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for parent in self._parents(name):
            if parent not in self._made:
                with suppress(FileExistsError):
                    parent.mkdir()
                if not plain_folder(parent):
                    raise NotADirectoryError(f"{parent}: in the way, no folder of ours")
                self._made.add(parent)

    def _parents(self, name: str) -> list[Path]:
        """The folders between ours and the file, from the outermost on."""
        return [self.folder / parent for parent in list(PurePosixPath(name).parents)[-2::-1]]

    def _in_the_way(self, name: str) -> InputError:
        changed = name in self.record.stamps()
        return InputError(
            f"{self.folder / name}: in the way of the results, and "
            + ("changed since kpcli wrote it" if changed else "not written by kpcli"),
            expected="nothing there, or what an earlier run wrote",
            next_step="move it away, or choose another --out",
        )


def files_below(folder: Path) -> list[str]:
    """Names of all files below a folder, sorted, with ``/``."""
    found = []
    for here, _, names in os.walk(folder):
        found += [(Path(here) / name).relative_to(folder).as_posix() for name in names]
    return sorted(found)


def writer() -> str:
    """What tells this process's records apart from those of others, also on other machines."""
    return f"{socket.gethostname()}-{os.getpid()}"
