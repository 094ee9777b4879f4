"""Twins of model.keras for other runtimes: one file a target, see `kpcli.catalogue.EXPORTERS`."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

from kpcli.catalogue import EXPORTERS
from kpcli.errors import ModelError


def need(package: str, extra: str, what: str) -> None:
    """Refuse early, before Keras is loaded, if ``package`` is not installed."""
    if find_spec(package) is None:
        raise ModelError(
            f"export to {what} needs {package}, which is not installed",
            next_step=f"pip install 'kpcli[{extra}]'",
        )


def drop_twins(folder: Path) -> None:
    """Remove a bundle's twins, because its weights are no longer theirs."""
    for name in EXPORTERS:
        twin = folder / EXPORTERS.load(name).FILE
        if twin.is_dir():
            shutil.rmtree(twin)
        else:
            twin.unlink(missing_ok=True)
