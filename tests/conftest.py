"""Shared by all tests: where the real data lie, and the mark that skips without them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

# The same examples on every run, and no limit of time: the machine may be busy.
settings.register_profile("kpcli", deadline=None, derandomize=True)
settings.load_profile("kpcli")

REPO = Path(__file__).resolve().parents[1]
SHARED = REPO.parent / "shared" / "data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if SHARED.is_dir():
        return
    skip = pytest.mark.skip(reason=f"no real data at {SHARED}")
    for item in items:
        if item.get_closest_marker("shared"):
            item.add_marker(skip)


@pytest.fixture
def shared() -> Path:
    return SHARED


@pytest.fixture
def sample_images() -> Path:
    return REPO / "sample_images"
