"""kpcli inspect: pictures of what a landmark model does with one face."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from kpcli.detectors import create_detector
from kpcli.drawing import contact_sheet, draw_landmarks
from kpcli.errors import InputError, ModelError
from kpcli.files import check_writable
from kpcli.geometry import CropTransform
from kpcli.images import read_image, to_gray, write_image
from kpcli.model_bundle import LANDMARKS, ModelBundle, ModelCard
from kpcli.options import InspectOptions
from kpcli.outputs import Outputs
from kpcli.types import Frame, Pixels

FACE_SIDE = 768
TILE = 96
MAPS = 32
"""Most channels of a layer that are shown."""
DOUBT = (255, 90, 200)

Floats = NDArray[np.floating]


def inspect(options: InspectOptions) -> list[Path]:
    """Draw the pictures into ``out`` and return their paths.

    - ``face.png``: the crop, the landmarks, and around each a circle of the error that the model
      expects there (the mean of its predicted distribution);
    - ``filters.png``: the first convolution's kernels;
    - ``features_LAYER.png``: channels of the last layer at each resolution;
    - ``heatmaps.png``: where the model looks for each point, if it has such a layer.

    Raises
    ------
    InputError
        If the picture cannot be read or shows no face, or ``out`` cannot be written.
    ModelError
        If the model is none for landmarks or has no Keras weights.
    """
    bundle = ModelBundle.open(options.model)
    if bundle.card.task != LANDMARKS:
        raise ModelError(
            f"{options.model}: its task is {bundle.card.task!r}", expected=f"{LANDMARKS!r}"
        )
    check_writable(options.out / "face.png")
    outputs = Outputs(options.out, "inspect")
    outputs.check(["face.png", "filters.png", "heatmaps.png"])
    crop = _crop(options, bundle.card)
    from kpcli.runtimes.keras_runtime import load_model

    model = load_model(bundle.weights)
    pictures = {"filters.png": filters(model)}
    try:
        values, maps = _run(model, bundle.card, crop)
    except (ValueError, TypeError, KeyError, AttributeError) as e:
        raise ModelError(
            f"{bundle.weights}: the model is not what card.json beside it says",
            actual=" ".join(str(e).split())[:300],
            next_step="get the whole bundle once more from where it came from",
        ) from e
    pictures["face.png"] = face(crop, values, bundle.card)
    for name, channels in maps.items():
        if name == "heatmaps":
            pictures["heatmaps.png"] = heatmaps(channels, crop)
        else:
            pictures[f"features_{name}.png"] = feature_maps(channels)
    outputs.check(pictures)
    with outputs.staging() as folder:
        for name, picture in pictures.items():
            write_image(folder / name, picture)
        outputs.publish_all(folder)
    return [options.out / name for name in sorted(pictures)]


def _crop(options: InspectOptions, card: ModelCard) -> Pixels:
    pixels = read_image(options.image)
    boxes = create_detector(options.detector).detect([Frame.still(options.image, pixels)])[0]
    if not boxes:
        raise InputError(
            f"{options.image}: no face found",
            next_step="try another --detector, or --detector whole_image on a picture of a face",
        )
    return CropTransform.from_box(boxes[0], card.input_size, card.crop_scale).to_crop(pixels)


def _run(model: Any, card: ModelCard, crop: Pixels) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """The model's outputs of the crop, and the maps (H, W, C) of some layers by name."""
    import keras

    chosen = _map_layers(model)
    probe = keras.Model(model.input, [model.output, {x.name: x.output for x in chosen}])
    pixels = to_gray(crop) if card.colour == "gray" else crop
    outputs, maps = probe(pixels[None].astype(np.float32), training=False)

    def first(values: Any) -> dict[str, Floats]:
        numpy = keras.ops.convert_to_numpy
        return {name: np.asarray(numpy(value))[0] for name, value in values.items()}

    return first(outputs), first(maps)


