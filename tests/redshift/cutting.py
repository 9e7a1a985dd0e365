"""A wire between driver and warehouse that breaks at a chosen moment of a commit. Without TLS only."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from enum import Enum, auto
from types import TracebackType
from typing import Self

from tests.standins.redshift_client import RedshiftServer
from tests.standins.redshift_wire import Frame, Frames


class Break(Enum):
    """When the wire breaks."""

    BEFORE_COMMIT = auto()
    """COMMIT does not reach the warehouse."""
    AFTER_COMMIT = auto()
    """The warehouse has committed; its answer does not come back."""


class Wire:
    """Listens on a port of its own (`server`) and passes everything on, until a break is planned."""

    def __init__(self, server: RedshiftServer) -> None:
        self._target = (server.host, server.port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.server = replace(server, host="127.0.0.1", port=self._listening.getsockname()[1])
        self.plan: list[Break] = []
        """Breaks still to come; each breaks one connection."""
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(10)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            warehouse = socket.create_connection(self._target)
            for end in (client, warehouse):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            startup = _startup(client)
            warehouse.sendall(startup)
            for source, sink, breaks in (
                (client, warehouse, self._breaks_before),
                (warehouse, client, self._breaks_after),
            ):
                threading.Thread(target=self._pass_on, args=(source, sink, breaks), daemon=True).start()

    def _breaks_before(self, frame: Frame) -> bool:
        return frame.kind == b"P" and b"\0commit\0" in frame.raw and self._due(Break.BEFORE_COMMIT)

    def _breaks_after(self, frame: Frame) -> bool:
        return frame.kind == b"C" and frame.body == b"COMMIT\0" and self._due(Break.AFTER_COMMIT)

    def _due(self, moment: Break) -> bool:
        if self.plan[:1] != [moment]:
            return False
        del self.plan[0]
        return True

    def _pass_on(self, source: socket.socket, sink: socket.socket, breaks: Callable[[Frame], bool]) -> None:
        frames = Frames()
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                whole = list(frames.feed(data))
                if any(breaks(frame) for frame in whole):
                    break
                for frame in whole:
                    sink.sendall(frame.raw)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def _startup(client: socket.socket) -> bytes:
    head = client.recv(4, socket.MSG_WAITALL)
    return head + client.recv(int.from_bytes(head) - 4, socket.MSG_WAITALL)
