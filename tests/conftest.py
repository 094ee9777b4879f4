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


SLOW = {
    "contracts/test_architectures.py", "contracts/test_catalogue.py",
    "contracts/test_exporters.py", "contracts/test_formats.py", "cli/test_bench.py",
    "cli/test_detectors.py", "cli/test_eval.py", "cli/test_eval_boxes.py",
    "cli/test_eval_comparison.py", "cli/test_eval_refusals.py", "cli/test_inspect.py",
    "cli/test_live.py", "cli/test_prepare.py", "cli/test_review.py", "cli/test_train.py",
    "end_to_end/test_anonymise.py", "end_to_end/test_live_window.py",
    "end_to_end/test_report_in_chromium.py", "end_to_end/test_review_in_chromium.py",
    "end_to_end/test_annotate_media.py", "end_to_end/test_annotate_odd_media.py",
    "end_to_end/test_annotate_shards.py", "end_to_end/test_library.py",
    "unit/detectors/test_large_pictures.py", "unit/inference/test_real_blinks.py",
    "cli/test_help.py", "end_to_end/test_annotate_faults.py", "end_to_end/test_annotate_ray.py",
    "end_to_end/test_annotate_resume.py", "end_to_end/test_everything.py",
    "end_to_end/test_fuzz_labels.py", "end_to_end/test_fuzz_media.py",
    "end_to_end/test_kills.py", "end_to_end/test_export_example.py",
    "end_to_end/test_web_page.py",
    "end_to_end/test_own_scheme.py", "end_to_end/test_user_files.py",
    "unit/training/test_fit.py",
    "unit/training/test_run_folder.py", "unit/training/detection/test_model.py",
    "unit/workflows/report/test_annotated.py", "unit/runtimes/test_hush.py",
}  # fmt: skip
"""Modules that train, start processes or go over every format: what ``-m "not slow"`` leaves out.

By ``pytest --durations=150 --durations-min=0.7``: each takes more than 1 second.
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.relative_to(REPO / "tests").as_posix() in SLOW:
            item.add_marker(pytest.mark.slow)
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
