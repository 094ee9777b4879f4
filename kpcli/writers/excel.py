"""landmarks.xlsx: the table of landmarks.csv as a workbook that spreadsheets open as it is.

A double click on a CSV depends on the machine: names such as ``Müller`` break where no mark says
UTF-8, and where a comma is the decimal sign all columns fall into one. A workbook has types and
one encoding. Written here part by part (ECMA-376, *SpreadsheetML*), so that no package is needed
and memory does not grow; after `ROWS` rows the table goes on in a further sheet.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from html import escape
from pathlib import Path

from kpcli.files import atomic_path
from kpcli.schemes import LandmarkScheme
from kpcli.types import FrameFaces
from kpcli.writers.landmark_csv import Extra, RowPrinter, columns, printed

OUTPUT = "landmarks.xlsx"
PACKAGE = ""
ROWS = 1_048_576
"""Most rows of a sheet, its header counted: Excel opens no more."""

_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
_LINKS = "http://schemas.openxmlformats.org/package/2006/relationships"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_CONTENT = "application/vnd.openxmlformats-officedocument.spreadsheetml."
_SHEET = (
    f'{_HEAD}<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0">'
    '<pane ySplit="1" topLeftCell="A2" state="frozen"/></sheetView></sheetViews>'
    '<cols><col min="1" max="1" width="30" customWidth="1"/></cols><sheetData>'
)


class Workbook:
    """Writes rows to the last sheet; ``rows`` is how many a sheet takes."""

    def __init__(
        self, path: Path, n_points: int, extras: Sequence[Extra], rows: int = ROWS
    ) -> None:
        self._zip = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1)
        self._header = "<row>" + "".join(_text(n) for n in columns(n_points, extras)) + "</row>"
        self._print = RowPrinter(n_points, [e for e in extras if e is not Extra.CROP])
        self._crops = Extra.CROP in extras
        self._limit = rows
        self._sheets = 0
        self._left = 0
        self._part: io.BufferedWriter | None = None

    def write(self, frame: FrameFaces) -> None:
        """Add the rows of one frame."""
        name = _text(printed(frame.file))
        crops = [_text(face.crop) if self._crops else "" for face in frame.faces] or [""]
        for row, crop in zip(self._print(frame), crops, strict=True):
            cells = "<c><v>" + row.replace(",", "</v></c><c><v>") + "</v></c>"
            self._row(f"<row>{name}{cells.replace('<v></v>', '')}{crop}</row>")

    def _row(self, text: str) -> None:
        if not self._left or self._part is None:
            self._end_sheet()
            self._begin_sheet()
        assert self._part is not None
        self._part.write(text.encode())
        self._left -= 1

    def _begin_sheet(self) -> None:
        self._sheets += 1
        part = self._zip.open(
            _entry(f"xl/worksheets/sheet{self._sheets}.xml"), "w", force_zip64=True
        )
        # The zip's own file compresses every write by itself.
        self._part = io.BufferedWriter(part, 1 << 18)
        self._part.write((_SHEET + self._header).encode())
        self._left = self._limit - 1

    def _end_sheet(self) -> None:
        if self._part is not None:
            self._part.write(b"</sheetData></worksheet>")
            self._part.close()
            self._part = None

    def close(self) -> None:
        """Write what binds the sheets; the workbook is then complete."""
        if not self._sheets:
            self._begin_sheet()
        self._end_sheet()
        for name, text in _binding(self._sheets).items():
            self._zip.writestr(_entry(name), _HEAD + text)
        self._zip.close()


def _entry(name: str) -> zipfile.ZipInfo:
    """Always of the same time: the same rows are the same bytes."""
    entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


def _binding(sheets: int) -> dict[str, str]:
    """The parts besides the sheets, by their names."""
    numbers = range(1, sheets + 1)
    types = "".join(
        f'<Override PartName="/xl/worksheets/sheet{i}.xml" ContentType="{_CONTENT}worksheet+xml"/>'
        for i in numbers
    )
    listed = "".join(
        f'<sheet name="landmarks{i if i > 1 else ""}" sheetId="{i}" r:id="rId{i}"/>'
        for i in numbers
    )
    links = "".join(
        f'<Relationship Id="rId{i}" Type="{_OFFICE}/worksheet" Target="worksheets/sheet{i}.xml"/>'
        for i in numbers
    )
    return {
        "[Content_Types].xml": f'<Types xmlns="{_TYPES}"><Default Extension="rels" ContentType='
        '"application/vnd.openxmlformats-package.relationships+xml"/><Override PartName='
        f'"/xl/workbook.xml" ContentType="{_CONTENT}sheet.main+xml"/>{types}</Types>',
        "_rels/.rels": f'<Relationships xmlns="{_LINKS}"><Relationship Id="rId1" '
        f'Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{listed}'
        "</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_LINKS}">{links}</Relationships>',
    }


_ESCAPED = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)|[\x00-\x1f\ufffe\uffff]")


def _text(value: str) -> str:
    """A cell of text: never a formula; what XML cannot hold is ``_xHHHH_``."""
    safe = escape(_ESCAPED.sub(lambda match: f"_x{ord(match[0]):04X}_", value), quote=False)
    return f'<c t="inlineStr"><is><t xml:space="preserve">{safe}</t></is></c>'


@contextmanager
def create(out: Path, scheme: LandmarkScheme, extras: Collection[str] = ()) -> Iterator[Workbook]:
    """Writes ``out/landmarks.xlsx``; see `kpcli.plug_ins.WriterModule`."""
    chosen = [extra for extra in Extra if extra in extras]
    with (
        atomic_path(out / OUTPUT) as temporary,
        closing(Workbook(temporary, scheme.n_points, chosen)) as workbook,
    ):
        yield workbook
