"""Exports of model.keras for other runtimes: one file a target, see `kpcli.catalogue.EXPORTERS`."""

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


def content(export: Path) -> tuple[int, str]:
    """Bytes and SHA-256 of an export, a file or a folder: its record in card.json."""
    if not export.is_dir():
        return export.stat().st_size, digest(export)
    names = files_below(export)
    whole = "".join(f"{digest(export / name)} {name}\n" for name in names)
    size = sum((export / name).stat().st_size for name in names)
    return size, hashlib.sha256(whole.encode("utf-8", "surrogateescape")).hexdigest()


def recorded(export: Path, card: ModelCard) -> bool:
    """Whether nothing is there, or what an export wrote by the card and nobody changed since."""
    if not os.path.lexists(export):
        return True
    entries = [e for e in card.exports.values() if e.get("file") == export.name]
    if export.is_symlink() or not entries:
        return False
    size, sha256 = content(export)
    return any(
        (e.get("bytes") == size and e.get("sha256", sha256) == sha256)
        or e.get("replaces") == sha256  # the export that was to replace it was killed
        for e in entries
    )


def foreign_exports(folder: Path) -> list[Path]:
    """What lies at an export's place in a bundle and is not what its card records."""
    exports = [folder / EXPORTERS.load(name).FILE for name in EXPORTERS]
    there = [export for export in exports if os.path.lexists(export)]
    if not there or not (folder / CARD).is_file():
        return there
    card = read_card(folder / CARD)
    return [export for export in there if not recorded(export, card)]


def drop_exports(folder: Path) -> None:
    """Remove a bundle's exports, because its weights are no longer theirs."""
    foreign = foreign_exports(folder)
    for name in EXPORTERS:
        export = folder / EXPORTERS.load(name).FILE
        if export not in foreign:
            remove(export)
