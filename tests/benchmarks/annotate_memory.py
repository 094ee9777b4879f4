"""Peak memory and speed of `kpcli annotate` for ten times as many frames, and as many pictures.

Usage: python tests/benchmarks/annotate_memory.py ../shared/data/videos/single_face.mp4 \
           ../shared/data/300w/helen [--small]

Loops the clip to 600 and to 6,000 frames, links pictures 2,000 and 20,000 times (--small: a tenth
of all), annotates each in a process of its own and prints its peak, workers included.
"""

import itertools
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import av

SMALL = 10 if "--small" in sys.argv else 1


def loop(source: Path, target: Path, count: int) -> None:
    """The clip over and over, ``count`` frames at 30 a second."""
    with av.open(str(source)) as clip:
        frames = [f.to_ndarray(format="rgb24") for f in itertools.islice(clip.decode(video=0), 60)]
    with av.open(str(target), "w") as output:
        stream = output.add_stream("libx264", rate=30, options={"preset": "ultrafast"})
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for i in range(count):
            output.mux(stream.encode(av.VideoFrame.from_ndarray(frames[i % 60], format="rgb24")))
        output.mux(stream.encode(None))


def measure(what: str, folder: Path, out: Path, count: int) -> tuple[float, float]:
    """Peak in MB of the largest process, and pictures or frames a second."""
    words = ["kpcli", "annotate", "folder", str(folder), "--out", str(out), "--no-overlays"]
    script = (
        "import resource, sys; from kpcli.cli.app import main\n"
        f"sys.argv = {[*words, '--overwrite']!r}\n"
        "if __name__ == '__main__':\n"
        "    try:\n        main()\n    except SystemExit:\n        pass\n"
        "    own, kids = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN\n"
        "    peaks = [resource.getrusage(who).ru_maxrss for who in (own, kids)]\n"
        "    print('peaks', *peaks)\n"
    )
    file = out.with_suffix(".py")
    file.write_text(script)
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, file], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True,
    )  # fmt: skip
    seconds = time.perf_counter() - begun
    own, children = (int(v) / 1024 for v in done.stdout.split("peaks")[1].split())
    rate = count / seconds
    print(f"{what} {count}: peak {own:.0f} MB, workers {children:.0f} MB, {rate:.1f}/s", flush=True)
    return max(own, children), rate


def compare(what: str, first: tuple[float, float], second: tuple[float, float]) -> None:
    print(f"  {what}: memory times {second[0] / first[0]:.3f} (aim 1.15), "
          f"speed times {second[1] / first[1]:.3f} (aim 0.9)")  # fmt: skip


with tempfile.TemporaryDirectory() as temporary:
    base = Path(temporary)
    results = []
    for count in (600 // SMALL, 6000 // SMALL):
        folder = base / f"video{count}"
        folder.mkdir()
        loop(Path(sys.argv[1]), folder / "clip.mp4", count)
        results.append(measure("video frames", folder, base / f"out{count}", count))
    compare("ten times the frames", *results)
    files = sorted(Path(sys.argv[2]).rglob("*.jpg"))
    results = []
    for count in (2000 // SMALL, 20000 // SMALL):
        folder = base / f"pictures{count}"
        folder.mkdir()
        for i in range(count):
            (folder / f"{i:05}.jpg").symlink_to(files[i % len(files)].resolve())
        results.append(measure("pictures", folder, base / f"outp{count}", count))
    compare("ten times the pictures", *results)
