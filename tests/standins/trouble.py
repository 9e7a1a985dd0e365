"""A TCP proxy that makes trouble: between client and server it cuts, stalls, refuses, delays or swallows.

Everything that a network can do to a connection without changing what is said on it.
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Self

_CHUNK = 65_536
COMMIT = re.compile(rb"\x00commit\x00", re.IGNORECASE)
"""A PostgreSQL Parse message of the statement COMMIT, as the Redshift driver sends it."""


class TroubleProxy:
    """Listens on loopback, passes everything on to `upstream` until it is told otherwise.

    Its orders may come from any thread and are in force when they return. `flow` ends every trouble.
    """

    def __init__(self, upstream: tuple[str, int], port: int = 0, host: str = "127.0.0.1") -> None:
        """`upstream`: host and port of the server; `port` 0: a free one; `host`: an address of loopback."""
        self._upstream = upstream
        self._host = host
        self._listener = _bound(host, port)
        self.port: int = self._listener.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="trouble", daemon=True)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._passing = asyncio.Event()
        self._hearing = asyncio.Event()
        self._delay = 0.0
        self._fatal: re.Pattern[bytes] | None = None
        self._lost_answers = 0
        self._clients: set[asyncio.StreamWriter] = set()

    @property
    def address(self) -> str:
        """`host:port` for clients."""
        return f"{self._host}:{self.port}"

    @property
    def connections(self) -> int:
        """How many clients are connected, as far as they know."""
        return len(self._clients)

    @property
    def lost_answers(self) -> int:
        """How many answers `lose_answer_to` has lost."""
        return self._lost_answers

    def __enter__(self) -> Self:
        self._thread.start()
        self.flow()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.refuse()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # -- orders ------------------------------------------------------------------------------------

    def flow(self) -> None:
        """Pass everything on, at once."""

        async def order() -> None:
            self._delay = 0.0
            self._fatal = None
            self._passing.set()
            self._hearing.set()
            if self._server is None:
                self._server = await asyncio.start_server(self._serve, sock=self._listener)

        self._order(order())

    def cut(self) -> None:
        """Reset every connection; new ones are welcome."""

        async def order() -> None:
            self._reset_all()

        self._order(order())

    def refuse(self) -> None:
        """Reset every connection, and refuse new ones."""

        async def order() -> None:
            if self._server is not None:
                self._server.close()
                self._server = None
                self._listener = _bound(self._host, self.port)
            self._reset_all()

        self._order(order())

    def stall(self) -> None:
        """Accept connections and bytes, pass nothing on: a server that has stopped to answer."""

        async def order() -> None:
            self._passing.clear()

        self._order(order())

    def swallow(self) -> None:
        """Pass requests on and lose every answer: a connection that is half open."""

        async def order() -> None:
            self._hearing.clear()

        self._order(order())

    def delay(self, seconds: float) -> None:
        """Hold every chunk back, in both directions."""

        async def order() -> None:
            self._delay = seconds

        self._order(order())

    def lose_answer_to(self, request: re.Pattern[bytes]) -> None:
        """Pass the next matching request on, and reset its connection when the server answers it."""

        async def order() -> None:
            self._fatal = request

        self._order(order())

    def _order(self, order: Coroutine[object, object, None]) -> None:
        asyncio.run_coroutine_threadsafe(order, self._loop).result(10)

    # -- one connection ----------------------------------------------------------------------------

    async def _serve(self, client_in: asyncio.StreamReader, client_out: asyncio.StreamWriter) -> None:
        self._open.add(client_out)
        self._clients.add(client_out)
        try:
            server_in, server_out = await asyncio.open_connection(*self._upstream)
        except OSError:
            self._reset(client_out)
            return
        self._open.add(server_out)
        doomed = False

        def judge_request(chunk: bytes) -> bool:
            nonlocal doomed
            if self._fatal is not None and self._fatal.search(chunk):
                self._fatal = None
                doomed = True
            return True

        def judge_answer(_chunk: bytes) -> bool:
            if doomed:
                self._lost_answers += 1
                self._reset(client_out)
            return not doomed and self._hearing.is_set()

        await asyncio.gather(
            self._pass_on(client_in, server_out, judge_request),
            self._pass_on(server_in, client_out, judge_answer),
        )

    async def _pass_on(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, judge: Callable[[bytes], bool]
    ) -> None:
        try:
            while chunk := await source.read(_CHUNK):
                if self._delay:
                    await asyncio.sleep(self._delay)
                await self._passing.wait()
                if judge(chunk):
                    target.write(chunk)
                    await target.drain()
        except OSError:
            pass
        self._reset(target)

    def _reset(self, connection: asyncio.StreamWriter) -> None:
        if connection not in self._open:
            return
        self._open.remove(connection)
        self._clients.discard(connection)
        if not connection.transport.is_closing():
            # Closing then sends a reset, as a peer that is gone does, whatever lies unread.
            raw = connection.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.transport.abort()

    def _reset_all(self) -> None:
        for connection in list(self._open):
            self._reset(connection)


def _bound(host: str, port: int) -> socket.socket:
    """A socket that keeps a port of loopback without listening: whoever knocks is refused."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    return listener
