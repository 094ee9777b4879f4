"""What is covered of a file: which faces, in which frames, how far."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from kpcli.options import AnonymiseOptions
from kpcli.types import FaceBox
from kpcli.workflows.anonymise.chosen import Chosen, Named
from kpcli.workflows.anonymise.covers import head_box, union
from kpcli.workflows.anonymise.tracks import Kind, Place, Track

SPREAD = 2
"""A cover reaches over where the face is this many frames before and after: what moves fast is
smeared, and boxes tremble."""
SUSPECT = 1 / 3
"""Share of the least score from which on what is left bare is told."""
HIDDEN = 0.75
"""Share of a box that lies under one cover: whatever it shows, it is not bare."""
NO_FACE_ID = -1
"""Of a box that the user gave, where no face was found."""


@dataclass(frozen=True, slots=True)
class Cover:
    """A face in a frame: its box (hair line to chin), what of the picture is covered, and why.

    ``area`` is None where it is left bare: ``kind`` then is "kept", or "suspect" of what may be a
    face and is not sure enough.
    """

    frame: int
    seconds: float
    face_id: int
    box: FaceBox
    area: FaceBox | None
    kind: Kind | str
    doubt: float
    gap: float = 0.0


class Selector:
    """Chooses by the options, and by the CSVs that they name."""

    def __init__(self, options: AnonymiseOptions) -> None:
        self._options = options
        self._keep, self._only, self._also = (
            Chosen(path) if path else None for path in (options.keep, options.only, options.also)
        )

    def check(self, files: Sequence[str]) -> None:
        """See that the CSVs name files of the run."""
        for chosen in (self._keep, self._only, self._also):
            if chosen is not None:
                chosen.check(files)

    def covers(
        self, file: str, tracks: Sequence[Track], times: Mapping[int, float], least: float
    ) -> dict[int, list[Cover]]:
        """What is covered, and what is left bare, in the frames of a file.

        ``times`` has the seconds of all its frames, ``least`` is the score from which on something
        is covered. A face's id is its place in ``tracks``.
        """
        wanted = self._only or self._also
        named, rest = _named(tracks, wanted.of(file), times) if wanted else (set(), [])
        found: dict[int, list[Cover]] = defaultdict(list)
        for number, track in enumerate(tracks):
            sure = track.best >= least and self._only is None
            if sure or number in named:
                for cover in self._of_track(number, track):
                    found[cover.frame].append(cover)
            elif track.best >= SUSPECT * least:
                best = max(track.places, key=lambda place: place.box.score)
                found[best.frame].append(_bare(number, best, "suspect"))
        for frame, box in rest:
            given = Place(frame, times[frame], box, "given", 0.0)
            found[frame].append(self._cover(NO_FACE_ID, given, box))
        keep = self._keep.of(file) if self._keep is not None else None
        return {
            frame: _seen_bare(_kept(frame, covers, keep) if keep is not None else covers)
            for frame, covers in found.items()
        }

    def _of_track(self, number: int, track: Track) -> Iterator[Cover]:
        """One cover a frame, which holds all places that the face may have there."""
        places: dict[int, list[Place]] = defaultdict(list)
        for place in track.places:
            places[place.frame].append(place)
        boxes = {frame: union([p.box for p in mine]) for frame, mine in places.items()}
        for frame, mine in places.items():
            near = [boxes[n] for n in range(frame - SPREAD, frame + SPREAD + 1) if n in boxes]
            doubtful = max(mine, key=lambda place: place.doubt)
            yield self._cover(number, doubtful, union([boxes[frame], *near]))

    def _cover(self, number: int, place: Place, reach: FaceBox) -> Cover:
        area = head_box(reach, place.doubt, self._options.grow)
        box, kind = place.box, place.kind
        return Cover(place.frame, place.seconds, number, box, area, kind, place.doubt, place.gap)


def _bare(number: int, place: Place, kind: str) -> Cover:
    return Cover(place.frame, place.seconds, number, place.box, None, kind, place.box.score)


def _named(
    tracks: Sequence[Track], named: Named, times: Mapping[int, float]
) -> tuple[set[int], list[tuple[int, FaceBox]]]:
    """The tracks that a CSV names, and (frame, box) of its boxes where no face was found."""
    seen: dict[int, list[tuple[int, FaceBox]]] = defaultdict(list)
    for number, track in enumerate(tracks):
        for place in track.places:
            seen[place.frame].append((number, place.box))
    numbers = {number for number in named.ids if number < len(tracks)}
    rest: list[tuple[int, FaceBox]] = []
    for frame in times if named.boxes else ():
        here = seen.get(frame, [])
        places, without = named.match(frame, [box for _, box in here])
        numbers |= {here[place][0] for place in places}
        rest += [(frame, box) for box in without]
    return numbers, rest


def _seen_bare(covers: list[Cover]) -> list[Cover]:
    """The covers of a frame, less suspects that lie under one of them."""
    areas = [cover.area for cover in covers if cover.area is not None]
    return [
        cover
        for cover in covers
        if cover.kind != "suspect" or not any(_share(cover.box, a) >= HIDDEN for a in areas)
    ]


def _share(box: FaceBox, area: FaceBox) -> float:
    """How much of the box lies in the area."""
    width = min(box.right, area.right) - max(box.left, area.left)
    height = min(box.bottom, area.bottom) - max(box.top, area.top)
    return max(0.0, width) * max(0.0, height) / max(box.area, 1e-9)


def _kept(frame: int, covers: list[Cover], keep: Named) -> list[Cover]:
    """The covers of a frame, less those of faces that are to stay bare."""
    covering = [i for i, cover in enumerate(covers) if cover.area is not None]
    places, _ = keep.match(frame, [covers[i].box for i in covering])
    bare = {covering[place] for place in places}
    return [
        Cover(c.frame, c.seconds, c.face_id, c.box, None, "kept", 0.0)
        if i in bare or c.face_id in keep.ids
        else c
        for i, c in enumerate(covers)
    ]
