"""The committer thread while the warehouse makes trouble: conflicts, locks, killed sessions, cut wires."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import psutil
import pytest

from connectors import redshift_sql as sql
from connectors.items import ClosedWindow
from connectors.progress import LedgerBroken
from connectors.redshift import Committer, Drained
from connectors.redshift_access import RedshiftAccess, connect
from connectors.spans import Accepted
from connectors.staging import Cursor, InsertStaging
from tests.pipeline import eventually
from tests.redshift.test_committer import running
from tests.redshift.warehouse import (
    DESTINATION,
    TABLE,
    Heard,
    Letter,
    access_to,
    committer_to,
    ledger,
    run_of,
    span,
    stored,
    window,
    with_tables,
)
from tests.standins.redshift_client import RedshiftServer, Transactions
from tests.standins.redshift_client import connect as connect_administrator
from tests.standins.trouble import TroubleProxy


class Interrupted(InsertStaging):
    """Staging in the middle of which something happens, once."""

    def __init__(self, interruption: threading.Thread) -> None:
        self._interruption: threading.Thread | None = interruption

    def stage(self, cursor: Cursor, takes: object, table: object) -> int:
        sent = super().stage(cursor, takes, table)  # type: ignore[arg-type]  # passed through as they came
        if self._interruption is not None:
            self._interruption.start()
            self._interruption.join()
            self._interruption = None
        return sent


@contextmanager
def interrupted(access: RedshiftAccess, heard: Heard, interruption: threading.Thread) -> Iterator[Committer]:
    committer = committer_to(access, heard, staging=Interrupted(interruption))
    committer.start()
    try:
        yield committer
    finally:
        committer.stop()
        assert committer.join(40)


def test_a_conflict_with_an_update_of_the_table_is_tried_again(
    redshift_database: RedshiftServer,
) -> None:
    access, heard = with_tables(redshift_database), Heard()
    with running(access, heard) as committer:
        committer.submit([window(span(0, 1, [Letter(0, body="first")]))])
        assert committer.drain(20) == Drained()

    def update() -> None:
        with connect(access) as session:
            session.execute(f"UPDATE {TABLE.qualified} SET weight = 8")
            session.commit()

    with interrupted(access, heard, threading.Thread(target=update)) as committer:
        committer.submit([window(span(1, 2, [Letter(1, body="second", changed=1)]))])
        assert committer.drain(20) == Drained()
    assert heard.reasons == ["serialization"]
    assert [row[3] for row in stored(redshift_database)] == ["second"]
    assert ledger(redshift_database) == [(0, 0, 1, 1), (0, 1, 2, 1)]


def test_a_session_that_the_server_kills_while_idle_is_replaced(
    redshift_database: RedshiftServer,
) -> None:
    heard, access = Heard(), with_tables(redshift_database)

    def kill() -> None:
        with connect_administrator(redshift_database, Transactions.EACH_STATEMENT) as administrator:
            administrator.run(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND state = 'idle in transaction'"
            )

    with interrupted(access, heard, threading.Thread(target=kill)) as committer:
        committer.submit([window(run_of(0, 3))])
        assert committer.drain(20) == Drained()
    assert heard.reasons == ["connection"]
    assert ledger(redshift_database) == [(0, 0, 3, 3)]


def test_a_ledger_that_someone_else_keeps_locked_is_an_outage_until_it_is_free(
    redshift_database: RedshiftServer,
) -> None:
    access, heard = with_tables(redshift_database), Heard()
    with connect(access) as holder, running(replace(access, statement_timeout=1), heard) as committer:
        holder.execute(sql.lock_ledger(TABLE))
        committer.submit([window(run_of(0, 3))])
        eventually(lambda: len(heard.reasons) >= 2, 20, "two tries")
        assert committer.failure() is None
        holder.rollback()
        assert committer.drain(20) == Drained()
    assert set(heard.reasons) == {"timeout"}
    assert ledger(redshift_database) == [(0, 0, 3, 3)]


def test_two_hundred_broken_connections_leave_no_thread_and_no_descriptor_behind(
    redshift_database: RedshiftServer,
) -> None:
    with_tables(redshift_database)
    process = psutil.Process()
    with TroubleProxy((redshift_database.host, redshift_database.port)) as proxy:
        access = access_to(replace(redshift_database, host="127.0.0.1", port=proxy.port))
        heard = Heard()
        with running(access, heard, first_wait=0.001, ceiling=0.002) as committer:
            committer.submit([window(run_of(0, 3))])
            assert committer.drain(20) == Drained()
            before = (process.num_threads(), process.num_fds())
            proxy.stall()
            committer.submit([window(run_of(3, 5))])
            for broken in range(1, 201):
                eventually(lambda: proxy.connections > 0, 20, "it connects")
                proxy.cut()
                eventually(lambda count=broken: len(heard.reasons) >= count, 20, "it notices")  # type: ignore[misc]  # a loop's own value
            proxy.flow()
            assert committer.drain(20) == Drained()
            after = (process.num_threads(), process.num_fds())
    assert after[0] <= before[0]
    assert after[1] < before[1] + 20
    assert ledger(redshift_database) == [(0, 0, 3, 3), (0, 3, 5, 2)]


def test_another_group_s_entry_stops_the_committer(redshift_database: RedshiftServer) -> None:
    access = with_tables(redshift_database)
    with running(access, Heard()) as committer:
        committer.submit([window(run_of(0, 2))])
        assert committer.drain(20) == Drained()
    stranger = replace(DESTINATION, group="strangers")
    assert isinstance(failure_of(access, stranger, window(run_of(2, 3))), LedgerBroken)
    assert ledger(redshift_database) == [(0, 0, 2, 2)]
    invited = replace(stranger, accepted=Accepted(group=DESTINATION.group))
    assert failure_of(access, invited, window(run_of(2, 3))) is None
    assert ledger(redshift_database) == [(0, 0, 2, 2), (0, 2, 3, 1)]


def failure_of(access: RedshiftAccess, destination: object, closed: ClosedWindow) -> BaseException | None:
    committer = committer_to(access, Heard(), destination=destination)  # type: ignore[arg-type]  # a Destination
    committer.start()
    committer.submit([closed])
    committer.drain(20)
    committer.stop()
    assert committer.join(20)
    return committer.failure()


@pytest.mark.parametrize("accepted", [None, "novels"])
def test_a_pipeline_that_the_ledger_does_not_know_begins_only_when_it_is_accepted(
    redshift_database: RedshiftServer, accepted: str | None
) -> None:
    access = with_tables(redshift_database)
    assert failure_of(access, DESTINATION, window(run_of(0, 2))) is None
    other = replace(DESTINATION, pipeline="novels", accepted=Accepted(pipeline=accepted))
    failure = failure_of(access, other, window(run_of(0, 2)))
    assert (failure is None) == (accepted is not None)
    assert failure is None or "ACCEPT_PIPELINE=novels" in str(failure)
