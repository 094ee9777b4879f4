"""heatmap_fpn grown: crops of 192x192, three more residual blocks; 2.2 M parameters, 0.71 GMac.

Its other layers bear the names and shapes of `kpcli.architectures.heatmap_fpn`, and the blocks
that are new start as the identity: ``--init default`` starts it where the default model stands.
"""

from __future__ import annotations

import keras

from kpcli.architectures import heatmap_fpn
from kpcli.errors import UsageError
from kpcli.model_bundle import LANDMARKS

INPUT_SIZE = 192
COLOUR = heatmap_fpn.COLOUR
TASK = LANDMARKS
STRIDES = ()
BLOCKS = (0, 1, 3, 2, 2)


def build(n_points: int, *, weights: str = "none") -> keras.Model:
    """Model (B, 192, 192, 3); its outputs are those of `kpcli.architectures.heatmap_fpn.build`."""
    if weights != "none":
        raise UsageError(
            f"--weights {weights} does not apply to heatmap_fpn_large",
            next_step="start from a bundle with --init",
        )
    return heatmap_fpn.build_pyramid(
        n_points, INPUT_SIZE, heatmap_fpn.WIDTHS, BLOCKS, heatmap_fpn.PYRAMID, silent_blocks=True
    )
