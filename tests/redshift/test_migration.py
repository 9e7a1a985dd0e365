"""A table of type 1 becomes one of type 2: whole or not at all, and no commit is lost or spoilt by it."""

from __future__ import annotations

import threading
import uuid
from dataclasses import replace

import pytest

from connectors import redshift_sql as sql
from connectors.items import HISTORY_NAMES, Segment
from connectors.ledger import ByCommit, Rerun, decide_rerun
from connectors.redshift_access import RedshiftAccess, WarehouseUnavailable, connect
from connectors.redshift_commit import Destination, commit_once
from connectors.redshift_ddl import TableDiffers
from connectors.redshift_ledger import read_entries
from connectors.redshift_migration import MigrationRefused, migrate, plan
from connectors.redshift_migration_sql import type_1
from connectors.redshift_rerun import Consent, Purpose, Rewritten, rerun_once
from connectors.staging import Cursor, InsertStaging
from tests.pipeline import eventually
from tests.redshift.cutting import Break, Wire
from tests.redshift.warehouse import (
    DESTINATION,
    HISTORY,
    INSERTS,
    NOON,
    TABLE,
    Letter,
    access_to,
    at,
    ledger,
    span,
    stored,
    window,
    with_tables,
)
from tests.standins.redshift_client import RedshiftServer, Transactions
from tests.standins.redshift_client import connect as connect_directly

_NAMES = dict(zip(("since", "until", "newest"), HISTORY_NAMES, strict=True))
VERSIONS = replace(
    HISTORY,
    columns=tuple(replace(column, name=_NAMES.get(column.name, column.name)) for column in HISTORY.columns),
)
"""The letters with a history, its columns named as a contract names them."""
TO_VERSIONS = replace(DESTINATION, table=VERSIONS)
LETTERS = "sender, changed::varchar, body, load_id"
INTERVALS = "valid_from::varchar, valid_to::varchar, is_current"
OF_TYPE_1 = [Letter(0, "anna", 3), Letter(1, "anna", 1), Letter(2, "bert", 2), Letter(3, "anna", 5)]


@pytest.fixture
def access(redshift_database: RedshiftServer) -> RedshiftAccess:
    return with_tables(redshift_database)


def commit(
    access: RedshiftAccess,
    segment: Segment,
    destination: Destination = DESTINATION,
    staging: InsertStaging = INSERTS,
) -> str:
    commit_id = uuid.uuid4().hex
    with connect(access) as session:
        commit_once(session, destination, [window(segment)], {}, staging, commit_id, NOON)
    return commit_id


def run(server: RedshiftServer, *statements: str) -> None:
    with connect_directly(server, Transactions.EACH_STATEMENT) as session:
        for statement in statements:
            session.run(statement)


def test_each_row_becomes_the_current_version_of_its_message_and_the_old_table_stays(
    access: RedshiftAccess, redshift_database: RedshiftServer
) -> None:
    name = commit(access, span(0, 4, OF_TYPE_1))
    entries = ledger(redshift_database)
    assert migrate(access, VERSIONS).rows == 2
    expected = [("anna", at(5), "dear", name), ("bert", at(2), "dear", name)]
    for relation in ("letters", "letters_type_1", "letters_current"):
        assert stored(redshift_database, f"SELECT {LETTERS} FROM post.{relation} ORDER BY 1") == expected
    assert stored(redshift_database, f"SELECT {INTERVALS} FROM post.letters ORDER BY sender") == [
        (at(5), None, True),
        (at(2), None, True),
    ]
    assert ledger(redshift_database) == entries


def test_the_pipeline_goes_on_with_versions(
    access: RedshiftAccess, redshift_database: RedshiftServer
) -> None:
    commit(access, span(0, 4, OF_TYPE_1))
    migrate(access, VERSIONS)
    commit(access, span(4, 6, [Letter(4, "anna", 4), Letter(5, "anna", 9)]), TO_VERSIONS)
    query = "SELECT changed::varchar, valid_to::varchar FROM post.letters WHERE sender = 'anna' ORDER BY 1"
    assert stored(redshift_database, query) == [(at(4), at(5)), (at(5), at(9)), (at(9), None)]


def test_a_rerun_of_what_the_topic_still_holds_brings_back_versions_that_type_1_had_forgotten(
    access: RedshiftAccess, redshift_database: RedshiftServer
) -> None:
    name = commit(access, span(0, 4, OF_TYPE_1))
    migrate(access, VERSIONS)
    with connect(access) as session:
        entries = read_entries(session, VERSIONS, DESTINATION.pipeline, DESTINATION.topic)
        session.rollback()
    planned = decide_rerun(entries, ByCommit(name), {0: (0, 4)}, None)
    assert isinstance(planned, Rerun)
    with connect(access) as session:
        outcome = rerun_once(
            *(session, TO_VERSIONS, planned, [span(0, 4, OF_TYPE_1)], INSERTS, uuid.uuid4().hex, NOON),
            Purpose.WRITE,
            Consent.REFUSE,
        )
    assert isinstance(outcome, Rewritten)
    query = "SELECT changed::varchar, valid_to::varchar FROM post.letters WHERE sender = 'anna' ORDER BY 1"
    assert stored(redshift_database, query) == [(at(1), at(3)), (at(3), at(5)), (at(5), None)]


def test_looking_changes_nothing_and_says_what_would_be_done(
    access: RedshiftAccess, redshift_database: RedshiftServer
) -> None:
    commit(access, span(0, 4, OF_TYPE_1))
    planned = plan(access, VERSIONS)
    assert planned.rows == 2
    assert planned.statements[0] == "ALTER TABLE post.letters RENAME TO letters_type_1"
    assert len(stored(redshift_database)) == 2
    assert type_1(VERSIONS) == TABLE
    assert migrate(access, VERSIONS) == planned


