"""Print one Markdown table of models: parameters, GMac, milliseconds a face, NME.

Usage: python tests/benchmarks/architectures.py MODEL... [--csv faces.csv] [--split test]

MODEL is a run folder of `kpcli train`, a model bundle, an embedded model's name, or the name of an
architecture (then it is untrained and has no NME). GMac counts the multiply-adds of convolutions,
dense layers and our own layers by their shapes. Epochs are those of the last run. Times are
milliseconds a face on one thread in batches of 16, the median of the batches: of Keras' compiled
function and of each export that the bundle holds (`kpcli export BUNDLE --to onnx` makes one).
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from kpcli.architectures import architecture_facts, build_architecture
from kpcli.architectures.layers import PointwiseDense, SoftArgmax
from kpcli.catalogue import ARCHITECTURES
from kpcli.model_bundle import CARD, ModelBundle
from kpcli.options import EvalOptions
from kpcli.runtimes import open_runtime, usable
from kpcli.runtimes.keras_runtime import compiled_call, load_model
from kpcli.workflows.evaluate.run import evaluate

BATCH = 16
BATCHES = 12
TWINS = {"onnx": "ONNX Runtime", "litert": "LiteRT", "openvino": "OpenVINO"}
"""Runtimes to time beside Keras, with their titles."""


@dataclass(frozen=True)
class Row:
    name: str
    model: keras.Model
    size: int
    channels: int
    bundle: Path | None
    epochs: str = "-"


def one_thread() -> None:
    """Keep the backend on one core; before its first operation."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    elif keras.backend.backend() == "torch":
        import torch

        torch.set_num_threads(1)


def layers_of(model: keras.Model) -> Iterator[keras.layers.Layer]:
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from layers_of(layer)
        else:
            yield layer


def macs(model: keras.Model) -> int:
    """Multiply-adds of one crop."""
    return sum(layer_macs(layer) for layer in layers_of(model))


def layer_macs(layer: keras.layers.Layer) -> int:
    """Multiply-adds of one layer by its weights and the places that they are applied at."""
    kernels = [w for w in layer.weights if w.name.endswith("kernel")]
    if isinstance(layer, SoftArgmax):
        (_, height, width, n), (_, _, _, channels) = (tensor.shape for tensor in layer.input)
        return height * width * n * (2 + channels)
    if isinstance(layer, PointwiseDense):
        return prod(layer.kernel.shape)
    if isinstance(layer, keras.layers.Dense):
        return prod(layer.kernel.shape) * prod(layer.output.shape[1:-1])
    if isinstance(
        layer, keras.layers.Conv2D | keras.layers.DepthwiseConv2D | keras.layers.SeparableConv2D
    ):
        places = prod(layer.output.shape[1:3])
        return places * sum(prod(kernel.shape) for kernel in kernels)
    if kernels:
        raise TypeError(f"{layer.name}: no rule for a {type(layer).__name__}")
    return 0


def milliseconds(row: Row) -> dict[str, float]:
    """Median time of one face in a batch, by runtime."""
    shape = (BATCH, row.size, row.size, row.channels)
    crops = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    call: Any = compiled_call(row.model)
    runs: dict[str, Callable[[], Any]] = {
        "keras": lambda: keras.ops.convert_to_numpy(call(crops.astype(np.float32))["points"])
    }
    bundle = ModelBundle.open(row.bundle) if row.bundle else None
    for name in TWINS:
        if bundle and name in usable(bundle):
            runs[name] = partial(open_runtime(bundle, name, threads=1).run, crops)
    return {name: median_time(run) / BATCH * 1000 for name, run in runs.items()}


def median_time(run: Callable[[], Any]) -> float:
    """Seconds of one run, warmed up."""
    times = []
    for _ in range(BATCHES + 2):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return float(np.median(times[2:]))


def open_row(name: str) -> Row:
    if name in ARCHITECTURES:
        size, colour = architecture_facts(name)
        return Row(name, build_architecture(name, 68), size, 3 if colour == "rgb" else 1, None)
    path = Path(name)
    if not (path / CARD).is_file() and (path / "model" / CARD).is_file():
        path = path / "model"
    bundle = ModelBundle.open(path)
    card = bundle.card
    channels = 3 if card.colour == "rgb" else 1
    label = (
        card.architecture
        if card.name == card.architecture
        else f"{card.name} ({card.architecture})"
    )
    epochs = str(card.training["options"]["epochs"])
    return Row(label, load_model(bundle.weights), card.input_size, channels, bundle.path, epochs)


def scores(row: Row, csv: Path, split: str) -> tuple[str, str, str, str]:
    """Faces, NME, failure rate and protocol."""
    with tempfile.TemporaryDirectory() as out:
        options = EvalOptions(csv, split=split, model=str(row.bundle), out=Path(out), bootstrap=0)
        found = evaluate(options, say=lambda _: None)
    errors = found.errors[~np.isnan(found.errors)]
    rate = 100 * np.mean(errors > found.protocol.cut)
    nme = errors[np.isfinite(errors)].mean()
    protocol = f"{found.protocol.name}, {found.protocol.cut:g} %"
    return str(len(errors)), f"{nme:.2f}", f"{rate:.1f}", protocol


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", metavar="MODEL")
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--split", default="test")
    arguments = parser.parse_args()
    one_thread()
    titles = ["model", "input", "parameters", "GMac", "epochs", "Keras ms"]
    titles += [f"{title} ms" for title in TWINS.values()]
    if arguments.csv:
        titles += ["faces", "NME %", "FR %", "protocol, cut"]
    print(f"| {' | '.join(titles)} |")
    text = ("model", "input", "protocol, cut")
    print(f"|{'|'.join('---' if title in text else '---:' for title in titles)}|")
    for name in arguments.models:
        row = open_row(name)
        cells = [
            row.name,
            f"{row.size}x{row.size}x{row.channels}",
            f"{row.model.count_params():,}",
            f"{macs(row.model) / 1e9:.3f}",
            row.epochs,
        ]
        times = milliseconds(row)
        cells += [f"{times[name]:.2f}" if name in times else "-" for name in ("keras", *TWINS)]
        if arguments.csv:
            cells += scores(row, arguments.csv, arguments.split) if row.bundle else ("-",) * 4
        print(f"| {' | '.join(cells)} |", flush=True)
        keras.utils.clear_session()


if __name__ == "__main__":
    main()
