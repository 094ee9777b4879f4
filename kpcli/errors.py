"""Errors that a user can act on; each class carries the exit code of the process."""

from __future__ import annotations


def shown(text: object) -> str:
    """A text for one line of a terminal: control characters, also of file names, are escaped."""
    return "".join(c if c.isprintable() or c in _PRINTED else ascii(c)[1:-1] for c in str(text))


_PRINTED = "\t\u00a0\u200c\u200d\u3000"
"""Characters that Python does not call printable and that are printed as they are: names hold them,
and they control nothing.
"""


def told(error: BaseException) -> str:
    """What went wrong with a file, in a line beside its name."""
    if isinstance(error, KpcliError):
        what = error.what.rpartition(": ")[2]
        return "; ".join(p for p in (what, error.actual and f"actual: {error.actual}") if p)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return repr(error)


class KpcliError(Exception):
    """What went wrong, where, what was expected, what was found, what to do next.

    Parameters
    ----------
    what : str
        The problem, with the file, line or option it is about.
    expected, actual : str, optional
        What would have been right, and what was there.
    next_step : str, optional
        What the user can do about it.
    """

    exit_code = 1

    def __init__(
        self, what: str, *, expected: str = "", actual: str = "", next_step: str = ""
    ) -> None:
        super().__init__(what)
        self.what = what
        self.expected = expected
        self.actual = actual
        self.next_step = next_step

    def __str__(self) -> str:
        parts = [self.what]
        if self.expected:
            parts.append(f"expected: {self.expected}")
        if self.actual:
            parts.append(f"actual: {self.actual}")
        if self.next_step:
            parts.append(f"next step: {self.next_step}")
        return "\n  ".join(shown(part) for part in parts)


class UsageError(KpcliError):
    """A wrong option, an unknown name, options that do not go together."""

    exit_code = 2


class InputError(KpcliError):
    """Input that cannot be used, or an output place that cannot be written."""

    exit_code = 3


class ModelError(KpcliError):
    """A model bundle that cannot be used, or a dependency that is missing."""

    exit_code = 4


EXIT_SOME_FAILED = 5
"""Exit code of a run that finished, though some items failed."""

EXIT_INTERRUPTED = 130
"""Exit code of a run that Ctrl-C stopped."""
