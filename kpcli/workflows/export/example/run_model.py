"""Points of one face by an exported model: needs its runtime, NumPy and Pillow, and no kpcli.

python run_model.py model.onnx PICTURE LEFT TOP RIGHT BOTTOM
"""

import json
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnxruntime import InferenceSession
from PIL import Image, ImageOps


def run(model: str, image: NDArray[np.float32]) -> NDArray[np.float64]:
    """The network's points (1, N, 2), from -1 to 1 across the crop."""
    network = InferenceSession(model)
    return np.asarray(network.run(["points"], {network.get_inputs()[0].name: image})[0])


def weights(start: float, step: float, size: int, length: int) -> list[NDArray[np.float64]]:
    """Of a line: its pixels in each of the averaged blocks, and those in each of the crop's."""
    first = int(np.clip(np.floor(start - step / 2), 0, length - 1))
    end = int(np.clip(np.ceil(start + step * (size - 0.5)) + 1, first + 1, length))
    count = max((end - first) // max(int(0.75 * step), 1), 1)  # blocks: small things would vanish
    width = (end - first) / count  # between the pixels of a crop that is shrunk without them
    edges, pixel = first + width * np.arange(count + 1)[:, None], np.arange(length)
    inside = np.clip(np.minimum(pixel + 1, edges[1:]) - np.maximum(pixel, edges[:-1]), 0, None)
    places = (start + step * np.arange(size)[:, None] + 0.5 - first) / width - 0.5
    places = np.floor(places * 32 + 0.5) / 32  # each is the mean of its neighbours; black beyond
    return [inside / width, np.clip(1 - abs(places - np.arange(count)), 0, None)]


if __name__ == "__main__":
    card = json.loads(Path(sys.argv[1]).with_name("card.json").read_text(encoding="utf-8"))
    crop = np.asarray(ImageOps.exif_transpose(Image.open(sys.argv[2])).convert("RGB"), float)
    low, high = np.array(sys.argv[3:7], float).reshape(2, 2)
    size = card["input_size"]
    step = max(high - low) * card["crop_scale"] / size
    start = (low + high) / 2 - step * (size - 1) / 2
    x, y = (weights(start[axis], step, size, crop.shape[1 - axis]) for axis in (0, 1))
    for down, across in zip(y, x, strict=True):
        crop = np.floor(np.einsum("yh,hwc,xw->yxc", down, crop, across, optimize=True) + 0.5)
    if card["colour"] == "gray":
        crop = np.floor(crop @ [[0.299], [0.587], [0.114]] + 0.5)
    unit = run(sys.argv[1], crop[None].astype(np.float32))[0]
    for name, point in zip(card["scheme"]["point_names"], unit, strict=True):
        print(name, *np.round(start + step * ((point + 1) * size - 1) / 2, 3), sep=",")
