"""MobileNet regression from random weights.

For README's table of architectures, not embedded: the data and the loop are those of our own
models, the augmentation and the epochs are fewer.
``DATA`` is the folder of the datasets::

    kpcli prepare DATA/300w DATA/wflw --scheme ibug68 --val 0.1 --seed 0 --out faces.csv
    kpcli train faces.csv --recipe mobilenet_regression --out runs/mobilenet_regression
"""

from __future__ import annotations

from typing import Any

from kpcli.options import AugmentOptions

OPTIONS: dict[str, Any] = {
    "arch": "mobilenet_regression",
    "epochs": 16,
    "learning_rate": 0.0015,
    "augment": AugmentOptions(strength=0.5),
}
