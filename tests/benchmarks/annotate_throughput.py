"""`kpcli annotate folder` against plain decoding, and against the way kpcli's ancestors work.

Usage: python tests/benchmarks/annotate_throughput.py ../shared/data/300w/helen [--ancestor]

Makes 300 JPEG pictures of 640 pixels in a temporary folder, then times, five runs each:
cv2.imread of all in one process; the whole command without overlays, start included; the command
on one picture; `import tensorflow`. With --ancestor, on 40 of the pictures, one process that runs
OpenCV's Haar cascade and then `model.predict` face by face.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2

from kpcli.types import Frame

COUNT, SIDE, RUNS, FEW = 300, 640, 5, 40


def make(source: Path, folder: Path) -> list[Path]:
    names = []
    for i, file in enumerate(sorted([*source.rglob("*.jpg"), *source.rglob("*.png")])[:COUNT]):
        pixels = cv2.imread(str(file))
        scale = SIDE / max(pixels.shape[:2])
        names.append(folder / f"{i:03}.jpg")
        large = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(names[-1]), large, [cv2.IMWRITE_JPEG_QUALITY, 90])
    return names


def timed(what: str, run: Callable[[], object], runs: int = RUNS) -> float:
    seconds = []
    for _ in range(runs):
        begun = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - begun)
    seconds.sort()
    middle = seconds[len(seconds) // 2]
    print(f"{what}: min {seconds[0]:.2f}, median {middle:.2f}, max {seconds[-1]:.2f} s", flush=True)
    return middle


def python(*words: str) -> Callable[[], object]:
    return lambda: subprocess.run(
        [sys.executable, *words], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def annotate(folder: Path, out: Path, *more: str) -> Callable[[], object]:
    words = ["-m", "kpcli", "annotate", "folder", str(folder), "--out", str(out)]
    return python(*words, "--no-overlays", "--overwrite", *more)


def ancestor(files: list[Path]) -> Callable[[], object]:
    """Haar, then the landmark model through Keras' `predict`, a face at a time."""
    import numpy as np

    from kpcli.detectors.haar import create
    from kpcli.geometry import CropTransform
    from kpcli.model_bundle import ModelBundle
    from kpcli.runtimes.keras_runtime import load_model

    bundle = ModelBundle.open("default")
    model = load_model(bundle.weights)
    detector = create(None)

    def run() -> None:
        for file in files:
            pixels = np.ascontiguousarray(cv2.imread(str(file))[..., ::-1])
            for box in detector.detect([Frame.still(file, pixels)])[0]:
                crop = CropTransform.from_box(box, bundle.card.input_size, bundle.card.crop_scale)
                model.predict(crop.to_crop(pixels)[None].astype("float32"), verbose=0)

    run()
    return run


with tempfile.TemporaryDirectory() as temporary:
    folder, one, few = (Path(temporary) / name for name in ("all", "one", "few"))
    for place in (folder, one, few):
        place.mkdir()
    files = make(Path(sys.argv[1]), folder)
    shutil.copy(files[0], one)
    for file in files[:FEW]:
        shutil.copy(file, few)
    out = Path(temporary) / "out"
    decode = timed("decode", lambda: [cv2.imread(str(f)) for f in files])
    whole = timed("annotate 300", annotate(folder, out))
    print(
        f"  {whole / decode:.2f} times the decoding (aim 3.0), {len(files) / whole:.0f} pictures/s"
    )
    single = timed("annotate 1", annotate(one, out))
    tensorflow = timed("import tensorflow", python("-c", "import tensorflow"))
    print(f"  {single / tensorflow:.2f} of the import (aim 0.5)")
    if "--ancestor" in sys.argv:
        old = timed(f"ancestor {FEW}", ancestor(files[:FEW]), runs=3)
        print(f"  {old / FEW / (whole / len(files)):.1f} times a picture of annotate's (aim 10)")
