"""Contacts beside the rows: after every commit and every rerun they are those that the stored rows give."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors import redshift_contacts_sql as contacts_sql
from connectors import redshift_sql as sql
from connectors.items import Segment, Table, Verdict
from connectors.ledger import ByCommit, ByOffsets, Rerun, decide_rerun
from connectors.redshift_access import RedshiftAccess, WarehouseUnavailable, connect
from connectors.redshift_check import survey
from connectors.redshift_commit import Committed, Destination, commit_once
from connectors.redshift_ddl import TableDiffers, carry_out, plan, refuse_lacking
from connectors.redshift_ledger import read_entries
from connectors.redshift_rerun import Consent, Purpose, Rewritten, rerun_once
from tests.redshift.contacts import (
    CONTACTS,
    KEEPING,
    KEEPING_VERSIONS,
    given_by,
    giving_span,
    kept,
    owed,
    with_contacts,
)
from tests.redshift.cutting import Break, Wire
from tests.redshift.warehouse import (
    DESTINATION,
    INSERTS,
    NOON,
    TABLE,
    Letter,
    access_to,
    span,
    stored,
    window,
    with_tables,
)
from tests.standins.redshift_client import RedshiftServer
from tests.standins.redshift_client import connect as connect_directly


@pytest.fixture
def access(redshift_database: RedshiftServer) -> RedshiftAccess:
    return with_contacts(redshift_database)


def commit(access: RedshiftAccess, *segments: Segment, hour: int = 0) -> str:
    commit_id = uuid.uuid4().hex
    with connect(access) as session:
        now = NOON + timedelta(hours=hour)
        done = commit_once(session, KEEPING, [window(*segments)], {}, INSERTS, commit_id, now)
    assert isinstance(done, Committed)
    return commit_id


def emptied(server: RedshiftServer) -> None:
    with connect_directly(server) as direct:
        for name in (TABLE.qualified, CONTACTS.qualified, sql.ledger_name(TABLE)):
            direct.run(f"DELETE FROM {name}")
        direct.raw.commit()


def strays(access: RedshiftAccess, table: Table = TABLE) -> int:
    with connect(access) as session:
        ((count,),) = session.rows(contacts_sql.count_strays(CONTACTS, table))
        session.rollback()
    return int(count)


def test_contacts_bear_their_rows_key_and_its_commit(
    access: RedshiftAccess, redshift_database: RedshiftServer
) -> None:
    commit_id = commit(access, giving_span(0, 2, [Letter(0, body="2"), Letter(1, "ben", body="3")]))
    times = ("2024-01-01 12:00:00", "2024-01-01 12:00:00")
    assert kept(redshift_database) == [
        ("anna", times[0], "ben", "phone", 0, "2*", times[1], commit_id, "letters"),
        ("anna", times[0], None, "handle", 1, "2*", times[1], commit_id, "letters"),
    ]
    assert strays(access) == 0


def test_a_newer_version_takes_its_contacts_along_and_an_older_one_changes_nothing(
    access: RedshiftAccess, redshift_database: RedshiftServer
) -> None:
    commit(access, giving_span(0, 1, [Letter(0, changed=5, body="2")]))
    before = kept(redshift_database)
    commit(access, giving_span(1, 2, [Letter(1, changed=4, body="1")]))
    assert kept(redshift_database) == before
    commit(access, giving_span(2, 3, [Letter(2, changed=6, body="4")]))
    assert [row[5] for row in kept(redshift_database)] == ["4*"]
    commit(access, span(3, 4, [Letter(3, changed=7, body="nothing")]))
    assert kept(redshift_database) == []


def test_rows_below_the_ledger_bring_no_contacts(
    access: RedshiftAccess, redshift_database: RedshiftServer
) -> None:
    commit(access, giving_span(0, 1, [Letter(0, body="1")]))
    wider = giving_span(0, 2, [Letter(0, body="2"), Letter(1, "ben", body="4")])
    commit(access, wider)
    assert [row[5] for row in kept(redshift_database)] == ["1*", "4*"]


def test_more_contacts_than_one_statement_takes(
    access: RedshiftAccess, redshift_database: RedshiftServer
) -> None:
    letters = [Letter(n, "anna", written=n, body="2") for n in range(1300)]
    commit(access, giving_span(0, 1300, letters))
    assert len(kept(redshift_database)) == 2600


def test_without_a_contacts_table_rows_with_contacts_are_rows_as_ever(
    redshift_database: RedshiftServer,
) -> None:
    access = with_tables(redshift_database)
    with connect(access) as session:
        commit_once(
            session,
            DESTINATION,
            [window(giving_span(0, 1, [Letter(0, body="2")]))],
            {},
            INSERTS,
            uuid.uuid4().hex,
            NOON,
        )
    assert [row[3] for row in stored(redshift_database)] == ["2"]


# -- any history against a plain model ---------------------------------------------------------------


@dataclass(frozen=True)
class Poll:
    """Messages that came, and the commit that took them: from how far back, and what broke it."""

    letters: tuple[tuple[str, int, str | None], ...]
    """(sender, version, body)."""
    again: int
    broken: Break | None


POLLS = st.builds(
    Poll,
    st.lists(
        st.tuples(st.sampled_from("ab"), st.integers(0, 3), st.sampled_from([None, "0", "1", "2", "4", "5"])),
        min_size=1,
        max_size=5,
    ).map(tuple),
    st.integers(0, 4),
    st.sampled_from([None, None, *Break]),
)


@pytest.mark.parametrize("destination", [KEEPING, KEEPING_VERSIONS], ids=["type 1", "type 2"])
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(polls=st.lists(POLLS, min_size=1, max_size=6))
def test_after_every_commit_the_contacts_are_those_of_the_messages_that_the_model_keeps(
    redshift_database: RedshiftServer, destination: Destination, polls: list[Poll]
) -> None:
    """With a history, the messages that the model keeps are the current rows."""
    whole = with_contacts(redshift_database, destination.table)
    current = "newest" if destination.table.keeps_history else "TRUE"
    emptied(redshift_database)
    messages: list[Letter] = []
    position = 0
    with Wire(redshift_database) as wire:
        through = access_to(wire.server)
        for number, poll in enumerate(polls):
            for sender, changed, body in poll.letters:
                messages.append(Letter(len(messages), sender, changed, body=body))
            first = max(0, position - poll.again)
            wire.plan[:] = [poll.broken] if poll.broken else []
            try:
                with connect(through) as session:
                    commit_once(
                        session,
                        destination,
                        [window(giving_span(first, len(messages), messages[first:]))],
                        {},
                        INSERTS,
                        f"{number:032x}",
                        NOON,
                    )
            except WarehouseUnavailable:
                assert poll.broken is not None
                position = len(messages) if poll.broken is Break.AFTER_COMMIT else position
            else:
                position = len(messages)
            found = kept(redshift_database)
            assert [(row[0], *row[2:6]) for row in found] == _expected(messages[:position])
            assert found == owed(redshift_database, current)
            assert strays(whole, destination.table) == 0


def _expected(messages: list[Letter]) -> list[tuple[object, ...]]:
    best: dict[str, Letter] = {}
    for letter in messages:
        if letter.sender not in best or letter.changed >= best[letter.sender].changed:
            best[letter.sender] = letter
    return [
        (sender, *contact) for sender, letter in sorted(best.items()) for contact in given_by(letter.body)
    ]


# -- reruns ------------------------------------------------------------------------------------------


def rerun(
    access: RedshiftAccess,
    wanted: ByCommit | ByOffsets,
    *segments: Segment,
    purpose: Purpose = Purpose.WRITE,
) -> None:
    with connect(access) as session:
        entries = read_entries(session, TABLE, KEEPING.pipeline, KEEPING.topic)
        session.rollback()
    planned = decide_rerun(entries, wanted, {0: (0, 1 << 40)}, None)
    assert isinstance(planned, Rerun)
    with connect(access) as session:
        new_id = uuid.uuid4().hex
        outcome = rerun_once(
            session, KEEPING, planned, segments, INSERTS, new_id, NOON, purpose, Consent.ACCEPT
        )
    assert isinstance(outcome, Rewritten)


def test_a_rerun_replaces_contacts_and_those_of_rows_taken_back_go(
    access: RedshiftAccess, redshift_database: RedshiftServer
) -> None:
    letters = [Letter(0, body="2"), Letter(1, "ben", body="1"), Letter(2, "carl", body="1")]
    old = commit(access, giving_span(0, 3, letters))
    before = kept(redshift_database)
    again = giving_span(0, 3, [Letter(0, body="4"), Letter(1, "ben", body="3")])
    rerun(access, ByCommit(old), again, purpose=Purpose.PREVIEW)
    assert kept(redshift_database) == before
    rerun(access, ByCommit(old), again)
    assert [(row[0], row[5]) for row in kept(redshift_database)] == [("anna", "4*")]
    assert kept(redshift_database) == owed(redshift_database)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    history=st.lists(
        st.lists(
            st.tuples(st.sampled_from("abc"), st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=4
        ),
        min_size=2,
        max_size=4,
    ),
    asked=st.tuples(st.integers(0, 15), st.integers(1, 8)),
)
def test_after_a_rerun_the_contacts_are_those_of_the_rows_that_stand(
    access: RedshiftAccess,
    redshift_database: RedshiftServer,
    history: list[list[tuple[str, int, int]]],
    asked: tuple[int, int],
) -> None:
    """(sender, version as a bug reads it, version as it is read again) of each message."""
    emptied(redshift_database)
    at = 0
    flat: list[tuple[str, int, int]] = []
    for hour, messages in enumerate(history):
        letters = [
            Letter(at + n, sender, changed=wrong, body=str(at + n))
            for n, (sender, wrong, _) in enumerate(messages)
        ]
        commit(access, giving_span(at, at + len(messages), letters), hour=hour)
        at += len(messages)
        flat += messages
    first = asked[0] % at
    with connect(access) as session:
        entries = read_entries(session, TABLE, KEEPING.pipeline, KEEPING.topic)
        session.rollback()
    wanted = ByOffsets(0, first, min(at, first + asked[1]))
    planned = decide_rerun(entries, wanted, {0: (0, 1 << 40)}, None)
    assert isinstance(planned, Rerun)
    (covered,) = planned.spans
    again = [
        Letter(n, flat[n][0], changed=flat[n][2], body=str(n + 1)) for n in range(covered.first, covered.next)
    ]
    rerun(access, wanted, giving_span(covered.first, covered.next, again))
    assert kept(redshift_database) == owed(redshift_database)


# -- the table and its view --------------------------------------------------------------------------


def test_the_view_tells_of_each_two_users_who_gave_what_and_when(
    redshift_database: RedshiftServer,
) -> None:
    with_contacts(redshift_database)
    rows = [
        ("ben", "anna", 5, "phone"),
        ("anna", "ben", 9, "handle"),
        ("anna", "ben", 7, "phone"),
        ("carl", "anna", 3, "handle"),
        ("dora", "dora", 1, "phone"),
    ]
    with connect_directly(redshift_database) as direct:
        for sender, receiver, second, kind in rows:
            direct.run(
                f"INSERT INTO {CONTACTS.qualified} VALUES ('{sender}', '2024-01-01 12:00:0{second}', "
                f"'{receiver}', '{kind}', 0, NULL, getdate(), 'c', 'letters')"
            )
        direct.raw.commit()
    columns = (
        "user_a, user_b, contacts, kinds, first_at::varchar, a_kinds, a_first_at::varchar, b_kinds, "
        "b_first_at::varchar, both_gave, exchanged_at::varchar"
    )
    five, seven, three = (f"2024-01-01 12:00:0{n}" for n in (5, 7, 3))
    assert stored(redshift_database, f"SELECT {columns} FROM post.exchanges ORDER BY 1, 2") == [
        ("anna", "ben", 3, "handle, phone", five, "handle, phone", seven, "phone", five, True, seven),
        ("anna", "carl", 1, "handle", three, None, None, "handle", three, False, None),
    ]


def test_a_pipeline_whose_warehouse_lacks_the_table_or_a_column_of_it_is_refused_by_name(
    redshift_database: RedshiftServer,
) -> None:
    access = with_tables(redshift_database)
    with connect(access) as session, pytest.raises(TableDiffers, match=r"post\.given is not there"):
        refuse_lacking(session, access.database, TABLE, CONTACTS)
    with_contacts(redshift_database)
    with connect_directly(redshift_database) as direct:
        direct.run(f"ALTER TABLE {CONTACTS.qualified} DROP COLUMN mask")
        direct.raw.commit()
    with connect(access) as session:
        refuse_lacking(session, access.database, TABLE)
        with pytest.raises(TableDiffers, match=r"post\.given lacks mask"):
            refuse_lacking(session, access.database, TABLE, CONTACTS)


def test_what_is_missing_is_created_and_a_column_that_the_view_reads_is_widened_around_it(
    redshift_database: RedshiftServer,
) -> None:
    access = with_tables(redshift_database)
    older = replace(
        CONTACTS,
        columns=tuple(
            replace(each, sql_type="varchar(8)") if each.name == "kind" else each
            for each in CONTACTS.columns
            if each.name != "mask"
        ),
    )
    planned = plan(access, TABLE, older)
    assert [each.subject for each in planned.create] == ["table post.given", "view post.exchanges"]
    carry_out(access, planned)
    planned = plan(access, TABLE, CONTACTS)
    assert [each.sql.split(" AS")[0] for each in planned.alter] == [
        "DROP VIEW post.exchanges",
        "ALTER TABLE post.given ALTER COLUMN kind TYPE varchar(16)",
        "ALTER TABLE post.given ADD COLUMN mask varchar(64)",
        "CREATE OR REPLACE VIEW post.exchanges",
    ]
    carry_out(access, planned)
    done = plan(access, TABLE, CONTACTS)
    assert (done.create, done.alter, done.refused) == ((), (), ())
    assert stored(redshift_database, "SELECT count(*) FROM post.exchanges") == [(0,)]


def test_check_tells_of_the_table_its_keys_its_permissions_and_the_view(
    access: RedshiftAccess, redshift_database: RedshiftServer
) -> None:
    told = {each.subject: each.verdict for each in survey(access, TABLE, CONTACTS)}
    assert {name for name in told if "given" in name or "exchanges" in name} == {
        "table post.given, columns",
        "table post.given, distribution key",
        "table post.given, sort key",
        "table post.given, permissions",
        "view post.exchanges",
    }
    assert set(told.values()) == {Verdict.RIGHT}
    with connect_directly(redshift_database) as direct:
        direct.run("DROP VIEW post.exchanges")
        direct.raw.commit()
    wrong = [each for each in survey(access, TABLE, CONTACTS) if each.verdict is Verdict.WRONG]
    assert [each.subject for each in wrong] == ["view post.exchanges"]
    assert not [each for each in survey(access, TABLE) if each.verdict is not Verdict.RIGHT]
