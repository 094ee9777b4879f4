"""kpcli export: write a model for another runtime into its bundle or a copy, checked."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from kpcli.catalogue import EXPORTERS
from kpcli.dataset_csv import read_dataset
from kpcli.errors import InputError, ModelError, UsageError
from kpcli.exporters import content, recorded
from kpcli.files import TEMPORARY, atomic_folder, atomic_path, remove
from kpcli.model_bundle import CARD, DETECTION, LANDMARKS, ModelBundle, ModelCard, assets
from kpcli.options import ExportOptions
from kpcli.outputs import Outputs
from kpcli.plug_ins import ExporterModule, Runtime
from kpcli.types import Sample
from kpcli.version import __version__
from kpcli.workflows.export.checks import (
    Checks,
    calibration_input,
    compare_on_drawn,
    compare_on_faces,
    compare_on_pictures,
    loss,
)
from kpcli.workflows.export.example.run import SCRIPT, check_example, write_example
from kpcli.workflows.export.exported import Exported

CALIBRATE = {LANDMARKS: 128, DETECTION: 48}
"""Number of faces, or of pictures, that set the ranges of int8."""


def export(options: ExportOptions, say: Callable[[str], None] = print) -> Exported:
    """Write the export beside model.keras, and what its checks gave into the card.

    With ``out``, the export comes into a copy of the bundle, made there.

    Raises
    ------
    UsageError
        If the target or the quantisation is unknown, int8 has nothing to calibrate on, or the
        bundle is an embedded one, which every command uses, and there is no ``out``.
    InputError
        If a CSV cannot be used, or ``out`` is there already or lies in the bundle.
    ModelError
        If the bundle cannot be exported, a package is missing, or an int8 export is too far from
        float32 (then nothing is kept, unless ``force`` is set).
    """
    bundle = ModelBundle.open(options.bundle)
    exporter = EXPORTERS.load(options.to)
    export = bundle.path / exporter.FILE
    if options.out is None and not recorded(export, bundle.card):
        raise InputError(
            f"{export}: in the way, and not what {CARD} says that `kpcli export` wrote",
            next_step="move it away, or choose an --out",
        )
    _check_quantize(options, exporter)
    if options.example:
        check_example(options.to, bundle.card, options.out or bundle.path)
    if options.out is None:
        if bundle.path.resolve().parent == assets().resolve():
            raise UsageError(
                f"{options.bundle} is part of kpcli: an export of it would change every later run",
                expected="--out with a folder for a copy of the bundle",
                next_step=f"add --out {bundle.path.name}_{options.to}",
            )
        for left in bundle.path.glob(f"{TEMPORARY}*"):  # by an export that was killed
            remove(left)
        lines = _export(options, bundle, exporter, bundle.path)
    else:
        if options.out.exists():
            raise InputError(
                f"{options.out}: is there already", next_step="choose another --out, or remove it"
            )
        if options.out.resolve().is_relative_to(bundle.path.resolve()):
            raise InputError(
                f"{options.out}: lies in the bundle that it is to be a copy of",
                next_step="choose another --out",
            )
        with atomic_folder(options.out) as folder:
            bundle.file(".")  # nothing is copied that a link names elsewhere
            shutil.copytree(bundle.path, folder, dirs_exist_ok=True)
            lines = _export(options, ModelBundle.open(folder), exporter, options.out)
    for line in lines:
        say(line)
    return Exported((options.out or bundle.path) / exporter.FILE, lines)


def _export(
    options: ExportOptions, bundle: ModelBundle, exporter: ExporterModule, shown: Path
) -> list[str]:
    """Make the export in the bundle; what to say of it, at the place that is shown."""
    calibration = _calibration(options, bundle.card)
    samples = _check_samples(options)
    path = bundle.path / exporter.FILE
    with _place(path) as temporary:
        exporter.export(
            bundle.weights, temporary, quantize=options.quantize, calibration=calibration
        )
        export = exporter.open_export(temporary)
        checks = _compare(options, bundle, export, samples)
        warning = _judge(options, checks)
        size, sha256 = content(temporary)
        entry = _entry(options, exporter.FILE, size, sha256, export, checks)
        if path.exists():
            entry["replaces"] = content(path)[1]
        _note_export(bundle.path, options.to, entry)  # first: a killed export is known by it
    lines = _lines(options, shown / exporter.FILE, size, checks)
    if options.example:
        write_example(options.to, bundle.card, bundle.path, getattr(export, "takes_bytes", False))
        lines.append(f"example: {shown / SCRIPT}, and the README.md beside it")
    return [*lines, warning] if warning else lines


def _check_quantize(options: ExportOptions, exporter: ExporterModule) -> None:
    if options.quantize not in exporter.QUANTIZE:
        raise UsageError(
            f"--quantize {options.quantize} does not exist for {options.to}",
            expected=", ".join(exporter.QUANTIZE),
        )
    if options.quantize == "int8" and options.calibrate is None:
        raise UsageError(
            "--quantize int8 needs faces to set its ranges and to be checked on",
            next_step="add --calibrate with a CSV that `kpcli prepare` wrote",
        )


def _place(path: Path) -> AbstractContextManager[Path]:
    return atomic_path(path) if path.suffix else atomic_folder(path)


def _calibration(options: ExportOptions, card: ModelCard) -> Sequence[Any]:
    """Inputs from evenly spaced train rows (all rows, where the CSV has no train)."""
    if options.quantize != "int8" or options.calibrate is None:
        return ()
    samples = read_dataset(options.calibrate, root=options.root)
    samples = [s for s in samples if s.split == "train"] or samples
    chosen = np.linspace(
        0, len(samples) - 1, min(CALIBRATE.get(card.task, 0), len(samples))
    ).astype(int)
    calibration = calibration_input([samples[i] for i in chosen], card)
    if not calibration:
        raise InputError(
            f"{options.calibrate}: no face to calibrate on",
            expected="rows whose pictures can be read",
            next_step="say where the pictures are with --root",
        )
    return calibration


def _check_samples(options: ExportOptions) -> list[Sample]:
    csv = options.csv or options.calibrate
    if csv is None:
        return []
    samples = read_dataset(csv, split=options.split, root=options.root)
    if not samples:
        splits = sorted({s.split for s in read_dataset(csv, root=options.root)})
        raise InputError(
            f"{csv}: split {options.split!r} is empty",
            expected="a split with faces to check on",
            actual=", ".join(splits) or "an empty CSV",
            next_step="choose one of these with --split",
        )
    return samples


def _compare(
    options: ExportOptions, bundle: ModelBundle, export: Runtime, samples: list[Sample]
) -> Checks:
    from kpcli.runtimes.keras_runtime import KerasRuntime

    reference = KerasRuntime(bundle.weights)
    csv = options.csv or options.calibrate
    checks = compare_on_drawn(bundle.card, reference, export)
    if csv is not None and bundle.card.task == DETECTION:
        return checks | compare_on_pictures(bundle.card, reference, export, samples, csv)
    if csv is not None:
        return compare_on_faces(bundle.card, reference, export, samples, csv)
    return checks


def _judge(options: ExportOptions, checks: Checks) -> str:
    """Refuse an int8 export that lost too much; what to say of one that was forced."""
    if options.quantize != "int8":
        return ""
    lost, limit, unit = loss(checks)
    if lost <= limit:
        return ""
    if options.force:
        return f"warning: int8 costs {lost:.2f} {unit}; kept because of --force"
    raise ModelError(
        f"int8 costs {lost:.2f} {unit}; the export was not kept",
        expected=f"at most {limit:g}",
        next_step="use --quantize float16, calibrate on other faces, or keep it with --force",
    )


def _entry(
    options: ExportOptions, file: str, size: int, sha256: str, export: Runtime, checks: Checks
) -> dict[str, Any]:
    return {
        "file": file,
        "quantize": options.quantize,
        "bytes": size,
        "sha256": sha256,
        "checked_with": export.line,
        "kpcli": __version__,
        "checks": checks,
    }


def _note_export(folder: Path, target: str, entry: Mapping[str, Any]) -> None:
    """Add the export to the card, of which all else stays as it is, also what kpcli knows not."""
    values = json.loads((folder / CARD).read_text(encoding="utf-8"))
    values["exports"] = {**values.get("exports", {}), target: entry}
    run, name = Outputs(folder.parent, "train"), f"{folder.name}/{CARD}"
    trained = run.owns(name)  # then the run, when it goes on, has to know the new card for its own
    with run.recording() if trained else nullcontext(), atomic_path(folder / CARD) as temporary:
        text = json.dumps(values, indent=1, ensure_ascii=False)
        temporary.write_text(text + "\n", encoding="utf-8")


def _lines(options: ExportOptions, path: Path, size: int, checks: Checks) -> list[str]:
    weights = "" if options.quantize == "none" else f", {options.quantize}"
    lines = [f"{options.to}{weights}: {path}, {size / 1e6:.2f} MB"]
    if "max_deviation_px" in checks:
        lines.append(
            f"deviation from Keras in crop pixels: largest {checks['max_deviation_px']:.4f}, "
            f"mean {checks['mean_deviation_px']:.4f} ({checks['compared_on']})"
        )
    if "nme" in checks:
        lines.append(
            f"NME ({checks['protocol']}) {checks['nme']:.3f} %, "
            f"that of Keras {checks['nme_keras']:.3f} %"
        )
    if "average_precision" in checks:
        lines.append(
            f"average precision {checks['average_precision']:.2f} %, that of Keras "
            f"{checks['average_precision_keras']:.2f} % ({checks['compared_on']})"
        )
    if "max_deviation" in checks:
        lines.append(f"largest deviation of an output number: {checks['max_deviation']:g}")
    if "drawn" in checks["compared_on"]:
        lines.append("compared on drawn crops only; give --csv to compare on faces")
    return lines
