"""What `kpcli annotate` wrote: landmarks.csv, .json, .parquet, OpenFace's and py-feat's tables.

For labels that were corrected, or taken as they are. A video's frame is the picture
``FILE/000001.jpg``, counted from 1, as one extracts it. Files lie beside the table or where the
run.json beside it says that they were annotated: say ``--images`` where they are elsewhere. (Its
other formats are read by what they are.)
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kpcli.errors import ModelError
from kpcli.formats.layout import PICTURE_ENDINGS, find_files
from kpcli.formats.named_points import NamedFace, samples
from kpcli.formats.pictures import named
from kpcli.formats.reading import encoding_of, head, open_binary, read_json, read_rows
from kpcli.types import FaceBox, Reject, Sample

Row = Mapping[str, Any]
_FRAMES = re.compile(r'"frames"\s*:\s*\[')
RUN = "run.json"
"""What annotate writes beside its tables of the run."""
_PATTERNS = ("*.csv", "*.json", "*.parquet")


def sniff(root: Path) -> bool:
    """Whether a table of landmarks of a known tool stands at or below ``root``."""
    return any(_kind(path) for path in find_files(root, *_PATTERNS, depth=3))


def read(root: Path) -> Iterator[Sample | Reject]:
    """One sample a face."""
    found: list[NamedFace] = []
    order: list[str] = []
    best = [p for p in find_files(root, *_PATTERNS, depth=3) if _kind(p)]
    if any(_kind(p) in ("csv", "json", "parquet") for p in best):
        # One run in several formats is one set of labels.
        kinds = [k for k in ("json", "csv", "parquet") if any(_kind(p) == k for p in best)]
        best = [p for p in best if _kind(p) == kinds[0]]
    for path in best:
        kind = _kind(path)
        try:
            rows = _READERS[kind](path)
            names = _names(path) if kind == "json" else []
            order += names
            moving: set[str] = set()
            home = _home(path)
            for origin, row in rows:
                try:
                    _add(row, path, home, kind, origin, names, moving, found)
                except (ValueError, KeyError, TypeError, AttributeError) as e:
                    detail = str(e) if isinstance(e, ValueError) else repr(e)
                    yield Reject(origin, "damaged label", detail)
        except (ValueError, OSError, KeyError, TypeError, AttributeError) as e:
            yield Reject(str(path), "damaged file", str(e) or repr(e))
    yield from samples(found, root, list(dict.fromkeys(order)))


def _kind(path: Path) -> str:
    """What a file is: csv, json, parquet, openface, pyfeat, or nothing of these."""
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return "parquet" if path.stem.startswith("landmarks") else ""
    if suffix == ".json":
        start = head(path, 1 << 20)
        text = start.decode(encoding_of(start), "replace")
        return "json" if '"point_names"' in text and _FRAMES.search(text) else ""
    try:
        _, header = next(read_rows(path, ","), (0, []))
    except (OSError, ValueError):
        return ""
    names = {cell.strip() for cell in header}
    if not {"x_0", "y_0"} <= names:
        return ""
    if {"file", "frame", "face_id", "success"} <= names:
        return "csv"
    if "FaceRectX" in names:
        return "pyfeat"
    return "openface" if {"confidence"} <= names and names & {"face", "face_id"} else ""


def _csv_rows(path: Path) -> Iterator[tuple[str, Row]]:
    rows = read_rows(path, ",")
    _, header = next(rows)
    names = [cell.strip() for cell in header]
    for line, values in rows:
        if len(values) != len(names):
            raise ValueError(f"line {line}: expected {len(names)} values, found {len(values)}")
        yield f"{path}:{line}", dict(zip(names, values, strict=True))


def _json_rows(path: Path) -> Iterator[tuple[str, Row]]:
    for number, frame in enumerate(read_json(path)["frames"], start=1):
        for face in frame["faces"]:
            points = {
                f"{axis}_{i}": place[k]
                for i, place in enumerate(face["points"])
                for k, axis in enumerate("xy")
            }
            corners = dict(zip(("left", "top", "right", "bottom"), face["box"], strict=True))
            facts = {k: frame[k] for k in ("file", "frame", "width", "height")}
            yield f"{path}: frame {number}", {**facts, **points, **corners, "success": 1}


def _parquet_rows(path: Path) -> Iterator[tuple[str, Row]]:
    try:
        import pyarrow.parquet as pq
    except ImportError as e:
        raise ModelError(
            f"{path}: needs a package that is not installed", next_step="pip install pyarrow"
        ) from e
    try:
        number = 0
        with open_binary(path) as file:
            for batch in pq.ParquetFile(file).iter_batches(4096):
                for row in batch.to_pylist():
                    number += 1
                    yield f"{path}: row {number}", row
    except Exception as e:  # Arrow raises whatever it stumbles over
        raise ValueError(str(e)) from e


_READERS = {
    "csv": _csv_rows,
    "json": _json_rows,
    "parquet": _parquet_rows,
    "openface": _csv_rows,
    "pyfeat": _csv_rows,
}


def _home(path: Path) -> Path:
    """The folder that was annotated, as run.json says, if it is there; else the table's own."""
    try:
        home = Path(str(read_json(path.parent / RUN)["input"]))
        return home if home.is_absolute() and home.is_dir() else path.parent
    except (OSError, ValueError, KeyError, TypeError):
        return path.parent


