"""The whole picture is one face: for pictures that are face crops already."""

from __future__ import annotations

from collections.abc import Sequence

from kpcli.dataset_csv import image_box
from kpcli.errors import UsageError
from kpcli.types import FaceBox, Frame

GIVEN = True
"""The boxes are given, not found: in videos, every frame has its own."""


class WholeImage:
    """One box, from edge to edge."""

    def detect(self, frames: Sequence[Frame]) -> list[list[FaceBox]]:
        """One box a picture; see `kpcli.plug_ins.Detector`."""
        sizes = [frame.pixels.shape[:2] for frame in frames]
        return [[image_box((width, height))] for height, width in sizes]


def create(argument: str | None, size: int = 0, device: str = "") -> WholeImage:
    """Takes no argument; the size is of no meaning."""
    if argument is not None:
        raise UsageError(
            "the detector 'whole_image' takes no argument", actual=f"whole_image:{argument}"
        )
    return WholeImage()
