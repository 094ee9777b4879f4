"""Faces drawn on pictures: landmarks, boxes, stickers, effects; one entry, `draw`.

>>> style = Style.of(["points:red", "stickers:glasses"])
>>> style.check(scheme)  # refuses a scheme that lacks the points
>>> draw(pixels, faces, scheme, style)  # in place
"""

from __future__ import annotations

from kpcli.drawing.draw import draw as draw
from kpcli.drawing.pen import BOX as BOX
from kpcli.drawing.pen import EDGE as EDGE
from kpcli.drawing.pen import POINT as POINT
from kpcli.drawing.pen import TRUTH as TRUTH
from kpcli.drawing.pen import contact_sheet as contact_sheet
from kpcli.drawing.pen import draw_faces as draw_faces
from kpcli.drawing.pen import draw_landmarks as draw_landmarks
from kpcli.drawing.pen import face_tile as face_tile
from kpcli.drawing.stickers import Sticker as Sticker
from kpcli.drawing.style import Style as Style
