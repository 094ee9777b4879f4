"""One frozen dataclass a command: the only home of defaults."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, get_args

from kpcli.errors import UsageError
from kpcli.ranges import Amount, AtLeastOne, Count, CutShare, InRange, Range, Seconds, Share

FREE = {"free": True}
"""Metadata of a field on which no row depends: a run may go on with another value."""

AUTO = "auto"
Device = Literal["auto", "cpu", "cuda", "coreml", "directml", "openvino"]
DEVICES = get_args(Device)
"""Devices that run the networks; ``auto``: a CUDA GPU if ONNX Runtime has one, else the
processor.
"""

DetectSize = Annotated[int, Range(64)]
DETECT_SIZE = 640
"""Long side in pixels at which faces are looked for."""


PrepareBox = Literal["file", "points"]
Exif = Literal["auto", "upright", "stored"]
EXIF = get_args(Exif)


@dataclass(frozen=True)
class PrepareOptions(InRange):
    """Options of ``kpcli prepare``."""

    sources: tuple[Path, ...]
    out: Path
    format: str | None = None
    scheme: str | None = None
    val: CutShare = 0.0
    seed: Count = 0
    strict: bool = False
    preview: Path | None = None
    face_box: PrepareBox = "file"
    """``file``: the dataset's box where it has one; ``points``: always derived."""
    images: Path | None = None
    """Where to look for pictures that do not lie where their labels say."""
    split: str | None = None
    """The split of all rows, whatever folders and names tell."""
    test: CutShare = 0.0
    """Share of train to cut off for the test, by group."""
    group_by: str | None = None
    """``none``, ``folder`` or a regular expression; None: what the format knows."""
    keep_split: Path | None = None
    """An earlier CSV: its pictures stay on their sides."""
    exif: Exif = "auto"
    """On which pixels of photos that EXIF turns labels were drawn: one of `EXIF`."""


@dataclass(frozen=True)
class AugmentOptions(InRange):
    """Ranges of the random changes to a training face; see kpcli.training.augment."""

    rotation: Amount = 30.0
    """Standard deviation is half of it, degrees; one face in seven turns up to thrice as far."""
    scale: Amount = 0.12
    shift: Amount = 0.06
    """Standard deviation of the crop centre's shift, in box sides."""
    flip: Share = 0.5
    colour: Share = 0.7
    gray: Share = 0.1
    blur: Share = 0.2
    shrink: Share = 0.25
    jpeg: Share = 0.2
    occlude: Share = 0.35
    strength: Amount = 1.0
    """Scales all of the above; 0 switches augmentation off."""


@dataclass(frozen=True)
class DetectionOptions(InRange):
    """What only the training of a face detector needs; see kpcli.training.detection.batches."""

    landmark_share: Share = 0.25
    """Share of training pictures that are mosaics of landmarked faces."""
    crop_size: Annotated[int, Range(32)] = 320
    """Side of a training picture; every fourth batch has twice that and a quarter as many."""
    crops_a_picture: AtLeastOne = 2
    """Crops taken of a boxed picture in an epoch."""


Tta = Literal["none", "flip"]
NO_TTA: Tta = "none"
FLIP: Tta = "flip"
TTAS = get_args(Tta)
"""Test-time augmentation: with ``flip`` each crop is also looked at mirrored, and the mean taken:
twice the time, points a little closer."""

Loss = Literal["mse", "l1", "smooth_l1", "wing", "adaptive_wing", "gaussian_nll"]
Schedule = Literal["cosine", "step", "constant"]
Precision = Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"]
TrainBox = Literal["landmarks", "dataset", "image"]
LOSS_NAMES = get_args(Loss)
SCHEDULES = get_args(Schedule)
PRECISIONS = get_args(Precision)
FACE_BOXES = get_args(TrainBox)
OLD_FACE_BOXES = {"csv": "dataset", "file": "dataset"}
"""Earlier versions' names of kinds of face boxes, and today's."""

