"""What a live run leaves behind: the table, recordings, pictures; never over another file."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from kpcli.errors import InputError
from kpcli.images import write_image
from kpcli.outputs import Outputs
from kpcli.record import Stamp
from kpcli.schemes import LandmarkScheme
from kpcli.types import FrameFaces, Pixels
from kpcli.writers.landmark_csv import OUTPUT as LANDMARKS
from kpcli.writers.landmark_csv import Extra, RowWriter, header
from kpcli.writers.recording import Recording

COMMAND = "live"
RUN = "run.json"
FOLDER = Path("live")
"""Where pictures and recordings go that a key asks for, without ``--record``."""


class Records:
    """The files of a run, in one folder; each is in its place, and readable, from its start on.

    A recording cannot be made again: what a killed run leaves stays, and is not kpcli's to replace.

    Parameters
    ----------
    folder : Path
        Made when the first file is.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._outputs = Outputs(folder, COMMAND)
        self._table: BinaryIO | None = None
        self._rows: RowWriter | None = None
        self._video: Recording | None = None
        self.written: list[Path] = []

    @property
    def recording(self) -> bool:
        return self._video is not None

    def prepare(self, *, overwrite: bool) -> None:
        """See that a table can be written here; with ``overwrite``, an earlier run's goes.

        Raises
        ------
        InputError
            If there are results already, or something of the user's.
        """
        self._outputs.check([LANDMARKS, RUN])
        if self._outputs.owns(LANDMARKS) and not overwrite:
            raise InputError(
                f"{self.folder}: holds the results of an earlier run",
                next_step="choose another folder, or add --overwrite to replace them",
            )
        self._outputs.remove([LANDMARKS, RUN])  # recordings stay: they cannot be made again
        self._make_folder()

    def begin_table(self, scheme: LandmarkScheme, extras: Sequence[Extra]) -> None:
        """Start landmarks.csv."""
        path = self.folder / LANDMARKS
        try:
            self._table = path.open("xb")
            self._table.write(header(scheme.n_points, extras))
        except OSError as e:
            raise _unwritten(path, e) from e
        self.written.append(path)
        self._rows = RowWriter(self._table, scheme.n_points, extras)

    def add(self, frame: FrameFaces) -> None:
        """The rows of a frame, where there is a table."""
        if self._rows is None or self._table is None:
            return
        try:
            self._rows.write(frame)
            self._table.flush()  # what is seen is kept, whatever comes
        except OSError as e:
            raise _unwritten(self.folder / LANDMARKS, e) from e

    def picture(self, pixels: Pixels) -> Path:
        """Write a picture under the next free name."""
        self._make_folder()
        path = self._reserved("picture", ".png")
        write_image(path, pixels)
        self.written.append(path)
        return path

    def begin_video(self) -> Path:
        """Record from the next frame on, under the next free name."""
        self._make_folder()
        for number in itertools.count(1):
            path = self.folder / f"recording_{number}.mp4"
            if not os.path.lexists(path):
                self._video = Recording(path)
                self.written.append(path)
                return path
        raise AssertionError("numbers do not end")

    def film(self, pixels: Pixels, seconds: float) -> None:
        """A frame of the recording, where there is one."""
        if self._video is not None:
            self._video.write(pixels, seconds)

    def end_video(self) -> Path | None:
        """Finish the recording; where it lies, None where it holds nothing and went."""
        video, self._video = self._video, None
        if video is None:
            return None
        video.close()
        if not video.frames:
            video.path.unlink()
            self.written.remove(video.path)
            return None
        return video.path

    def close(self, run: Mapping[str, Any] | None = None) -> None:
        """Finish all files and record that they are ours; ``run`` goes into run.json.

        Raises
        ------
        InputError
            If one of them cannot be finished; the others are.
        """
        try:
            self.end_video()
        finally:
            if self._table is not None:
                self._table.close()
                self._table = None
            self._remember()
        if run is not None:
            with self._outputs.replacing(RUN) as temporary:
                text = json.dumps(run, indent=1, default=str, ensure_ascii=False)
                temporary.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")
            self.written.append(self.folder / RUN)

    def _remember(self) -> None:
        there = [p for p in self.written if p.is_file() and p.name != RUN]
        if there:
            with suppress(OSError):  # a full disk: then they are the user's, and safe
                self._outputs.record.add({p.name: Stamp.of(p) for p in there})

    def _make_folder(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as e:
            raise _unwritten(self.folder, e) from e

    def _reserved(self, stem: str, ending: str) -> Path:
        for number in itertools.count(1):
            path = self.folder / f"{stem}_{number}{ending}"
            try:
                path.open("xb").close()
            except FileExistsError:
                continue
            except OSError as e:
                raise _unwritten(path, e) from e
            return path
        raise AssertionError("numbers do not end")


def _unwritten(path: Path, error: OSError) -> InputError:
    return InputError(f"{path}: cannot be written", actual=error.strerror or str(error))
