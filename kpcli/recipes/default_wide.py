"""The default model (68 points): fifth phase, on many more and farther turned faces.

After the recipes ``default_taught`` and ``large_start``. ``DATA`` is the folder of the datasets,
``MORE`` that of plain pictures: WIDER FACE's train part at full size, CelebA's aligned train part,
UTKFace, SCUT-FBP5500 with its points as COCO key points. ``B`` is tests/benchmarks::

    kpcli prepare DATA/300w DATA/wflw --scheme ibug68 --val 0.1 --seed 0 --out faces.csv
    kpcli prepare DATA/partial68/fgnet DATA/partial68/london --scheme ibug68 --out partial.csv
    kpcli prepare DATA/facesynthetics --scheme ibug68 --out synth.csv
    kpcli prepare DATA/helen_more --scheme ibug68 --out helen_more.csv
    kpcli prepare MORE/scut --scheme ibug68 --out scut.csv
    kpcli prepare DATA/widerface --out wider.csv
    python B/pseudo_labels.py MORE/wider/WIDER_train/images pseudo/wider --held-out faces.csv \
        --model runs/large_start/model --count 2224
    python B/pseudo_labels.py MORE/celeba pseudo/celeba --held-out faces.csv \
        --model runs/large_start/model --count 2200 --turned 442
    python B/pseudo_labels.py MORE/utkface pseudo/utk --held-out faces.csv \
        --model runs/large_start/model --count 1683
    python B/turned_faces.py faces.csv pseudo/turned --count 2200 --least 30 --most 85
    for d in wider celeba utk turned; do
        kpcli prepare pseudo/$d --scheme ibug68 --out p_$d.csv
    done
    python B/mix_faces.py wide.csv faces.csv:2 faces.csv@wflw:2 partial.csv:2 synth.csv:2 \
        helen_more.csv:2 scut.csv:1:800 p_wider.csv p_celeba.csv:1:1900 p_utk.csv p_turned.csv
    kpcli train wide.csv --recipe default_wide --init runs/default_taught/model \
        --negatives wider.csv --out runs/default_wide
    python B/average_models.py faces.csv runs/default_wide/model runs/default_taught/model \
        runs/default_half --shares 0.5

The shipped model's run was stopped after the first epoch, of 577 steps.
"""

from __future__ import annotations

from typing import Any

from kpcli.options import AugmentOptions

OPTIONS: dict[str, Any] = {
    "arch": "heatmap_fpn",
    "epochs": 8,
    "learning_rate": 1e-3,
    "warmup_epochs": 0.2,
    "ema": 0.9985,
    "precision": "mixed_bfloat16",
    "seed": 8,
    "negative_share": 0.12,
    "soft_weight": 0.3,
    "augment": AugmentOptions(strength=0.8),
}
