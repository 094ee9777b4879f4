"""landmarks.parquet: the columns of landmarks.csv (without its optional ones), typed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from kpcli.files import atomic_path
from kpcli.schemes import LandmarkScheme
from kpcli.types import Face, FrameFaces
from kpcli.writers.landmark_csv import columns

OUTPUT = "landmarks.parquet"
PACKAGE = "pyarrow"

GROUP = 4096
"""Rows that are held before they are written."""
_TYPES = {"file": "string", "frame": "int64", "timestamp": "float64", "face_id": "int64",
          "success": "int8"}  # fmt: skip


class ParquetTable:
    """Writes row groups as they fill."""

    def __init__(self, path: Path, n_points: int) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        names = columns(n_points)
        types = {name: getattr(pa, _TYPES.get(name, "float32"))() for name in names}
        self._schema = pa.schema(list(types.items()))
        self._n_points = n_points
        self._rows: list[list[Any]] = []
        self._writer = pq.ParquetWriter(path, self._schema)

    def write(self, frame: FrameFaces) -> None:
        """Add the rows of one frame."""
        start = [frame.file, frame.index, frame.seconds]
        none = [*[None] * 5, 0.0, 0, *[None] * (3 * self._n_points)]
        for face in [_face(face) for face in frame.faces] or [none]:
            self._rows.append([*start, *face])
        if len(self._rows) >= GROUP:
            self._flush()

    def _flush(self) -> None:
        import pyarrow as pa

        if self._rows:
            arrays = [
                pa.array(column, field.type)
                for column, field in zip(zip(*self._rows, strict=True), self._schema, strict=True)
            ]
            self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))
            self._rows = []

    def close(self) -> None:
        """Write what is left; the file is then complete."""
        self._flush()
        self._writer.close()


def _face(face: Face) -> list[Any]:
    box = face.box
    points = np.where(np.isfinite(face.points), face.points, np.nan)
    return [
        face.track,
        *(box.left, box.top, box.right, box.bottom),
        face.confidence,
        1,
        *(None if np.isnan(v) else v for v in points.T.ravel().tolist()),
        *face.point_confidences.tolist(),
    ]


@contextmanager
def create(out: Path, scheme: LandmarkScheme) -> Iterator[ParquetTable]:
    """Writes ``out/landmarks.parquet``; see `kpcli.catalogue.WriterModule`."""
    with (
        atomic_path(out / OUTPUT) as temporary,
        closing(ParquetTable(temporary, scheme.n_points)) as table,
    ):
        yield table
