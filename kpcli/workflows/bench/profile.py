"""``kpcli bench --device-profile``: a model's time layer by layer, by LiteRT's own profiler."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from kpcli.errors import ModelError, UsageError
from kpcli.files import check_writable
from kpcli.model_bundle import CARD, ModelBundle, read_card
from kpcli.options import BenchOptions
from kpcli.outputs import Outputs
from kpcli.runtimes.litert_profile import run
from kpcli.runtimes.litert_profile.graph import read_graph
from kpcli.runtimes.litert_profile.run import Profile
from kpcli.runtimes.litert_runtime import FILE
from kpcli.workflows.bench.bars import write_bars
from kpcli.workflows.bench.layers import LayerTime, slowest, table, write_csv
from kpcli.workflows.bench.machine import machine

CSV, PICTURE = "profile.csv", "profile.png"
BUSY = 1.25
"""Median call, of the fastest one, from which on the machine is said to have been busy."""


def profile(options: BenchOptions, say: Callable[[str], None] = print) -> list[LayerTime]:
    """Profile the model of ``device_profile``, say the table, and write it and a picture if asked.

    Returns
    -------
    list of LayerTime
        All layers, the slowest first.

    Raises
    ------
    UsageError
        If pictures or a JSON are named, which it does not know.
    InputError
        If ``out`` cannot be written, or something of the user's is in the way there.
    ModelError
        If there is no .tflite file, or LiteRT is missing or cannot run it.
    """
    if options.pictures or options.json is not None:
        raise UsageError("device_profile: goes with neither pictures nor json")
    run.check_installed()
    path, size = _model(options.device_profile or "")
    if options.out is not None:
        check_writable(options.out / CSV)
        _outputs(options.out).check([CSV, PICTURE])
    graph = read_graph(path)
    profiled = run.profile(path, options.threads, options.repeats, size)
    found = slowest(profiled, graph.nodes, graph.sized)
    on = _where(options, profiled)
    picture = "one picture" if graph.sized else f"one picture of {size}x{size}"
    say(f"{path}: {on}; {len(profiled.whole)} calls of {picture}")
    for line in (*table(found, profiled), *_remarks(found, profiled)):
        say(line)
    if options.out is None:
        say(f"give --out FOLDER for {CSV} and {PICTURE}")
    else:
        title = f"{'/'.join(path.parts[-2:])}: {profiled.plain.min():.2f} ms in the fastest call"
        _write(options.out, found, f"{title}\n{on}")
        say(f"written: {options.out / CSV}, {options.out / PICTURE}")
    return found


def _outputs(folder: Path) -> Outputs:
    return Outputs(folder, "bench")


def _write(folder: Path, found: Sequence[LayerTime], title: str) -> None:
    outputs = _outputs(folder)
    with outputs.replacing(CSV) as temporary:
        write_csv(temporary, found)
    with outputs.replacing(PICTURE) as temporary:
        write_bars(temporary, found, title)


def _model(name: str) -> tuple[Path, int]:
    """The file, and the size of its input if there is a card."""
    path = Path(name)
    if not path.is_dir() and (path.suffix == Path(FILE).suffix or path.is_file()):
        if not path.is_file():
            raise ModelError(
                f"{path}: there is no such file", expected="a .tflite file, or a bundle"
            )
        card = path.parent / CARD
        return path, read_card(card).input_size if card.is_file() else 0
    bundle = ModelBundle.open(name)
    if not (bundle.path / FILE).exists():
        raise ModelError(
            f"{name}: the bundle holds no {FILE}",
            next_step=f"kpcli export {name} --to litert --out FOLDER, then profile FOLDER",
        )
    return bundle.file(FILE), bundle.card.input_size


def _where(options: BenchOptions, profiled: Profile) -> str:
    threads = options.threads or os.cpu_count() or 1
    many = f"{threads} thread{'s' if threads > 1 else ''}"
    return f"LiteRT {profiled.version} on CPU, {many}, {machine()['cpu']}"


def _remarks(found: Sequence[LayerTime], profiled: Profile) -> Iterator[str]:
    """What this machine does, and what another would have to do for a given time."""
    macs = sum(layer.macs for layer in found)
    least, median = float(profiled.plain.min()), float(np.median(profiled.plain))
    if median > BUSY * least:
        yield "other work took processor time: the least is what this machine can do"
    if macs:
        yield (
            f"{macs / 1e9:.3f} GMac a call: {macs / least / 1e6:.0f} GMac/s in the fastest, "
            f"{least:.2f} ms; a device that is to take T ms needs {macs / 1e6:.0f}/T GMac/s"
        )
