"""Which format a source is of; all its labels, with their pictures, schemes and boxes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from kpcli import catalogue
from kpcli.dataset_csv import BOXES
from kpcli.errors import InputError, UsageError
from kpcli.geometry import landmark_box
from kpcli.options import PrepareOptions
from kpcli.progress import progress
from kpcli.schemes import get_scheme
from kpcli.types import FaceBox, Note, Reject, Sample
from kpcli.workflows.prepare.finding import with_pictures
from kpcli.workflows.prepare.grouping import grouped
from kpcli.workflows.prepare.likeness import settled
from kpcli.workflows.prepare.pictures import EmbeddedPictures
from kpcli.workflows.prepare.schemes import named_outright, of_one_scheme, unified


def find_format(root: Path, name: str | None) -> str:
    """The format of a source: the given one, or the only one whose layout fits."""
    if name is not None:
        if not catalogue.FORMATS.load(name).sniff(root):
            raise InputError(
                f"{root}: no {name} labels found here",
                expected=catalogue.FORMATS[name].help,
                next_step="look at the header and the file names; README's table says what is read",
            )
        return name
    fits = [n for n in catalogue.FORMATS if catalogue.FORMATS.load(n).sniff(root)]
    if len(fits) == 1:
        return fits[0]
    if fits:
        raise UsageError(
            f"{root}: the layout fits {' and '.join(fits)}",
            next_step=f"choose one with --format {'|'.join(fits)}, or name a folder further down",
        )
    raise InputError(
        f"{root}: no known dataset layout",
        expected="; ".join(f"{n}: {e.help}" for n, e in catalogue.FORMATS.items()),
        next_step="name the dataset's own folder, or choose with --format; labels of any other "
        "kind can be read as a plain CSV, a row a face, in pixels: image,x_0,y_0,x_1,y_1,..",
    )


def read_sources(
    formats: Iterable[tuple[Path, str]],
    options: PrepareOptions,
    target: str | None,
    store: EmbeddedPictures,
) -> tuple[list[Sample], list[Reject], list[Note]]:
    """All sources' samples with a box each, what could not be parsed, and what was noticed."""
    samples: list[Sample] = []
    rejects: list[Reject] = []
    notes: list[Note] = []
    for number, (root, name) in enumerate(formats, start=1):
        module = catalogue.FORMATS.load(name)
        own: list[Sample] = []
        for item in progress(module.read(root), f"reading {root.name}", unit="label"):
            if isinstance(item, Reject):
                rejects.append(item)
            elif isinstance(item, Note):
                notes.append(item)
            else:
                own.append(store.keep(item, f"{number}_{name}"))
        own, odd, noticed = _source(own, root, options, target)
        samples += own
        rejects += odd
        notes += noticed
    return samples, rejects, notes


def _source(
    samples: list[Sample], root: Path, options: PrepareOptions, target: str | None
) -> tuple[list[Sample], list[Reject], list[Note]]:
    """One source's samples with pictures, split, group, scheme and box as they shall be."""
    samples, notes = with_pictures(samples, root, options.images)
    if options.split:
        samples = [replace(s, split=options.split) for s in samples]
    if options.group_by:
        samples, more = grouped(samples, options.group_by, root)
        notes += more
    samples = named_outright(unified(samples), target)
    samples, more = settled(samples, target)
    notes += more
    samples, odd = of_one_scheme(samples, target)
    return [with_box(s, options.face_box) for s in samples], odd, notes


def with_box(sample: Sample, face_box: str) -> Sample:
    """The sample with the dataset's box, or one derived from the points."""
    box = sample.face
    if sample.scheme == BOXES:
        return sample
    if face_box == "file" and box is not None and (box.width != 0 or box.height != 0):
        return replace(sample, box_source="file")
    derived = FaceBox(0, 0, 0, 0)  # where none can be derived, validation tells why
    if not np.isinf(sample.points).any():
        with contextlib.suppress(ValueError):
            derived = landmark_box(sample.points, get_scheme(sample.scheme))
    return replace(sample, face=derived, box_source="points")
