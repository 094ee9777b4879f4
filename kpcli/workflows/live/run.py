"""Live: a source, a thread that reads, a thread that finds, a window; and all files complete."""

from __future__ import annotations

import platform
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from typing import Any

from kpcli.catalogue import DETECTORS
from kpcli.drawing import Style
from kpcli.errors import UsageError, told
from kpcli.inference.finder import FaceFinder
from kpcli.inference.suitability import check_detector
from kpcli.inference.upright import FacePredictor
from kpcli.model_bundle import LANDMARKS, ModelBundle, embedded_names
from kpcli.options import EVERY_FRAME, LiveOptions
from kpcli.sources.stream import is_url, shown_url
from kpcli.version import __version__
from kpcli.workflows.live.feed import Feed, Source, open_source
from kpcli.workflows.live.finding import Finding
from kpcli.workflows.live.records import FOLDER, Records
from kpcli.workflows.live.report import LiveReport
from kpcli.workflows.live.session import Session
from kpcli.workflows.live.window import ScreenWindow, Window
from kpcli.writers.landmark_csv import optional


def live(
    options: LiveOptions,
    *,
    source: Source | None = None,
    window: Window | None = None,
    predictor: FacePredictor | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> LiveReport:
    """Show the faces of a camera, a video or a stream until it ends or the user does.

    Parameters
    ----------
    options : LiveOptions
    source, window, predictor : optional
        Used instead of those that the options name.
    say : callable
        Told what begins.

    Raises
    ------
    KpcliError
        If the source, the display, the model or the folder cannot be used at all. A source that
        ends early stands in the report.
    """
    _check(options)
    records = Records(options.record or FOLDER)
    with ExitStack() as stack:
        source = source or open_source(options)
        feed = Feed(source, every=_every(options, source))
        stack.callback(feed.close)
        if window is None and not options.headless:
            window = ScreenWindow()
        if window is not None:
            stack.callback(window.close)
        finder = FaceFinder(options, predictor=predictor)
        check_detector(finder.card, options.detector)
        if options.record is not None:
            records.prepare(overwrite=options.overwrite)
            records.begin_table(finder.scheme, optional(options, finder.scheme))
            if options.video:
                records.begin_video()
        style = Style.of(options.draw, options.draw_size)
        style.check(finder.scheme)
        finding = Finding(feed, finder)
        models = _models(options, finder)
        session = Session(
            feed, finding, records, window, models=models, name=source.name, style=style
        )
        say(f"{source.name}: " + ("Ctrl-C stops it" if window is None else "h shows the keys"))
        return _run(options, feed, finding, finder, session, records, source.name)


def _run(
    options: LiveOptions,
    feed: Feed,
    finding: Finding,
    finder: FaceFinder,
    session: Session,
    records: Records,
    name: str,
) -> LiveReport:
    """Step by step to the end; whatever ends it, the files are finished."""
    report: LiveReport | None = None
    try:
        with _stopping() as stop:
            begun = time.perf_counter()
            feed.start()
            finding.start()
            while not (stop.is_set() or finding.ended or session.closed):
                session.step()
                if options.seconds and session.seconds >= options.seconds:
                    break
            seconds = time.perf_counter() - begun
            feed.close()
            finding.close()
            report = LiveReport(
                source=name,
                read=feed.read,
                dropped=feed.dropped,
                frames=session.frames,
                faces=len(session.tracks),
                seconds=seconds,
                delays_ms=[d * 1000 for d in session.delays],
                runtime=finder.runtime_line,
                problem=_problem(feed),
                interrupted=stop.is_set(),
            )
    finally:
        feed.close()
        finding.close()
        table = report is not None and options.record is not None
        run = _values(options, finder, report, records) if report and table else None
        records.close(run)
    return replace(report, written=records.written)


def _check(options: LiveOptions) -> None:
    """A wrong name, or options that do not go together, fail before all else."""
    DETECTORS.load(options.detector.partition(":")[0])
    if options.headless and options.record is None:
        raise UsageError(
            "--headless shows nothing, and nothing is to be written", next_step="add --record OUT"
        )


def _every(options: LiveOptions, source: Source) -> bool:
    if options.pace == EVERY_FRAME and not source.waits:
        raise UsageError(
            f"--pace {EVERY_FRAME}: {source.name} does not wait",
            expected="a video file",
            next_step="leave --pace out",
        )
    alone = options.headless and options.pace == "auto"
    return source.waits and (alone or options.pace == EVERY_FRAME)


def _models(options: LiveOptions, finder: FaceFinder) -> list[str]:
    """Names for the key m, the one in use first: of its points, where there is a table."""
    models = [options.model]
    for name in embedded_names():
        card = ModelBundle.open(name).card
        fits = options.record is None or card.scheme == finder.card.scheme
        if card.task == LANDMARKS and fits and name not in models:
            models.append(name)
    return models


def _problem(feed: Feed) -> str:
    if feed.problem is None:
        return ""
    return told(feed.problem)


def _values(
    options: LiveOptions, finder: FaceFinder, report: LiveReport, records: Records
) -> dict[str, Any]:
    chosen = asdict(options)
    if is_url(options.source):
        chosen["source"] = shown_url(options.source)
    return {
        "options": chosen,
        "versions": {"kpcli": __version__, "python": platform.python_version()},
        "platform": platform.platform(),
        "model": finder.card.name,
        "scheme": finder.scheme.name,
        "files": [path.name for path in records.written],
        "ended": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        **report.values(),
    }


@contextmanager
def _stopping() -> Iterator[threading.Event]:
    """An event that Ctrl-C, SIGTERM and a closed terminal set; the second one ends the process."""
    stop = threading.Event()
    names = ("SIGINT", "SIGTERM", "SIGHUP")
    before: dict[int, Any] = {}

    def set_stop(number: int, _: object) -> None:
        stop.set()
        signal.signal(number, signal.default_int_handler)

    if threading.current_thread() is threading.main_thread():
        for number in (getattr(signal, name, None) for name in names):
            if number is not None:
                before[number] = signal.signal(number, set_stop)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
