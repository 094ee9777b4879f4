"""What the commands do, as functions; each command is a shell over the one of its name.

Keywords are the fields of the command's options class in `kpcli.options`. Nothing is printed,
unless ``verbose`` asks for what the command says on its way; every function returns a value
whose ``summary()`` is what the command prints.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kpcli.choices import checked, shows_fields
from kpcli.errors import shown
from kpcli.options import (
    AnnotateOptions,
    AnonymiseOptions,
    AugmentOptions,
    AverageOptions,
    EvalOptions,
    ExportOptions,
    LiveOptions,
    MergeOptions,
    PrepareOptions,
    ReportOptions,
    ReviewOptions,
    SuggestOptions,
    TrainOptions,
)

if TYPE_CHECKING:
    import pandas as pd

    from kpcli.model_bundle import ModelBundle
    from kpcli.workflows.annotate.report import Report
    from kpcli.workflows.anonymise.report import Report as Anonymised
    from kpcli.workflows.average import Averaged
    from kpcli.workflows.evaluate.result import Evaluation
    from kpcli.workflows.export.exported import Exported
    from kpcli.workflows.live.report import LiveReport
    from kpcli.workflows.prepare.report import Prepared
    from kpcli.workflows.report.run import WrittenPage
    from kpcli.workflows.review.run import Reviewed
    from kpcli.workflows.review.suggest import Suggested

Name = str | Path


@shows_fields(AnnotateOptions)
def annotate(
    inputs: Name | Iterable[Name], *, out: Name = "annotated", verbose: bool = False, **choices: Any
) -> Report:
    """Write the landmarks of all faces in pictures and videos: CSV, overlays, other formats.

    Parameters
    ----------
    inputs : path, or several
        A folder, or files.
    out : path
        Folder for the results.
    verbose : bool
        Show a progress bar.
    **choices
        Fields of `kpcli.AnnotateOptions`, such as ``model="large"`` or ``overlays=False``.

    Returns
    -------
    Report
        ``counts`` of files by status, ``faces``, ``frames``, ``problems``, ``exit_code``.
        A file that cannot be read is counted there; it raises nothing.

    Raises
    ------
    KpcliError
        If the input, the output, the model or the detector cannot be used at all.

    Examples
    --------
    >>> report = annotate("videos", out="annotated", smooth="one-euro")
    >>> print(report.summary())
    """
    from kpcli.progress import bars
    from kpcli.workflows.annotate.run import annotate

    one_folder = isinstance(inputs, str | Path) and Path(inputs).is_dir()
    values = {"folder": one_folder, **choices, "inputs": inputs, "out": out}
    options = AnnotateOptions(**checked(AnnotateOptions, values))
    with bars(verbose):
        return annotate(options)


@shows_fields(AnonymiseOptions)
def anonymise(
    inputs: Name | Iterable[Name],
    *,
    out: Name = "anonymised",
    verbose: bool = False,
    **choices: Any,
) -> Anonymised:
    """Write copies of pictures and videos in which faces are covered, without metadata.

    Parameters
    ----------
    inputs : path, or several
        A folder, or files.
    out : path
        Folder for the results.
    verbose : bool
        Show a progress bar.
    **choices
        Fields of `kpcli.AnonymiseOptions`, such as ``how="fill"`` or ``keep="keep.csv"``.

    Returns
    -------
    Report
        ``counts`` of files by status, ``faces`` covered, ``doubtful``, ``bare``, ``exit_code``.
        A file that cannot be read is counted there, and has no copy; it raises nothing.

    Raises
    ------
    KpcliError
        If the input, the output or a CSV cannot be used at all.

    Examples
    --------
    >>> report = anonymise("photos", out="anonymised", how="fill")
    >>> print(report.summary())
    """
    from kpcli.progress import bars
    from kpcli.workflows.anonymise.run import anonymise

    one_folder = isinstance(inputs, str | Path) and Path(inputs).is_dir()
    values = {"folder": one_folder, **choices, "inputs": inputs, "out": out}
    options = AnonymiseOptions(**checked(AnonymiseOptions, values))
    with bars(verbose):
        return anonymise(options)


@shows_fields(LiveOptions)
def live(source: Name = "", *, verbose: bool = False, **choices: Any) -> LiveReport:
    """Show the faces of a camera, a video or a stream, as they come; call it in the main thread.

    Parameters
    ----------
    source : path or str
        A video, or a URL (the only case in which kpcli connects to anything); "": the camera
        that ``camera`` names.
    verbose : bool
        Print what begins.
    **choices
        Fields of `kpcli.LiveOptions`, such as ``camera="1"`` or ``record="out", headless=True``.

    Returns
    -------
    LiveReport
        Counts of frames, ``delay_ms``, ``written`` files, ``problem``, ``exit_code``. A camera
        that is unplugged in the middle is told there; it raises nothing.

    Raises
    ------
    KpcliError
        If the source, the display, the model or the folder cannot be used at all.

    Examples
    --------
    >>> report = live(camera="1", record="session_1", seconds=60)
    >>> table = read_landmarks("session_1")
    """
    from kpcli.workflows.live.run import live

    choices = {**choices, "source": str(source), "camera": str(choices.get("camera", "0"))}
    return live(LiveOptions(**checked(LiveOptions, choices)), say=_say(verbose))


@shows_fields(AverageOptions)
def average(folder: Name, *, verbose: bool = False, **choices: Any) -> Averaged:
    """The mean face of a folder's pictures, as a picture.

    Parameters
    ----------
    folder : path
    verbose : bool
        Show progress bars.
    **choices
        Fields of `kpcli.AverageOptions`, such as ``out="mean.png"`` or ``size=1024``.

    Returns
    -------
    Averaged
        Counts of ``pictures`` and ``faces``, ``failed`` files, ``exit_code``.

    Raises
    ------
    KpcliError
        If the folder, the model or the place of the result cannot be used, or no face is found.

    Examples
    --------
    >>> print(average("portraits", out="mean.png").summary())
    """
    from kpcli.progress import bars
    from kpcli.workflows.average import average

    with bars(verbose):
        return average(AverageOptions(**checked(AverageOptions, {**choices, "folder": folder})))


@shows_fields(MergeOptions)
def merge(shards: Iterable[Name], *, out: Name, **choices: Any) -> Report:
    """Join the outputs of annotate's shards to what one run would have written.

    Parameters
    ----------
    shards : paths
        Output folders of ``annotate(..., shard=(i, n))``, all n of them.
    out : path
    **choices
        Fields of `kpcli.MergeOptions`.

    Raises
    ------
    KpcliError
        If the shards do not belong together, or ``out`` cannot be used.
    """
    from kpcli.workflows.annotate.merge import merge

    values = {**choices, "shards": shards, "out": out}
    return merge(MergeOptions(**checked(MergeOptions, values)))


@shows_fields(ReportOptions)
def report(folders: Name | Iterable[Name], **choices: Any) -> WrittenPage:
    """Write one self-contained HTML page of annotate's or evaluate's results.

    Parameters
    ----------
    folders : path, or two
        An output folder of ``annotate`` or ``evaluate``; with ``compare`` two of a kind.
    **choices
        Fields of `kpcli.ReportOptions`, such as ``compare=True``.

    Returns
    -------
    WrittenPage
        ``path`` of the page.

    Raises
    ------
    KpcliError
        If there are no results, or something that is not ours lies where the page goes.
    """
    from kpcli.workflows.report.run import report

    return report(ReportOptions(**checked(ReportOptions, {**choices, "folders": folders})))


@shows_fields(SuggestOptions)
def suggest(source: Name, *, verbose: bool = False, **choices: Any) -> Suggested:
    """The faces and frames that most deserve a look, or a label.

    Parameters
    ----------
    source : path
        An output folder of annotate, or a CSV of prepare.
    verbose : bool
        Show progress bars.
    **choices
        Fields of `kpcli.SuggestOptions`, such as ``n=20``.

    Returns
    -------
    Suggested
        ``candidates``, the first first, each with ``file``, ``frame``, ``face``, ``reasons``.

    Raises
    ------
    KpcliError
        If the results, the model or an option cannot be used.
    """
    from kpcli.progress import bars
    from kpcli.workflows.review.suggest import suggest

    values = {**choices, "source": source}
    with bars(verbose):
        return suggest(SuggestOptions(**checked(SuggestOptions, values)))


@shows_fields(ReviewOptions)
def review(source: Name, *, verbose: bool = False, **choices: Any) -> Reviewed:
    """Serve the page on which landmarks are corrected, until it is interrupted (Ctrl-C).

    Parameters
    ----------
    source : path
        An output folder of annotate, or a CSV of prepare.
    verbose : bool
        Print the page's address.
    **choices
        Fields of `kpcli.ReviewOptions`, such as ``port=8000`` or ``browser=False``.

    Returns
    -------
    Reviewed
        ``folder`` of the corrections, which `prepare` reads, and ``counts`` by status.

    Raises
    ------
    KpcliError
        If the results, the folder, the port or an option cannot be used.
    """
    from kpcli.progress import bars
    from kpcli.workflows.review.run import review

    values = {**choices, "source": source}
    with bars(verbose):
        return review(ReviewOptions(**checked(ReviewOptions, values)), _say(verbose))


@shows_fields(PrepareOptions)
def prepare(
    sources: Name | Iterable[Name], *, out: Name, verbose: bool = False, **choices: Any
) -> Prepared:
    """Read datasets, validate every label, write one normalised CSV.

    Parameters
    ----------
    sources : path, or several
        Dataset folders or label files.
    out : path
        The CSV to write.
    verbose : bool
        Show progress bars.
    **choices
        Fields of `kpcli.PrepareOptions`.

    Returns
    -------
    Prepared
        ``samples``, ``rejects``, ``duplicates``.

    Raises
    ------
    KpcliError
        If a source or an option cannot be used.
    """
    from kpcli.progress import bars
    from kpcli.workflows.prepare.run import prepare

    values = {**choices, "sources": sources, "out": out}
    with bars(verbose):
        return prepare(PrepareOptions(**checked(PrepareOptions, values)))


@shows_fields(TrainOptions)
def train(
    csv: Name,
    *,
    out: Name,
    recipe: str | None = None,
    verbose: bool = False,
    given: Collection[str] | None = None,
    **choices: Any,
) -> ModelBundle:
    """Train a landmark model, or a face detector, on a prepared CSV.

    Parameters
    ----------
    csv : path
    out : path
        Run folder to make; the best model so far lies in its ``model``.
    recipe : str, optional
        A shipped model's recipe, whose options hold where ``choices`` say nothing.
    verbose : bool
        Print a line an epoch.
    given : names, optional
        Those of the choices that must agree with a run that is resumed; None: all of them.
    **choices
        Fields of `kpcli.TrainOptions`; ``augment`` may be a number, its strength.

    Returns
    -------
    ModelBundle
        Its ``path`` is a ``model`` for the other functions.

    Raises
    ------
    KpcliError
        For data, options or weights that cannot be used.
    """
    from kpcli.progress import bars
    from kpcli.workflows.train import train

    given = {*(choices if given is None else given)}
    if recipe is not None:
        from kpcli.recipes import recipe_options

        given |= {*recipe_options(recipe)}
        choices = {**recipe_options(recipe), **choices}
    if isinstance(choices.get("augment"), int | float):
        choices["augment"] = AugmentOptions(strength=float(choices["augment"]))
    values = {**choices, "csv": csv, "out": out}
    with bars(verbose):
        return train(TrainOptions(**checked(TrainOptions, values)), _say(verbose), given)


@shows_fields(EvalOptions)
def evaluate(csv: Name, *, verbose: bool = False, **choices: Any) -> Evaluation:
    """Score a model on one split of a prepared CSV, and write the report's files.

    Parameters
    ----------
    csv : path
    verbose : bool
        Print the table.
    **choices
        Fields of `kpcli.EvalOptions`, such as ``split="test"`` or ``model="large"``.

    Returns
    -------
    Evaluation
        ``errors`` (B,) in percent of the normaliser, infinite where a face was missed, and what
        else the table is made of.

    Raises
    ------
    KpcliError
        If the CSV, the model or an option cannot be used.
    """
    from kpcli.progress import bars
    from kpcli.workflows.evaluate.run import evaluate

    if isinstance(choices.get("model"), list | tuple):
        first, *others = choices["model"]
        choices = {**choices, "model": first, "against": tuple(others)}
    choices["by"] = tuple(choices.get("by", ()))
    options = EvalOptions(**checked(EvalOptions, {**choices, "csv": csv}))
    with bars(verbose):
        return evaluate(options, say=_say(verbose))


@shows_fields(ExportOptions)
def export(bundle: Name, *, to: str, verbose: bool = False, **choices: Any) -> Exported:
    """Write a model's export for another runtime into its bundle or a copy, checked.

    Parameters
    ----------
    bundle : path or str
        A bundle folder, or an embedded model's name (then ``out`` is needed).
    to : str
        ``onnx``, ``litert``, ``openvino``, ``saved_model``, or ``web``: a page for browsers.
    verbose : bool
        Print what the checks gave.
    **choices
        Fields of `kpcli.ExportOptions`.

    Returns
    -------
    Exported
        ``path`` of the file or folder.

    Raises
    ------
    KpcliError
        If the bundle cannot be exported, a package is missing, or int8 loses too much.
    """
    from kpcli.progress import bars
    from kpcli.workflows.export import run, web

    options = ExportOptions(**checked(ExportOptions, {**choices, "bundle": str(bundle), "to": to}))
    with bars(verbose):
        write = web.write_page if to == "web" else run.export
        return write(options, _say(verbose))


def read_landmarks(path: Name, *, long: bool = False) -> pd.DataFrame:
    """Read a ``landmarks.csv``, or that of annotate's output folder.

    Parameters
    ----------
    path : path
    long : bool
        One row a point, with ``file, frame, timestamp, face_id, point, name, x, y,
        confidence`` (and ``smooth_x, smooth_y`` where the CSV has them), of faces only; else the
        CSV's own rows and columns, one row a face a frame.

    Returns
    -------
    pandas.DataFrame
        Pixels; ``frame`` counts from 1, ``point`` from 0; ``timestamp`` in seconds.

    Raises
    ------
    InputError
        If there is no such file, or it is none of annotate's.

    Examples
    --------
    >>> table = read_landmarks("annotated")
    >>> mouth = read_landmarks("annotated", long=True).query("name.str.contains('lip')")
    """
    from kpcli.writers.landmark_table import read_table

    return read_table(Path(path), long=long)


def _say(verbose: bool) -> Callable[[str], None]:
    return (lambda line: print(shown(line))) if verbose else lambda line: None
