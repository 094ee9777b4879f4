"""Room in memory for very large pictures: one at a time among the workers of a machine."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

LARGE = 50_000_000
"""Pixels from which on a picture waits until no other worker holds such a one.

While it is decoded, a picture takes some 7 bytes a pixel, and where it is drawn on and encoded
about 10: of 200 megapixels 2 GB, which every core's worker would take at once.
"""
_WAIT = 0.1

Room = Callable[[int], AbstractContextManager[None]]
"""Given a picture's pixels, holds room for it as long as it is needed."""


def unlimited(pixels: int) -> AbstractContextManager[None]:
    """Room for any picture at once."""
    return nullcontext()


def shared_room(folder: Path, passed: Callable[[], None]) -> Room:
    """Room that the processes of this machine share which give the same folder.

    ``passed`` is called while a picture waits: a heartbeat. The lock ends with its process.
    Without file locks of POSIX (Windows), every picture has room.
    """
    try:
        import fcntl
    except ImportError:
        return unlimited
    path = folder / f"large-{socket.gethostname()}.lock"

    @contextmanager
    def hold() -> Iterator[None]:
        with path.open("a") as file:
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    passed()
                    time.sleep(_WAIT)
            yield

    return lambda pixels: hold() if pixels >= LARGE else nullcontext()
