"""Recipes: the options that made each shipped model, one module a model.

A module's docstring tells how to make the CSVs; its ``OPTIONS`` are fields of TrainOptions.
``kpcli train faces.csv --recipe NAME --out runs/NAME`` runs it; options given on the command
line win.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

from kpcli.errors import UsageError


def recipe_names() -> list[str]:
    """Names of the recipes that come with kpcli."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__))


def recipe_options(name: str) -> dict[str, Any]:
    """The options of a recipe.

    Raises
    ------
    UsageError
        If there is no such recipe.
    """
    if name not in recipe_names():
        raise UsageError(f"unknown recipe {name!r}", expected=", ".join(recipe_names()))
    options: dict[str, Any] = importlib.import_module(f"{__name__}.{name}").OPTIONS
    return dict(options)
