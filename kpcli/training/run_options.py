"""The options of a training as they stand in run.json, and what a resumed run makes of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, get_type_hints

from kpcli.errors import InputError, UsageError
from kpcli.options import OLD_FACE_BOXES, TrainOptions

DATA = ("csv", "faces", "negatives")
"""Options that name files of data: those may move, but their content must stay."""


def plain(options: Any) -> dict[str, Any]:
    """Options as JSON values."""
    result: dict[str, Any] = json.loads(json.dumps(asdict(options), default=str))
    return result


def options_from(values: Mapping[str, Any]) -> TrainOptions:
    """The options that `plain` made JSON values of; what is missing has its default.

    Raises
    ------
    TypeError, KeyError, AttributeError
        If the values are no such options.
    """
    kinds = get_type_hints(TrainOptions)
    made: dict[str, Any] = {}
    for one in fields(TrainOptions):
        if one.name not in values:
            continue
        value, kind = values[one.name], kinds[one.name]
        if is_dataclass(kind):
            known = {f.name for f in fields(kind)}
            made[one.name] = kind(**{k: v for k, v in value.items() if k in known})  # type: ignore[operator]
        elif value is not None and kind in (Path, Path | None):
            made[one.name] = Path(value)
        else:
            made[one.name] = value
    made["face_box"] = OLD_FACE_BOXES.get(made.get("face_box", ""), made.get("face_box"))
    return TrainOptions(**{k: v for k, v in made.items() if v is not None})


def data_digests(options: TrainOptions) -> dict[str, str]:
    """SHA-256 of each file of `DATA` that the options name.

    Raises
    ------
    InputError
        If there is no such file.
    """
    return {
        name: _digest(path, name) for name in DATA if (path := getattr(options, name)) is not None
    }


def resumed_options(
    options: TrainOptions, given: Collection[str] | None, run: Mapping[str, Any]
) -> TrainOptions:
    """The options to go on with: the run's own, but for those on which no result depends.

    Raises
    ------
    UsageError
        If an option that was given is not the run's.
    InputError
        If a file of data is not what it was.
    """
    try:
        own = options_from(run["options"])
    except (TypeError, KeyError, AttributeError) as e:
        raise InputError(
            f"{options.out}: its run.json is damaged", actual=f"{type(e).__name__}: {e}",
            next_step="start another run with another --out",
        ) from e  # fmt: skip
    if given is None:
        usual = TrainOptions(csv=Path(), out=Path())
        given = [
            f.name for f in fields(options) if getattr(options, f.name) != getattr(usual, f.name)
        ]
    taken: dict[str, Any] = {"out": options.out, "resume": True}
    differing = []
    for one in fields(TrainOptions):
        mine, its = getattr(options, one.name), getattr(own, one.name)
        if one.name not in given or mine == its or one.name in taken:
            continue
        if one.metadata.get("free") or (one.name in DATA and mine is not None):
            taken[one.name] = mine
        else:
            differing.append(one.name)
    if differing:
        raise UsageError(
            f"{options.out}: --resume goes on with the run's own options",
            expected=_said(own, differing),
            actual=_said(options, differing),
            next_step="leave these options away, or start another run with another --out "
            f"(--init {options.out / 'model'} starts from this one's best model)",
        )
    result = replace(own, **taken)
    _check_data(result, run)
    return result


def _check_data(options: TrainOptions, run: Mapping[str, Any]) -> None:
    """Refuse data that are not those of the run."""
    known = run.get("data") or {"csv": run.get("data_sha256")}
    for name, digest in data_digests(options).items():
        if known.get(name) not in (None, digest):
            raise InputError(
                f"{getattr(options, name)}: not the {name} that the run began with",
                expected=f"a file with the SHA-256 {known[name]}",
                actual=digest,
                next_step=f"give the run's own file, {run['options'].get(name)}, or start another "
                "run with another --out",
            )


def _said(options: TrainOptions, names: Collection[str]) -> str:
    values = plain(options)
    return ", ".join(f"{name} {values[name]}" for name in names)


def _digest(path: Path, name: str) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as e:
        raise InputError(
            f"{path}: there is no such CSV" if not path.exists() else f"{path}: cannot be read",
            actual=e.strerror or "",
            next_step="make one with `kpcli prepare`"
            if name == "csv"
            else f"say where with --{name}",
        ) from e
