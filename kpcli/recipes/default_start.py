"""First phase of the embedded default model (68 points): from random weights.

``DATA`` is the folder of the datasets::

    kpcli prepare DATA/300w DATA/wflw --scheme ibug68 --val 0.1 --seed 0 --out faces.csv
    kpcli prepare DATA/widerface --out wider.csv
    kpcli train faces.csv --recipe default_start --negatives wider.csv --out runs/default_start

Then goes on with the recipe ``default_middle``.
"""

from __future__ import annotations

from typing import Any

OPTIONS: dict[str, Any] = {"arch": "heatmap_fpn", "epochs": 50, "seed": 0}
