"""Keeps the log lines of TensorFlow's C++ off standard error; everything else gets through."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator

CHATTER = re.compile(
    rb"WARNING: All log messages before absl::|[IWE]\d{4} \d\d:\d\d:\d+\.\d+ +\d+ |"
    rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: [IWE] |To enable the following instructions:|\s*$"
)
"""Beginnings of lines that Abseil's log writes before anybody can set its level."""


@contextlib.contextmanager
def hushed() -> Iterator[None]:
    """Hold back what is written to file descriptor 2 meanwhile; then say what is no `CHATTER`.

    TensorFlow 2.21 writes its banner (processor, CUDA) while it is imported, whatever
    TF_CPP_MIN_LOG_LEVEL says. Where the block fails, all is said, for it may be the cause.
    """
    try:
        sys.stderr.flush()
        real = os.dup(2)
    except (OSError, ValueError, AttributeError):  # standard error is closed
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        keep_all = True
        try:
            yield
            keep_all = False
        finally:
            with contextlib.suppress(OSError, ValueError):
                sys.stderr.flush()
            os.dup2(real, 2)
            os.close(real)
            held.seek(0)
            said = b"".join(line for line in held if keep_all or not CHATTER.match(line))
            if said:
                with contextlib.suppress(OSError):
                    os.write(2, said)
