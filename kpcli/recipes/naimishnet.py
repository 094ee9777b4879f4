"""NaimishNet on 224x224 gray.

For README's table of architectures, not embedded: the data and the loop are those of our own
models, the augmentation and the epochs are fewer.
``DATA`` is the folder of the datasets::

    kpcli prepare DATA/300w DATA/wflw --scheme ibug68 --val 0.1 --seed 0 --out faces.csv
    kpcli train faces.csv --recipe naimishnet --out runs/naimishnet
"""

from __future__ import annotations

from typing import Any

from kpcli.options import AugmentOptions

OPTIONS: dict[str, Any] = {
    "arch": "naimishnet",
    "epochs": 24,
    "learning_rate": 0.0005,
    "precision": "mixed_bfloat16",
    "augment": AugmentOptions(strength=0.5),
}
