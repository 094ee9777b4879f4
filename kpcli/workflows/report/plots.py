"""Distributions over all faces of a run."""

from __future__ import annotations

from kpcli.inference.measures import DOUBT
from kpcli.schemes import LandmarkScheme
from kpcli.workflows.report import charts
from kpcli.workflows.report.digest import Digest
from kpcli.workflows.report.markup import Markup, section, tag

_PLOTS = (
    ("confidence", "Confidence of the faces", "", DOUBT),
    ("doubtful", "Share of doubtful points of a face", "", 0.0),
    ("size", "Size of the faces", "px", 24.0),
    ("faces", "Faces in a frame", "", 1.0),
    ("yaw", "Yaw, to the right of the picture", "degrees", -1e9),
    ("pitch", "Pitch, up", "degrees", -1e9),
    ("roll", "Roll, clockwise", "degrees", -1e9),
    ("eyes", "Eyes: height over width", "", 0.15),
    ("mouth", "Mouth: gap over width", "", -1e9),
)


def plots(digest: Digest, scheme: LandmarkScheme) -> Markup | None:
    """All of them that have values, and the mean face with the points that are least sure."""
    if not digest.faces:
        return None
    drawn = []
    for key, title, unit, doubtful in _PLOTS:
        histogram = digest.histograms[key]
        if sum(histogram.counts):
            drawn.append(_histogram(title, unit, histogram.edges, histogram.counts, doubtful, key))
    words = "Over every face of every frame; what lies beyond is counted in the outermost bar."
    return section("plots", "Distributions", tag("p", words, class_="dim"),
                   tag("div", drawn, _face(digest, scheme), class_="plots"))  # fmt: skip


def _histogram(
    title: str, unit: str, edges: tuple[float, ...], counts: list[int], doubtful: float, key: str
) -> Markup:
    last = max(i for i, count in enumerate(counts) if count)
    if key in ("size", "faces"):  # open to the right
        edges, counts = edges[: last + 2], counts[: last + 1]
    what = "frames" if key == "faces" else "faces"
    return charts.histogram(title, unit, edges, counts, doubtful=doubtful, what=what)


def _face(digest: Digest, scheme: LandmarkScheme) -> Markup | None:
    mapped = digest.face_map()
    if mapped is None:
        return None
    points, confidences = mapped
    words = [
        f"{i} {scheme.point_names[i]}: mean confidence {c:.2f}" for i, c in enumerate(confidences)
    ]
    weakest = [scheme.point_names[i] for i in confidences.argsort()[:5]]
    figure = charts.face_map("Points of the mean face: larger and redder, less sure", points,
                             1 - confidences, words)  # fmt: skip
    return tag("div", figure, tag("p", "Least sure: " + ", ".join(weakest) + ".", class_="dim"))
