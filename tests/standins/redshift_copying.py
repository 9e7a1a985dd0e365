"""A COPY on the wire: PostgreSQL's own COPY FROM STDIN runs in the client's session, fed with S3's rows.

PostgreSQL runs it as the statement it is, in the client's transaction; the client sees a statement that
takes a while. What the stand-in asks PostgreSQL on the side goes the same way and is kept from the client.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import struct
from collections import Counter
from datetime import UTC, datetime
from enum import Enum, auto
from typing import Any, Final

from tests.standins.postgres import Postgres
from tests.standins.redshift_copy import Copy
from tests.standins.redshift_load_errors import (
    Load,
    LoadError,
    as_insert,
    load_error,
    of_bad_row,
    said_of_failure,
    said_of_load,
)
from tests.standins.redshift_rows import Places
from tests.standins.redshift_s3 import BadRow, CopyFailed, S3Source
from tests.standins.redshift_wire import Frame, error_fields, error_frame, frame

_QUERY_IDS: Final = itertools.count(1)


class Warehouse:
    """What COPY needs besides the session: an S3, and a place for its errors that no rollback reaches."""

    def __init__(self, source: S3Source, postgres: Postgres) -> None:
        self.source = source
        self._postgres = postgres

    def keep(self, load: Load, error: LoadError) -> None:
        """Keep it for `sys_load_error_detail`."""
        self._postgres.sql(load.database_name, as_insert(load, error))


class _Phase(Enum):
    IDLE = auto()
    ASKING = auto()
    """The answers to a question on the side are awaited, then the COPY's first."""
    LOADING = auto()
    NOTING = auto()
    """PostgreSQL has loaded the rows and notes their number."""


class Copying:
    """The COPYs of one session: `run` in the client's direction, `hear` for every frame in the other."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._phase = _Phase.IDLE
        self._to_keep_back: Counter[bytes] = Counter()

    @property
    def is_running(self) -> bool:
        """Whether `hear` has to see what the server sends."""
        return self._phase is not _Phase.IDLE

    async def run(self, copy: Copy, execute: bytes, server: asyncio.StreamWriter) -> None:
        """Execute the portal of a COPY, and feed it. Returns when PostgreSQL has been told all it needs."""
        self._copy = copy
        self._places = Places()
        self._failed: CopyFailed | None = None
        self._load: Load | None = None
        self._takes_rows: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._phase = _Phase.ASKING
        self._to_keep_back = _ANSWERS.copy()
        server.write(_aside(_who_and_what(copy)) + execute + frame(b"H", b"").raw)
        await server.drain()
        if not await self._takes_rows:
            return
        rows = self._warehouse.source.rows(copy, self._places)
        try:
            while (chunk := await asyncio.to_thread(next, rows, None)) is not None:
                if self._phase is not _Phase.LOADING:
                    # PostgreSQL has turned a row down and ignores the rest.
                    await asyncio.to_thread(rows.close)  # type: ignore[attr-defined]
                    return
                server.write(frame(b"d", chunk).raw)
                await server.drain()
        except CopyFailed as failed:
            self._failed = failed
            server.write(frame(b"f", b"S3\0").raw)
            return
        note = _aside(f"SELECT set_config('redshift.copied', '{self._places.rows}', false)")
        server.write(frame(b"c", b"").raw + note)

    async def hear(self, said: Frame) -> Frame | None:
        """What the client is to get of a frame the server sent."""
        match self._phase:
            case _Phase.ASKING:
                return self._hear_answer(said)
            case _Phase.LOADING if said.kind == b"E":
                self._phase = _Phase.IDLE
                return await self._as_failure(said)
            case _Phase.LOADING if said.kind == b"C":
                self._phase = _Phase.NOTING
                self._to_keep_back = _ANSWERS.copy()
            case _Phase.NOTING:
                self._to_keep_back[said.kind] -= 1
                if said.kind == b"E" or self._to_keep_back[b"3"] == 0:
                    self._phase = _Phase.IDLE
                return None
            case _:
                pass
        return said

    def _hear_answer(self, said: Frame) -> Frame | None:
        match said.kind:
            case b"E":
                self._phase = _Phase.IDLE
                self._takes_rows.set_result(False)
                fields = error_fields(said.body)
                if fields["C"] == "42P01":
                    table = self._copy.table
                    return error_frame(
                        {"S": "ERROR", "C": "XX000", "M": f"Cannot COPY into nonexistent table {table}"}
                    )
            case b"G":
                self._phase = _Phase.LOADING
                self._takes_rows.set_result(True)
                return None
            case b"D":
                (length,) = struct.unpack_from("!i", said.body, 2)
                told: dict[str, Any] = json.loads(said.body[6 : 6 + length])
                now = datetime.now(UTC).replace(tzinfo=None)
                self._load = Load(query_id=next(_QUERY_IDS), start_time=now, **told)
                return None
            case b"1" | b"2" | b"3" | b"C" if self._to_keep_back[said.kind] > 0:
                # The client's own may still be on their way. One is like the other, so that it does not
                # matter which of the two it gets.
                self._to_keep_back[said.kind] -= 1
                return None
            case _:
                pass
        return said

    async def _as_failure(self, said: Frame) -> Frame:
        if self._failed is not None and not isinstance(self._failed, BadRow):
            return error_frame(said_of_failure(self._failed))
        if self._failed is not None:
            error: LoadError | None = of_bad_row(self._failed)
        else:
            error = load_error(error_fields(said.body), self._places)
        if error is None or self._load is None:
            return said
        await asyncio.to_thread(self._warehouse.keep, self._load, error)
        return error_frame(said_of_load(self._copy.table))


_ASIDE: Final = b"redshift aside"
_ANSWERS: Final = Counter({b"1": 1, b"2": 1, b"C": 1, b"3": 2})
"""What PostgreSQL answers to it, besides its row."""


def _aside(sql: str) -> bytes:
    """A question in the midst of the client's, in its transaction."""
    name = _ASIDE + b"\0"
    frames = (
        frame(b"P", name + sql.encode() + b"\0" + struct.pack("!h", 0)),
        frame(b"B", name + name + struct.pack("!hhh", 0, 0, 0)),
        frame(b"E", name + struct.pack("!i", 0)),
        frame(b"C", b"P" + name),
        frame(b"C", b"S" + name),
    )
    return b"".join(each.raw for each in frames)


def _who_and_what(copy: Copy) -> str:
    table = "'" + copy.table.replace("\\", "\\\\").replace("'", "''") + "'"
    return f"""SELECT json_build_object(
        'user_id', (SELECT oid::bigint FROM pg_roles WHERE rolname = session_user),
        'transaction_id', txid_current(),
        'session_id', pg_backend_pid(),
        'database_name', current_database(),
        'table_id', to_regclass({table})::oid::bigint,
        'columns', (SELECT coalesce(json_object_agg(attname, format_type(atttypid, atttypmod)), '{{}}'::json)
            FROM pg_attribute
            WHERE attrelid = to_regclass({table}) AND attnum > 0 AND NOT attisdropped))"""
