"""A commit to a table that keeps a history (type 2), against the same rows to one that doesn't (type 1)."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson

from connectors import items
from connectors.items import ClosedWindow, Segment
from connectors.redshift_access import RedshiftAccess, connect
from connectors.redshift_commit import Committed, Destination, commit_once
from connectors.redshift_verify import HistoryFigures, look_at_history
from connectors.spans import Accepted
from connectors.spool import Backlog, FileSpool
from connectors.staging import InsertStaging
from dataflow.contract import load
from tests.bench.figures import Cell, Figure, Report, Table, quotients
from tests.bench.job import BACKLOG
from tests.bench.occasion import Occasion, Size
from tests.contracts.with_history import history_contract
from tests.redshift.warehouse import with_tables
from tests.standins.redshift_client import Transactions
from tests.standins.redshift_client import connect as connect_directly
from tests.standins.redshift_process import RedshiftProcess

NOW = datetime(2026, 1, 2, tzinfo=UTC)
DAY = timedelta(days=1)
PATIENCE = 1800
"""Seconds that one statement may take."""
AGAIN = 4
"""Every fourth row is a second version of the message before it."""
NEXT, LATE = 10, 20
"""Of a second commit every tenth row is the next version of a stored message, and every twentieth one that
comes late, between two stored versions."""
_PLANS = {Size.QUICK: ((400, 1),), Size.USUAL: ((36_000, 5), (1_000_000, 1)), Size.LONG: ((1_000_000, 3),)}
_CHUNK = 5000
_MOMENT = "%Y-%m-%d %H:%M:%S.%f"
_TEXT = "see you at the station, the one with the clock, at a quarter past"


@dataclass(frozen=True, slots=True)
class _Spent:
    whole: float
    merge: float
    """Seconds from staged rows to merged ones."""


def run(occasion: Occasion) -> Report:
    """By turns, type 1 and type 2: a first commit, and one onto what it wrote."""
    rows: list[tuple[Cell, ...]] = []
    with RedshiftProcess() as redshift:
        for count, repetitions in _PLANS[occasion.size]:
            spent: dict[tuple[str, str], list[_Spent]] = {}
            for number in range(repetitions):
                for kind, table in (("1", load().table), ("2", history_contract().table)):
                    occasion.tell(f"{count:,} rows, type {kind}, repetition {number + 1} of {repetitions}")
                    name = f"history_{count}_{kind}_{number}"
                    with connect_directly(redshift.server, Transactions.EACH_STATEMENT) as administration:
                        administration.run(f"CREATE DATABASE {name}")
                    access = replace(
                        with_tables(redshift.server.within(name), table), statement_timeout=PATIENCE
                    )
                    first, second = _commits(access, table, count, occasion.directory)
                    spent.setdefault((kind, "an empty table"), []).append(first)
                    spent.setdefault((kind, "a filled table"), []).append(second)
                    with connect_directly(redshift.server, Transactions.EACH_STATEMENT) as administration:
                        administration.run(f"DROP DATABASE {name}")
            rows += _rows(count, repetitions, spent)
    return Report(
        measured=(
            "`commit_once` with INSERT staging on the Redshift stand-in (PostgreSQL on the same machine), by "
            f"turns with `scd: 1` and `scd: 2`. Every {AGAIN}th row is a second version of a message. The "
            f"filled table holds what the first commit wrote; of as many rows that come then every {NEXT}th "
            f"is a next version of a stored message, every {LATE}th a late one that splits an interval. "
            "Merge: dedupe, links, MERGE. The history's intervals are looked at after every commit."
        ),
        tables=(
            Table(
                (
                    *("rows", "onto", "type 1, s", "type 2, s", "merge of type 1, s", "merge of type 2, s"),
                    *("n", "type 2 / type 1"),
                ),
                tuple(rows),
            ),
        ),
        observations=(),
    )


def _rows(
    count: int, repetitions: int, spent: dict[tuple[str, str], list[_Spent]]
) -> Iterator[tuple[Cell, ...]]:
    for onto in ("an empty table", "a filled table"):
        one, two = spent["1", onto], spent["2", onto]
        wholes = [[each.whole for each in kind] for kind in (one, two)]
        yield (
            count,
            onto,
            *(Figure(tuple(whole)) for whole in wholes),
            *(Figure(tuple(each.merge for each in kind)) for kind in (one, two)),
            repetitions,
            quotients(wholes[1], wholes[0]),
        )


def _commits(
    access: RedshiftAccess, table: items.Table, count: int, directory: Path
) -> tuple[_Spent, _Spent]:
    """A first commit, and a second onto it."""
    pipeline = uuid.uuid4().hex
    destination = Destination(table, pipeline, "messages", "messages", "bench", Accepted(pipeline=pipeline))
    spent = []
    for number, lines in enumerate((_first(count), _second(count))):
        spool = FileSpool(Backlog(BACKLOG), directory)
        for chunk in lines:
            spool.append(chunk)
        segment = Segment(0, number * count, (number + 1) * count, count, spool)
        with connect(access) as session:
            done = commit_once(
                *(session, destination, [ClosedWindow(NOW, NOW + DAY, (segment,))], {}, InsertStaging()),
                *(uuid.uuid4().hex, NOW),
            )
        spool.discard()
        assert isinstance(done, Committed)
        assert done.rows == count
        spent.append(_Spent(sum(done.phases.values()), done.phases["merge"]))
        with connect(access) as session:
            if table.keeps_history:
                assert look_at_history(session, destination) == HistoryFigures(0, 0)
            session.execute(f"ANALYZE {table.qualified}")
            session.commit()
    return spent[0], spent[1]


def _first(count: int) -> Iterator[list[bytes]]:
    """Messages of one day; the second version of one is two hours younger than the first."""
    yield from _chunked(
        count, lambda n: (n - 1, timedelta(hours=2)) if n % AGAIN == AGAIN - 1 else (n, timedelta())
    )


def _second(count: int) -> Iterator[list[bytes]]:
    """Later versions of the first commit's messages, late ones between two of its versions, and new ones."""

    def told(n: int) -> tuple[int, timedelta]:
        if n % LATE == LATE // 2:
            # The message before a row that is a second version: it has two.
            return n - n % AGAIN + AGAIN - 2, timedelta(hours=1)
        if n % NEXT == 0:
            return n - n % AGAIN, timedelta(hours=5)
        if n % AGAIN == AGAIN - 1:
            return count + n - 1, timedelta(hours=2)
        return count + n, timedelta()

    yield from _chunked(count, told, count)


def _chunked(
    count: int, told: Callable[[int], tuple[int, timedelta]], offset: int = 0
) -> Iterator[list[bytes]]:
    """Rows in the staging format. `told`: of the n-th row the message's number and its age at the update."""
    chunk: list[bytes] = []
    for n in range(count):
        message, age = told(n)
        created = NOW - DAY + timedelta(milliseconds=message * 40)
        values = [
            *(offset + n, f"user-{message % 5000}", f"user-{message % 4999}", f"{_TEXT} {n}"),
            *("opened" if age else "unread", None, None),
            *(created.strftime(_MOMENT), (created + age).strftime(_MOMENT)),
        ]
        chunk.append(orjson.dumps(values))
        if len(chunk) == _CHUNK:
            yield chunk
            chunk = []
    yield chunk
