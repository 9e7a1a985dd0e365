"""One commit: what it writes, what it refuses, and what is true after the connection broke."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from connectors import redshift_sql as sql
from connectors.items import ClosedWindow, Table
from connectors.progress import CommitMismatch, LedgerBroken
from connectors.redshift_access import (
    Reason,
    RedshiftAccess,
    WarehouseRefused,
    WarehouseUnavailable,
    connect,
)
from connectors.redshift_check import apply_ddl
from connectors.redshift_commit import (
    Committed,
    NothingNew,
    commit_once,
    positions_of,
    read_tails,
)
from connectors.spans import Take
from connectors.staging import Cursor, InsertStaging, Staging
from tests.redshift.warehouse import (
    DESTINATION,
    INSERTS,
    NOON,
    TABLE,
    Letter,
    access_to,
    ledger,
    run_of,
    span,
    stored,
    window,
    with_tables,
)
from tests.standins import redshift_client
from tests.standins.redshift_client import RedshiftServer

ID = "0123456789abcdef0123456789abcdef"


def commit(
    access: RedshiftAccess,
    *windows: ClosedWindow,
    seen: dict[int, int] | None = None,
    commit_id: str = ID,
    staging: Staging = INSERTS,
) -> Committed | NothingNew:
    with connect(access) as session:
        return commit_once(session, DESTINATION, windows, seen or {}, staging, commit_id, NOON)


def test_rows_and_ledger_entries_appear_together(redshift_database: RedshiftServer) -> None:
    access = with_tables(redshift_database)
    outcome = commit(access, window(run_of(5, 8), run_of(0, 2, partition=3)))
    assert isinstance(outcome, Committed)
    assert (outcome.rows, outcome.positions) == (5, {0: 8, 3: 2})
    assert len(stored(redshift_database)) == 5
    assert ledger(redshift_database) == [(0, 5, 8, 3), (3, 0, 2, 2)]
    entry = stored(
        redshift_database,
        "SELECT process_id, pipeline, topic, lost_offsets, window_start::varchar, window_end::varchar, "
        f"committed_at::varchar FROM {sql.ledger_name(TABLE)} WHERE kafka_partition = 0",
    )
    times = ("2024-01-01 12:00:00", "2024-01-01 13:00:00", "2024-01-01 12:00:00")
    assert entry == [(ID, "tests", "letters", 0, *times)]


def test_the_commit_fills_its_own_columns(redshift_database: RedshiftServer) -> None:
    access = with_tables(redshift_database)
    commit(access, window(run_of(0, 1)))
    filled = stored(redshift_database, f"SELECT loaded::varchar, load_id, origin FROM {TABLE.qualified}")
    assert filled == [("2024-01-01 12:00:00", ID, "letters")]


@pytest.mark.parametrize(
    "body",
    [
        None,
        "",
        "x" * 64,
        "é" * 32,
        "\U0001f48c" * 16,
        r"back\slash \n \\ \'",
        "'; DROP TABLE post.letters; --",
        "%s %% $1 {} \t\r\n",
        "‮שלום\u200d",
    ],
)
def test_text_arrives_as_it_was_sent(redshift_database: RedshiftServer, body: str | None) -> None:
    access = with_tables(redshift_database)
    commit(access, window(span(0, 2, [Letter(0, body=body), Letter(1, "ben", weight=None)])))
    assert [(row[0], row[3], row[4]) for row in stored(redshift_database)] == [
        ("anna", body, 7),
        ("ben", "dear", None),
    ]


def test_more_rows_than_one_statement_takes(redshift_database: RedshiftServer) -> None:
    access = with_tables(redshift_database)
    outcome = commit(access, window(run_of(0, 2500)))
    assert isinstance(outcome, Committed)
    assert outcome.rows == 2500
    assert len(stored(redshift_database)) == 2500


def test_within_a_commit_the_highest_version_then_the_highest_offset_wins(
    redshift_database: RedshiftServer,
) -> None:
    access = with_tables(redshift_database)
    letters = [
        Letter(0, changed=5, body="old"),
        Letter(1, changed=9, body="new"),
        Letter(2, changed=9, body="newest"),
        Letter(3, changed=1, body="late"),
    ]
    commit(access, window(span(0, 4, letters)))
    assert [row[3] for row in stored(redshift_database)] == ["newest"]


def test_a_stored_row_stays_when_newer_and_gives_way_on_a_tie(redshift_database: RedshiftServer) -> None:
    access = with_tables(redshift_database)
    commit(access, window(span(0, 1, [Letter(0, changed=5, body="stored")])))
    commit(access, window(span(1, 2, [Letter(1, changed=4, body="older")])))
    assert [row[3] for row in stored(redshift_database)] == ["stored"]
    commit(access, window(span(2, 3, [Letter(2, changed=5, body="tie")])))
    assert [row[3] for row in stored(redshift_database)] == ["tie"]


def test_what_the_ledger_covers_is_not_written_again(redshift_database: RedshiftServer) -> None:
    access = with_tables(redshift_database)
    commit(access, window(span(0, 2, [Letter(0, changed=1, body="a"), Letter(1, changed=1, body="b")])))
    replay = window(span(0, 2, [Letter(0, changed=1, body="a"), Letter(1, changed=1, body="b")]))
    assert commit(access, replay) == NothingNew({0: 2})
    wider = span(1, 3, [Letter(1, changed=1, body="replayed"), Letter(2, "ben")])
    outcome = commit(access, window(wider))
    assert isinstance(outcome, Committed)
    assert outcome.rows == 1
    assert [row[3] for row in stored(redshift_database)] == ["b", "dear"]
    assert ledger(redshift_database) == [(0, 0, 2, 2), (0, 2, 3, 1)]


def test_offsets_without_rows_move_the_ledger(redshift_database: RedshiftServer) -> None:
    access = with_tables(redshift_database)
    commit(access, window(span(0, 7, [])))
    assert ledger(redshift_database) == [(0, 0, 7, 0)]


def test_a_gap_is_refused_and_nothing_is_written(redshift_database: RedshiftServer) -> None:
    access = with_tables(redshift_database)
    commit(access, window(run_of(0, 2)))
    with pytest.raises(LedgerBroken, match="partition 0: offsets 2 to 4"):
        commit(access, window(run_of(5, 6), run_of(0, 3, partition=1)))
    assert ledger(redshift_database) == [(0, 0, 2, 2)]
    assert len(stored(redshift_database)) == 2


def test_a_ledger_that_went_back_is_refused(redshift_database: RedshiftServer) -> None:
    access = with_tables(redshift_database)
    commit(access, window(run_of(0, 2)))
    with pytest.raises(LedgerBroken, match="entries were removed"):
        commit(access, window(run_of(2, 3)), seen={0: 9})
    assert len(stored(redshift_database)) == 2


def test_an_entry_is_refused_when_the_ledger_moved(redshift_database: RedshiftServer) -> None:
    access = with_tables(redshift_database)
    commit(access, window(run_of(0, 2)))
    values = [
        "x" * 32,
        "tests",
        "letters",
        "id",
        "postmen",
        "0",
        "1",
        "5",
        "4",
        "0",
        *["2024-01-01 00:00:00"] * 3,
    ]
    partition = ["tests", "letters", "0"]
    with connect(access) as session:
        assert (
            session.execute(sql.append_entry(TABLE, sql.Expected.POSITION), [*values, *partition, "1"]) == 0
        )
        assert session.execute(sql.append_entry(TABLE, sql.Expected.NO_ENTRY), [*values, *partition]) == 0
        assert (
            session.execute(sql.append_entry(TABLE, sql.Expected.POSITION), [*values, *partition, "2"]) == 1
        )


class ShortStaging(InsertStaging):
    """Staging that says it sent one row more than it did."""

    def stage(self, cursor: object, takes: object, table: object) -> int:
        return super().stage(cursor, takes, table) + 1  # type: ignore[arg-type]


def test_rows_lost_on_the_way_to_staging_are_noticed(redshift_database: RedshiftServer) -> None:
    access = with_tables(redshift_database)
    with (
        pytest.raises(CommitMismatch, match="3 rows were staged but the warehouse holds 2"),
        connect(access) as s,
    ):
        commit_once(s, DESTINATION, [window(run_of(0, 2))], {}, ShortStaging(), ID, NOON)
    assert ledger(redshift_database) == []


def test_two_committers_of_the_same_offsets_write_them_once(redshift_database: RedshiftServer) -> None:
    access = with_tables(redshift_database)
    begin = threading.Barrier(4)

    def one(turn: int) -> Committed | NothingNew:
        begin.wait(10)
        return commit(access, window(run_of(0, 50 + turn)), commit_id=f"{turn:032x}")

    with ThreadPoolExecutor(4) as pool:
        outcomes = [future.result(60) for future in [pool.submit(one, turn) for turn in range(4)]]
    assert sum(outcome.rows for outcome in outcomes if isinstance(outcome, Committed)) == 53
    assert len(stored(redshift_database)) == 53
    entries = ledger(redshift_database)
    assert [entry[1] for entry in entries[1:]] == [entry[2] for entry in entries[:-1]]
    assert entries[-1][2] == 53


def test_a_missing_table_is_told_with_its_state(redshift_database: RedshiftServer) -> None:
    access = access_to(redshift_database)
    for step, state in enumerate(["3F000", "42P01"]):
        apply_ddl(access, sql.definitions(TABLE)[:step])
        with pytest.raises(WarehouseRefused, match=state) as refused:
            commit(access, window(run_of(0, 1)))
        assert refused.value.reason is Reason.MISSING


def test_a_value_that_does_not_fit_is_refused_without_being_quoted(redshift_database: RedshiftServer) -> None:
    access = with_tables(redshift_database)
    with pytest.raises(WarehouseRefused) as refused:
        commit(access, window(span(0, 1, [Letter(0, body="secret" * 20)])))
    assert refused.value.reason is Reason.DATA
    with pytest.raises(WarehouseRefused) as typed, connect(access) as session:
        session.execute("SELECT CAST(%s AS integer)", ["secret"])
    for error in (refused.value, typed.value):
        assert "secret" not in str(error)
        assert error.__suppress_context__


def test_a_wrong_password_is_a_refusal(redshift_database: RedshiftServer) -> None:
    wrong = redshift_client.RedshiftServer(
        redshift_database.host,
        redshift_database.port,
        redshift_database.database,
        redshift_database.user,
        "wrong",
        redshift_database.sslmode,
    )
    with pytest.raises(WarehouseRefused) as refused:
        connect(access_to(wrong))
    assert refused.value.reason is Reason.LOGIN


def test_nobody_listening_is_an_outage() -> None:
    nowhere = RedshiftServer("127.0.0.1", 1, "dev", "nobody", "none", "disable")
    with pytest.raises(WarehouseUnavailable) as outage:
        connect(access_to(nowhere))
    assert outage.value.reason is Reason.CONNECTION


def test_a_statement_that_takes_too_long_is_an_outage(redshift_database: RedshiftServer) -> None:
    access = with_tables(redshift_database)
    with connect(access) as holder:
        holder.execute(sql.lock_ledger(TABLE))
        hurried = replace(access, statement_timeout=1)
        with pytest.raises(WarehouseUnavailable) as late, connect(hurried) as session:
            session.execute(sql.lock_ledger(TABLE))
        assert late.value.reason is Reason.TIMEOUT
        holder.rollback()


def test_no_row_stays_of_a_commit_that_was_cut_before_its_end(redshift_database: RedshiftServer) -> None:
    access = with_tables(redshift_database)
    with connect(access) as session:
        session.execute(sql.lock_ledger(TABLE))
        session.execute(sql.create_staged(TABLE))
        session.cut()
    assert isinstance(commit(access, window(run_of(0, 2))), Committed)
    with connect(access) as session:
        assert positions_of(read_tails(session, DESTINATION)) == {0: 2}


def test_applying_the_ddl_twice_changes_nothing(redshift_database: RedshiftServer) -> None:
    access = access_to(redshift_database)
    first = [applied.outcome.value for applied in apply_ddl(access, sql.definitions(TABLE))]
    commit(access, window(run_of(0, 2)))
    second = [applied.outcome.value for applied in apply_ddl(access, sql.definitions(TABLE))]
    assert (first, second) == (["created"] * 3, ["already there"] * 3)
    assert len(stored(redshift_database)) == 2


class Intruding(InsertStaging):
    """Staging in whose transaction someone appends to the ledger."""

    def stage(self, cursor: Cursor, takes: Sequence[Take], table: Table) -> int:
        values = ["x" * 32, "tests", "letters", None, "postmen", "0", "0", "2", "2", "0"]
        values += ["2024-01-01 00:00:00"] * 3
        cursor.execute(sql.append_entry(TABLE, sql.Expected.NO_ENTRY), [*values, "tests", "letters", "0"])
        return super().stage(cursor, takes, table)


def test_a_ledger_that_moves_under_the_lock_ends_the_commit(redshift_database: RedshiftServer) -> None:
    access = with_tables(redshift_database)
    with pytest.raises(CommitMismatch, match="the ledger moved"):
        commit(access, window(run_of(0, 2)), staging=Intruding())
    assert stored(redshift_database) == []
