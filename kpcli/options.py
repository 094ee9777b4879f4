"""One frozen dataclass a command: the only home of defaults."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

FREE = {"free": True}
"""Metadata of a field on which no row depends: a run may go on with another value."""

DETECT_SIZE = 640
"""Long side in pixels at which faces are looked for."""


@dataclass(frozen=True)
class PrepareOptions:
    """Options of ``kpcli prepare``."""

    sources: tuple[Path, ...]
    out: Path
    format: str | None = None
    scheme: str | None = None
    val: float = 0.0
    seed: int = 0
    strict: bool = False
    preview: Path | None = None
    face_box: str = "file"
    """``file``: the dataset's box where it has one; ``points``: always derived."""


@dataclass(frozen=True)
class AugmentOptions:
    """Ranges of the random changes to a training face; see kpcli.training.augment."""

    rotation: float = 30.0
    """Standard deviation is half of it, degrees; one face in seven turns up to thrice as far."""
    scale: float = 0.12
    shift: float = 0.06
    """Standard deviation of the crop centre's shift, in box sides."""
    flip: float = 0.5
    colour: float = 0.7
    gray: float = 0.1
    blur: float = 0.2
    shrink: float = 0.25
    jpeg: float = 0.2
    occlude: float = 0.35
    strength: float = 1.0
    """Scales all of the above; 0 switches augmentation off."""


@dataclass(frozen=True)
class DetectionOptions:
    """What only the training of a face detector needs; see kpcli.training.detection.batches."""

    landmark_share: float = 0.25
    """Share of training pictures that are mosaics of landmarked faces."""
    crop_size: int = 320
    """Side of a training picture; every fourth batch has twice that and a quarter as many."""
    crops_a_picture: int = 2
    """Crops taken of a boxed picture in an epoch."""


NO_TTA, FLIP = "none", "flip"
TTAS = (NO_TTA, FLIP)
"""Test-time augmentation: with ``flip`` each crop is also looked at mirrored, and the mean taken:
twice the time, points a little closer."""

LOSS_NAMES = ("mse", "l1", "smooth_l1", "wing", "adaptive_wing", "gaussian_nll")
SCHEDULES = ("cosine", "step", "constant")
PRECISIONS = ("auto", "float32", "mixed_bfloat16", "mixed_float16")
FACE_BOXES = ("landmarks", "csv")

CUT_SEED = 3
"""Of the cut of validation faces out of train, whatever ``--seed`` is.

A training that starts from an earlier one thus never validates on faces that it was trained on.
It is the cut of the shipped detector's last run.
"""


@dataclass(frozen=True)
class TrainOptions:
    """Options of ``kpcli train``."""

    csv: Path
    out: Path
    arch: str = "heatmap_fpn"
    epochs: int = 60
    batch_size: int = 32
    learning_rate: float = 1.5e-3
    weight_decay: float = 1e-4
    loss: str = "wing"
    """One of `LOSS_NAMES`; ``schedule``, ``precision`` and ``face_box`` have such lists too."""
    soft_weight: float = 1.0
    """Weight of points labelled as occluded (COCO's v 1); below 1 they may slide along the outline
    too, see `kpcli.training.landmarks.losses.slid`: where a dataset lays them there by eye."""
    schedule: str = "cosine"
    warmup_epochs: float = 2.0
    ema: float = 0.998
    """Momentum of the exponential moving average of weights; 0 switches it off."""
    clip_norm: float = 5.0
    patience: int = 0
    """Stop after so many epochs without a better validation NME; 0 never stops early."""
    val: float = 0.1
    """Share of train, cut by group, to validate on if the CSV has no val rows."""
    seed: int = 0
    crop_scale: float = 1.3
    face_box: str = "landmarks"
    """``landmarks``: the box kpcli's detectors aim at, from the points; ``csv``: the CSV's box."""
    weights: str = "none"
    init: str | None = None
    """A bundle whose weights to start from (where shapes fit), or ``default``."""
    precision: str = "auto"
    augment: AugmentOptions = AugmentOptions()
    negatives: Path | None = None
    """A CSV of boxes (widerface): crops of its pictures that show no face train the confidence."""
    negative_share: float = 0.06
    faces: Path | None = None
    """For a detector, a CSV of 68-point faces: they teach it the landmark box."""
    detection: DetectionOptions = DetectionOptions()
    cache_mb: int = 4096
    resume: bool = False
    root: Path | None = None


@dataclass(frozen=True)
class EvalOptions:
    """Options of ``kpcli eval``."""

    csv: Path
    split: str = "test"
    model: str = "default"
    protocol: str | None = None
    """``ocular``, ``pupil`` or ``box``; None: the scheme's own."""
    cut: float | None = None
    """Percent of the normaliser above which a face counts as failed; None: the protocol's."""
    boxes: str = "labels"
    """``labels``, or a detector such as ``haar``."""
    detect_size: int = DETECT_SIZE
    out: Path | None = None
    """Folder of the report; None: ``eval_<CSV's name>_<split>`` in the current folder."""
    root: Path | None = None
    runtime: str = "auto"
    tta: str = NO_TTA
    """One of `TTAS`."""
    bootstrap: int = 1000
    seed: int = 0


