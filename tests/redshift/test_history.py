"""Type 2: what the table holds of a message's versions, whatever the order in which they come."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors import redshift_history_sql as history_sql
from connectors import redshift_sql as sql
from connectors.items import Column, Segment, Table
from connectors.ledger import ByCommit, ByOffsets, Rerun, decide_rerun
from connectors.redshift_access import RedshiftAccess, connect
from connectors.redshift_commit import Committed, NothingNew, commit_once
from connectors.redshift_ddl import TableDiffers
from connectors.redshift_ledger import read_entries
from connectors.redshift_rerun import Consent, Purpose, Rewritten, WouldTakeAway, rerun_once
from connectors.redshift_verify import HistoryFigures, look_at_history, look_through
from tests.redshift.warehouse import (
    DESTINATION,
    HISTORY,
    INSERTS,
    NOON,
    TO_HISTORY,
    Letter,
    at,
    span,
    stored,
    window,
    with_tables,
)
from tests.standins.redshift_client import RedshiftServer, Transactions
from tests.standins.redshift_client import connect as connect_directly

ROWS = "SELECT changed::varchar, until::varchar, newest, body FROM post.letters ORDER BY sender, changed"


@pytest.fixture
def access(redshift_database: RedshiftServer) -> RedshiftAccess:
    return with_tables(redshift_database, HISTORY)


def commit(access: RedshiftAccess, *segments: Segment, hours: int = 0) -> str:
    commit_id = uuid.uuid4().hex
    now = NOON + timedelta(hours=hours)
    with connect(access) as session:
        done = commit_once(session, TO_HISTORY, [window(*segments)], {}, INSERTS, commit_id, now)
    assert isinstance(done, Committed)
    return commit_id


def versions(first: int, *changed: int, body: str = "dear") -> Segment:
    """A span of versions of one letter, an offset each."""
    letters = [Letter(first + n, changed=each, body=body) for n, each in enumerate(changed)]
    return span(first, first + len(changed), letters)


def row(changed: int, until: int | None, body: str = "dear") -> tuple[Any, ...]:
    return (at(changed), None if until is None else at(until), until is None, body)


def run(server: RedshiftServer, *statements: str) -> None:
    with connect_directly(server, Transactions.EACH_STATEMENT) as session:
        for statement in statements:
            session.run(statement)


def test_a_version_is_valid_until_the_next_and_the_last_is_current(
    access: RedshiftAccess, redshift_database: RedshiftServer
) -> None:
    commit(access, versions(0, 1, 5, 9))
    assert stored(redshift_database, ROWS) == [row(1, 5), row(5, 9), row(9, None)]
    assert stored(redshift_database, "SELECT count(*) FROM post.letters WHERE since <> changed") == [(0,)]


def test_a_late_version_splits_the_interval_that_it_falls_into(
    access: RedshiftAccess, redshift_database: RedshiftServer
) -> None:
    commit(access, versions(0, 1, 9))
    commit(access, versions(2, 5))
    commit(access, versions(3, 0))
    assert stored(redshift_database, ROWS) == [row(0, 1), row(1, 5), row(5, 9), row(9, None)]


def test_other_rows_than_the_new_version_and_the_one_before_it_are_not_written(
    access: RedshiftAccess, redshift_database: RedshiftServer
) -> None:
    commit(access, versions(0, 1, 5, 9), span(0, 1, [Letter(0, "bert")], partition=1))
    before = stored(redshift_database, "SELECT * FROM post.letters ORDER BY sender, changed")
    new = commit(access, versions(3, 7), hours=1)
    after = stored(redshift_database, "SELECT * FROM post.letters ORDER BY sender, changed")
    assert len(set(before) & set(after)) == len(before) - 1
    assert stored(
        redshift_database, f"SELECT changed::varchar FROM post.letters WHERE load_id = '{new}'"
    ) == [(at(7),)]


def test_where_every_interval_is_right_no_row_is_written(access: RedshiftAccess) -> None:
    commit(access, versions(0, 1, 5, 9), span(0, 1, [Letter(0, "bert")], partition=1))
    with connect(access) as session:
        session.execute(sql.create_incoming(HISTORY))
        session.execute(history_sql.create_links(HISTORY))
        assert session.execute(history_sql.insert_links(HISTORY, [HISTORY.qualified])) == 4
        assert session.execute(history_sql.link_stored(HISTORY)) == 0


def test_of_two_messages_of_one_version_the_later_offset_s_is_the_row(
    access: RedshiftAccess, redshift_database: RedshiftServer
) -> None:
    """As with type 1: within a commit and from commit to commit."""
    commit(access, span(0, 2, [Letter(0, changed=5, body="earlier"), Letter(1, changed=5, body="later")]))
    assert stored(redshift_database, ROWS) == [row(5, None, "later")]
    commit(access, versions(2, 5, body="latest"))
    assert stored(redshift_database, ROWS) == [row(5, None, "latest")]


def test_what_is_read_again_after_its_commit_changes_nothing(
    access: RedshiftAccess, redshift_database: RedshiftServer
) -> None:
    commit(access, versions(0, 1, 5))
    before = stored(redshift_database, "SELECT * FROM post.letters ORDER BY sender, changed")
    with connect(access) as session:
        again = commit_once(
            session, TO_HISTORY, [window(versions(0, 1, 5))], {}, INSERTS, uuid.uuid4().hex, NOON
        )
    assert isinstance(again, NothingNew)
    assert stored(redshift_database, "SELECT * FROM post.letters ORDER BY sender, changed") == before


def test_what_a_producer_sends_again_changes_only_the_metafields_of_its_row(
    access: RedshiftAccess, redshift_database: RedshiftServer
) -> None:
    commit(access, versions(0, 1, 5, 9))
    before = stored(redshift_database, ROWS)
    again = commit(access, versions(3, 5), hours=1)
    assert stored(redshift_database, ROWS) == before
    writers = "SELECT load_id FROM post.letters ORDER BY changed"
    assert [writer == again for (writer,) in stored(redshift_database, writers)] == [False, True, False]


def test_the_view_shows_the_columns_and_rows_of_a_table_of_type_1(
    access: RedshiftAccess, redshift_database: RedshiftServer
) -> None:
    commit(access, versions(0, 1, 9), span(0, 1, [Letter(0, "bert", changed=3)], partition=1))
    seen = (
        "SELECT sender, changed::varchar FROM post.letters_current WHERE written >= '2024-01-01' ORDER BY 1"
    )
    assert stored(redshift_database, seen) == [("anna", at(9)), ("bert", at(3))]
    with connect(access) as session:
        session.execute("CREATE TEMP TABLE one AS SELECT * FROM post.letters_current")
        columns = session.rows(
            "SELECT attname FROM pg_attribute WHERE attrelid = 'one'::regclass AND attnum > 0 ORDER BY attnum"
        )
    assert [name for (name,) in columns] == [column.name for column in DESTINATION.table.columns]


def test_a_history_lies_evenly_where_the_distribution_key_is_no_part_of_the_identity(
    redshift_database: RedshiftServer,
) -> None:
    table = replace(HISTORY, distribution_key="weight")
    access = with_tables(redshift_database, table)
    where = replace(TO_HISTORY, table=table)
    for segment in (versions(0, 1, 9), versions(2, 5)):
        with connect(access) as session:
            commit_once(session, where, [window(segment)], {}, INSERTS, uuid.uuid4().hex, NOON)
    assert stored(redshift_database, ROWS) == [row(1, 5), row(5, 9), row(9, None)]


@pytest.mark.parametrize(
    ("there", "told"), [(HISTORY, "is of type 2"), (DESTINATION.table, "is of type 1")], ids=["2", "1"]
)
def test_a_pipeline_of_the_one_type_writes_nothing_to_a_table_of_the_other(
    redshift_database: RedshiftServer, there: Table, told: str
) -> None:
    """Found under the lock: a table may change its type while a pipeline runs."""
    table = replace(there, columns=tuple(map(_as_contracts_name, there.columns)))
    other = replace(DESTINATION if there is HISTORY else TO_HISTORY)
    other = replace(
        other, table=replace(other.table, columns=tuple(map(_as_contracts_name, other.table.columns)))
    )
    access = with_tables(redshift_database, table)
    with connect(access) as session, pytest.raises(TableDiffers, match=told):
        commit_once(session, other, [window(versions(0, 1))], {}, INSERTS, uuid.uuid4().hex, NOON)
    assert stored(redshift_database, "SELECT count(*) FROM post.letters") == [(0,)]


def _as_contracts_name(column: Column) -> Column:
    names = {"since": "valid_from", "until": "valid_to", "newest": "is_current"}
    return replace(column, name=names.get(column.name, column.name))


# -- what is looked for ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        pytest.param("SELECT 1", HistoryFigures(0, 0), id="none"),
        pytest.param(
            "UPDATE post.letters SET until = NULL, newest = TRUE WHERE changed < since + interval '1 s' "
            f"AND changed = '{at(1)}'",
            HistoryFigures(1, 1),
            id="two current rows",
        ),
        pytest.param("UPDATE post.letters SET newest = FALSE", HistoryFigures(2, 2), id="no current row"),
        pytest.param(
            f"UPDATE post.letters SET until = '{at(7)}' WHERE changed = '{at(1)}'",
            HistoryFigures(0, 1),
            id="intervals that overlap",
        ),
        pytest.param(
            f"DELETE FROM post.letters WHERE changed = '{at(5)}'", HistoryFigures(0, 1), id="a version gone"
        ),
        pytest.param(
            f"UPDATE post.letters SET since = '{at(2)}' WHERE changed = '{at(1)}'",
            HistoryFigures(0, 1),
            id="another beginning",
        ),
    ],
)
def test_a_history_that_was_damaged_is_found(
    access: RedshiftAccess, redshift_database: RedshiftServer, damage: str, found: HistoryFigures
) -> None:
    commit(access, versions(0, 1, 5, 9), span(0, 1, [Letter(0, "bert")], partition=1))
    run(redshift_database, damage)
    with connect(access) as session:
        assert look_at_history(session, TO_HISTORY) == found


def test_a_version_that_is_there_twice_is_a_row_too_many_and_several_versions_are_none(
    access: RedshiftAccess, redshift_database: RedshiftServer
) -> None:
    commit(access, versions(0, 1, 5, 9))
    for expected in ((0, 0), (1, 1)):
        with connect(access) as session:
            figures = look_through(session, TO_HISTORY, ())
        assert (figures.repeated, figures.surplus) == expected
        run(
            redshift_database,
            f"INSERT INTO post.letters SELECT * FROM post.letters WHERE changed = '{at(5)}'",
        )


# -- a rerun -----------------------------------------------------------------------------------------


def plan(access: RedshiftAccess, wanted: ByCommit | ByOffsets) -> Rerun:
    with connect(access) as session:
        entries = read_entries(session, HISTORY, TO_HISTORY.pipeline, TO_HISTORY.topic)
        session.rollback()
    decision = decide_rerun(entries, wanted, dict.fromkeys(range(4), (0, 1 << 40)), None)
    assert isinstance(decision, Rerun)
    return decision


def rerun(
    access: RedshiftAccess, planned: Rerun, segment: Segment, consent: Consent = Consent.ACCEPT
) -> Rewritten | WouldTakeAway:
    with connect(access) as session:
        outcome = rerun_once(
            *(session, TO_HISTORY, planned, [segment], INSERTS, uuid.uuid4().hex, NOON),
            Purpose.WRITE,
            consent,
        )
    assert isinstance(outcome, Rewritten | WouldTakeAway)
    return outcome


def test_a_version_that_a_rerun_takes_back_gives_its_time_to_the_one_before(
    access: RedshiftAccess, redshift_database: RedshiftServer
) -> None:
    commit(access, versions(0, 1))
    wrong = commit(access, versions(1, 4, body="wrong"))
    commit(access, versions(2, 9))
    planned = plan(access, ByCommit(wrong))
    refused = rerun(access, planned, versions(1, 6), Consent.REFUSE)
    assert isinstance(refused, WouldTakeAway)
    assert refused.changes.removed == 1
    assert stored(redshift_database, ROWS) == [row(1, 4), row(4, 9, "wrong"), row(9, None)]
    assert isinstance(rerun(access, planned, versions(1, 6)), Rewritten)
    assert stored(redshift_database, ROWS) == [row(1, 6), row(6, 9), row(9, None)]


def test_when_a_message_keeps_the_contract_no_more_the_version_before_it_is_current_again(
    access: RedshiftAccess, redshift_database: RedshiftServer
) -> None:
    commit(access, versions(0, 1))
    wrong = commit(access, versions(1, 4))
    rerun(access, plan(access, ByCommit(wrong)), span(1, 2, []))
    assert stored(redshift_database, ROWS) == [row(1, None)]


def test_a_message_that_a_rerun_takes_back_altogether_leaves_no_row(
    access: RedshiftAccess, redshift_database: RedshiftServer
) -> None:
    wrong = commit(access, versions(0, 1, 5))
    rerun(access, plan(access, ByCommit(wrong)), span(0, 2, []))
    assert stored(redshift_database, ROWS) == []


READ = st.one_of(st.none(), st.integers(0, 3))
TOLD = st.tuples(st.sampled_from("ab"), READ, READ)
"""A message: its sender, its version, and the version that a bug reads in it. None: a breach."""


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    history=st.lists(st.lists(TOLD, min_size=1, max_size=4), min_size=2, max_size=4),
    asked=st.tuples(st.integers(0, 15), st.integers(1, 8)),
)
def test_after_a_rerun_each_version_is_the_latest_of_what_was_read_again_and_what_others_wrote(
    access: RedshiftAccess,
    redshift_database: RedshiftServer,
    history: list[list[tuple[str, int | None, int | None]]],
    asked: tuple[int, int],
) -> None:
    run(redshift_database, "DELETE FROM post.letters", f"DELETE FROM {sql.ledger_name(HISTORY)}")
    rows: dict[tuple[str, int], tuple[int, str]] = {}
    """By sender and version: offset, commit."""
    flat: list[tuple[str, int | None, int | None]] = []
    for hour, messages in enumerate(history):
        misread = {
            len(flat) + n: (sender, version)
            for n, (sender, _, version) in enumerate(messages)
            if version is not None
        }
        letters = [Letter(n, sender, version, body=str(n)) for n, (sender, version) in misread.items()]
        name = commit(access, span(len(flat), len(flat) + len(messages), letters), hours=hour)
        rows |= {key: (n, name) for n, key in misread.items()}
        flat += messages
    first = asked[0] % len(flat)
    planned = plan(access, ByOffsets(0, first, min(len(flat), first + asked[1])))
    (covered,) = planned.spans
    again = [
        Letter(n, sender, version, body=str(n))
        for n, (sender, version, _) in enumerate(flat)
        if covered.first <= n < covered.next and version is not None
    ]
    rerun(access, planned, span(covered.first, covered.next, again))
    left = {key: offset for key, (offset, name) in rows.items() if name not in planned.commits}
    for letter in again:
        key = (letter.sender, letter.changed)
        left[key] = max(left.get(key, -1), letter.offset)
    expected = []
    for sender, version in sorted(left):
        later = [each for known, each in left if known == sender and each > version]
        until = at(min(later)) if later else None
        expected.append((sender, at(version), until, not later, str(left[sender, version])))
    query = "SELECT sender, changed::varchar, until::varchar, newest, body FROM post.letters ORDER BY 1, 2"
    assert stored(redshift_database, query) == expected
