"""The embedded default model (68 points): last phases, here more true labels, then on a GPU.

After the recipe ``default_wide``, which says what the tables are and what ``B`` is::

    python B/mix_faces.py mix.csv faces.csv:3 faces.csv@wflw:3 partial.csv synth.csv:2 \
        helen_more.csv:2 scut.csv:1:400 p_wider.csv:1:1800 p_celeba.csv:1:800 p_utk.csv:1:900 \
        p_turned.csv:1:1800
    kpcli train mix.csv --recipe default_gpu --init runs/default_half --negatives wider.csv \
        --out runs/default_gpu

That is the model with which, and with `large`, the last phase begins, which no option of `kpcli
train` does: `B/gpu_landmarks_train.py`, packed and unpacked as `B/gpu_landmarks.py` says, with
`B/gpu_landmarks.sh` as start.sh. It trains a teacher, labels the plain faces anew (WIDER FACE 7918,
UTKFace 2300, CelebA 1500, All-Age-Faces 900, YouTube Faces 400) and trains `default` and, on the
same trunk, `wflw98` on all of it. The shipped run, on an NVIDIA H200 that trained a face detector
at the same time, took 7 minutes, 160 s of them the teacher's and 157 s the default model's::

    bash .gpu/lm1/start.sh 7 --shares 3.5 6.5 0 0 --skip large wflw98
    python B/gpu_landmarks.py unpack default.npz default faces.csv runs/default
    python B/calibrate_gate.py wider.csv runs/default --most 11 --write
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
