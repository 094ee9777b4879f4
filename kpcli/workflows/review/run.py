"""kpcli review: the page, its server, and where the corrections go."""

from __future__ import annotations

import getpass
import json
import os
import secrets
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kpcli.errors import InputError
from kpcli.options import ReviewOptions
from kpcli.outputs import Outputs
from kpcli.workflows.review.journal import Journal
from kpcli.workflows.review.proposals import Proposer
from kpcli.workflows.review.queue import Opened, opened
from kpcli.workflows.review.server import Server
from kpcli.workflows.review.session import Session

COMMAND = "review"
FOLDER = "review"
LAST = ".address"
"""Port and token of the last page, so that a tab that is still open finds the next server."""


@dataclass(frozen=True)
class Reviewed:
    """Where the corrections lie, and how many there are."""

    folder: Path
    counts: dict[str, int]

    def summary(self) -> str:
        """For the terminal, at the end."""
        told = ", ".join(f"{n} {status.replace('_', ' ')}" for status, n in self.counts.items())
        return f"corrections: {self.folder} ({told})\nnext: kpcli prepare {self.folder} --out ..."


def review(options: ReviewOptions, say: Callable[[str], None] = print) -> Reviewed:
    """Serve the page until it is interrupted (Ctrl-C, SIGTERM); what was saved stays.

    Raises
    ------
    KpcliError
        If the results, the folder, the port or an option cannot be used.
    """
    folder = folder_of(options)
    with serving(options) as server:
        with suppress(KeyboardInterrupt), _signals_interrupt():
            say(f"review: {server.address}")
            say(f"corrections go to {folder}; end with Ctrl-C, nothing is lost")
            if options.browser:
                _show(server.address)
            server.serve_forever()
        return Reviewed(folder, server.session.counts())


@contextmanager
def _signals_interrupt() -> Iterator[None]:
    """SIGTERM and a closed terminal end it as Ctrl-C does; what the caller ignores stays so."""
    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for number in (getattr(signal, name, None) for name in ("SIGTERM", "SIGHUP")):
            if number is not None and signal.getsignal(number) is signal.SIG_DFL:
                before[number] = signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def serving(options: ReviewOptions) -> Iterator[Server]:
    """The server with everything open behind it; `Server.serve_forever` answers."""
    found = opened(options)
    folder = folder_of(options)
    outputs = Outputs(folder, COMMAND)
    outputs.check([])
    with Journal(folder, found.collection.header, options.who or _user()) as journal:
        server = _server(_session(found, journal, outputs), folder, options.port)
        try:
            yield server
        finally:
            server.server_close()


def _session(found: Opened, journal: Journal, outputs: Outputs) -> Session:
    queue = found.queue()
    if not queue:
        raise InputError(f"{found.options.source}: holds nothing to look at")
    proposer = Proposer(
        found.collection.scheme, lambda: found.predictor, lambda: found.known_of(queue)
    )
    return Session(found.collection, journal, queue, found.pictures, proposer, outputs)


def folder_of(options: ReviewOptions) -> Path:
    """Where the corrections go."""
    if options.out is not None:
        return options.out
    source = options.source
    return source / FOLDER if source.is_dir() else source.with_name(f"{source.stem}_{FOLDER}")


def _server(session: Session, folder: Path, port: int) -> Server:
    """On the last port under the last token where that is free, so that open tabs go on."""
    last_port, token = _last(folder / LAST)
    try:
        server = Server(session, port or last_port, token)
    except InputError:
        if port:
            raise
        server = Server(session, 0, token)
    path = folder / LAST
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        json.dump([server.server_address[1], server.token], file)
    return server


def _last(path: Path) -> tuple[int, str]:
    with suppress(OSError, ValueError, TypeError):
        if not path.is_symlink():
            port, token = json.loads(path.read_text(encoding="utf-8"))
            if 1024 <= port <= 65535 and isinstance(token, str) and len(token) >= 24:
                return port, token
    return 0, secrets.token_urlsafe(24)


def _show(address: str) -> None:
    """Open the page; some browsers hold who calls them."""
    import webbrowser

    threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "somebody"
