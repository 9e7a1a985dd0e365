"""A schema registry over HTTP: the questions that a reader asks, answered as Confluent's does."""

from __future__ import annotations

import base64
import json
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from google.protobuf.message import Message


@dataclass(frozen=True, slots=True)
class Registered:
    """A schema: its text, and what `format=serialized` answers (Protobuf only)."""

    kind: str
    text: str
    serialized: str = ""


def protobuf_schema(message: type[Message], text: str = "") -> Registered:
    """The file of a message type."""
    return Registered("PROTOBUF", text, base64.b64encode(message.DESCRIPTOR.file.serialized_pb).decode())


@dataclass
class Registry:
    """Its schemas by id and GUID. A `status` other than 200 answers everything; it may change at any time."""

    schemas: Mapping[int | UUID, Registered]
    user_info: str = ""
    status: int = 200
    body: bytes = b""
    """The answer's body while `status` is not 200, or instead of any other when it is not empty."""
    port: int = 0
    asked: list[str] = field(default_factory=list)
    tls: ssl.SSLContext | None = None
    """With it, the registry speaks HTTPS."""

    def __enter__(self) -> Self:
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                registry.asked.append(self.path)
                status, body = registry._answer(self.path, self.headers.get("Authorization"))
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        if self.tls is not None:
            self._server.socket = self.tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_port
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """Its address."""
        return f"{'http' if self.tls is None else 'https'}://127.0.0.1:{self.port}"

    def _answer(self, path: str, authorization: str | None) -> tuple[int, bytes]:
        if self.status != 200 or self.body:
            return self.status, self.body
        if self.user_info:
            expected = f"Basic {base64.b64encode(self.user_info.encode()).decode()}"
            if authorization != expected:
                return 401, json.dumps({"error_code": 40101, "message": "Unauthorized"}).encode()
        parts = urlsplit(path)
        found = re.fullmatch(r"/schemas/(ids|guids)/([0-9a-f-]+)", parts.path)
        if not found:
            return 404, b"<html>not here</html>"
        reference = int(found[2]) if found[1] == "ids" else UUID(found[2])
        schema = self.schemas.get(reference)
        if schema is None:
            return 404, json.dumps({"error_code": 40403, "message": "Schema not found"}).encode()
        serialized = parse_qs(parts.query).get("format") == ["serialized"]
        if serialized and schema.kind != "PROTOBUF":
            return 422, json.dumps({"error_code": 42201, "message": "Unsupported format"}).encode()
        told = {"schema": schema.serialized if serialized else schema.text}
        return 200, json.dumps(
            told if schema.kind == "AVRO" else {**told, "schemaType": schema.kind}
        ).encode()
