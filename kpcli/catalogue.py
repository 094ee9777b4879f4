"""The tables of everything that has a name: the only place where a new entry is registered.

Each table maps a name to a module and one line of help; modules load when asked for.
"""

from __future__ import annotations

import importlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, cast, runtime_checkable

from kpcli.errors import ModelError, UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from kpcli.schemes import LandmarkScheme
    from kpcli.types import FaceBox, Frame, FrameFaces, Note, Reject, Sample


@dataclass(frozen=True)
class Entry:
    """One named plug-in."""

    module: str
    help: str


M = TypeVar("M", covariant=True)
E = TypeVar("E", bound=Entry)


class Table(Mapping[str, E], Generic[E, M]):
    """Plug-ins of one kind by name; `load` gives the module, which offers ``M``."""

    def __init__(self, kind: str, entries: Mapping[str, E]) -> None:
        self.kind = kind
        self._entries = entries

    def __getitem__(self, name: str) -> E:
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def load(self, name: str) -> M:
        """Import the module behind a name.

        Raises
        ------
        UsageError
            If the table has no such name.
        ModelError
            If something that the module needs is not installed.
        """
        if name not in self:
            raise UsageError(f"unknown {self.kind} {name!r}", expected=", ".join(self))
        try:
            return cast(M, importlib.import_module(self[name].module))
        except ImportError as e:
            if e.name and e.name.startswith("kpcli"):
                raise
            raise ModelError(
                f"the {self.kind} {name!r} needs a package that is not installed",
                actual=str(e),
                next_step=f"pip install {e.name or 'it'}",
            ) from e


@dataclass(frozen=True)
class Architecture(Entry):
    """One named architecture."""

    weights: tuple[str, ...] = ("none", "file")
    """What it may start from, of ``none``, ``imagenet`` and a file of its weights."""


class DatasetFormat(Protocol):
    """What a module of `FORMATS` offers."""

    def sniff(self, root: Path) -> bool:
        """Whether the folder (or file) looks like this format; cheap, never raises."""

    def read(self, root: Path) -> Iterable[Sample | Reject | Note]:
        """Yield every labelled face as it stands, and a `Reject` for each damaged label."""


class Detector(Protocol):
    """Finds faces; what ``create`` of a module of `DETECTORS` returns."""

    def detect(self, frames: Sequence[Frame]) -> list[list[FaceBox]]:
        """Faces of each frame, best first."""


@runtime_checkable
class GlancingDetector(Detector, Protocol):
    """One that can also look cheaply, for a video's frames between the full looks."""

    def glance(self, frames: Sequence[Frame]) -> list[list[FaceBox]]:
        """Faces of each frame, best first; small ones may be missing."""


class DetectorModule(Protocol):
    """What a module of `DETECTORS` offers."""

    GIVEN: bool
    """The boxes are given, not found: in videos, every frame has its own."""

    def create(self, argument: str | None, size: int, device: str) -> Detector:
        """The detector of ``name:argument``, which looks at this long side in pixels.

        ``device`` is one of `kpcli.options.DEVICES`, where a network of ours finds the faces.
        """


class Writer(Protocol):
    """What ``create`` of a module of `WRITERS` gives inside its ``with`` block."""

    def write(self, frame: FrameFaces) -> None:
        """Add one frame; frames come file by file, in the order of the file."""


class WriterModule(Protocol):
    """What a module of `WRITERS` offers."""

    OUTPUT: str
    """The file or folder it writes, relative to the output folder."""
    PACKAGE: str
    """The library beyond kpcli's own that it imports; "" for none."""

    def create(
        self, out: Path, scheme: LandmarkScheme, extras: Collection[str] = ()
    ) -> AbstractContextManager[Writer]:
        """A writer whose output appears (or is replaced) when the block ends well.

        ``extras`` are names of `kpcli.writers.landmark_csv.Extra`: what the faces have besides.
        """


class ArchitectureModule(Protocol):
    """What a module of `ARCHITECTURES` offers: constants and ``build``."""

    INPUT_SIZE: int
    COLOUR: str
    TASK: str
    """What it is for; see `kpcli.model_bundle.ModelCard`."""

    @property
    def STRIDES(self) -> Sequence[int]:  # noqa: N802
        """Of a detector: pixels between the cells of each scale; else empty."""

    def build(self, n_points: int, *, weights: str = "none") -> Any:
        """A keras.Model: (B, S, S, 3 or 1) in 0..255 to a dict with ``points`` (B, N, 2)."""


class Runtime(Protocol):
    """What ``create`` of a module of `RUNTIMES` returns."""

    line: str
    """The library, its version and the device that runs."""

    def run(self, pictures: NDArray[Any]) -> dict[str, NDArray[np.float32]]:
        """Outputs by name of pictures (B, H, W, C) in 0..255, uint8 or float32."""


