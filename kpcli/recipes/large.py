"""The embedded large model (68 points): last phase, after the recipe ``large_wide``.

The tables are those of the recipe ``default_wide``::

    python B/mix_faces.py mix_large.csv faces.csv:2 faces.csv@wflw:2 partial.csv synth.csv \
        helen_more.csv:2 scut.csv:1:300 p_wider.csv:1:1200 p_celeba.csv:1:400 p_utk.csv:1:500 \
        p_turned.csv:1:1500
    kpcli train mix_large.csv --recipe large --init runs/large_half --negatives wider.csv \
        --out runs/large
"""

from __future__ import annotations

from typing import Any

from kpcli.options import AugmentOptions

OPTIONS: dict[str, Any] = {
    "arch": "heatmap_fpn_large",
    "epochs": 1,
    "learning_rate": 4e-4,
    "warmup_epochs": 0.1,
    "ema": 0.9985,
    "precision": "mixed_bfloat16",
    "seed": 10,
    "negative_share": 0.12,
    "soft_weight": 0.3,
    "augment": AugmentOptions(strength=0.8),
}
