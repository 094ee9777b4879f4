"""The design of heatmap_fpn with more channels and blocks: 4.0 M parameters, 0.66 GMac."""

from __future__ import annotations

import keras

from kpcli.architectures import heatmap_fpn
from kpcli.errors import UsageError

INPUT_SIZE = heatmap_fpn.INPUT_SIZE
COLOUR = heatmap_fpn.COLOUR
WIDTHS = (24, 64, 128, 192, 192)
BLOCKS = (0, 2, 3, 2, 1)
PYRAMID = 96


def build(n_points: int, *, weights: str = "none") -> keras.Model:
    """Inputs and outputs are those of `kpcli.architectures.heatmap_fpn.build`."""
    if weights != "none":
        raise UsageError(
            f"--weights {weights} does not apply to heatmap_fpn_large",
            next_step="start from a bundle with --init",
        )
    return heatmap_fpn.build_pyramid(n_points, WIDTHS, BLOCKS, PYRAMID)
