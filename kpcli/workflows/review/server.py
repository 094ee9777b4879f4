"""The page's server: on this machine only, for who knows the address's token only.

It serves the page's own files by name, decoded frames as JPEG, and JSON: no path of a request ever
names a file on the disk. The Host header must be this server's, so that no page elsewhere can
reach it under a name of its own (DNS rebinding), and no cached answer outlives it.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from kpcli.errors import InputError, KpcliError, UsageError, told
from kpcli.workflows.review.journal import Stale
from kpcli.workflows.review.session import Session

HOST = "127.0.0.1"
LARGEST = 1 << 22
"""Bytes of a request."""
SLOWEST = 60.0
"""Seconds after which a request that does not come to its end is dropped."""
PAGE = {
    "": ("page.html", "text/html; charset=utf-8"),
    **{name: (name, "text/javascript; charset=utf-8")
       for name in ("page.js", "face.js", "canvas.js", "store.js", "panels.js", "pointer.js")},
    "page.css": ("page.css", "text/css; charset=utf-8"),
}  # fmt: skip
"""What the page is made of: the address's end to the file in ``page/``, and its type."""
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Server(ThreadingHTTPServer):
    """Serves one session.

    Raises
    ------
    InputError
        If the port is taken.
    """

    daemon_threads = True

    def __init__(self, session: Session, port: int, token: str = "") -> None:
        self.session = session
        self.token = token or secrets.token_urlsafe(24)
        try:
            super().__init__((HOST, port), Handler)
        except OSError as e:
            raise InputError(
                f"port {port} cannot be used", actual=str(e), next_step="choose another --port"
            ) from e
        port = self.server_address[1]
        self.hosts = frozenset((f"{HOST}:{port}", f"localhost:{port}"))
        self.address = f"http://{HOST}:{port}/{self.token}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that hangs up is no news."""


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Server
    server_version, sys_version = "kpcli", ""
    protocol_version = "HTTP/1.1"
    timeout = SLOWEST

    def do_GET(self) -> None:
        route = self._route()
        if route in PAGE:
            name, kind = PAGE[route]
            self._send(200, kind, (Path(__file__).parent / "page" / name).read_bytes())
        elif route is not None:
            values = dict(parse_qsl(urlsplit(self.path).query))
            self._answer(_GET.get(route), values)

    def do_POST(self) -> None:
        route = self._route()
        if route is not None:
            body = self._body()
            if body is not None:
                self._answer(_POST.get(route), body)

    def _route(self) -> str | None:
        """What stands behind the token; None where the request was refused."""
        host, origin = self.headers.get("Host", ""), self.headers.get("Origin")
        first, _, rest = urlsplit(self.path).path.removeprefix("/").partition("/")
        own = host in self.server.hosts and origin in (None, f"http://{host}")
        known = secrets.compare_digest(first.encode(), self.server.token.encode())
        if own and known:
            return rest
        self.close_connection = True
        self._problem(403, "this address is not known: use the one that `kpcli review` printed")
        return None

    def _body(self) -> Mapping[str, Any] | None:
        try:
            size = int(self.headers.get("Content-Length", ""))
            if self.headers.get_content_type() != "application/json" or not 0 < size <= LARGEST:
                raise ValueError("not a small JSON document")
            values = json.loads(self.rfile.read(size))
            if not isinstance(values, dict):
                raise ValueError("not an object")
            return values
        except (ValueError, RecursionError) as e:
            self.close_connection = True  # what is left of it is no request
            self._problem(400, str(e))
            return None

    def _answer(
        self, action: Callable[[Session, Mapping[str, Any]], Any] | None, values: Mapping[str, Any]
    ) -> None:
        if action is None:
            self._problem(404, "there is no such thing here")
            return
        try:
            found = action(self.server.session, values)
        except Stale as e:
            newer = e.newer.to_json() if e.newer else None
            self._json(409, {"error": "changed in another tab", "newer": newer})
        except UsageError as e:
            self._problem(400, f"{e.what}: {e.actual}" if e.actual else e.what)
        except KpcliError as e:
            self._problem(422, told(e) if isinstance(e, InputError) else str(e))
        except Exception as e:  # a decoder's bug: the page goes on with the next face
            self._problem(500, repr(e))
        else:
            if isinstance(found, bytes):
                self._send(200, "image/jpeg", found)
            else:
                self._json(200, found)

    def _problem(self, status: int, words: str) -> None:
        self._json(status, {"error": words})

    def _json(self, status: int, values: Any) -> None:
        data = json.dumps(values, ensure_ascii=True, allow_nan=False).encode()
        self._send(status, "application/json", data)

    def _send(self, status: int, kind: str, data: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the terminal shows the address."""


_GET: Mapping[str, Callable[[Session, Mapping[str, Any]], Any]] = {
    "api/queue": lambda session, values: session.queue(),
    "api/frame": lambda session, values: session.frame(values),
    "api/faces": lambda session, values: session.faces(values),
    "api/picture": lambda session, values: session.picture(values),
    "api/steps": lambda session, values: session.steps(),
}
_POST: Mapping[str, Callable[[Session, Mapping[str, Any]], Any]] = {
    "api/save": lambda session, values: session.save(values),
    "api/propose": lambda session, values: session.propose(values),
}
