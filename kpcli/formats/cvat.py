"""CVAT: *CVAT for images 1.1* and *for video 1.1* (XML), and zips of these or of its COCO.

CVAT counts from the first pixel's edge: half a pixel is taken off everywhere. A skeleton's
sub-labels are the points, its drawing the edges. A video's frames are named ``frame_000000`` and
on, as CVAT writes them.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any
from xml.parsers import expat

from kpcli.formats import coco
from kpcli.formats.layout import find_files, split_of
from kpcli.formats.named_points import NamedFace, samples
from kpcli.formats.pictures import named
from kpcli.formats.reading import open_binary, root_tag
from kpcli.formats.shapes import Shapes, Spot, faces
from kpcli.types import FaceBox, Reject, Sample

EDGE = coco.CVAT_EDGE
LARGEST = 1 << 30
"""Most bytes that a label file in a zip may unfold to."""
_INSIDE = re.compile(r"(?:.*/)?(annotations\.xml|annotations/person_keypoints_[^/]+\.json)\Z")
_FRAME = re.compile(r"frame_(\d{6,9})\.\w+\Z")
_SHAPES = ("points", "box", "skeleton")


def sniff(root: Path) -> bool:
    """Whether CVAT's XML, or a zip with it or with key points, stands at or near ``root``."""
    if any(root_tag(path) == "annotations" for path in find_files(root, "*.xml", depth=2)):
        return True
    return any(_inside(path) for path in find_files(root, "*.zip", depth=3))


def read(root: Path) -> Iterator[Sample | Reject]:
    """One sample a skeleton, or a face of loose points."""
    parsed = [_Xml(p, root) for p in find_files(root, "*.xml", depth=2) if _is_ours(p)]
    for document in parsed:
        try:
            with open_binary(document.path) as file:
                document.parse(file)
        except OSError as e:
            document.rejects.append(Reject(str(document.path), "damaged file", str(e)))
    for path in find_files(root, "*.zip", depth=3):
        for name in _inside(path):
            if name.endswith(".xml"):
                parsed.append(_Xml(path, root))
            yield from _unfolded(path, name, root, parsed)
    for document in parsed:
        yield from document.rejects
    order = next((d.order for d in parsed if d.order), [])
    edges = next((d.edges for d in parsed if d.edges), [])
    yield from samples([f for d in parsed for f in d.faces], root, order, edges)


def _is_ours(path: Path) -> bool:
    return root_tag(path) == "annotations"


def _inside(path: Path) -> list[str]:
    """The label files of a zip; none if it is no zip, or another's."""
    try:
        with open_binary(path) as raw, zipfile.ZipFile(raw) as archive:
            return [i.filename for i in archive.infolist() if _INSIDE.match(i.filename)]
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError):
        return []


def _unfolded(path: Path, name: str, root: Path, parsed: list[_Xml]) -> Iterator[Sample | Reject]:
    """Read one label file of a zip: COCO's faces are given, an XML's wait in ``parsed``."""
    try:
        with open_binary(path) as raw, zipfile.ZipFile(raw) as archive:
            if archive.getinfo(name).file_size > LARGEST:
                raise ValueError(f"{name} unfolds to more than {LARGEST} bytes")
            with archive.open(name) as file:
                if name.endswith(".xml"):
                    parsed[-1].parse(file)
                    return
                content = json.loads(file.read(LARGEST))
    except (OSError, ValueError, RecursionError, zipfile.BadZipFile, NotImplementedError) as e:
        yield Reject(str(path), "damaged file", str(e) or repr(e))
        return
    _call_frames_ours(content, path)
    beside = path.with_name(Path(name).name)
    yield from coco.faces_of(content, beside, root, EDGE, shown=f"{path}/{name}")


def _call_frames_ours(content: Any, path: Path) -> None:
    """Name the frames of ``clip.mp4.zip`` as `kpcli annotate --frames-out` names the pictures."""
    if not Path(path.stem).suffix:
        return
    for image in content.get("images", []) if isinstance(content, dict) else []:
        match = _FRAME.match(str(image.get("file_name"))) if isinstance(image, dict) else None
        if match:
            image["file_name"] = f"{path.stem}/{int(match[1]) + 1:06d}.jpg"
            image["video"] = path.stem


