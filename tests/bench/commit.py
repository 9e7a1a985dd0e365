"""One commit of a window's rows, against the same rows staged and merged by hand."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from connectors.items import ClosedWindow
from connectors.redshift_access import connect
from connectors.redshift_commit import Committed, Destination, commit_once
from connectors.spans import Accepted, Take
from connectors.spool import Backlog, FileSpool, WindowSegments
from connectors.staging import InsertStaging, staged_rows
from dataflow.contract import load
from dataflow.decode import decode
from tests.bench import commit_by_hand
from tests.bench.figures import Cell, Figure, Report, Table, quotients
from tests.bench.job import BACKLOG, Job
from tests.bench.occasion import Occasion, Size
from tests.bench.workload import contract_traffic, described, stored_batches
from tests.redshift.warehouse import with_tables
from tests.standins import redshift_client
from tests.standins.redshift_client import RedshiftServer, Transactions
from tests.standins.redshift_process import RedshiftProcess

NOW = datetime(2026, 1, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
PATIENCE = 600
"""Seconds that one statement may take."""
KNOWN = 10
"""Every tenth row of a commit is already in the filled table, in an older version."""


@dataclass(frozen=True, slots=True)
class _Plan:
    rows: int
    repetitions: int


_PLANS = {
    Size.QUICK: (_Plan(200, 1),),
    Size.USUAL: (_Plan(1_000, 7), _Plan(36_000, 5), _Plan(200_000, 3)),
    Size.LONG: (_Plan(1_000, 15), _Plan(36_000, 7), _Plan(200_000, 5), _Plan(1_000_000, 3)),
}


@dataclass(frozen=True, slots=True)
class Spent:
    """Of one commit."""

    seconds: float
    cpu: float
    """CPU seconds of the client's process."""


def run(occasion: Occasion) -> Report:
    """By turns, the program's commit and the hand-written one, each on a table made anew."""
    plans = _PLANS[occasion.size]
    rows: list[tuple[Cell, ...]] = []
    with RedshiftProcess() as redshift:
        for plan in plans:
            rows += _compare(CommitBench(redshift.server, plan.rows, occasion.directory), plan, occasion)
    ratios = [cell for row in rows for cell in row[-1:] if isinstance(cell, Figure)]
    return Report(
        measured=(
            "`commit_once` with INSERT staging (connect, lock, stage, dedupe, merge, ledger, COMMIT) against "
            "INSERT and MERGE of the same rows written by hand without a ledger, trimming or checks, through "
            "the same driver settings, by turns, on the Redshift stand-in (PostgreSQL on the same machine). "
            f"Rows of {described(contract_traffic(plans[-1].rows))}. The filled table holds as many rows as "
            f"come; every {KNOWN}th that comes is a newer version of one of them. Both tables are compared "
            "after every pair."
        ),
        tables=(
            Table(
                (
                    "rows",
                    "onto",
                    "ours, s",
                    "rows per second",
                    "client CPU, s",
                    "by hand, s",
                    "n",
                    "ours / by hand",
                ),
                tuple(rows),
            ),
        ),
        observations=(
            f"The program's commit takes {ratios[-1].median:.2f} times the hand-written one on the largest "
            "filled table.",
        ),
    )


def _compare(bench: CommitBench, plan: _Plan, occasion: Occasion) -> Iterator[tuple[Cell, ...]]:
    for onto, prepare in (("an empty table", bench.empty), ("a filled table", bench.fill)):
        program: list[Spent] = []
        by_hand: list[Spent] = []
        for number in range(plan.repetitions):
            occasion.tell(f"{plan.rows:,} rows onto {onto}, repetition {number + 1} of {plan.repetitions}")
            prepare()
            program.append(timed(bench.commit))
            digest = bench.digest()
            prepare()
            by_hand.append(timed(bench.commit_by_hand))
            assert bench.digest() == digest, "the two ways of committing differ in what they wrote"
        seconds = [spent.seconds for spent in program]
        yield (
            bench.rows,
            onto,
            Figure(tuple(seconds)),
            Figure(tuple(bench.rows / each for each in seconds)),
            Figure(tuple(spent.cpu for spent in program)),
            Figure(tuple(spent.seconds for spent in by_hand)),
            plan.repetitions,
            quotients(seconds, [spent.seconds for spent in by_hand]),
        )


