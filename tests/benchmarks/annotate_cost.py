"""Processor seconds of whole `kpcli annotate folder` commands of several checkouts.

Usage: python tests/benchmarks/annotate_cost.py FOLDER ... --run NAME=CHECKOUT[ OPTION ...] ...
       [--times 3]

FOLDER holds pictures (`annotate_throughput.py` says how its 300 are made) or videos. CHECKOUT is a
working copy of kpcli, run by this Python; the options are added to ``--no-overlays --overwrite``.
The runs take turns; prints the least and the median of each, and the ratio to the first run's::

    git worktree add /tmp/old cbb41fc
    python tests/benchmarks/annotate_cost.py pictures videos --run old=/tmp/old --run new=.

Behind ``without_avx512.py`` it says what a processor without AVX-512 and VNNI would take.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path


def seconds(folder: Path, checkout: Path, words: list[str], out: Path) -> float:
    """User and system seconds of a run and all its processes."""
    path = [str(checkout.resolve()), os.environ.get("PYTHONPATH", "")]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-m", "kpcli", "annotate", "folder", str(folder.resolve()),
         "--out", str(out), "--no-overlays", "--overwrite", *words],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=out.parent,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, path))},
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    name = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    vnni = any("vnni" in line for line in lines if line.startswith("flags"))
    vnni &= "KPCLI_AVX2" not in os.environ  # without_avx512.py
    return f"{name}, {'with' if vnni else 'without'} VNNI, {os.cpu_count()} cores"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--run", action="append", required=True, dest="runs")
    parser.add_argument("--times", type=int, default=3)
    options = parser.parse_args()
    runs = [text.partition("=")[::2] for text in options.runs]
    print(f"{processor()}\n\n| folder | run | least s | median s | of the first |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        for folder in options.folders:
            found: dict[str, list[float]] = {name: [] for name, _ in runs}
            for _ in range(options.times):
                for name, text in runs:
                    checkout, *words = text.split()
                    out = Path(scratch) / name
                    found[name].append(seconds(folder, Path(checkout), words, out))
            first = statistics.median(found[runs[0][0]])
            for name, times in found.items():
                middle = statistics.median(times)
                print(
                    f"| {folder.name} | {name} | {min(times):.2f} | {middle:.2f} | "
                    f"{middle / first:.2f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
