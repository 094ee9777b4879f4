"""dlib's XML (imglab): ``dataset/images/image[@file]/box/part``.

A file without any part is a set of boxes for a detector; boxes that its author marked
``ignore='1'`` are then regions to ignore, and are left out where there are parts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.parsers import expat

from kpcli.formats.layout import find_files, is_count, split_of
from kpcli.formats.named_points import RARE, NamedFace, samples
from kpcli.formats.pictures import named
from kpcli.formats.reading import open_binary, root_tag
from kpcli.formats.unlabelled import told
from kpcli.schemes import SCHEMES
from kpcli.types import FaceBox, Note, Reject, Sample

MOST_PARTS = 1000
"""Upper bound of a part's number: larger ones are no number of a part but a mistake."""
_SIZES = {scheme.n_points for scheme in SCHEMES.values()}
_WHOLE = {68, 98}
"""Numbers of points that only iBUG's (68) and WFLW's (98) mark-up is known to have."""


def sniff(root: Path) -> bool:
    """Whether an XML with dlib's ``<dataset>`` stands in ``root``."""
    return any(_is_dlib(path) for path in find_files(root, "*.xml", depth=2))


def read(root: Path) -> Iterator[Sample | Reject | Note]:
    """One sample a box. The XML's name tells the split, else the picture's folder does."""
    return told(_read(root))


def _read(root: Path) -> Iterator[Sample | Reject | Note]:
    files = [p for p in find_files(root, "*.xml", depth=2) if _is_dlib(p)]
    if any(split_of(p.stem) for p in files):  # a file of all then repeats them
        files = [p for p in files if split_of(p.stem)]
    for path in files:
        faces, rejects = _parse(path)
        yield from rejects
        names = _numbered(faces)
        has_parts = any(face.points for face in faces)
        if has_parts:
            faces = [face for face in faces if "invalid" not in face.attributes]
        yield from samples(faces, root, names)


def _is_dlib(path: Path) -> bool:
    return root_tag(path) == "dataset"


def _parse(path: Path) -> tuple[list[NamedFace], list[Reject]]:
    """All boxes of a file, and what is wrong with it; what stands before a fault is kept."""
    parser = expat.ParserCreate()
    boxes: list[NamedFace] = []
    rejects: list[Reject] = []
    image = Path()
    split = split_of(path.stem) or ""

    def start(tag: str, values: dict[str, str]) -> None:
        nonlocal image
        line = parser.CurrentLineNumber
        try:
            if tag == "image":
                image = named(path.parent, values["file"])
            elif tag == "box":
                face = NamedFace(image, path, f"{path}:{line}", box=_corners(values), split=split)
                if values.get("ignore") == "1":
                    face.attributes["invalid"] = "1"
                boxes.append(face)
            elif tag == "part":
                place = (float(values["x"]), float(values["y"]), True)
                boxes[-1].points[values["name"]] = place
        except (KeyError, ValueError, IndexError) as e:
            rejects.append(Reject(f"{path}:{line}", "damaged label", f"<{tag}>: {e!r}"))

    parser.StartElementHandler = start
    try:
        with open_binary(path) as file:
            parser.ParseFile(file)
    except (expat.ExpatError, OSError) as e:
        line = parser.CurrentLineNumber
        rejects.append(Reject(f"{path}:{line}", "damaged file", f"the rest is not read: {e}"))
    return boxes, rejects


def _corners(values: dict[str, str]) -> FaceBox:
    left, top, width, height = (float(values[k]) for k in ("left", "top", "width", "height"))
    return FaceBox.from_xywh(left, top, width, height)


def _numbered(faces: Sequence[NamedFace]) -> list[str]:
    """The order of parts that are numbers (``7`` and ``07`` are one), all of them; else nothing.

    One damaged name among thousands must not count as a point.
    """
    counts = Counter(name for face in faces for name in face.points)
    numbers = {n for n in counts if is_count(n) and int(n) < MOST_PARTS}
    if not counts or len(numbers) <= len(counts) / 2:
        return []
    for face in faces:
        face.points = {str(int(n)) if n in numbers else n: p for n, p in face.points.items()}
    enough = {int(n) for n in numbers if counts[n] >= RARE * len(faces)} or {0}
    first, last = min(enough), max(enough)
    if last + 1 in _WHOLE or (first > 1 and last + 1 in _SIZES):
        first = 0  # of a known mark-up whose first points are not labelled here
    return [str(i) for i in range(first, last + 1)]