def timed(action: Callable[[], None]) -> Spent:
    """What an action takes."""
    began, cpu = time.monotonic(), time.process_time()
    action()
    return Spent(time.monotonic() - began, time.process_time() - cpu)


class CommitBench:
    """A database with the contract's table, the rows to commit, and another table to fill it from."""

    def __init__(self, server: RedshiftServer, messages: int, directory: Path) -> None:
        name = f"commit_{messages}"
        with redshift_client.connect(server, Transactions.EACH_STATEMENT) as administration:
            administration.run(f"CREATE DATABASE {name}")
        self._server = server.within(name)
        self._table = load().table
        self._access = replace(with_tables(self._server, self._table), statement_timeout=PATIENCE)
        self._window = _window(messages, directory)
        self._values = list(staged_rows([Take(segment, segment.first) for segment in self._window.segments]))
        self.rows = len(self._values)
        with connect(self._access) as session:
            commit_by_hand.stock(session, self._values, KNOWN)

    def commit(self) -> None:
        """As the committer does. A pipeline of its own each time: the ledger has no entry yet."""
        name = uuid.uuid4().hex
        destination = Destination(self._table, name, "messages", "messages", "bench", Accepted(pipeline=name))
        with connect(self._access) as session:
            outcome = commit_once(
                session, destination, [self._window], {}, InsertStaging(), uuid.uuid4().hex, NOW
            )
        assert isinstance(outcome, Committed)

    def commit_by_hand(self) -> None:
        """As someone would who needs no ledger."""
        with connect(self._access) as session:
            metafields = (NOW.strftime("%Y-%m-%d %H:%M:%S"), uuid.uuid4().hex, "messages")
            commit_by_hand.commit(session, self._values, metafields)

    def empty(self) -> None:
        """The table, emptied."""
        self._administer(f"TRUNCATE {self._table.qualified}")

    def fill(self, times: int = 1) -> None:
        """The table with as many rows as come, or several times as many, the others of other users."""
        self.empty()
        for copy in range(times):
            columns = ", ".join(
                f"{column.name} || '-{copy}'"
                if copy and column.name == self._table.distribution_key
                else column.name
                for column in self._table.columns
            )
            self._administer(f"INSERT INTO {self._table.qualified} SELECT {columns} FROM stock")
        self._administer(f"ANALYZE {self._table.qualified}")

    def digest(self) -> tuple[int, int]:
        """Number of rows, and a sum over all that messages filled in them."""
        columns = ", ".join(column.name for column in self._table.message_columns)
        with redshift_client.connect(self._server, timeout=PATIENCE) as session:
            ((count, total),) = session.rows(
                f"SELECT count(*), sum(hashtext(ROW({columns})::text)) FROM {self._table.qualified}"
            )
        return int(count), int(total)

    def _administer(self, statement: str) -> None:
        with redshift_client.connect(self._server, Transactions.EACH_STATEMENT, PATIENCE) as session:
            session.run(statement)


def _window(messages: int, directory: Path) -> ClosedWindow:
    """The traffic's rows, spooled as the program spools them."""
    job = Job.of("unused:9092", "unused", {})
    backlog = Backlog(BACKLOG)
    segments = WindowSegments(lambda: FileSpool(backlog, directory))
    for batch in stored_batches(contract_traffic(messages), NOW):
        keyed = job.steps.rows(job.steps.validate.validate(decode(batch)))
        if keyed is not None:
            segments.add(keyed[1])
    return ClosedWindow(NOW - HOUR, NOW, segments.segments)
