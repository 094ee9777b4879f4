"""events.csv, summary.csv and persons.csv of a run, from its frames as they come."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from kpcli.inference.events import Event, EventFinder, Seen
from kpcli.inference.summaries import EVENTS, PERSONS, SUMMARY, FileSummary, event_row, printed_row
from kpcli.schemes import LandmarkScheme
from kpcli.types import FrameFaces

OUTPUT = "events.csv"
MORE = ("summary.csv", "persons.csv")
PACKAGE = ""


class MeasureTables:
    """Takes the frames of all files, file by file; what is held is of one file."""

    def __init__(self, events: IO[str], summary: IO[str], persons: IO[str]) -> None:
        self._events, self._summary, self._persons = (
            csv.writer(file, lineterminator="\n") for file in (events, summary, persons)
        )
        self._events.writerow(EVENTS)
        self._summary.writerow(SUMMARY)
        self._persons.writerow(PERSONS)
        self._file = ""
        self._finder: EventFinder | None = None
        self._rows = FileSummary("")

    def write(self, frame: FrameFaces) -> None:
        """Add one frame, whose faces are measured."""
        if self._finder is None or frame.file != self._file:
            self._end_file()
            self._file = frame.file
            self._finder, self._rows = EventFinder(frame.file), FileSummary(frame.file)
        self._rows.add(frame)
        if frame.moving:  # a picture has no before and after
            seen = [Seen(f.track, f.measures, f.pose) for f in frame.faces if f.measures]
            self._take(self._finder.add(frame.index, frame.seconds, seen))

    def _take(self, events: Sequence[Event]) -> None:
        for event in events:
            self._rows.add_event(event)
            self._events.writerow(printed_row(event_row(event)))

    def _end_file(self) -> None:
        if self._finder is not None:
            self._take(self._finder.end())
            self._summary.writerow(printed_row(self._rows.row()))
            self._persons.writerows(printed_row(row) for row in self._rows.persons())
            self._finder = None

    def close(self) -> None:
        """The last file is complete."""
        self._end_file()


@contextmanager
def create(
    out: Path, scheme: LandmarkScheme, extras: Collection[str] = ()
) -> Iterator[MeasureTables]:
    """Writes the three tables; see `kpcli.plug_ins.WriterModule`."""
    with ExitStack() as stack:
        files = [
            stack.enter_context(
                (out / name).open("w", newline="", encoding="utf-8", errors="backslashreplace")
            )
            for name in (OUTPUT, *MORE)
        ]
        tables = MeasureTables(*files)
        yield tables
        tables.close()
