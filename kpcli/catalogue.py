"""The tables of everything that has a name: the only place where a new entry is registered.

Each table maps a name to a module and one line of help; modules load when asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kpcli.plug_ins import (
    Architecture,
    ArchitectureModule,
    DatasetFormat,
    DetectorModule,
    Entry,
    ExporterModule,
    RuntimeModule,
    Table,
    WriterModule,
)

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
