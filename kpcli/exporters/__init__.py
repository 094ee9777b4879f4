"""Twins of model.keras for other runtimes: one file a target, see `kpcli.catalogue.EXPORTERS`."""

from __future__ import annotations

from importlib.util import find_spec

from kpcli.errors import ModelError


def need(package: str, extra: str, what: str) -> None:
    """Refuse early, before Keras is loaded, if ``package`` is not installed."""
    if find_spec(package) is None:
        raise ModelError(
            f"export to {what} needs {package}, which is not installed",
            next_step=f"pip install 'kpcli[{extra}]'",
        )
