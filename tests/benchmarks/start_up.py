"""Processor seconds of answers that need no model, beside importing Typer alone.

``python tests/benchmarks/start_up.py``: the least of ten runs of each, this interpreter.
"""

from __future__ import annotations

import resource
import subprocess
import sys

RUNS = 10
ANSWERS = ("--help", "nonsense", "annotate folder", "train x --epochs no")


def cpu_seconds(*arguments: str) -> float:
    """The least of `RUNS`: other work on the machine only adds."""
    found = []
    for _ in range(RUNS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *arguments], capture_output=True, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        found.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(found)


def main() -> None:
    typer = cpu_seconds("-c", "import typer")
    print(f"import typer                {typer:.3f} s")
    for words in ANSWERS:
        seconds = cpu_seconds("-m", "kpcli", *words.split())
        print(f"kpcli {words:21} {seconds:.3f} s  {seconds / typer:.1f} times")


if __name__ == "__main__":
    main()
