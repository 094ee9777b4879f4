"""The workbook by the parts that ECMA-376 asks for; openpyxl reads it in test_readers.py."""

from __future__ import annotations

import zipfile
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from kpcli.types import Face, FaceBox, FrameFaces
from kpcli.writers.excel import Workbook
from kpcli.writers.landmark_csv import Extra

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
LINKS = "{http://schemas.openxmlformats.org/package/2006/relationships}"
OFFICE = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"


def frame(name: str, found: bool = True) -> FrameFaces:
    points = np.array([[1.5, np.nan], [2, 3]], np.float32)
    box = FaceBox(1, 2, 3, 4)
    known = Face(box, points, np.ones(2, np.float32), 0.5, 7)
    return FrameFaces(name, 1, 0.25, 9, 9, (known,) if found else ())


def write(path: Path, frames: list[FrameFaces], **options: int) -> None:
    book = Workbook(path, 2, [Extra.POSE], **options)
    for one in frames:
        book.write(one)
    book.close()


def sheets(path: Path) -> dict[str, list[list[str | float | None]]]:
    """Cells by sheet, found as a reader finds them: by the names in the relations."""
    with zipfile.ZipFile(path) as archive:
        relations = ElementTree.fromstring(archive.read("xl/_rels/workbook.xml.rels"))
        places = {r.get("Id"): r.get("Target") for r in relations.iter(f"{LINKS}Relationship")}
        book = ElementTree.fromstring(archive.read("xl/workbook.xml"))
        parts = archive.read("[Content_Types].xml").decode()
        found = {}
        for sheet in book.iter(f"{MAIN}sheet"):
            target = places[sheet.get(f"{OFFICE}id")]
            assert f'PartName="/xl/{target}"' in parts
            rows = ElementTree.fromstring(archive.read(f"xl/{target}")).iter(f"{MAIN}row")
            found[str(sheet.get("name"))] = [[cell(c) for c in row] for row in rows]
        return found


def cell(element: ElementTree.Element) -> str | float | None:
    if element.get("t") == "inlineStr":
        return element.findtext(f"{MAIN}is/{MAIN}t")
    value = element.findtext(f"{MAIN}v")
    return None if value is None else float(value)


def test_cells(tmp_path: Path) -> None:
    write(tmp_path / "x.xlsx", [frame("Müller.jpg"), frame("=1+1.jpg", found=False)])
    (rows,) = sheets(tmp_path / "x.xlsx").values()
    header, first, second = rows
    assert header[:5] == ["file", "frame", "timestamp", "face_id", "left"]
    assert header[-3:] == ["yaw", "pitch", "roll"]
    assert first == [
        "Müller.jpg", 1, 0.25, 7, 1, 2, 3, 4, 0.5, 1, 1.5, 2, None, 3, 1, 1, None, None, None,
    ]  # fmt: skip
    assert second == ["=1+1.jpg", 1, 0.25, *[None] * 5, 0, 0, *[None] * 9]  # text, no formula


def test_a_name_that_xml_cannot_hold(tmp_path: Path) -> None:
    names = ["a & <b>.jpg", "line\nbreak \x1b.jpg", "_x000A_.jpg", "byte \udcff.jpg", "  .jpg"]
    write(tmp_path / "x.xlsx", [frame(name) for name in names])
    (rows,) = sheets(tmp_path / "x.xlsx").values()
    assert [row[0] for row in rows[1:]] == [
        "a & <b>.jpg", "line_x000A_break _x001B_.jpg", "_x005F_x000A_.jpg", r"byte \udcff.jpg",
        "  .jpg",
    ]  # fmt: skip


def test_a_long_table_goes_on_in_a_further_sheet(tmp_path: Path) -> None:
    write(tmp_path / "x.xlsx", [frame(f"{i}.jpg") for i in range(5)], rows=3)
    found = sheets(tmp_path / "x.xlsx")
    assert {name: [row[0] for row in rows] for name, rows in found.items()} == {
        "landmarks": ["file", "0.jpg", "1.jpg"],
        "landmarks2": ["file", "2.jpg", "3.jpg"],
        "landmarks3": ["file", "4.jpg"],
    }


def test_without_a_row(tmp_path: Path) -> None:
    write(tmp_path / "x.xlsx", [])
    (rows,) = sheets(tmp_path / "x.xlsx").values()
    assert len(rows) == 1
