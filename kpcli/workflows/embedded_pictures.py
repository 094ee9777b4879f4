"""Pictures that stand inside a dataset's own file (COFW, Kaggle), written beside the CSV."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from kpcli.atomic import atomic_folder
from kpcli.images import write_image
from kpcli.types import Sample


class EmbeddedPictures(AbstractContextManager["EmbeddedPictures"]):
    """Collects pictures in a temporary folder that becomes ``folder`` when the block ends well.

    Without an embedded picture nothing is made.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._temporary: Path | None = None
        self._stack = ExitStack()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def __enter__(self) -> Self:
        return self

    def keep(self, sample: Sample, source: str) -> Sample:
        """The sample with its embedded picture, if it has one, written to disk.

        ``source`` names the subfolder: no two sources may share it.
        """
        if sample.pixels is None:
            return sample
        if self._temporary is None:
            self._temporary = self._stack.enter_context(atomic_folder(self._folder))
        path = self._temporary / source / sample.image
        write_image(path, sample.pixels)
        return replace(sample, image=path, pixels=None)

    def final_path(self, path: Path) -> Path:
        """Where a picture will be when the block has ended."""
        if self._temporary is None or not path.is_relative_to(self._temporary):
            return path
        return self._folder / path.relative_to(self._temporary)

    def final(self, sample: Sample) -> Sample:
        """The sample with its picture's final path."""
        return replace(sample, image=self.final_path(sample.image))
