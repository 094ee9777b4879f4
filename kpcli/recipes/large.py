"""The embedded large model (68 points): the default model grown to crops of 192 pixels.

The tables are those of the recipe ``default_wide``, but for the pseudo-labels: those are the mean
of what the models `default` and `large` that were shipped before say of each face::

    for d in "wider MORE/wider/WIDER_train/images 2600" "aaf MORE/aaf 500" \
             "celeba MORE/celeba 700" "utk MORE/utkface 1200"; do
        set -- $d
        python B/pseudo_labels.py $2 pseudo/$1 --model default --model large \
            --held-out faces.csv --held-out wflw.csv --count $3
        kpcli prepare pseudo/$1 --scheme ibug68 --out p_$1.csv
    done
    python B/mix_faces.py mix_large.csv faces.csv:3 partial.csv synth.csv:2 helen_more.csv:2 \
        scut.csv:1:300 p_wider.csv:1:1500 p_celeba.csv:1:500 p_utk.csv:1:700 p_aaf.csv:1:300 \
        p_turned.csv:1:1000
    kpcli train mix_large.csv --recipe large --negatives wider.csv --out runs/large_mix
    python B/mix_faces.py mix_large_end.csv faces.csv:3 partial.csv helen_more.csv \
        p_wider.csv:1:600 p_turned.csv:1:400
    kpcli train mix_large_end.csv --recipe large --init runs/large_mix/model --epochs 4 \
        --learning-rate 4e-4 --warmup-epochs 0.1 --negatives wider.csv --out runs/large_end
    kpcli train mix_large_end.csv --recipe large --init runs/large_end/model --epochs 4 \
        --learning-rate 4e-4 --warmup-epochs 0.1 --seed 12 --negatives wider.csv --out runs/large

    python B/mix_faces.py mix_large_w.csv faces.csv:3 faces.csv@wflw:3 partial.csv \
        helen_more.csv:2 p_wider_w.csv:1:2600 p_utk.csv:1:300 p_turned.csv:1:1200
    kpcli train mix_large_w.csv --recipe large --init runs/large/model --epochs 5 \
        --learning-rate 6e-4 --warmup-epochs 0.1 --augment 0.5 --seed 31 --negatives wider.csv \
        --out runs/large_mild
    python B/refit_uncertainty.py faces.csv runs/large_mild/model runs/large_told
    python B/calibrate_gate.py wider.csv runs/large_told --most 11 --write

(seed 5 for WIDER FACE; `p_wider_w` is that of the recipe ``default``, and `default` here is the
model of the recipe ``default_gpu``; of CelebA 500 turned faces more; the first run was stopped
after 12 of its 14 epochs, the best was the 11th). The recipes ``large_start`` and ``large_wide``
are of the large model before.
"""

from __future__ import annotations

from typing import Any

from kpcli.options import AugmentOptions

OPTIONS: dict[str, Any] = {
    "arch": "heatmap_fpn_large",
    "init": "default",
    "epochs": 14,
    "learning_rate": 1e-3,
    "warmup_epochs": 0.2,
    "ema": 0.9985,
    "precision": "mixed_bfloat16",
    "seed": 11,
    "negative_share": 0.12,
    "soft_weight": 0.3,
    "augment": AugmentOptions(strength=0.8),
}
