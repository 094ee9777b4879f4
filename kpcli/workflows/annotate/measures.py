"""events.csv, summary.csv and persons.csv of a run, from its frames as they come."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from kpcli.files import staged_path
from kpcli.inference.events import Event, EventFinder, Seen
from kpcli.inference.measures import Measures
from kpcli.inference.summaries import EVENTS, PERSONS, SUMMARY, FileSummary, event_row, printed_row
from kpcli.types import FrameFaces

OUTPUTS = ("events.csv", "summary.csv", "persons.csv")


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

    def write(self, frame: FrameFaces, measures: Sequence[Measures]) -> None:
        """Add one frame; ``measures`` are those of its faces, in their order."""
        if self._finder is None or frame.file != self._file:
            self._end_file()
            self._file = frame.file
            self._finder, self._rows = EventFinder(frame.file), FileSummary(frame.file)
        self._rows.add(frame, measures)
        if frame.moving:  # a picture has no before and after
            seen = [
                Seen(face.track, m, face.pose)
                for face, m in zip(frame.faces, measures, strict=True)
            ]
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
def measure_tables(out: Path, staging: Path) -> Iterator[MeasureTables]:
    """The three tables in ``out``; they appear when the block ends well.

    Raises
    ------
    InputError
        If one cannot be written.
    """
    with ExitStack() as stack:
        paths = [stack.enter_context(staged_path(out / name, staging)) for name in OUTPUTS]
        with ExitStack() as opened:
            files = [
                opened.enter_context(
                    path.open("w", newline="", encoding="utf-8", errors="backslashreplace")
                )
                for path in paths
            ]
            tables = MeasureTables(*files)
            yield tables
            tables.close()