class _Xml:
    """One document: its faces, the points' order and edges, what is wrong with it."""

    def __init__(self, path: Path, root: Path) -> None:
        self.path = path
        self.faces: list[NamedFace] = []
        self.rejects: list[Reject] = []
        self.order: list[str] = []
        self.edges: list[tuple[str, str]] = []
        self._text = ""
        self._open: list[str] = []
        self._image: tuple[str, tuple[int, int] | None, str, int] | None = None
        self._shapes = Shapes()
        self._track: dict[str, str] = {}
        self._skeleton: tuple[str, str] | None = None
        """Frame (of a track's) and group."""
        self._frames: dict[int, Shapes] = {}
        self._video_size: tuple[int, int] | None = None
        self._numbers: dict[str, int] = {}
        self._parser = expat.ParserCreate()

    def parse(self, file: IO[bytes]) -> None:
        """Read it all; what stands before a fault is kept."""
        parser = self._parser
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._data
        try:
            parser.ParseFile(file)
        except expat.ExpatError as e:
            where = f"{self.path}:{parser.CurrentLineNumber}"
            self.rejects.append(Reject(where, "damaged file", f"the rest is not read: {e}"))
        for frame, shapes in sorted(self._frames.items()):
            name = f"frame_{frame:06d}.png"
            self._add(name, self._video_size, f"frame {frame}", shapes, group=self.path.stem)

    def _start(self, tag: str, values: dict[str, str]) -> None:
        self._open.append(tag)
        self._text = ""
        try:
            if tag == "image":
                line = self._parser.CurrentLineNumber
                size = (int(values["width"]), int(values["height"])) if "width" in values else None
                split = split_of(values.get("subset", "")) or ""
                self._image = (values["name"], size, split, line)
                self._shapes = Shapes()
            elif tag == "track":
                self._track = values
            elif tag in _SHAPES:
                self._shape(tag, values)
        except (KeyError, ValueError) as e:
            self._damaged(f"<{tag}>: {e!r}")

    def _damaged(self, detail: str) -> None:
        where = f"{self.path}:{self._parser.CurrentLineNumber}"
        self.rejects.append(Reject(where, "damaged label", detail))

    def _data(self, text: str) -> None:
        if len(self._text) < LARGEST_TEXT:
            self._text += text

    def _shape(self, tag: str, values: dict[str, str]) -> None:
        """A point, rectangle or skeleton of a picture, or of a track's frame."""
        if tag == "skeleton":
            self._skeleton = (values.get("frame", ""), self._unique("skeleton"))
            return
        shapes = self._shapes
        frame = values.get("frame") or (self._skeleton[0] if self._skeleton else "")
        if self._image is None:
            if not frame:
                return
            shapes = self._frames.setdefault(int(frame), Shapes())
        group = self._group(values)
        if tag == "box":
            if values.get("outside") != "1":
                corners = (float(values[k]) - EDGE for k in ("xtl", "ytl", "xbr", "ybr"))
                shapes.boxes.append((group, FaceBox(*corners)))
            return
        places = [_place(text) for text in values["points"].split(";") if text.strip()]
        label = values.get("label") or self._track.get("label", "point")
        if values.get("outside") == "1":
            return
        seen = values.get("occluded") != "1"
        for i, (x, y) in enumerate(places):
            # One shape of many points is a whole face, and its points have numbers.
            name = label if len(places) == 1 else str(i)
            own = group if len(places) == 1 else group or self._unique("points")
            shapes.spots.append(Spot(name, x, y, seen, own))

    def _group(self, values: dict[str, str]) -> str:
        """What ties a shape to its face: its skeleton, its group, or (of a video) nothing."""
        if self._skeleton:
            return self._skeleton[1]
        group = values.get("group_id") or self._track.get("group_id") or ""
        return f"group {group}" if group not in ("", "0") else ""

    def _unique(self, kind: str) -> str:
        self._numbers[kind] = self._numbers.get(kind, 0) + 1
        return f"{kind} {self._numbers[kind]}"

    def _end(self, tag: str) -> None:
        self._open.pop()
        path = "/".join(self._open)
        if tag == "image" and self._image:
            name, size, split, line = self._image
            self._add(name, size, f"{line}", self._shapes, split)
            self._image = None
        elif tag == "skeleton":
            self._skeleton = None
        elif tag == "track":
            self._track = {}
        elif tag == "name" and path.endswith("sublabels/label"):
            if self._text.strip() not in self.order:
                self.order.append(self._text.strip())
        elif tag == "svg":
            self._drawing(self._text)
        elif tag in ("width", "height") and path.endswith("original_size"):
            number = int(self._text) if self._text.strip().isdigit() else 0
            width, height = self._video_size or (0, 0)
            self._video_size = (number, height) if tag == "width" else (width, number)

    def _drawing(self, svg: str) -> None:
        """Edges of a skeleton's drawing: nodes have the sub-labels' names."""
        names = dict(_pairs(svg, "data-node-id", "data-label-name"))
        for first, second in _pairs(svg, "data-node-from", "data-node-to"):
            edge = (names.get(first, first), names.get(second, second))
            if edge not in self.edges:
                self.edges.append(edge)

    def _add(
        self,
        name: str,
        size: tuple[int, int] | None,
        place: str,
        shapes: Shapes,
        split: str = "",
        group: str = "",
    ) -> None:
        origin = f"{self.path}:{place}" if place.isdigit() else f"{self.path}: {place}"
        try:
            image = named(self.path.parent, name)
            found = faces(shapes)
        except ValueError as e:
            self.rejects.append(Reject(origin, "damaged label", str(e)))
            return
        for face in found:
            self.faces.append(
                NamedFace(
                    image, self.path, origin, face.points, face.box, size, split=split, group=group
                )
            )


LARGEST_TEXT = 1 << 22
"""Most characters of one element's text (a skeleton's drawing) that are read."""


def _place(text: str) -> tuple[float, float]:
    x, y = text.split(",")
    return float(x) - EDGE, float(y) - EDGE


def _pairs(svg: str, first: str, second: str) -> Iterator[tuple[str, str]]:
    """The values of two attributes of every element that has both."""
    for element in re.findall(r"<[a-z]+\s[^<>]*>", svg):
        a, b = (re.search(rf'\b{key}=["\']([^"\']*)["\']', element) for key in (first, second))
        if a and b:
            yield a[1], b[1]