def _map_layers(model: Any) -> list[Any]:
    """The last layer at each resolution on the way down and up, and the heatmaps."""
    layers = [x for x in model.layers[1:] if len(getattr(x.output, "shape", ())) == 4]
    layers = [x for x in layers if (x.output.shape[1] or 0) > 1]
    heat = [x for x in layers if x.name == "heatmaps"]
    layers = [x for x in layers if x.name != "heatmaps" and x.output.shape[-1] > 3]
    last = {}
    falling = True
    for before, layer in zip([None, *layers], layers, strict=False):
        if before is not None and layer.output.shape[1] > before.output.shape[1]:
            falling = False
        last[falling, layer.output.shape[1]] = layer
    return [*last.values(), *heat]


def face(crop: Pixels, outputs: dict[str, Floats], card: ModelCard) -> Pixels:
    """The crop, enlarged, with landmarks and circles of the expected error."""
    picture = np.asarray(
        cv2.resize(crop, (FACE_SIDE, FACE_SIDE), interpolation=cv2.INTER_CUBIC), np.uint8
    )
    points = ((outputs["points"] + 1) * FACE_SIDE - 1) / 2
    if "log_scale" in outputs:
        # The density exp(-d / b) / b^2 of the distance d has the mean 2 b.
        shift = card.calibration.get("log_scale_shift", 0.0)
        radius = 2 * np.exp(outputs["log_scale"] + shift) * FACE_SIDE / 2
        for (x, y), r in zip(points, radius, strict=True):
            where = round(float(x) * 8), round(float(y) * 8)
            cv2.circle(picture, where, round(float(r) * 8), DOUBT, 1, cv2.LINE_AA, 3)
    draw_landmarks(picture, points, card.landmark_scheme)
    return picture


def filters(model: Any) -> Pixels:
    """Kernels of the first convolution, each stretched to its own range."""
    kernel = next(
        np.asarray(w, np.float32)
        for layer in _all_layers(model)
        for w in layer.get_weights()
        if w.ndim == 4
    )
    tiles = []
    for i in range(kernel.shape[-1]):
        tile = kernel[..., i]
        tile = tile if tile.shape[-1] == 3 else tile.mean(axis=-1, keepdims=True).repeat(3, axis=-1)
        tiles.append(_enlarged(_stretched(tile)))
    return contact_sheet(tiles)


def _all_layers(model: Any) -> Iterator[Any]:
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from _all_layers(layer)
        else:
            yield layer


def feature_maps(values: Floats) -> Pixels:
    """Channels of a layer's output (H, W, C) side by side, each stretched to its own range."""
    chosen = np.linspace(0, values.shape[-1] - 1, min(MAPS, values.shape[-1])).astype(int)
    return contact_sheet([_enlarged(_coloured(_stretched(values[..., i]))) for i in chosen])


def heatmaps(logits: Floats, crop: Pixels) -> Pixels:
    """Each point's heatmap (H, W, N logits), as a distribution, over the face."""
    small = np.asarray(cv2.resize(crop, (TILE, TILE), interpolation=cv2.INTER_AREA), np.uint8)
    dim = (small * 0.5).astype(np.uint8)
    tiles = []
    for i in range(logits.shape[-1]):
        heat = np.exp(logits[..., i] - logits[..., i].max())
        heat = cv2.resize(heat, (TILE, TILE), interpolation=cv2.INTER_LINEAR)
        colours = _coloured((heat * 255).astype(np.uint8))
        share = heat[..., None]
        tiles.append((dim * (1 - share) + colours * share).astype(np.uint8))
    return contact_sheet(tiles)


def _stretched(values: Floats) -> NDArray[np.uint8]:
    low, high = float(values.min()), float(values.max())
    return ((values - low) * (255 / max(high - low, 1e-12))).astype(np.uint8)


def _coloured(gray: NDArray[np.uint8]) -> Pixels:
    return np.asarray(cv2.applyColorMap(gray, cv2.COLORMAP_VIRIDIS)[..., ::-1], np.uint8)


def _enlarged(tile: NDArray[np.uint8]) -> Pixels:
    factor = max(1, math.ceil(TILE / max(tile.shape[:2])))
    side: Sequence[int] = (tile.shape[1] * factor, tile.shape[0] * factor)
    return np.asarray(cv2.resize(tile, side, interpolation=cv2.INTER_NEAREST), np.uint8)
