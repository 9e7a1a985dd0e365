"""How a test reaches a Redshift, the stand-in or a real one: by address, over an unmodified driver."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import redshift_connector
from redshift_connector.error import Error


@dataclass(frozen=True, slots=True)
class RedshiftServer:
    """Where a Redshift is and who we are there. `sslmode`: disable, verify-ca or verify-full."""

    host: str
    port: int
    database: str
    user: str
    password: str
    sslmode: str

    @staticmethod
    def from_dsn(dsn: str) -> RedshiftServer:
        """From `redshift://user:password@host:port/database?sslmode=…`; sslmode: verify-full unless told."""
        parts = urlsplit(dsn)
        if parts.scheme != "redshift" or not parts.hostname or not parts.username:
            raise ValueError(
                "a DSN looks like redshift://user:password@host:port/database?sslmode=verify-full"
            )
        return RedshiftServer(
            host=parts.hostname,
            port=parts.port or 5439,
            database=parts.path.lstrip("/") or "dev",
            user=unquote(parts.username),
            password=unquote(parts.password or ""),
            sslmode=parse_qs(parts.query).get("sslmode", ["verify-full"])[0],
        )

    def within(self, database: str) -> RedshiftServer:
        """The same server, another database."""
        return replace(self, database=database)


class Transactions(Enum):
    """Who ends a transaction: the caller, or each statement itself."""

    EXPLICIT = "explicit"
    EACH_STATEMENT = "each statement"


class Connection:
    """A driver's connection with one cursor, for tests: run a statement, get its rows."""

    def __init__(self, raw: Any) -> None:
        self.raw = raw
        """The driver's own connection."""
        self._cursor = raw.cursor()

    def run(self, sql: str, parameters: Sequence[object] = ()) -> int:
        """Run a statement with `%s` for its parameters; answers the number of rows it touched."""
        if parameters:
            self._cursor.execute(sql, parameters)
        else:
            self._cursor.execute(sql)
        return int(self._cursor.rowcount)

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """The rows a query answers."""
        self.run(sql, parameters)
        return [tuple(row) for row in self._cursor.fetchall()]

    def value(self, sql: str, parameters: Sequence[object] = ()) -> Any:
        """The one value a query answers."""
        ((value,),) = self.rows(sql, parameters)
        return value

    def commit(self) -> None:
        """Commit."""
        self.raw.commit()

    def rollback(self) -> None:
        """Roll back."""
        self.raw.rollback()


@contextlib.contextmanager
def connect(
    server: RedshiftServer, transactions: Transactions = Transactions.EXPLICIT, timeout: int = 60
) -> Iterator[Connection]:
    """A connection, closed at the end. `timeout`, in seconds, bounds every answer: a test never hangs."""
    encrypted = server.sslmode != "disable"
    raw = redshift_connector.connect(
        host=server.host,
        port=server.port,
        database=server.database,
        user=server.user,
        password=server.password,
        ssl=encrypted,
        sslmode=server.sslmode if encrypted else None,
        timeout=timeout,
        application_name="tests",
    )
    raw._usock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    raw.autocommit = transactions is Transactions.EACH_STATEMENT
    try:
        yield Connection(raw)
    finally:
        # The driver's close() talks to the server; one that is gone already has nothing left to say.
        with contextlib.suppress(Error, OSError):
            raw.close()
