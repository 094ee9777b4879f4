"""Open label files of any kind without harm: bounded, never waiting, in any usual encoding."""

from __future__ import annotations

import codecs
import csv
import io
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any
from xml.parsers import expat

from kpcli.errors import InputError

LARGEST = 4 << 30
"""Most bytes of a label file that is read."""
LARGEST_FIELD = 1 << 17
"""Most characters of one cell of a CSV that is read."""
_HEAD = 1 << 16


def open_binary(path: Path) -> IO[bytes]:
    """A regular file, open for reading.

    A pipe would keep us waiting for ever and a device has no end: both are refused.

    Raises
    ------
    OSError
        If it is none, or cannot be read.
    """
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode):
            raise OSError("not a regular file")
        if facts.st_size > LARGEST:
            raise OSError(f"a label file of {facts.st_size} bytes")
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def head(path: Path, size: int = _HEAD) -> bytes:
    """The first bytes of a file; nothing where it cannot be read."""
    try:
        with open_binary(path) as file:
            return file.read(size)
    except (OSError, ValueError):
        return b""


def encoding_of(start: bytes) -> str:
    """The encoding of a text that starts so: UTF-8, UTF-16 with or without its mark, Latin-1."""
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    odd, even = start[1::2].count(0), start[::2].count(0)
    if max(odd, even) > len(start) // 4:
        return "utf-16-le" if odd > even else "utf-16-be"
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        decoder.decode(start, final=len(start) < _HEAD)  # else a character may be cut at the end
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8-sig"


def read_text(path: Path, most: int = LARGEST) -> str:
    """The text of a label file of at most ``most`` bytes; see `encoding_of`.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    try:
        with open_binary(path) as file:
            raw = file.read(most + 1)
    except (OSError, ValueError) as e:
        raise InputError(f"{path}: cannot be read", actual=str(e)) from e
    if len(raw) > most:
        raise InputError(f"{path}: cannot be read", actual=f"more than {most} bytes")
    try:
        return raw.decode(encoding_of(raw[:_HEAD])).removeprefix("\ufeff")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def read_json(path: Path) -> Any:
    """The value of a JSON file.

    Raises
    ------
    ValueError
        If it is damaged, nested without end, or cannot be read.
    """
    try:
        return json.loads(read_text(path))
    except InputError as e:
        raise ValueError(e.actual) from e
    except RecursionError as e:
        raise ValueError("nested too deep") from e


def read_rows(path: Path, delimiter: str = "") -> Iterator[tuple[int, list[str]]]:
    """(line number, cells) of each row of a CSV that is not blank; ``;`` and tabs are seen.

    Raises
    ------
    ValueError
        If it is damaged.
    OSError
        If it cannot be read.
    """
    csv.field_size_limit(LARGEST_FIELD)
    with open_binary(path) as raw:
        encoding = encoding_of(raw.read(_HEAD))
        raw.seek(0)
        text = io.TextIOWrapper(raw, encoding=encoding, errors="replace", newline="")
        first = text.readline(_HEAD)
        text.seek(0)
        delimiter = delimiter or max(",;\t", key=first.count)
        reader = csv.reader(text, delimiter=delimiter)
        try:
            for row in reader:
                if any(cell.strip() for cell in row):
                    yield reader.line_num, row
        except csv.Error as e:
            raise ValueError(f"line {reader.line_num}: {e}") from e


def root_tag(path: Path) -> str:
    """The name of an XML file's outermost element, whatever stands before it; else nothing."""
    found: list[str] = []
    parser = expat.ParserCreate()
    parser.StartElementHandler = lambda tag, _: found.append(tag)
    try:
        with open_binary(path) as file:
            while not found and (block := file.read(_HEAD)):
                parser.Parse(block)
    except (expat.ExpatError, OSError, ValueError):
        pass  # what stood before the fault may have told
    return found[0] if found else ""