CUT_SEED = 3
"""Seed of the cut of validation faces out of train, whatever ``--seed`` is: a training that starts
from an earlier one never validates on faces that the earlier one was trained on. The value is that
of the shipped detector's last run.
"""


@dataclass(frozen=True)
class TrainOptions(InRange):
    """Options of ``kpcli train``."""

    csv: Path
    out: Path = field(metadata=FREE)
    arch: str = "heatmap_fpn"
    epochs: AtLeastOne = 60
    batch_size: AtLeastOne = 32
    learning_rate: Amount = 1.5e-3
    weight_decay: Amount = 1e-4
    loss: Loss = "wing"
    soft_weight: Share = 1.0
    """Weight of points labelled as occluded (COCO's v 1); below 1 they may slide along the outline
    too, see `kpcli.training.landmarks.losses.slid`: where a dataset lays them there by eye."""
    schedule: Schedule = "cosine"
    warmup_epochs: Amount = 2.0
    ema: Annotated[float, Range(0, 0.99999)] = 0.998
    """Momentum of the exponential moving average of weights; 0 switches it off."""
    clip_norm: Amount = 5.0
    patience: Count = 0
    """Stop after so many epochs without a better validation NME; 0 never stops early."""
    val: CutShare = 0.1
    """Share of train, cut by group, to validate on if the CSV has no val rows."""
    seed: Count = 0
    crop_scale: Annotated[float, Range(0.5)] = 1.3
    face_box: TrainBox = "landmarks"
    """``landmarks``: the box kpcli's detectors aim at, from the points; ``dataset``: the CSV's;
    ``image``: the whole picture."""
    weights: str = "none"
    init: str | None = None
    """A bundle whose weights to start from (where shapes fit), or ``default``."""
    precision: Precision = "auto"
    augment: AugmentOptions = AugmentOptions()
    negatives: Path | None = None
    """A CSV of boxes (widerface): crops of its pictures that show no face train the confidence."""
    negative_share: Share = 0.06
    faces: Path | None = None
    """For a detector, a CSV of 68-point faces: they teach it the landmark box."""
    detection: DetectionOptions = DetectionOptions()
    cache_mb: Count = field(default=4096, metadata=FREE)
    resume: bool = field(default=False, metadata=FREE)
    root: Path | None = field(default=None, metadata=FREE)
    config: Path | None = field(default=None, metadata=FREE)
    """The project file whose values stand above; see kpcli.cli.config."""


ProtocolName = Literal["ocular", "pupil", "box"]


@dataclass(frozen=True)
class EvalOptions(InRange):
    """Options of ``kpcli eval``."""

    csv: Path
    split: str = "test"
    model: str = "default"
    against: tuple[str, ...] = ()
    """Further models, compared with the first face by face."""
    by: tuple[str, ...] = ()
    """Names of groups to tell apart; see `kpcli.workflows.evaluate.groups.chosen_groups`."""
    protocol: ProtocolName | None = None
    """What errors are divided by; None: the scheme's own."""
    cut: Annotated[float, Range(1e-9)] | None = None
    """Percent of the normaliser above which a face counts as failed; None: the protocol's."""
    boxes: str = "labels"
    """``labels``, or a detector such as ``haar``."""
    detect_size: DetectSize = DETECT_SIZE
    out: Path | None = None
    """Folder of the report; None: ``eval_<CSV's name>_<split>`` in the current folder."""
    root: Path | None = None
    runtime: str = "auto"
    tta: Tta = NO_TTA
    """One of `TTAS`."""
    bootstrap: Count = 1000
    seed: Count = 0


