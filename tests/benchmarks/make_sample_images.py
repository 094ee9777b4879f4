"""Make sample_images/ from portraits that lie in Python packages; see sample_images/SOURCES.md.

Usage, in an empty folder (nothing of it is needed afterwards):

    pip download --no-deps scikit-image==0.26.0 && unzip -o scikit_image-*.whl
    pip download --no-deps --no-binary :all: face_recognition==1.3.0 && tar xzf face_*.tar.gz
    python REPO/tests/benchmarks/make_sample_images.py . REPO/sample_images
"""

import sys
from pathlib import Path

import av
import cv2
import matplotlib
import numpy as np
from PIL import Image

PACKAGES, OUT = Path(sys.argv[1]), Path(sys.argv[2])
HOPPER = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
COLLINS = PACKAGES / "skimage" / "data" / "astronaut.png"
WHITE_HOUSE = PACKAGES / "face_recognition-1.3.0" / "tests" / "test_images"
FPS, SECONDS = 30, 2


def portraits() -> tuple[Image.Image, Image.Image]:
    """The four portraits, three of them byte for byte; gives back the two to compose from."""
    folder = OUT / "portraits"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "grace_hopper.jpg").write_bytes(HOPPER.read_bytes())
    (folder / "barack_obama.jpg").write_bytes((WHITE_HOUSE / "obama.jpg").read_bytes())
    (folder / "joe_biden.jpg").write_bytes((WHITE_HOUSE / "biden.jpg").read_bytes())
    collins = Image.open(COLLINS).convert("RGB")
    collins.save(folder / "eileen_collins.png", optimize=True)
    return Image.open(HOPPER).convert("RGB"), collins


def wall(hopper: Image.Image, collins: Image.Image) -> None:
    """Framed photographs on a wall: large and small, upright, tilted, mirrored, dark, gray."""
    x = np.linspace(0, 1, 1280)[None, :, None]
    y = np.linspace(0, 1, 800)[:, None, None]
    plaster = (np.array([196, 188, 172]) - 46 * y - 18 * x * y).clip(0, 255).astype(np.uint8)
    canvas = Image.fromarray(plaster)
    mirror = Image.Transpose.FLIP_LEFT_RIGHT
    dark = hopper.crop((60, 0, 460, 480)).transpose(mirror).point(lambda v: v // 3)
    prints = [
        (hopper.crop((60, 0, 460, 480)), 360, 6, (60, 60)),
        (collins.crop((110, 0, 350, 260)), 330, -9, (480, 90)),
        (dark, 260, 4, (910, 60)),
        (collins.crop((60, 0, 420, 400)).transpose(mirror), 190, 25, (440, 500)),
        (hopper.crop((100, 10, 440, 420)).convert("L").convert("RGB"), 130, -5, (700, 560)),
        (collins.crop((130, 0, 330, 240)), 90, 0, (900, 500)),
        (hopper.crop((130, 10, 410, 360)), 60, 0, (1040, 600)),
    ]
    for picture, width, angle, at in prints:
        size = (width, round(width * picture.height / picture.width))
        edge = max(4, width // 28)
        card = Image.new("RGBA", (size[0] + 2 * edge, size[1] + 2 * edge), (250, 248, 240, 255))
        card.paste(picture.resize(size, Image.Resampling.LANCZOS), (edge, edge))
        card = card.rotate(angle, Image.Resampling.BICUBIC, expand=True)
        canvas.paste(card, at, card)
    canvas.save(OUT / "wall_of_portraits.jpg", quality=88)


def clip(hopper: Image.Image, collins: Image.Image) -> None:
    """A camera that pans from one face to another, zooms in and turns."""
    wide = np.zeros((600, 1100, 3), np.uint8)
    wide[:] = (110, 120, 135)
    wide[44:556, 30:542] = np.asarray(collins)
    wide[:, 572:1084] = np.asarray(hopper)
    with av.open(str(OUT / "clip.mp4"), "w", options={"movflags": "+faststart"}) as output:
        stream = output.add_stream("libx264", rate=FPS, options={"crf": "23", "preset": "slow"})
        stream.width, stream.height, stream.pix_fmt = 480, 360, "yuv420p"
        for i in range(FPS * SECONDS):
            t = i / (FPS * SECONDS - 1)
            ease = t * t * (3 - 2 * t)
            centre = (270 + 550 * ease, 180 + 20 * ease)
            zoom = 0.85 + 0.55 * np.sin(np.pi * t) ** 2 * 0.3 + 0.25 * ease
            matrix = cv2.getRotationMatrix2D(centre, 14 * np.sin(2 * np.pi * t), zoom)
            matrix[:, 2] += np.array([240, 180]) - centre
            pixels = cv2.warpAffine(
                wide, matrix, (480, 360), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE
            )
            for packet in stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")):
                output.mux(packet)
        for packet in stream.encode(None):
            output.mux(packet)


hopper, collins = portraits()
wall(hopper, collins)
clip(hopper, collins)
total = sum(f.stat().st_size for f in OUT.rglob("*") if f.is_file())
print(f"{OUT}: {total / 1e6:.2f} MB")