def _names(path: Path) -> list[str]:
    return [str(name) for name in read_json(path)["scheme"]["point_names"]]


def _add(
    row: Row,
    path: Path,
    home: Path,
    kind: str,
    origin: str,
    names: Sequence[str],
    moving: set[str],
    found: list[NamedFace],
) -> None:
    """Add the face of a row; a row of a frame without a face is none."""
    if str(row.get("success", 1)).strip() in ("0", "0.0"):
        return
    n = sum(key.startswith("x_") for key in row)
    places = [(_number(row[f"x_{i}"]), _number(row[f"y_{i}"])) for i in range(n)]
    points = {
        names[i] if names else str(i): (x, y, True)
        for i, (x, y) in enumerate(places)
        if not math.isnan(x + y)
    }
    if not points:
        return
    file, frame, is_video = _frame(row, path, kind)
    if is_video:
        moving.add(file)
    image = f"{file}/{frame:06d}.jpg" if file in moving else file
    size = (int(row["width"]), int(row["height"])) if "width" in row else None
    if kind == "pyfeat" and row.get("FrameWidth") and row.get("FrameHeight"):
        size = (int(float(row["FrameWidth"])), int(float(row["FrameHeight"])))
    found.append(
        NamedFace(
            named(home if (home / image).is_file() else path.parent, image),
            path,
            origin,
            points,
            _box(row, kind),
            size if size and min(size) > 0 else None,
            group=file if file in moving else "",
        )
    )


def _frame(row: Row, path: Path, kind: str) -> tuple[str, int, bool]:
    """(file, frame from 1, whether it is one of many)."""
    if kind == "openface":
        file = path.name.removesuffix(".csv")
        return file, int(row.get("frame", 1)), "frame" in row
    file = str(row["input"] if kind == "pyfeat" else row["file"])
    frame = int(row["frame"]) + (kind == "pyfeat")
    return file, frame, frame > 1 or not file.lower().endswith(PICTURE_ENDINGS)


def _box(row: Row, kind: str) -> FaceBox | None:
    if kind == "pyfeat":
        keys = ("FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight")
        left, top, width, height = (_number(row[k]) for k in keys)
        corners = (left, top, left + width, top + height)
    elif "left" in row:
        corners = (
            _number(row["left"]),
            _number(row["top"]),
            _number(row["right"]),
            _number(row["bottom"]),
        )
    else:
        return None
    return None if math.isnan(sum(corners)) else FaceBox(*corners)


def _number(value: Any) -> float:
    if value is None or (isinstance(value, str) and not value.strip()):
        return math.nan
    return float(value)
