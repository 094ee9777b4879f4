"""kpcli eval: score a model bundle on one split of a prepared CSV."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from kpcli.dataset_csv import BOXES, read_dataset
from kpcli.detectors.boxes_file import BoxesFile
from kpcli.errors import InputError, ModelError, UsageError
from kpcli.files import check_writable
from kpcli.inference.predictor import Predictor
from kpcli.inference.upright import FacePredictor
from kpcli.metrics import Protocol, nme, normalisers, protocol_for
from kpcli.model_bundle import LANDMARKS, ModelBundle, ModelCard
from kpcli.options import EvalOptions
from kpcli.outputs import Outputs
from kpcli.plug_ins import Detector
from kpcli.schemes import LandmarkScheme, can_convert, get_scheme, key_of
from kpcli.types import Sample
from kpcli.workflows.evaluate.comparison import FILE, compare, write_comparisons
from kpcli.workflows.evaluate.faces import ScoredFace, Unreadable, predict_faces
from kpcli.workflows.evaluate.groups import check_names
from kpcli.workflows.evaluate.report import FILES, write_report
from kpcli.workflows.evaluate.result import LABELS, Comparison, Evaluation


def evaluate(
    options: EvalOptions,
    *,
    predictor: FacePredictor | None = None,
    detector: Detector | None = None,
    say: Callable[[str], None] = print,
) -> Evaluation:
    """Score the split, say the table and write the report's files into ``options.out``.

    ``predictor`` and ``detector`` stand in for those that the options name.

    Raises
    ------
    UsageError
        If there is no such protocol or detector, or the schemes do not go together.
    InputError
        If the CSV is unusable, the split is empty, or no picture can be read.
    ModelError
        If the bundle cannot be used.
    """
    lines: list[str] = []

    def tell(line: str) -> None:
        lines.append(line)
        say(line)

    samples = read_split(options)
    check_names(samples, options.by)
    scheme = get_scheme(samples[0].scheme)
    protocol = protocol_for(scheme, options.protocol)
    if options.cut is not None:
        protocol = replace(protocol, cut=options.cut)
    if detector is None and options.boxes != LABELS:
        from kpcli.detectors import create_detector

        detector = create_detector(options.boxes, options.detect_size)
    if predictor is None:
        bundle = ModelBundle.open(options.model)
        check_schemes(bundle.card, scheme, options)  # before the slow loading of Keras
        predictor = Predictor(bundle, options.runtime, tta=options.tta)
        tell(predictor.runtime_line)
    else:
        check_schemes(predictor.card, scheme, options)
    for name in options.against:
        check_schemes(ModelBundle.open(name).card, scheme, replace(options, model=name))
    if isinstance(detector, BoxesFile):
        detector.check({sample.image for sample in samples})
    outputs = Outputs(folder(options), "eval")
    check_writable(outputs.folder / FILES[0])
    outputs.check([*FILES, FILE])
    outputs.spare([options.csv])
    evaluation = measure(samples, scheme, protocol, predictor, detector, options)
    with outputs.staging() as staging:
        write_report(evaluation, staging, tell)
        comparisons = _compare(evaluation, detector, tell)
        if comparisons:
            write_comparisons(staging / FILE, comparisons)
        outputs.publish_all(staging)
    tell(f"report: {outputs.folder} ({', '.join(FILES)})")
    for comparison in comparisons:
        tell(comparison.line())
    return replace(evaluation, comparisons=comparisons, lines=lines)


def _compare(
    evaluation: Evaluation, detector: Detector | None, say: Callable[[str], None]
) -> list[Comparison]:
    """Score the models that are to be compared, each with a report of its own."""
    options = evaluation.options
    found = []
    for number, name in enumerate(options.against, start=2):
        place = folder(options) / f"model_{number}"
        other = replace(options, model=name, against=(), out=place)
        found.append(compare(evaluation, evaluate(other, detector=detector, say=say)))
    return found


def folder(options: EvalOptions) -> Path:
    """Where the report goes."""
    return options.out or Path(f"eval_{options.csv.stem}_{options.split}")


def read_split(options: EvalOptions) -> list[Sample]:
    """The split's faces; at least one."""
    samples = read_dataset(options.csv, split=options.split, root=options.root)
    if not samples:
        there = Counter(s.split for s in read_dataset(options.csv, root=options.root))
        raise InputError(
            f"{options.csv}: split {options.split!r} is empty",
            expected="a split with faces",
            actual=", ".join(f"{name} ({n} rows)" for name, n in there.items()) or "an empty CSV",
            next_step="choose one of these with --split",
        )
    if samples[0].scheme == BOXES:
        raise InputError(
            f"{options.csv}: the rows hold boxes and no landmarks",
            next_step="prepare a dataset with landmarks",
        )
    return samples


def check_schemes(card: ModelCard, labels: LandmarkScheme, options: EvalOptions) -> None:
    """Refuse a model that is none for landmarks, or whose points no map takes to the labels'."""
    if card.task != LANDMARKS:
        raise ModelError(
            f"--model {options.model}: its task is {card.task!r}", expected=f"{LANDMARKS!r}"
        )
    model = card.landmark_scheme.name
    if not can_convert(key_of(card.landmark_scheme), key_of(labels)):
        raise UsageError(
            f"--model {options.model} gives {model} points, {options.csv} holds {labels.name}",
            expected=f"a model of scheme {labels.name}, or of one that converts to it",
            next_step=f"run `kpcli prepare` with --scheme {model}, or choose another model",
        )


def measure(
    samples: Sequence[Sample],
    scheme: LandmarkScheme,
    protocol: Protocol,
    predictor: FacePredictor,
    detector: Detector | None,
    options: EvalOptions,
) -> Evaluation:
    """Predict all faces and compute their errors."""
    items = list(predict_faces(samples, predictor, detector))
    unreadable = [item for item in items if isinstance(item, Unreadable)]
    faces = [item for item in items if isinstance(item, ScoredFace)]
    if not faces:
        raise InputError(
            f"{options.csv}: none of the {len(unreadable)} faces of {options.split!r} can be used",
            actual=unreadable[0].reason,
            next_step="say where the pictures are with --root, or run `kpcli prepare` again",
        )
    predicted = np.stack([face.points for face in faces])
    truth = np.stack([face.sample.points for face in faces])
    lengths = normalisers(truth, scheme, protocol.name)
    regions = {name: list(points) for name, points in scheme.regions.items()}
    return Evaluation(
        options=options,
        scheme=scheme,
        protocol=protocol,
        box_source=_box_source(predictor.card.face_box, options.boxes),
        faces=faces,
        errors=nme(predicted, truth, lengths),
        region_errors={
            name: nme(predicted[:, points], truth[:, points], lengths)
            for name, points in regions.items()
        },
        unreadable=unreadable,
    )


def _box_source(face_box: str, boxes: str) -> str:
    if boxes != LABELS:
        return f"detector {boxes}"
    kinds = {"landmarks": "box around the points", "image": "the whole picture"}
    return "labels: " + kinds.get(face_box, "the CSV's box")
