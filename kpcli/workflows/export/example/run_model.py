"""Points of one face by an exported model: needs its runtime, NumPy and Pillow, and no kpcli.

python run_model.py model.onnx PICTURE LEFT TOP RIGHT BOTTOM
"""

import json
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

Array = NDArray[np.float64]


def averages(length: int, count: int) -> Array:
    """Weights (count, length) by which ``count`` blocks average a row of pixels."""
    edges, k = np.linspace(0, length, count + 1)[:, None], np.arange(length)
    inside = np.minimum(k + 1, edges[1:]) - np.maximum(k, edges[:-1])
    weights: Array = np.clip(inside, 0, None) / (edges[1:] - edges[:-1])
    return weights


def resample(picture: Array, down: Array, across: Array) -> Array:
    """The picture (H, W, 3) by weights (h, H) and (w, W), as whole numbers."""
    mean: Array = np.einsum("yh,hwc,xw->yxc", down, picture, across, optimize=True)
    return np.floor(mean + 0.5)


def cut(picture: Array, box: Array, size: int, scale: float) -> tuple[Array, Array, float]:
    """The crop (size, size, 3), where in the picture its first pixel lies, and its step there."""
    step = float(max(box[2:] - box[:2])) * scale / size
    start = (box[:2] + box[2:]) / 2 - step * (size - 1) / 2
    first, blocks = np.zeros(2, int), np.ones(2)
    if (factor := int(0.75 * step)) >= 2:  # average first, or small things vanish between pixels
        first = np.clip(np.floor(start - step / 2).astype(int), 0, picture.shape[1::-1])
        end = np.ceil(start + step * (size - 0.5)).astype(int) + 1
        picture = picture[first[1] : max(end[1], 1), first[0] : max(end[0], 1)]
        width, height = picture.shape[1::-1]
        columns, rows = max(width // factor, 1), max(height // factor, 1)
        picture = resample(picture, averages(height, rows), averages(width, columns))
        blocks = np.array([width / columns, height / rows])
    places = (start + step * np.arange(size)[:, None] + 0.5 - first) / blocks - 0.5
    places = np.floor(places * 32 + 0.5) / 32
    y, x = (  # each pixel is the mean of its four neighbours; outside the picture it is black
        np.clip(1 - abs(places[:, i : i + 1] - np.arange(picture.shape[1 - i])), 0, None)
        for i in (1, 0)
    )
    return resample(picture, y, x), start, step


def run(model: Path, crop: Array) -> dict[str, Array]:
    """The model's outputs by name."""
    if model.suffix == ".onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(str(model))
        image = session.get_inputs()[0]
        kind = np.uint8 if image.type == "tensor(uint8)" else np.float32
        names = [output.name for output in session.get_outputs()]
        values = session.run(names, {image.name: crop[None].astype(kind)})
        return dict(zip(names, values, strict=True))
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(str(model)).get_signature_runner()
    (name,) = runner.get_input_details()
    return dict(runner(**{name: crop[None].astype(np.float32)}))


def main(model: Path, picture: Path, *box: str) -> None:
    """Print a line a point: its name, x, y."""
    card = json.loads((model.parent / "card.json").read_text(encoding="utf-8"))
    pixels = np.asarray(ImageOps.exif_transpose(Image.open(picture)).convert("RGB"), float)
    size = card["input_size"]
    crop, start, step = cut(pixels, np.array(box, float), size, card["crop_scale"])
    if card["colour"] == "gray":
        crop = np.floor(crop @ [[0.299], [0.587], [0.114]] + 0.5)
    unit = run(model, crop)["points"][0]
    points = start + step * ((unit + 1) * size - 1) / 2
    for name, (x, y) in zip(card["scheme"]["point_names"], points, strict=True):
        print(f"{name},{x:.3f},{y:.3f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:7])
