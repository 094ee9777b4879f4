"""Delay from frame to screen and frames a second of kpcli live, against its ancestors' loop.

Usage: xvfb-run -s '-screen 0 800x600x24' python tests/benchmarks/live_delay.py VIDEO [--seconds 20]

The frames of VIDEO, enlarged to 640x480, are shown in turn as a camera of 30 frames a second: by
kpcli live in a real window, and by the loop of kpcli's ancestors (OpenCV's Haar cascade, then
Keras' `predict`, a face at a time, imshow), which takes the newest frame too. Then both work
through the same frames as fast as they can. Delay: from a frame's arrival until the window's event
loop has drawn it. Processor seconds are of the whole process, all threads: they say what a loaded
machine's clock does not.
"""

import argparse
import os
import statistics
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from kpcli.options import LiveOptions
from kpcli.types import Frame, Pixels
from kpcli.workflows.live.run import live

RATE, SIZE, MOST = 30, (640, 480), 300
AIM_TIMES, AIM_MS = 10, 60


class Repeated:
    """The frames of a video as a camera of a fixed rate, or (rate 0) as fast as they are taken."""

    name = "camera 0"

    def __init__(self, pictures: list[Pixels], rate: float, seconds: float = 0.0) -> None:
        self.waits = not rate
        self._pictures, self._rate, self._seconds = pictures, rate, seconds

    def frames(self) -> Iterator[Frame]:
        begun = time.perf_counter()
        count = round(self._rate * self._seconds) or len(self._pictures)
        for i in range(count):
            if self._rate:
                time.sleep(max(0.0, begun + i / self._rate - time.perf_counter()))
            pixels = self._pictures[i % len(self._pictures)]
            yield Frame(Path(self.name), i + 1, i / (self._rate or RATE), pixels, moving=True)

    def close(self) -> None:
        pass


def load(path: Path) -> list[Pixels]:
    import av  # after cv2: the X library that comes with it would be used for the window, and hang

    with av.open(str(path)) as container:
        frames = (f.to_ndarray(format="rgb24") for f, _ in zip(
            container.decode(video=0), range(MOST), strict=False))  # fmt: skip
        return [np.asarray(cv2.resize(f, SIZE, interpolation=cv2.INTER_CUBIC)) for f in frames]


class Ancestor:
    """Haar, Keras' predict face by face, imshow: all in one loop."""

    def __init__(self) -> None:
        from kpcli.detectors.haar import create
        from kpcli.geometry import CropTransform
        from kpcli.model_bundle import ModelBundle
        from kpcli.runtimes.keras_runtime import load_model

        bundle = ModelBundle.open("default")
        self._model, self._haar = load_model(bundle.weights), create(None)
        self._card, self._crop = bundle.card, CropTransform

    def show(self, frame: Frame) -> None:
        shown = frame.pixels[..., ::-1].copy()
        for box in self._haar.detect([frame])[0]:
            crop = self._crop.from_box(box, self._card.input_size, self._card.crop_scale)
            batch = crop.to_crop(frame.pixels)[None].astype("float32")
            unit = np.asarray(self._model.predict(batch, verbose=0)["points"])[0]
            for x, y in crop.to_frame(unit):
                cv2.circle(shown, (round(float(x)), round(float(y))), 2, (0, 255, 0), -1)
        cv2.imshow("ancestor", shown)
        cv2.waitKey(1)


def by_ancestor(source: Repeated, loop: Ancestor, every: bool) -> tuple[list[float], float]:
    """Delays in ms and seconds; with a thread that reads, so that only its own work counts."""
    newest: list[tuple[Frame, float]] = []
    ended = threading.Event()

    def read() -> None:
        for frame in source.frames():
            newest[:] = [(frame, time.perf_counter())]
        ended.set()

    delays = []
    begun = time.perf_counter()
    if every:
        for frame in source.frames():
            at = time.perf_counter()
            loop.show(frame)
            delays.append((time.perf_counter() - at) * 1000)
        return delays, time.perf_counter() - begun
    threading.Thread(target=read, daemon=True).start()
    while not ended.is_set():
        if not newest:
            time.sleep(0.001)
            continue
        frame, at = newest.pop()
        loop.show(frame)
        delays.append((time.perf_counter() - at) * 1000)
    return delays, time.perf_counter() - begun


def tell(what: str, delays: list[float], seconds: float, processor: float) -> tuple[float, float]:
    rate, each = len(delays) / seconds, processor / len(delays) * 1000
    low, high = np.percentile(delays, [5, 95])
    print(
        f"{what}: {len(delays)} frames, {rate:.1f} frames/s, delay median "
        f"{statistics.median(delays):.1f} ms (5 to 95 %: {low:.1f} to {high:.1f}), "
        f"processor {each:.1f} ms a frame",
        flush=True,
    )
    return rate, each


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("video", type=Path)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--frames", type=int, default=60, help="of the ancestors' loop, unpaced")
    given = parser.parse_args()
    pictures = load(given.video)
    models = [x.split(":")[1].strip() for x in Path("/proc/cpuinfo").read_text().splitlines()
              if x.startswith("model name")]  # fmt: skip
    print(f"{models[0]}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")

    def run(rate: float, seconds: float, count: int = MOST) -> tuple[float, float]:
        pace = "auto" if rate else "every-frame"
        begun = time.process_time()
        report = live(LiveOptions(pace=pace), source=Repeated(pictures[:count], rate, seconds))
        used = time.process_time() - begun
        return tell(f"kpcli live, {rate:g} frames/s" if rate else "kpcli live, all frames",
                    list(report.delays_ms), report.seconds, used)  # fmt: skip

    run(0, 0, 5)  # files into memory
    run(RATE, given.seconds)
    ours = run(0, 0)
    loop = Ancestor()
    loop.show(Frame(Path("a"), 1, 0.0, pictures[0], moving=True))
    begun = time.process_time()
    delays, seconds = by_ancestor(Repeated(pictures, RATE, given.seconds), loop, every=False)
    tell(f"ancestors, {RATE} frames/s", delays, seconds, time.process_time() - begun)
    begun = time.process_time()
    delays, seconds = by_ancestor(Repeated(pictures[: given.frames], 0), loop, every=True)
    theirs = tell("ancestors, all frames", delays, seconds, time.process_time() - begun)
    print(f"{ours[0] / theirs[0]:.1f} times the frames/s, {theirs[1] / ours[1]:.1f} times less "
          f"processor time a frame (aim {AIM_TIMES}); load {os.getloadavg()[0]:.1f}")  # fmt: skip


if __name__ == "__main__":
    main()
