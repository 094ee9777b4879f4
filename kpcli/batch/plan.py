"""What a run will do: which files, in which chunks, with which settings."""

from __future__ import annotations

import hashlib
import os
import zlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from kpcli.batch.chunks import Chunk
from kpcli.batch.names import output_names
from kpcli.errors import InputError, UsageError
from kpcli.model_bundle import CARD, ModelBundle
from kpcli.options import BatchOptions
from kpcli.sources.folder import PICTURES, VIDEOS, is_video, list_media
from kpcli.version import __version__

CHUNK_FILES = 16
"""Pictures that are read, and committed, together."""


@dataclass(frozen=True)
class Plan:
    """The files of a run as sorted names relative to ``root``, and what was passed over.

    ``names`` has, of files whose outputs would collide, what their outputs' names begin with.
    ``unread`` says why files that look like media are passed over.
    """

    root: Path
    files: tuple[str, ...]
    ignored: Counter[str]
    unread: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)

    def chunks(self, finished: Collection[str] = ()) -> list[Chunk]:
        """Every unfinished file in one chunk: videos alone and first, pictures in groups.

        The groups are cut before finished files are left out: a run that goes on forms the same
        batches as one that was never stopped.
        """
        videos = [(f,) for f in self.files if is_video(Path(f))]
        pictures = [f for f in self.files if not is_video(Path(f))]
        groups = [
            tuple(pictures[i : i + CHUNK_FILES]) for i in range(0, len(pictures), CHUNK_FILES)
        ]
        left = [tuple(f for f in group if f not in finished) for group in (*videos, *groups)]
        return [Chunk(number, files) for number, files in enumerate(left) if files]


def make_plan(options: BatchOptions, shard: tuple[int, int] = (1, 1)) -> Plan:
    """The files to work on; of n parts of them, (i, n) is the ith.

    Raises
    ------
    InputError
        If a folder or file is missing, or there is nothing to work on.
    """
    plan = (
        _folder_plan(options, options.inputs[0]) if options.folder else _files_plan(options.inputs)
    )
    plan = replace(plan, names=output_names(plan.files))  # of all files, whatever the shard
    number, count = shard
    files = tuple(f for f in plan.files if count == 1 or shard_of(f, count) == number)
    unread = {f: w for f, w in plan.unread.items() if count == 1 or shard_of(f, count) == number}
    return replace(plan, files=files, unread=unread)


def shard_of(file: str, count: int) -> int:
    """Which of ``count`` shards, from 1, a file belongs to: by its name alone."""
    return zlib.crc32(file.encode("utf-8", "surrogateescape")) % count + 1


def _folder_plan(options: BatchOptions, folder: Path) -> Plan:
    listing = list_media(folder, recursive=options.recursive)
    if not listing.files:
        found = ", ".join(f"{n} {ending}" for ending, n in listing.ignored.most_common(8))
        found += "".join(f"; {file}: {why}" for file, why in [*listing.unread.items()][:3])
        raise InputError(
            f"{folder}: no picture or video to annotate",
            expected=f"pictures ({_endings(PICTURES)}) or videos ({_endings(VIDEOS)})",
            actual=f"other files: {found}" if found else "an empty folder",
            next_step="" if options.recursive else "leave out --no-recursive to look deeper",
        )
    return Plan(folder, listing.files, listing.ignored, listing.unread)


def _files_plan(inputs: tuple[Path, ...]) -> Plan:
    if not inputs:
        raise UsageError("no file to annotate", expected="at least one picture or video")
    for path in inputs:
        if path.is_dir():
            raise InputError(
                f"{path}: a folder among the files", next_step="kpcli annotate folder DIR"
            )
    if not any(path.is_file() for path in inputs):  # else the missing ones are failures of theirs
        raise InputError(f"{inputs[0]}: there is no such file")
    paths = [path.absolute() for path in inputs]
    root = Path(os.path.commonpath([path.parent for path in paths]))
    return Plan(root, tuple(sorted({p.relative_to(root).as_posix() for p in paths})), Counter())


def _endings(endings: Collection[str]) -> str:
    return " ".join(sorted(endings))


def settings(
    options: BatchOptions, plan: Plan, scheme: Any, bundle: ModelBundle | None, read: Sequence[Path]
) -> Mapping[str, Any]:
    """All that determines the rows of a file: --resume goes on only where it is the same.

    Every option takes part whose field does not say that it is `FREE`, and what is in the files
    ``read`` besides the input and the model's.
    """
    values = asdict(options)
    return {
        "kpcli": __version__,
        "input": str(plan.root.resolve()),
        "files": None if options.folder else list(plan.files),
        "model_files": digest_of(bundle.path) if bundle else "",
        "detector_files": digest_of(*read),
        "scheme": scheme,
        **{f.name: _plain(values[f.name]) for f in fields(options) if not f.metadata.get("free")},
    }


def _plain(value: Any) -> Any:
    """The value as JSON can hold it."""
    return str(value) if isinstance(value, Path) else value


def all_files(paths: Sequence[Path]) -> list[Path]:
    """The files, and those in the folders."""
    return [f for path in paths for f in (path.rglob("*") if path.is_dir() else [path])]


def detector_files(spec: str) -> list[Path]:
    """What the argument may name: a file, a file and its configuration, or a bundle's folder."""
    _, _, argument = spec.partition(":")
    file, _, config = argument.partition(",")
    paths = [Path(name) for name in dict.fromkeys((argument, file, config)) if name]
    return [path for path in paths if path.is_file() or (path / CARD).is_file()]


def digest_of(*paths: Path) -> str:
    """Of the content of files, and of all that is in folders; "" where there are none."""
    found = [(p, file) for p in paths for file in (sorted(p.rglob("*")) if p.is_dir() else [p])]
    digest = hashlib.sha256()
    for path, file in found:
        if file.is_file():
            digest.update(os.fsencode(file.relative_to(path)) + b"\n")
            with file.open("rb") as content:
                digest.update(hashlib.file_digest(content, "sha256").digest())
    return digest.hexdigest()[:16] if found else ""