COPY = "INSERT INTO post.letters SELECT * FROM post.letters"


@pytest.mark.parametrize(
    ("statements", "told"),
    [
        pytest.param(("DROP TABLE post.letters",), "is not there", id="no table"),
        pytest.param((COPY,), "2 messages are in post.letters more than once", id="repeated messages"),
        pytest.param(
            ("ALTER TABLE post.letters DROP COLUMN weight",),
            "post.letters, column weight: added as integer. First bring the table to the contract",
            id="another column",
        ),
        pytest.param(
            ("CREATE TABLE post.letters_type_1 (n integer)",),
            "post.letters_type_1 is there already",
            id="an old table",
        ),
        pytest.param(
            ("CREATE VIEW post.letters_current AS SELECT 1 AS n",),
            "post.letters_current is there already",
            id="a view",
        ),
    ],
)
def test_what_would_not_become_a_right_history_is_refused(
    access: RedshiftAccess, redshift_database: RedshiftServer, statements: tuple[str, ...], told: str
) -> None:
    commit(access, span(0, 4, OF_TYPE_1))
    run(redshift_database, *statements)
    for deed in (plan, migrate):
        with pytest.raises(MigrationRefused, match=told):
            deed(access, VERSIONS)
    names = stored(redshift_database, "SELECT attname FROM pg_attribute WHERE attname = 'valid_from'")
    assert names == []


def test_a_second_time_it_is_of_type_2_already(access: RedshiftAccess) -> None:
    migrate(access, VERSIONS)
    for deed in (plan, migrate):
        with pytest.raises(MigrationRefused, match="is of type 2 already"):
            deed(access, VERSIONS)


class Meanwhile(InsertStaging):
    """A commit in whose middle, under the lock, something begins that has to wait for it."""

    def __init__(self, server: RedshiftServer, begun: threading.Thread) -> None:
        self._server = server
        self._begun = begun

    def stage(self, cursor: Cursor, takes: object, table: object) -> int:
        self._begun.start()
        eventually(lambda: self._waits() or not self._begun.is_alive(), 20, "it waits, or does not")
        assert self._begun.is_alive()
        return super().stage(cursor, takes, table)  # type: ignore[arg-type]  # passed through as they came

    def _waits(self) -> bool:
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        return bool(stored(self._server, waiting)[0][0])


def test_it_waits_for_a_commit_that_is_under_way_and_copies_its_rows(
    access: RedshiftAccess, redshift_database: RedshiftServer
) -> None:
    commit(access, span(0, 4, OF_TYPE_1))
    done: list[int] = []
    thread = threading.Thread(target=lambda: done.append(migrate(access, VERSIONS).rows))
    commit(access, span(4, 5, [Letter(4, "cleo")]), staging=Meanwhile(redshift_database, thread))
    thread.join(30)
    assert done == [3]
    assert stored(redshift_database, "SELECT count(*) FROM post.letters WHERE is_current") == [(3,)]


def test_a_pipeline_of_type_1_that_is_still_there_ends_at_its_next_commit_and_spoils_nothing(
    access: RedshiftAccess, redshift_database: RedshiftServer
) -> None:
    commit(access, span(0, 4, OF_TYPE_1))
    migrate(access, VERSIONS)
    before = stored(redshift_database, "SELECT * FROM post.letters ORDER BY sender")
    with pytest.raises(TableDiffers, match=r"post.letters is of type 2, .* the contract says scd: 1"):
        commit(access, span(4, 5, [Letter(4, "anna", 7)]))
    assert stored(redshift_database, "SELECT * FROM post.letters ORDER BY sender") == before
    assert ledger(redshift_database) == [(0, 0, 4, 4)]


@pytest.mark.parametrize("broken", list(Break), ids=lambda each: each.name.lower())
def test_cut_off_around_its_end_it_is_done_or_not_done_and_a_second_call_says_which(
    access: RedshiftAccess, redshift_database: RedshiftServer, broken: Break
) -> None:
    commit(access, span(0, 4, OF_TYPE_1))
    with Wire(redshift_database) as wire:
        wire.plan.append(broken)
        with pytest.raises(WarehouseUnavailable):
            migrate(access_to(wire.server), VERSIONS)
    if broken is Break.AFTER_COMMIT:
        with pytest.raises(MigrationRefused, match="is of type 2 already"):
            migrate(access, VERSIONS)
    else:
        assert len(stored(redshift_database)) == 2
        migrate(access, VERSIONS)
    assert stored(redshift_database, "SELECT count(*) FROM post.letters WHERE is_current") == [(2,)]
    assert stored(redshift_database, "SELECT count(*) FROM post.letters_type_1") == [(2,)]


def test_the_definitions_of_type_2_are_what_the_migration_makes(
    access: RedshiftAccess, redshift_database: RedshiftServer
) -> None:
    migrate(access, VERSIONS)
    catalogue = (
        "SELECT column_name, data_type, is_nullable, distkey, sortkey FROM svv_redshift_columns "
        "WHERE schema_name = 'post' AND table_name = '{}' ORDER BY ordinal_position"
    )
    migrated = stored(redshift_database, catalogue.format("letters"))
    run(redshift_database, "DROP VIEW post.letters_current", "DROP TABLE post.letters")
    for definition in sql.definitions(VERSIONS):
        run(redshift_database, definition.sql)
    assert stored(redshift_database, catalogue.format("letters")) == migrated
