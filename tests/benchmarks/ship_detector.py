"""Put a trained face detector into kpcli/assets, with its ONNX export and the figures of its card.

Usage: python tests/benchmarks/ship_detector.py RUN/model BOXES.csv ../shared/data [--note TEXT ...]
       python tests/benchmarks/ship_detector.py --again ../shared/data

BOXES.csv is the CSV it was trained on: its train rows set the ranges of int8. Runs
detector_ap.py and detector_recall.py once, on the export
that is shipped. --again only measures the embedded one anew, after a change of what is done with
the network's outputs.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import detector_ap
import detector_recall
from ship_model import plain_paths

from kpcli.model_bundle import ModelBundle, assets, write_card
from kpcli.options import ExportOptions
from kpcli.workflows.export.run import export

LICENCE = "non-commercial research: trained on WIDER FACE, 300-W, WFLW and FG-NET"
NAME = "face_detector"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path, nargs="?")
    parser.add_argument("csv", type=Path, nargs="?")
    parser.add_argument("shared", type=Path)
    parser.add_argument("--note", action="append", default=[])
    parser.add_argument("--again", action="store_true")
    options = parser.parse_args()
    if options.again:
        measure(assets() / NAME, options.shared)
        return
    # Elsewhere first: export refuses to write into kpcli/assets.
    folder = Path(tempfile.mkdtemp()) / NAME
    folder.mkdir()
    shutil.copy(options.bundle / "model.keras", folder)
    card = ModelBundle.open(options.bundle).card
    training = plain_paths(card.training)
    card = replace(
        card, name=NAME, training=training, licence=LICENCE, exports={}, notes=tuple(options.note)
    )
    write_card(card, folder)
    export(
        ExportOptions(str(folder), "onnx", quantize="int8", calibrate=options.csv, csv=options.csv)
    )
    export(ExportOptions(str(folder), "onnx_float", quantize="float16"))
    measure(folder, options.shared)
    shutil.rmtree(assets() / NAME, ignore_errors=True)
    shutil.copytree(folder, assets() / NAME)
    shutil.rmtree(folder.parent)


def measure(folder: Path, shared: Path) -> None:
    """The figures of a bundle, into its card."""
    ap = detector_ap.main(shared, [f"builtin:{folder}"], ["val", "held_out"], [640, 320])
    recall = detector_recall.main(shared, str(folder))
    test: dict[str, object] = {
        f"{row['set']}_at_{row['size']}": {f"ap50_{n}px": row[f"ap_{n}"] for n in detector_ap.SIZES}
        for row in ap
    }
    test |= {
        f"afw_crops_{row['detector']}": {
            name: row[name]
            for name in ("recall", "false_a_picture", "recall_at_half", "false_at_half")
        }
        for row in recall
    }
    test["commands"] = "tests/benchmarks/detector_ap.py, tests/benchmarks/detector_recall.py"
    card = ModelBundle.open(folder).card
    write_card(replace(card, metrics={**card.metrics, "test": test}), folder)


if __name__ == "__main__":
    main()