class RuntimeModule(Protocol):
    """What a module of `RUNTIMES` offers; importing it does not import its library."""

    FILE: str
    """The export that it runs, a file or folder of the bundle."""
    PACKAGE: str
    """The library that it imports."""
    INSTALL: str
    """What pip installs to have it."""

    def create(self, path: Path, threads: int = 0, device: str = "auto") -> Runtime:
        """Open the export; ``threads`` 0: as many as the library likes.

        ``device`` is one of `kpcli.options.DEVICES`; what does not know it refuses.
        """


class ExporterModule(Protocol):
    """What a module of `EXPORTERS` offers."""

    FILE: str
    """The export that it makes, a file or (without an ending) a folder of the bundle."""

    @property
    def QUANTIZE(self) -> Sequence[str]:  # noqa: N802
        """What it knows of ``none``, ``float16`` (weights) and ``int8``."""

    def export(
        self,
        weights: Path,
        path: Path,
        *,
        quantize: str = "none",
        calibration: Sequence[NDArray[np.uint8]] = (),
    ) -> None:
        """Write the export of ``weights`` to ``path`` (a new file, or a folder that exists).

        ``calibration`` are typical inputs (B, H, W, C), for int8.
        """

    def open_export(self, path: Path) -> Runtime:
        """Open what `export` wrote, to check it."""


FORMATS: Table[Entry, DatasetFormat] = Table(
    "dataset format",
    {
        "ibug": Entry("kpcli.formats.ibug", "iBUG .pts beside the pictures (300-W and others)"),
        "dlib": Entry("kpcli.formats.dlib", "dlib/imglab XML"),
        "celeba": Entry("kpcli.formats.celeba", "CelebA's list files, 5 points"),
        "wflw": Entry("kpcli.formats.wflw", "WFLW's list files, 98 points"),
        "youtube_faces": Entry("kpcli.formats.youtube_faces", "YouTube Faces key-point CSVs"),
        "cofw": Entry("kpcli.formats.cofw", "COFW colour .mat files, 29 points"),
        "aflw2000": Entry("kpcli.formats.aflw2000", "AFLW2000-3D and 300W-LP .mat files"),
        "kaggle": Entry("kpcli.formats.kaggle", "Kaggle facial key points CSV, 15 points"),
        "coco": Entry("kpcli.formats.coco", "COCO keypoints JSON, also WholeBody faces"),
        "labelme": Entry("kpcli.formats.labelme", "labelme JSON, one a picture"),
        "labelstudio": Entry("kpcli.formats.labelstudio", "Label Studio's JSON of key points"),
        "cvat": Entry("kpcli.formats.cvat", "CVAT's XML 1.1, or zips of it or of its COCO"),
        "via": Entry("kpcli.formats.via", "VGG Image Annotator's JSON or CSV"),
        "deeplabcut": Entry("kpcli.formats.deeplabcut", "DeepLabCut's CollectedData CSVs"),
        "fiftyone": Entry("kpcli.formats.fiftyone", "FiftyOne's samples.json with key points"),
        "yolo": Entry("kpcli.formats.yolo", "YOLO pose labels, .txt in 0..1"),
        "text": Entry("kpcli.formats.text_points", "a .txt a picture, `x y` a line (LaPa)"),
        "review": Entry("kpcli.formats.review", "labels corrected in `kpcli review`"),
        "annotated": Entry(
            "kpcli.formats.annotated", "tables of `kpcli annotate`, OpenFace, py-feat"
        ),
        "csv": Entry("kpcli.formats.csv_points", "plain CSV: image, x_0, y_0, x_1 .. in pixels"),
        "widerface": Entry("kpcli.formats.widerface", "WIDER FACE boxes, to train a detector"),
    },
)

DETECTORS: Table[Entry, DetectorModule] = Table(
    "detector",
    {
        "builtin": Entry(
            "kpcli.detectors.builtin", "ours; builtin:BUNDLE for one that you trained"
        ),
        "haar": Entry(
            "kpcli.detectors.haar", "OpenCV's frontal Haar cascade; haar:FILE for another"
        ),
        "ssd": Entry(
            "kpcli.detectors.ssd", "ssd:FILE[,CONFIG], TensorFlow, Caffe, ONNX or TFLite detector"
        ),
        "yunet": Entry("kpcli.detectors.yunet", "yunet:FILE, OpenCV's FaceDetectorYN"),
        "whole_image": Entry("kpcli.detectors.whole_image", "the whole picture is one face"),
        "boxes_file": Entry("kpcli.detectors.boxes_file", "boxes_file:CSV, boxes you already have"),
    },
)

