"""The eyes of a video frame by frame, to count blinks by eye, and those that are found.

    python tests/benchmarks/blinks.py clip.mp4 sheets

Writes ``sheets/CLIP_ID.png`` for each face: both eyes upright, the frame's number and the eye
aspect ratio above; found blinks have a red bar, longer closures a blue one. Prints the events.
"""

from __future__ import annotations

import math
import sys
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np

from kpcli.images import write_image
from kpcli.inference.blinks import BLINK, CLOSED
from kpcli.inference.events import EventFinder, Seen
from kpcli.inference.finder import FaceFinder
from kpcli.inference.measures import measure
from kpcli.sources import read_frames
from kpcli.types import Face, Pixels

WIDTH, HEIGHT, COLUMNS = 150, 52, 10
MARKS = {BLINK: (255, 0, 0), CLOSED: (0, 0, 255)}


def eyes(pixels: Pixels, face: Face) -> Pixels:
    """Both eyes of an ibug68 face, their line level, 1.35 of their outer distance wide."""
    across = face.points[45] - face.points[36]
    middle = face.points[36:48].mean(axis=0)
    scale = WIDTH / (1.35 * math.hypot(*across))
    lean = math.degrees(math.atan2(across[1], across[0]))
    turn = cv2.getRotationMatrix2D((float(middle[0]), float(middle[1])), lean, scale)
    turn[:, 2] += (WIDTH / 2, HEIGHT / 2) - middle
    return np.asarray(cv2.warpAffine(pixels, turn, (WIDTH, HEIGHT)), np.uint8)


def main(video: Path, out: Path) -> None:
    finder, events = FaceFinder(), EventFinder(video.name)
    cells: dict[int, dict[int, Pixels]] = defaultdict(dict)
    found = []
    for frame, faces in finder.find(read_frames(video)):
        seen = []
        for face in faces:
            measures = measure(face, finder.scheme, frame.pixels)
            seen.append(Seen(face.track, measures, face.pose))
            cell = eyes(frame.pixels, face)
            text = f"{frame.index} {measures.ear:.2f}"
            cv2.putText(cell, text, (2, 10), 0, 0.35, (255, 255, 0), 1, cv2.LINE_AA)
            cells[face.track][frame.index] = cell
        found += events.add(frame.index, frame.seconds, seen)
    for event in found + events.end():
        print(event)
        for number in range(event.first_frame, event.last_frame + 1):
            if event.event in MARKS and number in cells[event.face_id]:
                cells[event.face_id][number][-4:] = MARKS[event.event]
    for track, shown in cells.items():
        rows = -(-len(shown) // COLUMNS)
        sheet = np.zeros((rows * HEIGHT, COLUMNS * WIDTH, 3), np.uint8)
        for i, cell in enumerate(shown.values()):
            row, column = divmod(i, COLUMNS)
            y, x = row * HEIGHT, column * WIDTH
            sheet[y : y + HEIGHT, x : x + WIDTH] = cell
        write_image(out / f"{video.stem}_{track}.png", sheet)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
