"""Pictures of a dataset: every one is looked at once; embedded ones (COFW, Kaggle) are written."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from kpcli.errors import InputError
from kpcli.files import atomic_folder
from kpcli.images import decode, open_image, orientation_of, write_image
from kpcli.progress import progress
from kpcli.types import Sample
from kpcli.workflows.prepare.duplicates import Fingerprint, fingerprint
from kpcli.workflows.prepare.validation import PictureFacts

Seen = dict[Path, tuple[PictureFacts, Fingerprint | None]]

_OURS = re.compile(r"\d+_[a-z0-9_]+\Z")


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
            self._check_ours()
            self._temporary = self._stack.enter_context(atomic_folder(self._folder))
        path = self._temporary / source / sample.image
        write_image(path, sample.pixels)
        return replace(sample, image=path, pixels=None)

    def _check_ours(self) -> None:
        """Never replace a folder that holds anything but an earlier run's pictures."""
        inside = list(self._folder.iterdir()) if self._folder.is_dir() else []
        if self._folder.is_file() or any(not _OURS.match(p.name) for p in inside):
            raise InputError(
                f"{self._folder}: holds other files than the pictures of an earlier run",
                next_step="move it away, or choose another --out",
            )

    def final_path(self, path: Path) -> Path:
        """Where a picture will be when the block has ended."""
        if self._temporary is None or not path.is_relative_to(self._temporary):
            return path
        return self._folder / path.relative_to(self._temporary)

    def final(self, sample: Sample) -> Sample:
        """The sample with its picture's final path."""
        return replace(sample, image=self.final_path(sample.image))


def look_at_pictures(samples: Sequence[Sample]) -> Seen:
    """Open every picture once: size, fingerprint, or what is wrong with it."""
    paths = sorted({s.image for s in samples})
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        # An interruption ends the map, which then drops what is still waiting.
        results = pool.map(_look, paths)
        bar = progress(results, "checking pictures", total=len(paths), unit="picture")
        return dict(zip(paths, bar, strict=True))


def _look(path: Path) -> tuple[PictureFacts, Fingerprint | None]:
    try:
        with open_image(path) as image:
            stored, orientation = image.size, orientation_of(image)
            pixels = decode(image, path)
    except InputError as e:
        missing = isinstance(e.__cause__, (FileNotFoundError, NotADirectoryError))
        return PictureFacts(missing=missing, problem=e.actual or e.what), None
    height, width = pixels.shape[:2]
    facts = PictureFacts(width, height, stored=stored, orientation=orientation)
    return facts, fingerprint(pixels)