@dataclass(frozen=True)
class FrameSelection:
    """Which frames of a video or animation to annotate; stills are always annotated."""

    every: int = 1
    """Every Nth frame, counted from the first selected one."""
    first: int = 1
    last: int | None = None
    """Frame numbers count from 1; both ends are included."""
    start: float | None = None
    end: float | None = None
    """Presentation times in seconds; both ends are included."""


ALL_FRAMES = FrameSelection()


NO_SMOOTHING = "none"
SMOOTHINGS = (NO_SMOOTHING, "one-euro")


LOCAL, RAY = "local", "ray"
ENGINES = (LOCAL, RAY)


@dataclass(frozen=True, kw_only=True)
class FaceOptions:
    """How faces and their landmarks are found: what annotate, live and the library share."""

    model: str = "default"
    """A bundle's folder, or the name of an embedded one."""
    runtime: str = "auto"
    tta: str = NO_TTA
    """One of `TTAS`."""
    detector: str = "builtin"
    detect_size: int = DETECT_SIZE
    detect_every: int = 1
    """In videos the detector looks at every such frame, and landmarks lead on between."""
    max_faces: int = 0
    """Of a frame, the best so many faces; 0: all."""
    min_confidence: float = 0.35
    """Faces below are left out."""
    pose: bool = True
    """Yaw, pitch and roll, where the scheme has 68 points."""
    smooth: str = NO_SMOOTHING
    """One of `SMOOTHINGS`: points steadied over time, beside the raw ones."""
    batch_size: int = 32
    """Faces that the model sees at once."""


@dataclass(frozen=True)
class AnnotateOptions(FaceOptions):
    """Options of ``kpcli annotate``."""

    inputs: tuple[Path, ...] = field(metadata=FREE)
    """The plan's folder and files are compared instead."""
    out: Path = field(metadata=FREE)
    folder: bool = field(default=True, metadata=FREE)
    """``inputs`` is one folder; else files."""
    recursive: bool = True
    overlays: bool = True
    overlay_fps: float = 0.0
    """Frames a second of overlay videos; 0: at the source's times."""
    frames_out: bool = False
    """Write the frames as pictures, by the names that COCO, Label Studio and others refer to."""
    formats: tuple[str, ...] = field(default=("csv",), metadata=FREE)
    frames: FrameSelection = ALL_FRAMES
    shard: tuple[int, int] = (1, 1)
    """(i, n): of n parts of all files, chosen by name, only the ith, from 1."""
    resume: bool = field(default=False, metadata=FREE)
    overwrite: bool = field(default=False, metadata=FREE)
    dry_run: bool = field(default=False, metadata=FREE)
    engine: str = field(default=LOCAL, metadata=FREE)
    """One of `ENGINES`: where the work is done; the results are the same."""
    workers: int = field(default=0, metadata=FREE)
    """Processes; 1: none but this one; 0: as the work and the machine suggest.

    With Ray, CPUs of the cluster; 0: all of them.
    """
    timeout: float = field(default=120.0, metadata=FREE)
    """Seconds that a picture or a video frame may take; 0: no limit."""
    max_megapixels: float = field(default=200.0, metadata=FREE)
    """Pictures and videos of larger frames are not read."""


@dataclass(frozen=True)
class ExportOptions:
    """Options of ``kpcli export``."""

    bundle: str
    to: str
    quantize: str = "none"
    """``none``, ``float16`` (weights) or ``int8``."""
    calibrate: Path | None = None
    """A CSV whose train rows show int8 what the model sees."""
    csv: Path | None = None
    """A CSV to check the twin on; None: ``calibrate``, and without it drawn crops."""
    split: str = "val"
    """Rows of ``csv`` to check on."""
    root: Path | None = None
    out: Path | None = None
    """A copy of the bundle, to be made, that the twin comes into; None: into the bundle."""
    force: bool = False
    """Keep an int8 twin that is too far from float32."""


@dataclass(frozen=True)
class InspectOptions:
    """Options of ``kpcli inspect``."""

    model: str
    image: Path
    out: Path
    detector: str = AnnotateOptions.detector


@dataclass(frozen=True)
class BenchOptions:
    """Options of ``kpcli bench``."""

    pictures: tuple[Path, ...] = ()
    """Files or folders; none: drawn pictures."""
    model: str = AnnotateOptions.model
    detector: str = AnnotateOptions.detector
    threads: int = 0
    """CPU threads of the model; 0: as many as the library likes."""
    repeats: int = 5
    json: Path | None = None


@dataclass(frozen=True)
class MergeOptions:
    """Options of ``kpcli merge``."""

    shards: tuple[Path, ...]
    """Output folders of ``kpcli annotate --shard i/n``, all n of them."""
    out: Path
    formats: tuple[str, ...] = ("csv",)
    overwrite: bool = False
