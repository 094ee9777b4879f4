"""Our own landmark model: residual pyramid, soft-argmax heatmaps, per-point uncertainty.

A plain residual encoder (strides 2 to 32) with a top-down path back to stride 4 (Lin et al.,
"Feature pyramid networks", CVPR 2017) gives one 32x32 heatmap a point; its soft-argmax (Sun et
al., "Integral human pose regression", ECCV 2018) is the coarse coordinate. The features under
the heatmap then give, by one small linear map a point, a sub-cell offset and the logarithm of the
expected error's scale; the pooled encoder tells faces from other things.
"""

from __future__ import annotations

import keras
from keras import layers

from kpcli.architectures.layers import PointwiseDense, SoftArgmax
from kpcli.errors import UsageError
from kpcli.model_bundle import LANDMARKS

INPUT_SIZE = 128
COLOUR = "rgb"
TASK = LANDMARKS
STRIDES = ()
WIDTHS = (24, 48, 96, 128, 128)
BLOCKS = (0, 1, 2, 1, 1)
PYRAMID = 64


def build(n_points: int, *, weights: str = "none") -> keras.Model:
    """Model (B, 128, 128, 3) to a dict.

    ``points`` (B, N, 2) unit coordinates; ``log_scale`` (B, N): natural logarithm of the scale b
    of the error's density exp(-d / b) / b^2 (mean distance 2 b), in unit coordinates;
    ``face_logit`` (B, 1); and, for training, ``coarse`` (B, N, 2) and ``heatmaps`` (B, H, W, N).
    """
    if weights != "none":
        raise UsageError(
            f"--weights {weights} does not apply to heatmap_fpn",
            next_step="start from a bundle with --init",
        )
    return build_pyramid(n_points, INPUT_SIZE, WIDTHS, BLOCKS, PYRAMID)


def build_pyramid(
    n_points: int,
    input_size: int,
    widths: tuple[int, ...],
    blocks: tuple[int, ...],
    pyramid: int,
    *,
    silent_blocks: bool = False,
) -> keras.Model:
    """The same design with other numbers: one stride-2 stage an entry of ``widths``.

    With ``silent_blocks`` new residual blocks start as the identity (Goyal et al.,
    arXiv:1706.02677, section 5.1), so that a deeper model goes on where a shallower one stopped.
    """
    image = keras.Input((input_size, input_size, 3), name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1.0)(image)
    stages = []
    for stage, (width, count) in enumerate(zip(widths, blocks, strict=True)):
        x = _conv(x, width, 3, strides=2, name=f"stage{stage}_down")
        for i in range(count):
            x = _residual(x, width, name=f"stage{stage}_block{i}", silent=silent_blocks)
        stages.append(x)

    context = layers.GlobalAveragePooling2D(name="context")(stages[-1])
    face = layers.Dense(1, name="face", dtype="float32")(context)

    top = layers.Conv2D(pyramid, 1, name=f"lateral{len(widths) - 1}")(stages[-1])
    for stage in range(len(widths) - 2, 0, -1):
        lateral = layers.Conv2D(pyramid, 1, name=f"lateral{stage}")(stages[stage])
        top = layers.Add(name=f"merge{stage}")([layers.UpSampling2D()(top), lateral])
        top = _conv(top, pyramid, 3, name=f"smooth{stage}")

    # Positions need more digits than bfloat16 has, whatever the precision of the training.
    logits = layers.Conv2D(n_points, 1, dtype="float32", name="heatmaps")(top)
    coarse, pooled = SoftArgmax(name="soft_argmax")([logits, top])
    refined = PointwiseDense(3, name="refine")(pooled)
    points = layers.Add(dtype="float32", name="points")([coarse, refined[..., :2]])
    # A fresh model starts at an expected error of some hundredths of the crop.
    log_scale = layers.Rescaling(1.0, offset=-4.0, dtype="float32", name="log_scale")(
        refined[..., 2] * 4.0
    )
    outputs = {
        "points": points,
        "log_scale": log_scale,
        "face_logit": face,
        "coarse": coarse,
        "heatmaps": logits,
    }
    return keras.Model(image, outputs, name="heatmap_fpn")


def _conv(
    x: object,
    width: int,
    size: int,
    *,
    strides: int = 1,
    name: str,
    relu: bool = True,
    gamma: str = "ones",
) -> object:
    x = layers.Conv2D(
        width,
        size,
        strides,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=name,
    )(x)
    x = layers.BatchNormalization(gamma_initializer=gamma, name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x) if relu else x


def _residual(x: object, width: int, *, name: str, silent: bool) -> object:
    y = _conv(x, width, 3, name=f"{name}_a")
    gamma = "zeros" if silent else "ones"
    y = _conv(y, width, 3, name=f"{name}_b", relu=False, gamma=gamma)
    return layers.ReLU(name=f"{name}_out")(layers.Add(name=f"{name}_add")([x, y]))
