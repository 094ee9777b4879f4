"""Blinks of real clips against those counted by eye (tests/benchmarks/blinks.py shows them)."""

from pathlib import Path

import pytest

from kpcli.inference.events import EventFinder, Seen
from kpcli.inference.finder import FaceFinder
from kpcli.inference.measures import measure
from kpcli.options import FrameSelection
from kpcli.sources import read_frames


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "frames", "closed"),
    [
        ("single_face.mp4", (1, 72), [(27, 29)]),
        # The eyes look down until 140; then three blinks, the second with half-closed lids.
        ("portrait_long.mp4", (132, 262), [(154, 155), (203, 203), (249, 249)]),
        ("two_people.mp4", (83, 211), []),
    ],
)
def test_blinks_counted_by_eye(
    shared: Path, name: str, frames: tuple[int, int], closed: list[tuple[int, int]]
) -> None:
    finder, events, found = FaceFinder(), EventFinder(name), []
    selection = FrameSelection(first=frames[0], last=frames[1])
    for frame, faces in finder.find(read_frames(shared / "videos" / name, selection)):
        seen = [Seen(f.track, measure(f, finder.scheme), f.pose) for f in faces]
        found += events.add(frame.index, frame.seconds, seen)
    blinks = [e for e in found + events.end() if e.event == "blink"]
    assert len(blinks) == len(closed)
    for blink, (first, last) in zip(blinks, closed, strict=True):
        assert blink.first_frame <= first <= last <= blink.last_frame
        assert blink.last_frame - blink.first_frame < 8
