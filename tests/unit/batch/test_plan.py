"""--resume compares every option that rows depend on: a new field cannot be forgotten."""

from __future__ import annotations

from dataclasses import Field, fields, replace
from pathlib import Path
from typing import Any

import pytest

from kpcli.batch.plan import make_plan, settings
from kpcli.options import AnnotateOptions, AnonymiseOptions, FrameSelection

FREE = {
    "inputs", "out", "folder", "formats", "resume", "overwrite", "dry_run", "engine", "workers",
    "timeout", "max_megapixels", "config",
}  # fmt: skip
"""No row depends on them; input folder and files are compared by the plan."""


def other(value: object) -> Any:
    """Another value of the same type."""
    if value is None:
        return Path("other.csv")
    if isinstance(value, bool):
        return not value
    if isinstance(value, FrameSelection):
        return replace(value, every=7)
    if isinstance(value, tuple):
        return (*value[:-1], "points" if isinstance(value[-1], str) else value[-1] + 1)
    if isinstance(value, float) and 0 < value < 1:  # a share stays one
        return (value + 1) / 2
    return value + ("x" if isinstance(value, str) else 1)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("kind", "field"),
    [(kind, field) for kind in (AnnotateOptions, AnonymiseOptions) for field in fields(kind)],
    ids=lambda value: getattr(value, "name", ""),
)
def test_every_option_is_compared_or_declared_free(
    kind: type[AnnotateOptions | AnonymiseOptions], field: Field[Any], tmp_path: Path
) -> None:
    (tmp_path / "a.png").touch()
    options = kind((tmp_path,), tmp_path / "out")
    plan = make_plan(options)
    before = settings(options, plan, "scheme", None, [])
    assert bool(field.metadata.get("free")) == (field.name in FREE)
    if field.name not in FREE:
        changed = replace(options, **{field.name: other(getattr(options, field.name))})
        assert settings(changed, plan, "scheme", None, []) != before
