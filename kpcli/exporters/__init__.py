"""Twins of model.keras for other runtimes: one file a target, see `kpcli.catalogue.EXPORTERS`."""

from __future__ import annotations

import hashlib
import os
from importlib.util import find_spec
from pathlib import Path

from kpcli.catalogue import EXPORTERS
from kpcli.errors import ModelError
from kpcli.files import remove
from kpcli.model_bundle import CARD, ModelCard, read_card
from kpcli.outputs import files_below
from kpcli.record import digest


def need(package: str, extra: str, what: str) -> None:
    """Refuse early, before Keras is loaded, if ``package`` is not installed."""
    if find_spec(package) is None:
        raise ModelError(
            f"export to {what} needs {package}, which is not installed",
            next_step=f"pip install '.[{extra}]', in kpcli's checkout",
        )


def content(twin: Path) -> tuple[int, str]:
    """Bytes and SHA-256 of a twin, a file or a folder: its record in card.json."""
    if not twin.is_dir():
        return twin.stat().st_size, digest(twin)
    names = files_below(twin)
    whole = "".join(f"{digest(twin / name)} {name}\n" for name in names)
    size = sum((twin / name).stat().st_size for name in names)
    return size, hashlib.sha256(whole.encode("utf-8", "surrogateescape")).hexdigest()


def recorded(twin: Path, card: ModelCard) -> bool:
    """Whether nothing is there, or what an export wrote by the card and nobody changed since."""
    if not os.path.lexists(twin):
        return True
    entries = [e for e in card.exports.values() if e.get("file") == twin.name]
    if twin.is_symlink() or not entries:
        return False
    size, sha256 = content(twin)
    return any(
        (e.get("bytes") == size and e.get("sha256", sha256) == sha256)
        or e.get("replaces") == sha256  # the export that was to replace it was killed
        for e in entries
    )


def foreign_twins(folder: Path) -> list[Path]:
    """What lies at a twin's place in a bundle and is not what its card records."""
    twins = [folder / EXPORTERS.load(name).FILE for name in EXPORTERS]
    there = [twin for twin in twins if os.path.lexists(twin)]
    if not there or not (folder / CARD).is_file():
        return there
    card = read_card(folder / CARD)
    return [twin for twin in there if not recorded(twin, card)]


def drop_twins(folder: Path) -> None:
    """Remove a bundle's twins, because its weights are no longer theirs."""
    foreign = foreign_twins(folder)
    for name in EXPORTERS:
        twin = folder / EXPORTERS.load(name).FILE
        if twin not in foreign:
            remove(twin)
