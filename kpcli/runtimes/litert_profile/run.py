"""A .tflite model's time, operator by operator, by LiteRT's own profiler.

Another process does the work, for the C interface knows no exceptions, see
`kpcli.runtimes.litert_profile.c_api`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kpcli.errors import ModelError
from kpcli.runtimes.litert_profile.c_api import Event, LiteRtError
from kpcli.runtimes.litert_profile.compiled import CompiledModel
from kpcli.runtimes.litert_runtime import INSTALL, PACKAGE

LEAST = "2.1.6"
"""The first version of LiteRT that was seen to work."""
CALLS = 10
"""Calls of a round, with the profiler and without: so many at a stretch, for the caches."""

_CHILD = "from kpcli.runtimes.litert_profile.run import child; child()"

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Profile:
    """Times of some calls, in milliseconds.

    Attributes
    ----------
    version : str
        LiteRT's.
    events : list of Event
        Operators in the order of their work; of the last call.
    times : (calls, events)
    whole : (calls,)
        The same calls as a whole.
    plain : (calls,)
        As many calls without the profiler.
    """

    version: str
    events: list[Event]
    times: Floats
    whole: Floats
    plain: Floats


def check_installed() -> None:
    """Refuse early if LiteRT is missing.

    Raises
    ------
    ModelError
        Saying what to install.
    """
    if not find_spec(PACKAGE):
        raise ModelError(
            f"a device profile needs {PACKAGE}, which is not installed",
            next_step=f"pip install '{INSTALL}>={LEAST}'",
        )


def profile(path: Path, threads: int = 0, rounds: int = 5, size: int = 0) -> Profile:
    """Profile a model: ``rounds`` times `CALLS` calls of batch 1, after some that do not count.

    Parameters
    ----------
    path : Path
    threads : int
        CPU threads; 0: one a core.
    rounds : int
    size : int
        Height and width of the input, for files that leave them open.

    Raises
    ------
    ModelError
        If the file or LiteRT cannot be used.
    """
    check_installed()
    if not path.is_file():
        raise ModelError(f"{path}: there is no such file", expected="a .tflite file")
    command = [sys.executable, "-c", _CHILD, *map(str, (path, threads, rounds, size))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["no message"])[-1]
        ended = f"ended by signal {-done.returncode}" if done.returncode < 0 else said
        raise ModelError(
            f"{path}: LiteRT's profiler does not run it",
            expected=f"a .tflite model, and {INSTALL} {LEAST} or newer",
            actual=ended,
        )
    values: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return Profile(
        version=values["version"],
        events=[Event(*event) for event in values["events"]],
        times=np.array(values["times"]) / 1000,
        whole=np.array(values["whole"]),
        plain=np.array(values["plain"]),
    )


def child() -> None:
    """Do the work in the other process, and print it as JSON."""
    path, numbers = Path(sys.argv[1]), map(int, sys.argv[2:])
    try:
        print(json.dumps(_measure(path, *numbers)))
    except (LiteRtError, OSError) as e:
        sys.exit(str(e))


def _measure(path: Path, threads: int, rounds: int, size: int) -> dict[str, Any]:
    import ai_edge_litert

    plain = CompiledModel(path, threads, profiling=False, size=size)
    model = CompiledModel(path, threads, profiling=True, size=size)
    times: dict[str, list[float]] = {"whole": [], "plain": []}
    events: list[list[Event]] = []
    for number in range(rounds + 1):  # the first makes warm
        bare = [_timed(plain) for _ in range(CALLS)]
        for call in range(CALLS):
            model.start()
            took = _timed(model)
            seen = model.stop()
            if number:
                times["whole"].append(took)
                times["plain"].append(bare[call])
                events.append(seen)
    if len({tuple((e.name, e.number) for e in run) for run in events}) != 1 or not events[0]:
        raise LiteRtError("the profiler does not tell the same operators in every run")
    return {
        "version": ai_edge_litert.__version__,
        "events": events[-1],
        "times": [[e.microseconds for e in run] for run in events],
        **times,
    }


def _timed(model: CompiledModel) -> float:
    started = time.perf_counter()
    model.run()
    return (time.perf_counter() - started) * 1000