@dataclass(frozen=True)
class FrameSelection(InRange):
    """Which frames of a video or animation to annotate; stills are always annotated."""

    every: AtLeastOne = 1
    """Every Nth frame, counted from the first selected one."""
    first: AtLeastOne = 1
    last: AtLeastOne | None = None
    """Frame numbers count from 1; both ends are included."""
    start: Seconds | None = None
    end: Seconds | None = None
    """Presentation times in seconds; both ends are included."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, first, last in (("last", self.first, self.last), ("end", self.start, self.end)):
            if first is not None and last is not None and last < first:
                raise UsageError(f"{name}: lies before the first", actual=f"{first:g} to {last:g}")


ALL_FRAMES = FrameSelection()


Smoothing = Literal["none", "one-euro"]
SMOOTHINGS = get_args(Smoothing)
NO_SMOOTHING: Smoothing = "none"

Engine = Literal["local", "ray"]
ENGINES = get_args(Engine)
LOCAL: Engine = "local"
RAY: Engine = "ray"


@dataclass(frozen=True, kw_only=True)
class FaceOptions(InRange):
    """How faces and their landmarks are found: what annotate and the library share."""

    model: str = "default"
    """A bundle's folder, or the name of an embedded one."""
    runtime: str = AUTO
    device: Device = "auto"
    """One of `DEVICES`: for the detector and the landmark model."""
    tta: Tta = NO_TTA
    """One of `TTAS`."""
    detector: str = "builtin"
    detect_size: DetectSize = DETECT_SIZE
    detect_every: Count = 0
    """In videos the detector looks at every such frame, and landmarks lead on between; 0: where
    something changes, see `kpcli.inference.propagation`."""
    max_faces: Count = 0
    """Of a frame, the best so many faces; 0: all."""
    min_confidence: Share = 0.35
    """Faces below are left out."""
    pose: bool = True
    """Yaw, pitch and roll, where the scheme has 68 points."""
    smooth: Smoothing = NO_SMOOTHING
    """Points steadied over time, beside the raw ones."""
    measures: bool = False
    """Eye and mouth opening, brows, asymmetry, size, sharpness; see `kpcli.types.Measures`."""
    batch_size: AtLeastOne = 32
    """Faces that the model sees at once."""


@dataclass(frozen=True)
class BatchOptions(InRange):
    """Which files a run works on, and how: what annotate and anonymise share."""

    inputs: tuple[Path, ...] = field(metadata=FREE)
    """The plan's folder and files are compared instead."""
    out: Path = field(metadata=FREE)
    folder: bool = field(default=True, metadata=FREE)
    """``inputs`` is one folder; else files."""
    recursive: bool = True
    resume: bool = field(default=False, metadata=FREE)
    overwrite: bool = field(default=False, metadata=FREE)
    dry_run: bool = field(default=False, metadata=FREE)
    workers: Count = field(default=0, metadata=FREE)
    """Processes; 1: none but this one; 0: as the work and the machine suggest.

    With Ray, CPUs of the cluster; 0: all of them.
    """
    timeout: Amount = field(default=120.0, metadata=FREE)
    """Seconds that a picture or a video frame may take; 0: no limit."""
    max_megapixels: Annotated[float, Range(0.01)] = field(default=200.0, metadata=FREE)
    """Pictures and videos of larger frames are not read."""
    config: Path | None = field(default=None, metadata=FREE)
    """The project file whose values stand above; see kpcli.cli.config."""


