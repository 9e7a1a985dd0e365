"""The committer thread: retries, lost answers, outages, drains, broken promises."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from pathlib import Path

import pytest

from connectors import redshift_sql as sql
from connectors.backoff import Backoff
from connectors.items import RowBatch
from connectors.progress import LedgerBroken
from connectors.redshift import Committer, Drained, StillWaiting
from connectors.redshift_access import RedshiftAccess, connect
from connectors.redshift_check import apply_ddl
from connectors.redshift_commit import positions_of
from connectors.spool import Backlog, FileSpool, WindowSegments
from tests.pipeline import eventually
from tests.redshift.cutting import Break, Wire
from tests.redshift.warehouse import (
    TABLE,
    Heard,
    Letter,
    access_to,
    committer_to,
    ledger,
    run_of,
    span,
    spools_of,
    stored,
    window,
    with_tables,
)
from tests.standins.redshift_client import RedshiftServer
from tests.standins.redshift_process import RedshiftProcess


@contextmanager
def running(
    access: RedshiftAccess, heard: Heard, *, first_wait: float = 0.05, ceiling: float = 0.2
) -> Iterator[Committer]:
    committer = committer_to(access, heard, first_wait=first_wait, ceiling=ceiling)
    committer.start()
    try:
        yield committer
    finally:
        committer.stop()
        assert committer.join(40)


def test_what_is_submitted_is_committed_and_its_space_given_back(redshift_database: RedshiftServer) -> None:
    heard = Heard()
    windows = [window(run_of(0, 3)), window(run_of(0, 2, partition=1))]
    with running(with_tables(redshift_database), heard) as committer:
        committer.submit(windows)
        assert committer.drain(20) == Drained()
    assert sum(heard.commits) == 5
    assert heard.positions == {0: 3, 1: 2}
    assert [spool.size for spool in spools_of(windows)] == [0, 0]
    assert len(stored(redshift_database)) == 5


def test_windows_that_wait_become_one_commit(redshift_database: RedshiftServer) -> None:
    access, heard = with_tables(redshift_database), Heard()
    committer = committer_to(access, heard)
    committer.submit([window(run_of(0, 3)), window(run_of(3, 5))])
    committer.submit([window(run_of(5, 6)), window(run_of(0, 1, partition=1))])
    committer.start()
    assert committer.drain(20) == Drained()
    committer.stop()
    assert heard.commits == [7]
    assert ledger(redshift_database) == [(0, 0, 6, 6), (1, 0, 1, 1)]
    assert committer.join(10)


def test_the_ledger_tells_how_far_each_partition_came(redshift_database: RedshiftServer) -> None:
    with running(with_tables(redshift_database), Heard()) as committer:
        assert committer.read_ledger().result(20) == {}
        committer.submit([window(run_of(0, 3), run_of(0, 4, partition=1))])
        committer.drain(20)
        assert positions_of(committer.read_ledger().result(20)) == {0: 3, 1: 4}


@pytest.mark.parametrize("moment", list(Break))
def test_a_lost_answer_is_settled_by_the_ledger(redshift_database: RedshiftServer, moment: Break) -> None:
    heard = Heard()
    with_tables(redshift_database)
    with Wire(redshift_database) as wire, running(access_to(wire.server), heard) as committer:
        wire.plan.append(moment)
        committer.submit([window(run_of(0, 3))])
        assert committer.drain(20) == Drained()
    assert heard.reasons == ["connection"]
    assert heard.positions == {0: 3}
    assert len(stored(redshift_database)) == 3
    assert ledger(redshift_database) == [(0, 0, 3, 3)]


def test_an_outage_is_waited_out(tmp_path: Path) -> None:
    with RedshiftProcess(tmp_path) as process:
        heard, access = Heard(), with_tables(process.server)
        with running(access, heard) as committer:
            committer.submit([window(run_of(0, 3))])
            assert committer.drain(20) == Drained()
            process.kill()
            answer = committer.read_ledger()
            committer.submit([window(run_of(3, 5))])
            eventually(lambda: len(heard.reasons) >= 3, 20, "three retries")
            assert committer.failure() is None
            assert not answer.done()
            process.start()
            assert committer.drain(30) == Drained()
            assert positions_of(answer.result(20)) in ({0: 3}, {0: 5})
        assert set(heard.reasons) <= {"connection", "resources"}
        assert ledger(process.server) == [(0, 0, 3, 3), (0, 3, 5, 2)]
        assert len(stored(process.server)) == 5


def test_a_missing_ledger_is_an_error_for_someone_and_ends_when_it_is_there(
    redshift_database: RedshiftServer, caplog: pytest.LogCaptureFixture
) -> None:
    heard, access = Heard(), access_to(redshift_database)
    with running(access, heard) as committer:
        committer.submit([window(run_of(0, 3))])
        eventually(lambda: heard.reasons, 20, "a refusal")
        apply_ddl(access, sql.definitions(TABLE))
        assert committer.drain(20) == Drained()
    refusals = [record for record in caplog.records if record.getMessage() == "warehouse_refused"]
    assert {record.levelno for record in refusals} == {logging.ERROR}
    assert "ddl --apply" in str(refusals[0].__dict__["fix"])
    assert heard.reasons[0] == "missing"


def test_a_gap_stops_the_committer_and_is_told_to_everyone(redshift_database: RedshiftServer) -> None:
    with running(with_tables(redshift_database), Heard()) as committer:
        committer.submit([window(run_of(0, 2))])
        committer.drain(20)
        committer.submit([window(run_of(3, 4))])
        assert committer.drain(20) == StillWaiting(1)
        assert isinstance(committer.failure(), LedgerBroken)
        with pytest.raises(LedgerBroken):
            committer.submit([window(run_of(4, 5))])
        with pytest.raises(LedgerBroken):
            committer.read_ledger().result(5)
    assert ledger(redshift_database) == [(0, 0, 2, 2)]


def test_entries_removed_while_it_runs_are_noticed(redshift_database: RedshiftServer) -> None:
    access = with_tables(redshift_database)
    with running(access, Heard()) as committer:
        committer.submit([window(run_of(0, 2))])
        committer.drain(20)
        with connect(access) as session:
            session.execute(f"DELETE FROM {sql.ledger_name(TABLE)}")
            session.commit()
        assert committer.read_ledger().result(20) == {}
        committer.submit([window(run_of(2, 3))])
        committer.drain(20)
        assert isinstance(committer.failure(), LedgerBroken)


def test_rows_that_cannot_be_read_back_stop_the_committer(redshift_database: RedshiftServer) -> None:
    with running(with_tables(redshift_database), Heard()) as committer:
        lost = run_of(0, 2)
        spool = lost.spool
        assert isinstance(spool, FileSpool)
        spool._store.truncate(3)
        committer.submit([window(lost)])
        committer.drain(20)
        assert type(committer.failure()).__name__ == "SpoolLost"
    assert ledger(redshift_database) == []


def test_a_long_wait_ends_when_it_is_stopped() -> None:
    nowhere = access_to(RedshiftServer("127.0.0.1", 1, "dev", "nobody", "none", "disable"))
    heard = Heard()
    committer = committer_to(nowhere, heard, first_wait=600, ceiling=600)
    committer.start()
    answer = committer.read_ledger()
    eventually(lambda: heard.reasons, 20, "a retry")
    committer.stop()
    assert committer.join(5)
    with pytest.raises(CancelledError):
        answer.result(5)
    assert committer.read_ledger().cancelled()


def test_a_drain_ends_a_long_wait_and_gives_up_at_its_deadline() -> None:
    nowhere = access_to(RedshiftServer("127.0.0.1", 1, "dev", "nobody", "none", "disable"))
    heard = Heard()
    with running(nowhere, heard, first_wait=600, ceiling=600) as committer:
        committer.submit([window(run_of(0, 2), run_of(0, 2, partition=1))])
        eventually(lambda: heard.reasons, 20, "a retry")
        assert committer.drain(1) == StillWaiting(2)
        assert len(heard.reasons) > 1


def test_waits_double_up_to_the_ceiling() -> None:
    shortest, longest = Backoff(0.2, 30, lambda: 0.0), Backoff(0.2, 30, lambda: 1.0)
    assert [longest.wait(attempt) for attempt in (1, 2, 3, 8, 9, 1000)] == [0.2, 0.4, 0.8, 25.6, 30, 30]
    assert shortest.wait(2) == 0.2


def test_a_full_backlog_empties_as_windows_are_committed(redshift_database: RedshiftServer) -> None:
    backlog = Backlog(400)
    gathered = WindowSegments(lambda: FileSpool(backlog))
    source = run_of(0, 10)
    lines = tuple(source.spool.lines())
    gathered.add(RowBatch(0, 0, 10, lines))
    assert backlog.is_full()
    with running(with_tables(redshift_database), Heard()) as committer:
        committer.submit([window(*gathered.segments)])
        assert committer.drain(20) == Drained()
    assert (backlog.is_full(), backlog.held) == (False, 0)


def test_nothing_of_a_row_is_logged(
    redshift_database: RedshiftServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    heard = Heard()
    with running(with_tables(redshift_database), heard) as committer:
        committer.submit([window(span(0, 1, [Letter(0, body="secret")]))])
        committer.drain(20)
        committer.submit([window(span(1, 2, [Letter(1, body="secret" * 30)]))])
        eventually(lambda: heard.reasons, 20, "a refusal")
    told = [f"{record.getMessage()} {record.__dict__}" for record in caplog.records]
    assert any("warehouse_refused" in line for line in told)
    assert not any("secret" in line for line in told)


def test_submitting_never_waits_for_the_warehouse(redshift_database: RedshiftServer) -> None:
    access = with_tables(redshift_database)
    with connect(access) as holder, running(access, Heard()) as committer:
        holder.execute(sql.lock_ledger(TABLE))
        submitted = threading.Event()

        def submit(then: Callable[[], None]) -> None:
            for first in range(5):
                committer.submit([window(run_of(first, first + 1))])
            then()

        thread = threading.Thread(target=submit, args=(submitted.set,))
        thread.start()
        assert submitted.wait(5)
        thread.join()
        holder.rollback()
        assert committer.drain(20) == Drained()
    assert len(stored(redshift_database)) == 5
