"""A tiny architecture in the place of every other one, and drawn faces to train it on."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.training import draw_faces, tiny

from kpcli.training import networks
from kpcli.training.landmarks import train as train_landmarks


@pytest.fixture
def tiny_architecture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_landmarks, "architecture_facts", lambda name: (32, "rgb"))
    monkeypatch.setattr(
        networks, "build_architecture", lambda name, n_points, weights: tiny(n_points)
    )


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    return draw_faces(tmp_path)
