"""What the window shows: the frame with its faces, and the lines of text over it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import cv2

from kpcli import drawing
from kpcli.drawing import Style
from kpcli.drawing.style import STICKERS
from kpcli.schemes import LandmarkScheme
from kpcli.types import Face, Pixels

HELP = (
    "q  quit",
    "s  save a picture",
    "r  record, or stop recording",
    "p  pause",
    "m  next model",
    "f  next sticker",
    "l  landmarks on, off",
    "h  this help",
)
_WHITE, _RED, _BLACK = (255, 255, 255), (255, 70, 60), (0, 0, 0)
_FONT = cv2.FONT_HERSHEY_SIMPLEX


@dataclass(frozen=True)
class Shown:
    """What is drawn of a face: the style's layers unless key l took them off, and a sticker."""

    style: Style
    landmarks: bool = True
    sticker: str = ""
    """The name of an embedded one, of key f; "": none."""


@dataclass(frozen=True)
class Status:
    """What the lines of text tell."""

    rate: float = 0.0
    delay_ms: float = 0.0
    dropped: int = 0
    model: str = ""
    recording: bool = False
    paused: bool = False
    message: str = ""
    help: bool = False

    @property
    def line(self) -> str:
        paused = "   paused" if self.paused else ""
        return (
            f"{self.rate:.0f} frames/s   delay {self.delay_ms:.0f} ms   "
            f"{self.dropped} dropped   {self.model}{paused}"
        )


def draw(pixels: Pixels, faces: Sequence[Face], scheme: LandmarkScheme, shown: Shown) -> None:
    """Draw the faces onto (H, W, 3) ``pixels``, in place: what the window and recordings show."""
    if shown.sticker:
        drawing.draw(pixels, faces, scheme, sticker_style(shown.sticker))
    if not shown.landmarks:
        return
    drawing.draw(pixels, faces, scheme, shown.style)
    for face in faces:
        _tell(pixels, face)


@cache
def sticker_style(name: str) -> Style:
    """The style that shows this sticker and nothing else."""
    return Style.of([f"{STICKERS}:{name}"])


def _tell(pixels: Pixels, face: Face) -> None:
    """Pose and measures below the face's box, or in it where the frame ends."""
    lines = []
    if face.pose is not None:
        yaw, pitch, roll = face.pose
        lines.append(f"yaw {yaw:+.0f}  pitch {pitch:+.0f}  roll {roll:+.0f}")
    if face.measures is not None:
        lines.append(f"eyes {face.measures.ear:.2f}  mouth {face.measures.mouth_open:.2f}")
    scale = min(max(face.box.side / 400, 0.35), 1.2)
    step = round(30 * scale)
    lowest = pixels.shape[0] - step * len(lines) + step // 2
    x, y = round(face.box.left), min(round(face.box.bottom) + step, lowest)
    for i, line in enumerate(lines):
        _write(pixels, line, (x, y + step * i), scale)


def tell(pixels: Pixels, status: Status) -> None:
    """Write the lines of text, in place: in the window only."""
    scale = min(max(pixels.shape[1] / 1280, 0.4), 1.5)
    step = round(34 * scale)
    _write(pixels, status.line, (step // 3, step), scale)
    if status.recording:
        radius = max(4, round(11 * scale))
        at = (pixels.shape[1] - step, step)
        cv2.circle(pixels, at, radius, _RED, -1, cv2.LINE_AA)
    for i, line in enumerate(HELP if status.help else ()):
        _write(pixels, line, (step // 3, step * (i + 3)), scale)
    if status.message:
        _write(pixels, status.message, (step // 3, pixels.shape[0] - step // 2), scale)


def _write(pixels: Pixels, text: str, at: tuple[int, int], scale: float) -> None:
    thin = max(1, round(scale * 1.6))
    plain = text.encode("ascii", "replace").decode()  # OpenCV's font has nothing else
    for colour, width in ((_BLACK, thin + 2), (_WHITE, thin)):
        cv2.putText(pixels, plain, at, _FONT, scale, colour, width, cv2.LINE_AA)
