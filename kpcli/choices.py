"""Values for the fields of an options class, as a caller or a file may write them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from difflib import get_close_matches
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from kpcli.errors import UsageError

F = TypeVar("F", bound=Callable[..., Any])


def checked(kind: type[Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values as the fields of the dataclass ``kind`` want them.

    A path may come as text and the other way round; of a sequence, one item or a list may come.

    Raises
    ------
    UsageError
        If there is no such field (the nearest is named), or a value is none of its choices.
    """
    hints = get_type_hints(kind)
    known = [f.name for f in fields(kind)]
    for name in values:
        if name not in known:
            raise UsageError(f"there is no option {name!r}", expected=nearest(name, known))
    return {name: _fitting(name, hints[name], value) for name, value in values.items()}


def nearest(name: str, known: list[str]) -> str:
    """The known name that was probably meant; all of them, where none is near."""
    near = get_close_matches(name, known, n=1)
    return near[0] if near else ", ".join(known)


def _fitting(name: str, hint: Any, value: Any) -> Any:
    either = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    if value is None and NoneType in either:
        return None
    literal = next((h for h in either if get_origin(h) is Literal), None)
    if literal is not None and value not in get_args(literal):
        choices = ", ".join(get_args(literal))
        raise UsageError(f"{name}: unknown choice {value!r}", expected=choices)
    if hint == tuple[Path, ...]:
        return (Path(value),) if isinstance(value, str | Path) else tuple(map(Path, value))
    if hint == tuple[str, ...]:
        return names(value) if isinstance(value, str) else tuple(value)
    if isinstance(value, str) and Path in either:
        return Path(value)
    if hint is str and isinstance(value, Path):
        return str(value)
    return tuple(value) if isinstance(value, list) else value


def names(text: str) -> tuple[str, ...]:
    """The names of a list that commas separate."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def shows_fields(kind: type[Any]) -> Callable[[F], F]:
    """Have ``help()`` and completion show the fields of ``kind`` in place of ``**choices``."""

    def decorate(function: F) -> F:
        signature = inspect.signature(function)
        own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        taken = {p.name for p in own}
        more = [
            inspect.Parameter(
                f.name, inspect.Parameter.KEYWORD_ONLY, default=f.default, annotation=f.type
            )
            for f in fields(kind)
            if f.name not in taken and f.default is not MISSING
        ]
        function.__signature__ = signature.replace(parameters=[*own, *more])  # type: ignore[attr-defined]
        return function

    return decorate
