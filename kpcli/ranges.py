"""Between what numbers an option may lie: said at its field, checked wherever one is made."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from functools import cache
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from kpcli.errors import UsageError


@dataclass(frozen=True)
class Range:
    """The least and the most that a number may be; both are allowed."""

    least: float
    most: float = math.inf

    def __str__(self) -> str:
        if self.most < math.inf:
            return f"{self.least:g} to {self.most:g}"
        return f"{self.least:g} or more" if self.least > -math.inf else "finite"


Share = Annotated[float, Range(0, 1)]
CutShare = Annotated[float, Range(0, 0.9)]
"""Of the training rows, that is cut off them."""
Amount = Annotated[float, Range(0)]
Seconds = Annotated[float, Range(-math.inf)]
Count = Annotated[int, Range(0)]
AtLeastOne = Annotated[int, Range(1)]


class InRange:
    """A dataclass of options whose numbers are held to the `Range` of their fields."""

    def __post_init__(self) -> None:
        for name, (kind, limits, optional) in ranges(type(self)).items():  # type: ignore[arg-type]
            value = getattr(self, name)
            if value is None and optional:
                continue
            wanted = Integral if kind is int else Real
            what = f"a {'whole ' if kind is int else ''}number, {limits}"
            if not isinstance(value, wanted):
                raise UsageError(f"{name}: no such number", expected=what, actual=repr(value))
            number = float(value)
            if not (math.isfinite(number) and limits.least <= number <= limits.most):
                raise UsageError(f"{name}: out of range", expected=what, actual=f"{value}")


@cache
def ranges(kind: type[Any]) -> dict[str, tuple[type, Range, bool]]:
    """Of every field with a range: int or float, the range, and whether it may be None."""
    found: dict[str, tuple[type, Range, bool]] = {}
    hints = get_type_hints(kind, include_extras=True)
    for one in fields(kind):
        hint = hints[one.name]
        either = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
        for part in either:
            if get_origin(part) is Annotated:
                plain, limits = get_args(part)[:2]
                found[one.name] = (plain, limits, NoneType in either)
    return found
