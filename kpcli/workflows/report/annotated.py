"""The page of a run of `kpcli annotate`."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kpcli.inference.measures import DOUBT
from kpcli.inference.summaries import DOUBTFUL_POINTS, PERSONS, UNSURE, WITHOUT
from kpcli.workflows.report import about
from kpcli.workflows.report.digest import FILES, VIDEOS, Best, Digest
from kpcli.workflows.report.digest import PERSONS as MOST_PERSONS
from kpcli.workflows.report.gallery import gallery
from kpcli.workflows.report.markup import Markup, name, section, table, tag
from kpcli.workflows.report.page import page
from kpcli.workflows.report.plots import plots
from kpcli.workflows.report.thumbnails import OVERLAYS, Places
from kpcli.workflows.report.videos import video
from kpcli.workflows.results import Outcome, Results, csv_rows

PROBLEMS = 300
"""Most files that failed or are partial that are named."""
NEXT_STEP = {
    "failed": "Could not be read; the reason says why. Get the file again, or convert it (ffmpeg, "
    "for instance), then run the same command with --resume: it tries again what failed.",
    "partial": "Damaged further on, or a picture of it could not be written; the rows up to there "
    "are in the table. Get the file again and use --resume, or take the rows there are.",
    "no_face": "Read to the end, no face in it. Look at it: small faces need --detect-size 1280, "
    "doubtful ones --min-confidence 0.2.",
    "skipped": "No frame was selected: --every, --frames, --start, --end.",
}
KINDS = {
    **dict.fromkeys(("done", "good"), "good"),
    **dict.fromkeys(("no_face", "partial", "skipped", "ignored", "gaps", "doubtful"), "warn"),
    "failed": "bad",
}
_EVENTS = 20_000
"""Most rows of events.csv that are held, of the videos that are drawn."""


@dataclass
class Outcomes:
    """manifest.csv, counted; of the files with a problem, the first `PROBLEMS`.

    ``names`` says what outputs' names begin with, where it is not the file's own.
    """

    counts: Counter[str] = field(default_factory=Counter)
    problems: list[Outcome] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, lines: Iterable[Outcome]) -> Outcomes:
        """All of them."""
        found = cls()
        for line in lines:
            found.counts[line.status] += 1
            if line.output != line.file:
                found.names[line.file] = line.output
            if line.status in ("failed", "partial") and len(found.problems) < PROBLEMS:
                found.problems.append(line)
        return found


def annotated_page(results: Results, root: Path | None) -> Markup:
    """The page of the results in a folder; ``root`` is where the sources are, if given."""
    outcomes = Outcomes.read(results.outcomes())
    digest = Digest()
    digest.read(results.frames())
    overlays = results.folder / OVERLAYS
    places = Places(results.root(root), overlays, results.whole_overlays, outcomes.names)
    sections = [
        ("outcome", "Outcome", _outcome(outcomes, digest, results)),
        ("faces", "Faces", gallery(digest, results, places)),
        ("videos", "Videos", _videos(digest, results)),
        ("plots", "Distributions", plots(digest, results.scheme)),
        ("files", "Files", _files(digest, outcomes)),
        ("persons", "Persons", _persons(digest, results)),
        ("run", "Run and model", about.run_section(results)),
    ]
    where = results.run.get("input") or results.folder
    lead = tag("p", about.when(results.run), class_="dim")
    parts = [(id_, title, part) for id_, title, part in sections if part]
    return page(f"Landmarks of {where}", lead, parts)


def _outcome(outcomes: Outcomes, digest: Digest, results: Results) -> Markup:
    counts = outcomes.counts
    kinds = (
        ("done", "files with faces"),
        ("no_face", "without a face"),
        ("partial", "only in part"),
        ("failed", "failed"),
        ("skipped", "skipped"),
        ("ignored", "ignored, though they look like media"),
    )
    tiles = [
        tag("li", tag("b", f"{counts[k]:,}"), w, class_=KINDS[k] if counts[k] else "")
        for k, w in kinds
        if counts[k] or k in ("done", "failed")
    ]
    share = digest.doubtful_faces / max(digest.faces, 1)
    tiles += [
        tag("li", tag("b", f"{digest.frames:,}"), "frames"),
        tag("li", tag("b", f"{digest.faces:,}"), "faces found"),
        tag(
            "li", tag("b", f"{share:.1%}"), "of them doubtful", class_="warn" if share > 0.1 else ""
        ),
    ]
    if digest.doubtful_files:
        words = tag("b", f"{digest.doubtful_files:,}"), "files need a look"
        tiles.append(tag("li", words, class_="warn"))
    todo = [tag("li", badge(k), " ", NEXT_STEP[k]) for k in NEXT_STEP if counts[k]]
    notes = [tag("p", "The run was interrupted: go on with --resume.", class_="note")]
    return section(
        "outcome",
        "Outcome",
        tag("ul", tiles, class_="tiles"),
        notes if results.run.get("interrupted") else None,
        [tag("h3", "What to do"), tag("ul", todo)] if todo else None,
        _problems(outcomes),
    )


def _problems(outcomes: Outcomes) -> Markup | None:
    if not outcomes.problems:
        return None
    total = outcomes.counts["failed"] + outcomes.counts["partial"]
    shown = len(outcomes.problems)
    caption = "Files that failed or are partial"
    if shown < total:
        caption += f": the first {shown} of {total}; all are in manifest.csv"
    rows = [(name(o.file), badge(o.status), o.reason) for o in outcomes.problems]
    return table(("file", "status", "reason"), rows, caption)


def badge(status: str) -> Markup:
    """A status in a frame, whose colour only repeats the word."""
    return tag("span", status, class_=f"badge {KINDS.get(status, '')}")


def _videos(digest: Digest, results: Results) -> Markup | None:
    lines = list(digest.lines)
    if not lines:
        return None
    wanted = {line.file for line in lines}
    events: dict[str, list[Mapping[str, str]]] = {}
    held = 0
    for row in csv_rows(results.folder / "events.csv"):
        if row.get("file") in wanted and held < _EVENTS:
            events.setdefault(str(row["file"]), []).append(row)
            held += 1
    note = None
    if digest.lines.count > len(lines):
        text = (
            f"The {len(lines)} that most need a look, of {digest.lines.count} (at most {VIDEOS})."
        )
        note = tag("p", text, class_="note")
    parts = [
        video(line, digest.rows[line.file], events.get(line.file, []))
        for line in sorted(lines, key=lambda line: line.file)
        if line.file in digest.rows
    ]
    text = ("Blue: the face is there; orange: doubtful; red outline: no face in any frame of that "
            "step. Dashed: confidence 0.5. Yaw, pitch, roll in degrees; eyes: height over width, "
            "open ones 0.25 to 0.4; a short stroke above them is a blink.")  # fmt: skip
    return section("videos", "Videos", tag("p", text, class_="dim"), note, parts)


def _files(digest: Digest, outcomes: Outcomes) -> Markup | None:
    rows = list(digest.rows.values())
    if not rows:
        return None
    head = ("file", "verdict", "frames", "without face", "longest gap, s", "ids", "doubtful",
            "confidence", "face size, px")  # fmt: skip
    cells = [
        (name(str(r["file"])), badge(str(r["verdict"])), r["frames"],
         f"{float(r['share_without_face']):.0%}", f"{float(r['longest_gap']):.1f}", r["face_ids"],
         f"{float(r['share_doubtful']):.0%}", _number(r["median_confidence"], 2),
         _number(r["median_face_size"], 0))
        for r in rows
    ]  # fmt: skip
    total = sum(outcomes.counts[k] for k in ("done", "no_face", "partial"))
    total = max(total, len(rows))
    caption = "A row a file that could be read, those that most need a look first"
    if total > len(rows):
        caption += (
            f": {len(rows)} of {total} (at most {FILES}); all are in summary.csv of --measures"
        )
    words = (
        f"good: at most {WITHOUT:.0%} of the frames without a face, and {UNSURE:.0%} of the faces "
        f"doubtful (confidence below {DOUBT}, or more than {DOUBTFUL_POINTS:.0%} of the points); "
        "gaps: more frames lack a face; doubtful: more faces are; no_face: none."
    )
    id_ = "files-table"
    listed = table(head, cells, caption, numbers=range(2, 9), sortable=True, id_=id_)
    tools = _tools(id_, sorted({str(r["verdict"]) for r in rows}))
    return section("files", "Files", tag("p", words, class_="dim"), tools, listed)


def _tools(id_: str, kinds: Iterable[str]) -> Markup:
    options = [tag("option", "all", value=""), *(tag("option", k, value=k) for k in kinds)]
    return tag(
        "div",
        tag("label", "Search ", tag("input", type="search")),
        tag("label", "Verdict ", tag("select", options)),
        tag("output", aria_live="polite"),
        class_="tools",
        data_table=id_,
    )


def _persons(digest: Digest, results: Results) -> Markup | None:
    rows: Best[Mapping[str, object]] = Best(MOST_PERSONS)
    for row in csv_rows(results.folder / "persons.csv"):
        rows.add((float(row.get("frames") or 0),), dict(row))
    persons: list[Mapping[str, object]] = list(rows) or list(digest.persons)
    if not persons:
        return None
    shown = [c for c in PERSONS[1:] if any(_number(p.get(c), 2) != "-" for p in persons)]
    head = ["file", *(c.removeprefix("median_").replace("_", " ") for c in shown)]
    cells = [
        [name(str(p.get("file", ""))), *(_number(p.get(c), 2) for c in shown)] for p in persons
    ]
    caption = "A row a face id of a file, those seen longest first; medians, times in seconds"
    if digest.persons.count > len(persons):
        caption += (
            f": {len(persons)} of {digest.persons.count}; all are in persons.csv (--measures)"
        )
    words = (
        "An id stays with a face within one file; it knows nobody: the same person in another "
        "file, or back after more than a second, has another."
    )
    rows_of = table(head, cells, caption, numbers=range(1, len(head)), sortable=True)
    return section("persons", "Persons", tag("p", words, class_="dim"), rows_of)


def _number(value: object, digits: int) -> str:
    try:
        number = float(str(value))
    except ValueError:
        return "-"
    if not math.isfinite(number):
        return "-"
    return f"{number:.0f}" if number == int(number) else f"{number:.{digits}f}"
