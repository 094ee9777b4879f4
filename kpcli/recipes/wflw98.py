"""WFLW's 98 points, the trunk of the default model with a head of its own.

The embedded one comes from the GPU run of the recipe ``default_gpu``: one trunk learnt both
mark-ups, and the points that WFLW's 98 have more than the 68 from WFLW alone and from the
teacher's labels::

    python B/gpu_landmarks.py unpack default.npz wflw98 wflw.csv runs/wflw98
    python B/calibrate_gate.py wider.csv runs/wflw98 --like default --pictures 900 --write

Without a GPU, the commands that made the embedded one before (test 6.06 %), from the default model
that was shipped then, that of recipe ``default_taught``::

    kpcli prepare DATA/wflw --val 0.1 --seed 0 --out wflw.csv
    kpcli prepare DATA/widerface --out wider.csv
    kpcli train wflw.csv --recipe wflw98 --negatives wider.csv --out runs/wflw98
"""

from __future__ import annotations

from typing import Any

OPTIONS: dict[str, Any] = {
    "arch": "heatmap_fpn",
    "init": "default",
    "precision": "mixed_bfloat16",
    "epochs": 120,
    "learning_rate": 8e-4,
    "negative_share": 0.25,
    "seed": 0,
}
