"""landmarks.csv as a pandas table: as it stands, or one row a point."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kpcli.errors import InputError, KpcliError
from kpcli.schemes import get_scheme
from kpcli.writers.landmark_csv import OUTPUT, Extra, columns

if TYPE_CHECKING:
    import pandas as pd

RUN = "run.json"
"""File beside the table that names the scheme."""

_KEYS = ["file", "frame", "timestamp", "face_id"]


def read_table(path: Path, *, long: bool = False) -> pd.DataFrame:
    """See `kpcli.read_landmarks`."""
    if path.is_dir():
        path = path / OUTPUT
    table = _read(path)
    n_points = sum(str(name).startswith("x_") for name in table.columns)
    extras = [e for e in Extra if n_points and e.columns(n_points)[0] in table.columns]
    if not n_points or list(table.columns) != columns(n_points, extras):
        raise InputError(f"{path}: not a landmarks.csv of `kpcli annotate`")
    return _long(table, n_points, extras, path) if long else table


def _read(path: Path) -> pd.DataFrame:
    import pandas as pd

    types: dict[str, Any] = {"file": "str", "face_id": "Int64"}
    try:
        # A picture may be called NA; its name is none that is missing.
        return pd.read_csv(
            path,
            dtype=types,
            keep_default_na=False,
            na_values={"file": []} | {name: [""] for name in _header(path) if name != "file"},
        ).copy()  # in one piece: pandas warns of 200 columns apart when one is added
    except FileNotFoundError as e:
        raise InputError(f"{path}: there is no such file") from e
    except (UnicodeDecodeError, ValueError) as e:  # pandas' own errors are ValueErrors
        raise InputError(f"{path}: a damaged landmarks.csv", actual=str(e)) from e


def _header(path: Path) -> list[str]:
    with path.open(encoding="utf-8") as file:
        return file.readline().rstrip("\n").split(",")


def _long(table: pd.DataFrame, n: int, extras: list[Extra], path: Path) -> pd.DataFrame:
    import pandas as pd

    faces = table[table["success"] == 1]
    values = {key: np.repeat(faces[key].array, n) for key in _KEYS}
    values["point"] = np.tile(np.arange(n), len(faces))
    values["name"] = np.tile(np.array(_point_names(path, n), dtype=object), len(faces))
    kinds = ["x", "y", "confidence"]
    kinds += ["smooth_x", "smooth_y"] if Extra.SMOOTH in extras else []
    for kind in kinds:
        values[kind] = faces[[f"{kind}_{i}" for i in range(n)]].to_numpy(float).ravel()
    return pd.DataFrame(values)


def _point_names(path: Path, n: int) -> tuple[str, ...]:
    """Those of the scheme that run.json names; without it nothing is known of the points."""
    generic = get_scheme(f"points{n}").point_names
    try:
        run = json.loads((path.parent / RUN).read_text(encoding="utf-8"))
        found = get_scheme(str(run["scheme"])).point_names
    except (OSError, ValueError, KeyError, TypeError, KpcliError):
        return generic
    return found if len(found) == n else generic
