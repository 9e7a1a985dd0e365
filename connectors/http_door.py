"""The way in over HTTP: only to read, and bounded, so that nobody can wear the process out through it.

A request's head has a limit of bytes, of headers and of seconds in all, an answer one of seconds; a body is
never read; each connection carries one request. When all places are taken, the connection that has been there
longest gives way: whoever holds connections open keeps no probe out.
"""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from threading import Lock
from typing import Any

MAX_HEAD = 8192
"""Bytes of request line and headers together. The standard library allows 100 headers."""
HEAD_SECONDS = 5.0
"""Until the whole head must be there, however it trickles in."""
ANSWER_SECONDS = 10.0
"""Until the client must have taken the whole answer."""
MAX_CONNECTIONS = 32
"""At the same time; each has a thread."""

_HEAD_END = b"\r\n\r\n"
_TOO_LARGE = b"HTTP/1.0 431 Request Header Fields Too Large\r\nContent-Length: 0\r\n\r\n"


class ReadOnlyHandler(BaseHTTPRequestHandler):
    """Answers GET and HEAD by `respond`, which calls `answer`; refuses every other method with 405."""

    def handle(self) -> None:
        """One request, if its head comes in time."""
        head = _read_head(self.connection, time.monotonic() + HEAD_SECONDS)
        if head is None:
            return
        self.connection.settimeout(ANSWER_SECONDS)
        if len(head) > MAX_HEAD:
            self.connection.sendall(_TOO_LARGE)
            return
        self.rfile = BytesIO(head)
        self.handle_one_request()

    def parse_request(self) -> bool:
        """Refuse what is not a question."""
        if not super().parse_request():
            return False
        if self.command in ("GET", "HEAD"):
            return True
        self.answer(405, "text/plain", b"only GET and HEAD\n", Allow="GET, HEAD")
        return False

    def respond(self) -> None:
        """Answer what `path` asks for. To be overridden."""
        raise NotImplementedError

    def do_GET(self) -> None:
        """Answer."""
        self.respond()

    def do_HEAD(self) -> None:
        """As GET, without the body."""
        self.respond()

    def answer(self, status: int, kind: str, body: bytes, **headers: str) -> None:
        """Send an answer of this content type."""
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def version_string(self) -> str:
        """Which Python serves is nobody's business."""
        return "contract-dataflow"

    def log_message(self, format: str, *args: object) -> None:
        """Probes are not worth a line, and a line would quote what a stranger sent."""


def _read_head(connection: socket.socket, deadline: float) -> bytes | None:
    """A head, or more than `MAX_HEAD` bytes of one; None when it does not come, or not in time."""
    head = b""
    while _HEAD_END not in head and len(head) <= MAX_HEAD:
        left = deadline - time.monotonic()
        if left <= 0:
            return None
        connection.settimeout(left)
        try:
            more = connection.recv(MAX_HEAD + 1 - len(head))
        except OSError:
            return None
        if not more:
            return None
        head += more
    return head


class Door(ThreadingHTTPServer):
    """Listens at once. Raises OSError when the port is taken."""

    daemon_threads = True
    request_queue_size = MAX_CONNECTIONS

    def __init__(self, address: tuple[str, int], handler: type[ReadOnlyHandler]) -> None:
        """Port 0 takes a free one."""
        self._open: dict[Any, None] = {}
        self._lock = Lock()
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Take a connection in; the oldest gives way when there is no place."""
        with self._lock:
            if len(self._open) >= MAX_CONNECTIONS:
                oldest = next(iter(self._open))
                del self._open[oldest]
                with suppress(OSError):
                    oldest.shutdown(socket.SHUT_RDWR)
            self._open[request] = None
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """A connection has ended."""
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is not worth a line."""
