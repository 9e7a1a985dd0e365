"""What the warehouse's tests share: a table unlike the contract's, rows for it, spans of rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors import redshift_sql as sql
from connectors.backoff import Backoff
from connectors.items import ClosedWindow, Column, Fill, Segment, Spool, Table
from connectors.redshift import Committer
from connectors.redshift_access import Password, RedshiftAccess, SslMode
from connectors.redshift_check import apply_ddl
from connectors.redshift_commit import Destination
from connectors.spool import Backlog, FileSpool
from connectors.staging import InsertStaging, Staging
from tests.standins.redshift_client import RedshiftServer, connect

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)

TABLE = Table(
    schema="post",
    name="letters",
    columns=(
        Column("sender", "varchar(16)", True),
        Column("body", "varchar(64)", False),
        Column("weight", "integer", False),
        Column("written", "timestamp", True),
        Column("changed", "timestamp", True),
        Column("loaded", "timestamp", True, Fill.COMMIT_TIME),
        Column("load_id", "varchar(32)", True, Fill.COMMIT_ID),
        Column("origin", "varchar(32)", True, Fill.SOURCE_NAME),
    ),
    key=("sender", "written"),
    version="changed",
    distribution_key="sender",
    sort_key="written",
)
HISTORY = replace(
    TABLE,
    columns=(
        *TABLE.columns,
        Column("since", "timestamp", True, Fill.VALID_FROM),
        Column("until", "timestamp", False, Fill.VALID_TO),
        Column("newest", "boolean", True, Fill.IS_CURRENT),
    ),
)
"""The same of type 2."""
INSERTS = InsertStaging()
DESTINATION = Destination(TABLE, "tests", "letters", "letters", "postmen")
TO_HISTORY = replace(DESTINATION, table=HISTORY)


def access_to(server: RedshiftServer) -> RedshiftAccess:
    return RedshiftAccess(
        server.host,
        server.port,
        server.database,
        SslMode(server.sslmode),
        Password(server.user, server.password),
        connect_timeout=5,
        statement_timeout=30,
    )


def with_tables(server: RedshiftServer, table: Table = TABLE) -> RedshiftAccess:
    """Access to the server, where table and ledger now exist."""
    access = access_to(server)
    apply_ddl(access, sql.definitions(table))
    return access


@dataclass(frozen=True, slots=True)
class Letter:
    offset: int
    sender: str = "anna"
    changed: int = 0
    """Seconds after noon: the version."""
    written: int = 0
    body: str | None = "dear"
    weight: int | None = 7

    def line(self) -> bytes:
        values = [self.offset, self.sender, self.body, self.weight, at(self.written), at(self.changed)]
        return json.dumps(values).encode()


def at(seconds: int) -> str:
    return (NOON + timedelta(seconds=seconds)).strftime("%Y-%m-%d %H:%M:%S")


def span(first: int, next: int, letters: Iterable[Letter], partition: int = 0) -> Segment:
    lines = [letter.line() for letter in letters]
    spool: Spool = FileSpool(Backlog(1 << 30))
    spool.append(lines)
    return Segment(partition, first, next, len(lines), spool)


def run_of(first: int, next: int, partition: int = 0) -> Segment:
    """A span in which each offset is a row of its own."""
    letters = [Letter(offset, f"s{partition}", written=offset) for offset in range(first, next)]
    return span(first, next, letters, partition)


def window(*segments: Segment, opens: datetime = NOON) -> ClosedWindow:
    return ClosedWindow(opens, opens + HOUR, segments)


def stored(server: RedshiftServer, query: str = "") -> list[tuple[Any, ...]]:
    """The rows of a query, by default of the letters without their metafields."""
    plain = f"SELECT sender, written, changed, body, weight FROM {TABLE.qualified} ORDER BY sender, written"
    with connect(server) as connection:
        return connection.rows(query or plain)


def ledger(server: RedshiftServer) -> list[tuple[Any, ...]]:
    """(partition, first, next, rows) of every entry, in order."""
    columns = "kafka_partition, first_offset, next_offset, row_count"
    return stored(server, f"SELECT {columns} FROM {sql.ledger_name(TABLE)} ORDER BY 1, 2")


@dataclass
class Heard:
    """A CommitObserver that remembers."""

    commits: list[int] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    positions: dict[int, int] = field(default_factory=dict)

    def committed(
        self, rows: int, positions: Mapping[int, int], phases: Mapping[str, float], at: float
    ) -> None:
        self.commits.append(rows)
        self.positions |= positions

    def ledger_read(self, positions: Mapping[int, int], at: float) -> None:
        self.positions |= positions

    def retried(self, system: str, reason: str) -> None:
        self.reasons.append(reason)


def committer_to(
    access: RedshiftAccess,
    heard: Heard,
    *,
    first_wait: float = 0.05,
    ceiling: float = 0.2,
    destination: Destination = DESTINATION,
    staging: Staging = INSERTS,
) -> Committer:
    clock: Callable[[], datetime] = lambda: NOON  # noqa: E731
    return Committer(
        access,
        destination,
        staging,
        clock=clock,
        backoff=Backoff(first_wait, ceiling, lambda: 0.0),
        observer=heard,
    )


def spools_of(windows: Sequence[ClosedWindow]) -> list[Spool]:
    return [segment.spool for each in windows for segment in each.segments]
