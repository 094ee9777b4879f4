"""One core, 640x480: the builtin detector against OpenCV's Haar, pictures taken in turns.

Usage: taskset -c 0 python tests/benchmarks/detector_speed.py ../shared/data [BUNDLE]
"""

import os
import sys
import time
from pathlib import Path

import cv2
import numpy as np
from detector_data import report, wider

from kpcli.detectors import create_detector
from kpcli.detectors.builtin import BUNDLE, open_detector
from kpcli.model_bundle import ModelBundle
from kpcli.types import Frame

PICTURES, ROUNDS = 16, 5


def main(shared: Path, bundle: str) -> None:
    if len(os.sched_getaffinity(0)) != 1:
        sys.exit("run it on one core: taskset -c 0 python ...")
    cv2.setNumThreads(1)
    detectors = {
        "builtin": open_detector(bundle, threads=1),
        "builtin, network alone": None,
        "haar": create_detector("haar"),
    }
    network = detectors["builtin"]._runtime
    pictures = [
        np.asarray(cv2.resize(p.pixels, (640, 480))) for p in wider(shared / "widerface", "val")
    ][:: 372 // PICTURES][:PICTURES]
    times: dict[str, list[float]] = {name: [] for name in detectors}
    for _ in range(ROUNDS):
        for picture in pictures:
            padded = np.zeros((1, 512, 640, 3), np.uint8)
            padded[0, :480] = picture
            for name, detector in detectors.items():
                begin = time.perf_counter()
                if detector is None:
                    network.run(padded)
                else:
                    detector.detect([Frame.still(Path("x"), picture)])
                times[name].append(time.perf_counter() - begin)
    # The mean: a picture that is searched from all sides takes four times as long as another.
    haar = float(np.mean(times["haar"]))
    report([
        {
            "detector": name, "ms": round(1000 * float(np.mean(t)), 2),
            "ms_least": round(1000 * min(t), 2),
            "ratio_to_haar": round(float(np.mean(t)) / haar, 3),
        }
        for name, t in times.items()
    ])  # fmt: skip
    files = {f.name: f.stat().st_size for f in sorted(ModelBundle.open(bundle).path.iterdir())}
    print("bytes:", files)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else BUNDLE)
