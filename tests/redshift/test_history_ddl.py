"""The table, the view and the grants of type 2: made, altered, looked at, and told from those of type 1."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest

from connectors import redshift_sql as sql
from connectors.items import Column, Table, Verdict
from connectors.redshift_access import Password, RedshiftAccess, connect
from connectors.redshift_check import survey
from connectors.redshift_commit import commit_once
from connectors.redshift_ddl import carry_out, plan
from connectors.redshift_grants import Grantee, GranteeKind, grants
from tests.redshift.test_migration import TO_VERSIONS, VERSIONS
from tests.redshift.warehouse import INSERTS, NOON, TABLE, Letter, span, window, with_tables
from tests.security.conftest import ROLE_PASSWORD
from tests.standins.redshift_client import RedshiftServer, Transactions
from tests.standins.redshift_client import connect as connect_directly


@pytest.fixture
def access(redshift_database: RedshiftServer) -> RedshiftAccess:
    return with_tables(redshift_database, VERSIONS)


def run(server: RedshiftServer, *statements: str) -> None:
    with connect_directly(server, Transactions.EACH_STATEMENT) as session:
        for statement in statements:
            session.run(statement)


def wrong(access: RedshiftAccess) -> list[tuple[str, str]]:
    return [(each.subject, each.detail) for each in survey(access, VERSIONS) if each.verdict is Verdict.WRONG]


def test_what_ddl_makes_is_right(access: RedshiftAccess) -> None:
    found = {each.subject: each.verdict for each in survey(access, VERSIONS)}
    assert found["view post.letters_current"] is Verdict.RIGHT
    assert set(found.values()) == {Verdict.RIGHT}
    planned = plan(access, VERSIONS)
    assert (planned.create, planned.alter, planned.refused) == ((), (), ())


def test_a_view_that_is_gone_is_wrong_and_made_again(
    access: RedshiftAccess, redshift_database: RedshiftServer
) -> None:
    run(redshift_database, "DROP VIEW post.letters_current")
    assert wrong(access) == [("view post.letters_current", "missing; `ddl --apply` creates it")]
    planned = plan(access, VERSIONS)
    assert [each.subject for each in planned.create] == ["view post.letters_current"]
    carry_out(access, planned)
    assert wrong(access) == []


def test_a_column_is_added_and_another_widened_under_the_view_which_then_shows_both(
    access: RedshiftAccess, redshift_database: RedshiftServer
) -> None:
    wider = [
        replace(each, sql_type="varchar(128)") if each.name == "body" else each for each in TABLE.columns
    ]
    history = VERSIONS.columns[len(TABLE.columns) :]
    table = replace(VERSIONS, columns=(*wider, Column("mood", "varchar(8)", False), *history))
    planned = plan(access, table)
    assert [each.sql.split(" AS ")[0] for each in planned.alter] == [
        "DROP VIEW post.letters_current",
        "ALTER TABLE post.letters ALTER COLUMN body TYPE varchar(128)",
        "ALTER TABLE post.letters ADD COLUMN mood varchar(8)",
        "CREATE OR REPLACE VIEW post.letters_current",
    ]
    carry_out(access, planned)
    assert plan(access, table).alter == ()
    with connect_directly(redshift_database) as session:
        assert session.rows("SELECT body, mood FROM post.letters_current") == []


@pytest.mark.parametrize("made", [TABLE, VERSIONS], ids=["type 1", "type 2"])
def test_a_table_of_the_other_type_is_refused_in_one_line_that_says_what_to_do(
    redshift_database: RedshiftServer, made: Table
) -> None:
    access = with_tables(redshift_database, made)
    wanted = VERSIONS if made is TABLE else TABLE
    (refused,) = plan(access, wanted).refused
    assert refused.subject == "table post.letters"
    steps = "\n".join(refused.steps)
    if made is TABLE:
        assert refused.told == "is of type 1, with a row for each message; the contract says scd: 2"
        assert "ddl --to-type-2 --apply" in steps
    else:
        assert refused.told == "is of type 2, with a row for each version; the contract says scd: 1"
        assert "FROM post.letters_type_2 WHERE is_current" in steps


def test_the_steps_back_to_type_1_do_what_they_say(
    access: RedshiftAccess, redshift_database: RedshiftServer
) -> None:
    days = "'2024-01-01', '2024-01-02', '2024-01-02', 'id', 'here', '2024-01-02'"
    run(redshift_database, f"INSERT INTO post.letters VALUES ('anna', 'dear', 1, {days}, NULL, TRUE)")
    (refused,) = plan(access, TABLE).refused
    view, rename, _, copy, _ = refused.steps
    run(redshift_database, view.partition(": ")[2], rename)
    carry_out(access, plan(access, TABLE))
    run(redshift_database, copy.replace("…columns…", sql.names(TABLE.columns)))
    with connect_directly(redshift_database) as session:
        assert session.rows("SELECT sender, body FROM post.letters") == [("anna", "dear")]
    assert plan(access, TABLE).refused == ()


def test_a_history_needs_no_more_privileges_than_type_1(redshift_database: RedshiftServer) -> None:
    """Nor any on the view, which is for readers."""
    access = with_tables(redshift_database, VERSIONS)
    user = f"pipeline_{uuid.uuid4().hex[:8]}"
    grantee = Grantee(GranteeKind.USER, user)
    assert grants(VERSIONS, access.database, grantee) == grants(TABLE, access.database, grantee)
    run(
        redshift_database,
        f"CREATE USER {user} PASSWORD '{ROLE_PASSWORD}'",
        *grants(VERSIONS, access.database, grantee),
    )
    as_pipeline = replace(access, credentials=Password(user, ROLE_PASSWORD))
    assert wrong(as_pipeline) == []
    for first, segment in enumerate(span(n, n + 1, [Letter(n, changed=n)]) for n in range(3)):
        with connect(as_pipeline) as session:
            commit_once(session, TO_VERSIONS, [window(segment)], {}, INSERTS, f"{first:032x}", NOON)
    with connect_directly(redshift_database) as session:
        rows = session.rows("SELECT count(*), count(valid_to) FROM post.letters")
    assert rows == [(3, 2)]