@dataclass(frozen=True)
class AnnotateOptions(FaceOptions, BatchOptions):
    """Options of ``kpcli annotate``."""

    overlays: bool = True
    draw: tuple[str, ...] = ("landmarks",)
    """What overlays show: of `kpcli.drawing.style.KINDS`; ``KIND:COLOUR``, ``stickers:NAME``."""
    draw_size: Annotated[float, Range(0.1, 20)] = 1.0
    """Times the width of its lines, points and text."""
    overlay_fps: Annotated[float, Range(0, 240)] = 0.0
    """Frames a second of overlay videos; 0: at the source's times."""
    frames_out: bool = False
    """Write the frames as pictures, by the names that COCO, Label Studio and others refer to."""
    crops: bool = False
    """Write a picture a face; see `kpcli.workflows.annotate.crops`."""
    crop_size: Annotated[int, Range(16, 4096)] = 256
    """Side of these pictures in pixels."""
    align: bool = False
    """Turn, move and scale the face in it: upright, its eyes always in the same place."""
    crop_every: AtLeastOne = 1
    """Of videos, crop the faces of every so many annotated frames."""
    formats: tuple[str, ...] = field(default=("csv",), metadata=FREE)
    frames: FrameSelection = ALL_FRAMES
    shard: tuple[int, int] = (1, 1)
    """(i, n): of n parts of all files, chosen by name, only the ith, from 1."""
    engine: Engine = field(default=LOCAL, metadata=FREE)
    """Where the work is done; the results are the same."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.shard[0] <= self.shard[1]:
            raise UsageError("shard: no part of a whole", expected="(1, 4)", actual=f"{self.shard}")


Cover = Literal["blur", "pixelate", "fill", "oval"]
COVERS = get_args(Cover)


@dataclass(frozen=True)
class AnonymiseOptions(BatchOptions):
    """Options of ``kpcli anonymise``."""

    how: Cover = "blur"
    """One of `COVERS`; see `kpcli.workflows.anonymise.covers`."""
    keep: Path | None = None
    """A CSV of faces that stay bare; see `kpcli.workflows.anonymise.chosen`."""
    only: Path | None = None
    """A CSV of the only faces to cover."""
    also: Path | None = None
    """A CSV of faces to cover too, found or not."""
    least_score: Annotated[float, Range(0.02, 1)] = 0.02
    """Score of the detector from which on something in a picture is covered; annotate's is 0.55.
    Chosen on half of WIDER's val: the highest that leaves less than 1 % of the faces bare
    (tests/benchmarks/anonymise_leaks.py wider-choose)."""
    least_score_video: Annotated[float, Range(0.02, 1)] = 0.43
    """The same of videos: a face has it once among its many frames. In dark clips with faces of 10
    to 25 pixels 2.6 % of them stay bare (tests/benchmarks/anonymise_leaks.py dark); with less,
    more of a dim scene is covered needlessly."""
    grow: Annotated[float, Range(0, 5)] = 1.0
    """Scale of what is covered around the face: hair, ears, beard."""
    detect_size: DetectSize = 1024
    """Long side in pixels of the finer look at pictures; videos are looked at at 640."""
    device: Device = "auto"
    """One of `DEVICES`."""
    sound: bool = True
    """Keep the sound of videos: voices tell people apart too."""


Pace = Literal["auto", "real-time", "every-frame"]
EVERY_FRAME: Pace = "every-frame"


@dataclass(frozen=True)
class LiveOptions(FaceOptions):
    """Options of ``kpcli live``."""

    source: str = ""
    """A video's path, or a URL; "": the camera."""
    camera: str = "0"
    """A camera's number, its device, or a part of its name."""
    size: tuple[int, int] | None = None
    """Width and height to ask the camera for."""
    pace: Pace = "auto"
    """Of a file: ``real-time``, by its own times, where frames are dropped that come too fast;
    ``every-frame``: none is; auto: the second without a window, else the first."""
    seconds: Amount = 0.0
    """Stop after so many seconds of the source; 0: at its end."""
    headless: bool = False
    """Without a window."""
    record: Path | None = None
    """Folder for landmarks.csv and a recording from the first frame on. None: no table; pictures
    and recordings that keys ask for go into ``live`` in the current folder."""
    video: bool = True
    """Whether ``record`` records pictures too."""
    draw: tuple[str, ...] = ("landmarks",)
    """What is drawn; see `AnnotateOptions`."""
    draw_size: Annotated[float, Range(0.1, 20)] = 1.0
    """Times the width of its lines, points and text."""
    overwrite: bool = False


Quantize = Literal["none", "float16", "int8"]


