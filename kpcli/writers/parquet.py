"""landmarks.parquet: the columns of landmarks.csv, with those of pose and smoothing, typed."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kpcli.files import atomic_path
from kpcli.schemes import LandmarkScheme
from kpcli.types import Face, FrameFaces
from kpcli.writers.landmark_csv import Extra, columns
from kpcli.writers.values import measured, pose_of

OUTPUT = "landmarks.parquet"
PACKAGE = "pyarrow"

GROUP = 4096
"""Rows that are held before they are written as one group."""
_TYPES = {"file": "string", "frame": "int64", "timestamp": "float64", "face_id": "int64",
          "success": "int8", "crop": "string"}  # fmt: skip
_FIXED = len(columns(0))
"""Number of columns before those of the points."""


class ParquetTable:
    """Writes row groups as they fill."""

    def __init__(self, path: Path, n_points: int, extras: Sequence[Extra]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        names = columns(n_points, extras)
        types = {name: getattr(pa, _TYPES.get(name, "float32"))() for name in names}
        self._schema = pa.schema(list(types.items()))
        self._extras = extras
        self._crop = Extra.CROP in extras
        self._empty = np.full(len(names) - _FIXED - self._crop, np.nan, np.float32)
        self._rows: list[list[Any]] = []
        self._numbers: list[NDArray[np.float32]] = []
        self._crops: list[str | None] = []
        self._writer = pq.ParquetWriter(path, self._schema)

    def write(self, frame: FrameFaces) -> None:
        """Add the rows of one frame."""
        start = [frame.file, frame.index, frame.seconds]
        for face in frame.faces:
            box = face.box
            place = [box.left, box.top, box.right, box.bottom]
            self._rows.append([*start, face.track, *place, face.confidence, 1])
            self._numbers.append(self._values(face))
            self._crops.append(face.crop or None)
        if not frame.faces:
            self._rows.append([*start, *[None] * 5, 0.0, 0])
            self._numbers.append(self._empty)
            self._crops.append(None)
        if len(self._rows) >= GROUP:
            self._flush()

    def _values(self, face: Face) -> NDArray[np.float32]:
        parts = [face.points.T.ravel(), face.point_confidences]
        if Extra.POSE in self._extras:
            parts.append(np.array(pose_of(face) or (np.nan,) * 3, np.float32))
        if Extra.SMOOTH in self._extras:
            smoothed = face.smoothed
            parts.append(
                self._empty[: 2 * len(face.points)] if smoothed is None else smoothed.T.ravel()
            )
        if Extra.MEASURES in self._extras:
            parts.append(measured(face))
        return np.concatenate(parts)

    def _flush(self) -> None:
        import pyarrow as pa

        if self._rows:
            numbers = np.stack(self._numbers).T
            numbers[~np.isfinite(numbers)] = np.nan  # from_pandas: NaN is no value
            parts = [*zip(*self._rows, strict=True), *np.ascontiguousarray(numbers)]
            parts += [self._crops] * self._crop
            arrays = [
                pa.array(part, field.type, from_pandas=True)
                for part, field in zip(parts, self._schema, strict=True)
            ]
            self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))
            self._rows, self._numbers, self._crops = [], [], []

    def close(self) -> None:
        """Write what is left; the file is then complete."""
        self._flush()
        self._writer.close()


@contextmanager
def create(
    out: Path, scheme: LandmarkScheme, extras: Collection[str] = ()
) -> Iterator[ParquetTable]:
    """Writes ``out/landmarks.parquet``; see `kpcli.plug_ins.WriterModule`."""
    chosen = [extra for extra in Extra if extra in extras]
    with (
        atomic_path(out / OUTPUT) as temporary,
        closing(ParquetTable(temporary, scheme.n_points, chosen)) as table,
    ):
        yield table
