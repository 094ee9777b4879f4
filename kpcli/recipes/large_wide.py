"""The large model (68 points), second phase: on many more faces.

After the recipe ``large_start``; the tables are those of the recipe ``default_wide``::

    python B/mix_faces.py wide_large.csv faces.csv:2 faces.csv@wflw:2 partial.csv:2 synth.csv:3 \
        helen_more.csv:2 scut.csv:1:1200 p_wider.csv p_celeba.csv p_utk.csv
    kpcli train wide_large.csv --recipe large_wide --init runs/large_start/model \
        --negatives wider.csv --out runs/large_wide
    python B/average_models.py faces.csv runs/large_wide/model runs/large_start/model \
        runs/large_half --shares 0.5

The shipped model's run was stopped after the first epoch, of 540 steps.
"""

from __future__ import annotations

from typing import Any

from kpcli.options import AugmentOptions

OPTIONS: dict[str, Any] = {
    "arch": "heatmap_fpn_large",
    "epochs": 4,
    "learning_rate": 8e-4,
    "warmup_epochs": 0.2,
    "ema": 0.9985,
    "precision": "mixed_bfloat16",
    "seed": 7,
    "negative_share": 0.12,
    "soft_weight": 0.3,
    "augment": AugmentOptions(strength=0.8),
}