@dataclass(frozen=True)
class ExportOptions:
    """Options of ``kpcli export``."""

    bundle: str
    to: str
    quantize: Quantize = "none"
    """``none``, ``float16`` (weights) or ``int8``."""
    calibrate: Path | None = None
    """A CSV whose train rows show int8 what the model sees."""
    csv: Path | None = None
    """A CSV to check the export on; None: ``calibrate``, and without it drawn crops."""
    split: str = "val"
    """Rows of ``csv`` to check on."""
    root: Path | None = None
    out: Path | None = None
    """A copy of the bundle, to be made, that the export comes into; None: into the bundle.
    Of ``web``, the page; None: page.html."""
    force: bool = False
    """Keep an int8 export that is too far from float32."""
    example: bool = False
    """Beside the export, a script that runs it without kpcli, and a text that says how."""
    web_runtime: Path | None = None
    """For ``web``: the npm package onnxruntime-web (``.tgz`` or folder); None: in this folder."""


@dataclass(frozen=True)
class InspectOptions:
    """Options of ``kpcli inspect``."""

    model: str
    image: Path
    out: Path
    detector: str = AnnotateOptions.detector


@dataclass(frozen=True)
class BenchOptions(InRange):
    """Options of ``kpcli bench``."""

    pictures: tuple[Path, ...] = ()
    """Files or folders; none: drawn pictures."""
    model: str = AnnotateOptions.model
    detector: str = AnnotateOptions.detector
    threads: Count = 0
    """CPU threads of the model; 0: as many as the library likes."""
    repeats: AtLeastOne = 5
    json: Path | None = None
    device_profile: str | None = None
    """A .tflite file, or a bundle that holds one: time it layer by layer, and nothing else."""
    out: Path | None = None
    """The device profile's folder."""


@dataclass(frozen=True)
class MergeOptions:
    """Options of ``kpcli merge``."""

    shards: tuple[Path, ...]
    """Output folders of ``kpcli annotate --shard i/n``, all n of them."""
    out: Path
    formats: tuple[str, ...] = ("csv",)
    overwrite: bool = False
    config: Path | None = None


@dataclass(frozen=True)
class ReportOptions:
    """Options of ``kpcli report``."""

    folders: tuple[Path, ...]
    """An output folder of annotate or eval; with ``compare`` two of a kind, or two tables."""
    compare: bool = False
    out: Path | None = None
    """The page; None: report.html in the folder; of a comparison, compare.html in this folder."""
    root: Path | None = None
    """Where the sources are now; None: where they were."""


@dataclass(frozen=True, kw_only=True)
class QueueOptions(InRange):
    """Which faces deserve a look: what suggest and review share."""

    source: Path
    """An output folder of annotate, or a CSV of prepare."""
    n: AtLeastOne = 50
    """Faces and frames in the queue."""
    model: str | None = None
    """A bundle to look with; None: the one that annotated, of a CSV none."""
    copies: bool = True
    """Have the model look at mirrored and turned copies of the first candidates."""
    unlike: Path | None = None
    """The CSV of the training: faces of poses and shapes that it lacks come first."""
    root: Path | None = None
    """Where the sources are now; None: where they were."""


@dataclass(frozen=True, kw_only=True)
class AverageOptions(InRange):
    """Options of ``kpcli average``."""

    folder: Path
    """Its pictures; videos are passed over."""
    out: Path = Path("average.png")
    size: Annotated[int, Range(32, 4096)] = 512
    """Side of the result in pixels."""
    model: str = "default"
    """A bundle's folder, or the name of an embedded one."""
    device: Device = "auto"
    """One of `DEVICES`."""
    min_confidence: Share = 0.6
    """Faces below are left out: a mean needs no doubtful ones."""
    recursive: bool = True


@dataclass(frozen=True, kw_only=True)
class SuggestOptions(QueueOptions):
    """Options of ``kpcli suggest``."""

    out: Path | None = None
    """A CSV of the queue to write."""


@dataclass(frozen=True, kw_only=True)
class ReviewOptions(QueueOptions):
    """Options of ``kpcli review``."""

    out: Path | None = None
    """Folder of the corrections; None: ``review`` in the folder, ``NAME_review`` beside a CSV."""
    port: Annotated[int, Range(0, 65535)] = 0
    """Of the page on 127.0.0.1; 0: any that is free."""
    browser: bool = True
    """Open the page in the browser."""
    who: str = ""
    """Name that stands with the corrections; "": the user's on this machine."""
