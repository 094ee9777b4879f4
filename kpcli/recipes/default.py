"""The embedded default model (68 points): last phase, more of the true labels.

After the recipe ``default_wide``, which says what the tables are and what ``B`` is::

    python B/mix_faces.py mix.csv faces.csv:3 faces.csv@wflw:3 partial.csv synth.csv:2 \
        helen_more.csv:2 scut.csv:1:400 p_wider.csv:1:1800 p_celeba.csv:1:800 p_utk.csv:1:900 \
        p_turned.csv:1:1800
    kpcli train mix.csv --recipe default --init runs/default_half --negatives wider.csv \
        --out runs/default
"""

from __future__ import annotations

from typing import Any

from kpcli.options import AugmentOptions

OPTIONS: dict[str, Any] = {
    "arch": "heatmap_fpn",
    "epochs": 3,
    "learning_rate": 5e-4,
    "warmup_epochs": 0.1,
    "ema": 0.9985,
    "precision": "mixed_bfloat16",
    "seed": 9,
    "negative_share": 0.12,
    "soft_weight": 0.3,
    "augment": AugmentOptions(strength=0.8),
}
