"""Thumbnails of the page, and what stands below them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from kpcli.inference.measures import DOUBT
from kpcli.inference.summaries import is_doubtful
from kpcli.workflows.report.digest import Digest, Look
from kpcli.workflows.report.markup import Markup, section, tag
from kpcli.workflows.report.thumbnails import Picture, Places, pictures
from kpcli.workflows.results import Results


def gallery(digest: Digest, results: Results, places: Places) -> Markup:
    """Doubtful faces first, then a sample of the others, then frames without a face."""
    doubtful, sure, empty = digest.looks()
    made = pictures([*doubtful, *sure, *empty], places, results.scheme)
    parts = [made[: len(doubtful)], made[len(doubtful) : len(doubtful) + len(sure)],
             made[len(doubtful) + len(sure) :]]  # fmt: skip
    counts = digest.counts()
    titles = (
        ("Doubtful faces, the worst first",
         "Faces or points that the model is unsure of; points below {d} are orange-red. Of one "
         "face at most one picture of two seconds, of one file at most four. Shown: {n} of {all}.",
         "No face is doubtful."),
        ("Other faces", "Drawn by lot, one a file: {n} of {all} files with such faces.", ""),
        ("Frames without a face",
         "Drawn by lot, one a file: {n} of {all} files that have such frames. Is there a face? Try "
         "--detect-size 1280, or --min-confidence 0.2.", ""),
    )  # fmt: skip
    groups: list[object] = [_warning(made, places)]
    for (title, words, none), shown, count in zip(titles, parts, counts, strict=True):
        if shown:
            text = words.format(n=len(shown), all=count, d=DOUBT)
            groups += [tag("h3", title), tag("p", text, class_="dim"), shots(shown)]
        elif none:
            groups.append(tag("p", none))
    return section("faces", "Faces", *groups)


def _warning(made: Sequence[Picture], places: Places) -> Markup | None:
    missing = [picture for picture in made if not picture.uri]
    overlays = sum(picture.overlay for picture in made)
    lines = []
    if overlays:
        lines.append(f"{overlays} pictures come from the overlays: the sources are gone.")
    if missing:
        where = f" (looked in {places.root})" if places.root else ""
        lines.append(
            f"{len(missing)} pictures cannot be shown: {missing[0].reason}{where}. "
            "`kpcli report OUT --root FOLDER` says where the sources are now."
        )
    return tag("p", " ".join(lines), class_="note") if lines else None


def shots(made: Sequence[Picture]) -> Markup:
    """A grid of pictures; a press on one shows it large."""
    return tag("ul", [tag("li", _shot(picture)) for picture in made], class_="shots")


def _shot(picture: Picture) -> list[object]:
    words = _words(picture.look)
    caption = tag("span", tag("bdi", _short(picture.look.file)), ": ", words, class_="cap")
    if not picture.uri:
        return [tag("div", "No picture: ", picture.reason, class_="none"), caption]
    image = tag("img", src=Markup(picture.uri), alt=f"{picture.look.file}: {words}",
                loading="lazy", decoding="async")  # fmt: skip
    return [tag("button", image, type="button"), caption]


def _words(look: Look) -> str:
    at = f"frame {look.frame}, {look.seconds:.2f} s, " if look.moving else ""
    if look.face is None:
        return f"{at}no face"
    weak = int((look.face.point_confidences < DOUBT).sum())
    many = f", {weak} of {len(look.face.points)} points doubtful" if weak else ""
    doubt = "doubtful, " if is_doubtful(look.face) else ""
    return f"{at}face {look.face.track}: {doubt}confidence {look.face.confidence:.2f}{many}"


def _short(file: str) -> str:
    last = PurePosixPath(file).name
    return last if len(last) <= 34 else f"{last[:15]}…{last[-18:]}"