ARCHITECTURES: Table[Architecture, ArchitectureModule] = Table(
    "architecture",
    {
        "heatmap_fpn": Architecture(
            "kpcli.architectures.heatmap_fpn",
            "ours: residual pyramid, soft-argmax, uncertainty",
            weights=("none",),
        ),
        "heatmap_fpn_large": Architecture(
            "kpcli.architectures.heatmap_fpn_large",
            "heatmap_fpn deeper, on 192x192",
            weights=("none",),
        ),
        "vgg_gray100": Architecture(
            "kpcli.architectures.vgg_gray100", "VGG-like stack on 100x100 gray, LeakyReLU, dense"
        ),
        "naimishnet": Architecture("kpcli.architectures.naimishnet", "NaimishNet on 224x224 gray"),
        "naimishnet_light": Architecture(
            "kpcli.architectures.naimishnet_light", "its lighter form with batch normalisation"
        ),
        "mobilenet_regression": Architecture(
            "kpcli.architectures.mobilenet_regression",
            "MobileNet (V1), direct regression",
            weights=("none", "imagenet", "file"),
        ),
        "mobilenetv2_fcn": Architecture(
            "kpcli.architectures.mobilenetv2_fcn",
            "MobileNetV2 to 14x14, then convolutions only",
            weights=("none", "imagenet", "file"),
        ),
        "cnn_gray96": Architecture(
            "kpcli.architectures.cnn_gray96", "small CNN on 96x96 gray for 5 points"
        ),
        "face_detector": Architecture(
            "kpcli.architectures.face_detector",
            "ours: faces as boxes, on a CSV of boxes",
            weights=("none",),
        ),
    },
)

WRITERS: Table[Entry, WriterModule] = Table(
    "writer",
    {
        "csv": Entry("kpcli.writers.landmark_csv", "landmarks.csv, always: a row a face a frame"),
        "excel": Entry(
            "kpcli.writers.excel",
            "landmarks.xlsx: the same table as a workbook, which spreadsheets open right "
            "(umlauts, decimal commas)",
        ),
        "json": Entry(
            "kpcli.writers.json_frames",
            "landmarks.json: one JSON document (not JSON Lines), the scheme and a list of frames",
        ),
        "parquet": Entry("kpcli.writers.parquet", "landmarks.parquet: the CSV's columns, typed"),
        "pts": Entry(
            "kpcli.writers.pts", "pts/FILE_FACE.pts, of videos FILE_FRAME_FACE.pts: iBUG, 1-based"
        ),
        "coco": Entry(
            "kpcli.writers.coco",
            "annotations/person_keypoints_default.json: COCO keypoints; datumaro and "
            "others take the output folder",
        ),
        "openface": Entry(
            "kpcli.writers.openface",
            "openface/FILE.csv: OpenFace 2.2's columns that a landmark tool knows; "
            "pose_Rx, Ry, Rz in radians",
        ),
        "pyfeat": Entry(
            "kpcli.writers.pyfeat", "pyfeat.csv: the Fex table of py-feat 2, angles in radians"
        ),
        "dlc": Entry(
            "kpcli.writers.dlc",
            "dlc/FILE_FACE.csv: DeepLabCut, likelihood 0 where the face is not seen; "
            "stills in pictures_FACE.csv",
        ),
        "cvat": Entry(
            "kpcli.writers.cvat",
            "cvat/labels.json for the label constructor (Raw); zips for the import COCO "
            "Keypoints 1.0",
        ),
        "labelstudio": Entry(
            "kpcli.writers.labelstudio",
            "labelstudio/config.xml, the labelling interface, and tasks.json, to import",
        ),
    },
)

RUNTIMES: Table[Entry, RuntimeModule] = Table(
    "runtime",
    {
        "onnx": Entry("kpcli.runtimes.onnx_runtime", "ONNX Runtime on model.onnx"),
        "onnx_float": Entry(
            "kpcli.runtimes.onnx_float_runtime",
            "ONNX Runtime on model_float.onnx: before onnx where the processor is slow at int8",
        ),
        "litert": Entry("kpcli.runtimes.litert_runtime", "LiteRT on model.tflite"),
        "openvino": Entry("kpcli.runtimes.openvino_runtime", "OpenVINO on openvino/model.xml"),
        "keras": Entry("kpcli.runtimes.keras_runtime", "Keras on model.keras"),
    },
)
"""Runtimes, the fastest first: ``--runtime auto`` takes the first that can run here."""

EXPORTERS: Table[Entry, ExporterModule] = Table(
    "export target",
    {
        "onnx": Entry("kpcli.exporters.onnx", "model.onnx, for ONNX Runtime"),
        "onnx_float": Entry(
            "kpcli.exporters.onnx_float",
            "model_float.onnx, beside an int8 model.onnx, for processors that are slow at int8",
        ),
        "litert": Entry("kpcli.exporters.litert", "model.tflite, for LiteRT (TensorFlow Lite)"),
        "openvino": Entry("kpcli.exporters.openvino", "the folder openvino, for OpenVINO"),
        "saved_model": Entry(
            "kpcli.exporters.saved_model", "the folder saved_model, for TensorFlow"
        ),
    },
)

TARGETS: Mapping[str, Entry] = {
    **EXPORTERS,
    "web": Entry(
        "kpcli.workflows.export.web.run",
        "page.html: one file that runs model and detector in a browser, without a network",
    ),
}
"""What ``kpcli export --to`` makes: exports for the bundle, and a page, which stands alone."""

TABLES: Mapping[str, Table[Any, Any]] = {
    table.kind: table for table in (FORMATS, DETECTORS, ARCHITECTURES, WRITERS, RUNTIMES, EXPORTERS)
}
