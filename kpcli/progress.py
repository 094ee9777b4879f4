"""One progress bar for everything that may take more than two seconds."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")

_wanted = ContextVar("_wanted", default=True)


@contextmanager
def bars(wanted: bool) -> Iterator[None]:
    """Show bars in this block, or none: the library is silent unless asked."""
    before = _wanted.set(wanted)
    try:
        yield
    finally:
        _wanted.reset(before)


def progress(
    items: Iterable[T], what: str, total: int | None = None, unit: str = "it"
) -> Iterator[T]:
    """Iterate with a bar on stderr after two seconds; silent when stderr is no terminal."""
    bar = tqdm(
        items,
        desc=what,
        total=total,
        unit=unit,
        delay=2.0,
        dynamic_ncols=True,
        file=sys.stderr,
        disable=not (_wanted.get() and sys.stderr.isatty()),
    )
    yield from bar
