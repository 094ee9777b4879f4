"""Milliseconds a face by runtime, threads and batch size, and which one wins.

    python tests/benchmarks/runtimes.py BUNDLE [--repeats 12]

Rounds go over all candidates in turn, so that a busy moment of the machine hits all alike. The
least wall-clock time says what the machine can do; the least processor time of one thread is
nearly blind to other work. Deviations from Keras are in the bundle's card (`kpcli info`).
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from kpcli.model_bundle import ModelBundle
from kpcli.plug_ins import Runtime
from kpcli.runtimes import open_runtime, usable

BATCHES = (1, 4, 16, 64)
THREADS = (1, 2)


def measure(
    runtimes: dict[tuple[str, int], Runtime], size: int, channels: int, repeats: int
) -> dict[tuple[str, int, int], tuple[float, float]]:
    """Least wall-clock and processor milliseconds a face by (runtime, threads, batch)."""
    rng = np.random.default_rng(0)
    best: dict[tuple[str, int, int], tuple[float, float]] = {}
    for batch in BATCHES:
        crops = rng.integers(0, 256, (batch, size, size, channels), np.uint8)
        for runtime in runtimes.values():
            runtime.run(crops)
        for _ in range(repeats):
            for (name, threads), runtime in runtimes.items():
                wall, cpu = time.perf_counter(), time.process_time()
                runtime.run(crops)
                took = (time.perf_counter() - wall) * 1000, (time.process_time() - cpu) * 1000
                each = [t / batch for t in took]
                old = best.get((name, threads, batch), (np.inf, np.inf))
                best[name, threads, batch] = min(old[0], each[0]), min(old[1], each[1])
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--repeats", type=int, default=12)
    arguments = parser.parse_args()
    bundle = ModelBundle.open(arguments.bundle)
    channels = 1 if bundle.card.colour == "gray" else 3
    best = {}
    for threads in THREADS:  # Keras' threads are fixed at its first use: measured with the first
        names = [n for n in usable(bundle) if n != "keras" or threads == THREADS[0]]
        runtimes = {}
        for name in names:
            runtimes[name, threads] = open_runtime(bundle, name, threads)
            print(f"{name}: {runtimes[name, threads].line}")
        best |= measure(runtimes, bundle.card.input_size, channels, arguments.repeats)
    print(f"{'runtime':10} threads  batch  wall ms  cpu ms  wall, of the best")
    for batch in BATCHES:
        here = {k: v for k, v in best.items() if k[2] == batch}
        least = min(wall for wall, _ in here.values())
        for (name, threads, _), (wall, cpu) in here.items():
            print(f"{name:10} {threads:7}  {batch:5}  {wall:7.2f}  {cpu:6.2f}  {wall / least:.2f}")


if __name__ == "__main__":
    main()
