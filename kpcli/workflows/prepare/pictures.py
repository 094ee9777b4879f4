"""Pictures of a dataset: every one is looked at once; embedded ones (COFW, Kaggle) are written."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from kpcli.errors import InputError
from kpcli.images import decode, decode_to_its_end, open_image, orientation_of, write_image
from kpcli.outputs import Outputs
from kpcli.progress import progress
from kpcli.types import Note, Pixels, Sample
from kpcli.workflows.prepare.duplicates import Fingerprint, fingerprint
from kpcli.workflows.prepare.validation import PictureFacts

Seen = dict[Path, tuple[PictureFacts, Fingerprint | None]]


class EmbeddedPictures:
    """Collects pictures in the folder ``staging``; `publish` has them in ``outputs``, as ``name``.

    Without an embedded picture nothing is made.
    """

    def __init__(self, outputs: Outputs, name: str, staging: Path) -> None:
        self._outputs = outputs
        self._name = name
        self._temporary = staging / name

    def keep(self, sample: Sample, source: str) -> Sample:
        """The sample with its embedded picture, if it has one, written to disk.

        ``source`` names the subfolder: no two sources may share it.

        Raises
        ------
        InputError
            If the folder holds anything but an earlier run's pictures.
        """
        if sample.pixels is None:
            return sample
        if not self._temporary.exists():
            self._outputs.check([self._name])
        path = self._temporary / source / sample.image
        write_image(path, sample.pixels)
        return replace(sample, image=path, pixels=None)

    def publish(self) -> None:
        """Put all pictures in place of an earlier run's."""
        if self._temporary.exists():
            self._outputs.publish_all(self._temporary, self._name)

    def final_path(self, path: Path) -> Path:
        """Where a picture will be once all are published."""
        if not path.is_relative_to(self._temporary):
            return path
        return self._outputs.folder / self._name / path.relative_to(self._temporary)

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
        seen = dict(zip(paths, bar, strict=True))
    # Not in the threads: the switch that has a picture without its end read is one for all.
    damaged = [path for path, (facts, _) in seen.items() if facts.problem and not facts.missing]
    return seen | {path: _look(path, to_its_end=True) for path in damaged}


def ending_early(seen: Seen) -> list[Note]:
    """What is told of pictures that lack their end."""
    count = sum(bool(facts.lacking) for facts, _ in seen.values())
    return [Note("pictures that end early: read as far as they go", count)] if count else []


def _look(path: Path, *, to_its_end: bool = False) -> tuple[PictureFacts, Fingerprint | None]:
    try:
        with open_image(path) as image:
            stored, orientation = image.size, orientation_of(image)
            pixels, lacking = (
                decode_to_its_end(image, path) if to_its_end else (decode(image, path), "")
            )
    except InputError as e:
        missing = isinstance(e.__cause__, (FileNotFoundError, NotADirectoryError))
        return PictureFacts(missing=missing, problem=e.actual or e.what), None
    height, width = pixels.shape[:2]
    facts = PictureFacts(
        width, height, stored=stored, orientation=orientation, lacking=lacking,
        rows=_rows_there(pixels) if lacking else height,
    )  # fmt: skip
    return facts, fingerprint(pixels)


def _rows_there(pixels: Pixels) -> int:
    """Rows above those of one colour that decoders put in place of what is missing."""
    shown = (pixels != pixels[-1, -1]).any(axis=(1, 2))
    return int(shown.nonzero()[0].max(initial=-1)) + 1
