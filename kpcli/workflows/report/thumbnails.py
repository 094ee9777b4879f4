"""Pictures of the page: faces with their points cut out of the sources, or of the overlays."""

from __future__ import annotations

import base64
import io
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np

from kpcli.drawing import EDGE, POINT, face_tile
from kpcli.errors import InputError
from kpcli.inference.measures import DOUBT
from kpcli.options import FrameSelection
from kpcli.schemes import LandmarkScheme
from kpcli.sources import read_frames
from kpcli.types import Pixels
from kpcli.workflows.report.digest import Look
from kpcli.writers.overlay import overlay_name

SIDE = 240
"""Side in pixels of a picture on the page; about 13 kB as JPEG."""
QUALITY = 78
WEAK = (255, 90, 40)
"""Colour of points of a confidence below `DOUBT`."""
TOGETHER = 250
"""Frames of a video that are read on rather than sought anew."""
OVERLAYS = "overlays"


@dataclass(frozen=True)
class Places:
    """Where frames may come from: the annotated folder, then the overlays.

    ``whole_overlays``: the overlay videos have the sources' frames, none left out; ``names``: what
    outputs' names begin with, where it is not the file's own.
    """

    root: Path | None
    overlays: Path
    whole_overlays: bool = True
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Picture:
    """A data URI ("" where there is none, and why), and whether it comes from an overlay."""

    look: Look
    uri: str
    reason: str = ""
    overlay: bool = False


def pictures(looks: Sequence[Look], places: Places, scheme: LandmarkScheme) -> list[Picture]:
    """The pictures of all looks, in their order; every file is opened once or twice."""
    made: dict[int, Picture] = {}
    order = sorted(range(len(looks)), key=lambda i: (looks[i].file, looks[i].frame))
    for file, group in groupby((looks[i] for i in order), key=lambda look: look.file):
        for picture in _of_file(file, list(group), places, scheme):
            made[id(picture.look)] = picture
    return [made[id(look)] for look in looks]


def _of_file(
    file: str, looks: list[Look], places: Places, scheme: LandmarkScheme
) -> Iterator[Picture]:
    path, overlay, missing = _find(file, looks[0].moving, places)
    for run in _runs(looks):
        wanted: dict[int, list[Look]] = {}
        for look in run:
            wanted.setdefault(look.frame, []).append(look)
        reason = missing
        if path is not None:
            try:
                selection = FrameSelection(first=min(wanted), last=max(wanted))
                for frame in read_frames(path, selection):
                    for look in wanted.pop(frame.index, ()):
                        yield Picture(look, _uri(_cut(frame.pixels, look, scheme, overlay)),
                                      overlay=overlay)  # fmt: skip
                    if not wanted:
                        break
                reason = "the frame is not in the file any more"
            except InputError as e:
                reason = e.what.rpartition(": ")[2]
            except Exception as e:  # a decoder's bug: the page is about many other files
                logging.getLogger(__name__).debug("%s", path, exc_info=True)
                reason = repr(e)
        yield from (Picture(look, "", reason) for left in wanted.values() for look in left)


def _find(file: str, moving: bool, places: Places) -> tuple[Path | None, bool, str]:
    """The file to read, whether it is an overlay, and else why there is none."""
    if places.root is not None and (places.root / file).is_file():
        return places.root / file, False, ""
    name = overlay_name(places.names.get(file, file), moving=moving)
    if (places.overlays / name).is_file() and (places.whole_overlays or not moving):
        return places.overlays / name, True, ""
    return None, False, "the source is gone, and there is no overlay"


def _runs(looks: Iterable[Look]) -> Iterator[list[Look]]:
    """Looks whose frames lie near each other."""
    run: list[Look] = []
    for look in looks:
        if run and look.frame - run[-1].frame > TOGETHER:
            yield run
            run = []
        run.append(look)
    if run:
        yield run


def _cut(pixels: Pixels, look: Look, scheme: LandmarkScheme, overlay: bool) -> Pixels:
    face = look.face
    if face is None or not face.box.side > 0:
        return _shrunk(pixels)
    if overlay:
        return face_tile(pixels, face.box, [], scheme, size=SIDE)
    weak = face.points.copy()
    weak[face.point_confidences >= DOUBT] = np.nan
    layers = [(face.points, EDGE, POINT), (weak, WEAK, WEAK)]
    return face_tile(pixels, face.box, layers, scheme, size=SIDE)


def _shrunk(pixels: Pixels) -> Pixels:
    """The whole frame, its long side `SIDE` pixels."""
    height, width = pixels.shape[:2]
    factor = SIDE / max(height, width)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def _uri(pixels: Pixels) -> str:
    return jpeg_uri(pixels, QUALITY)


def jpeg_uri(pixels: Pixels, quality: int) -> str:
    """(H, W, 3) as a data URI."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="JPEG", quality=quality, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
