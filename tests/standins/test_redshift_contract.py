"""What the pipeline relies on in a Redshift: TEST_REDSHIFT_DSN names it, by default it is the stand-in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redshift_connector.error import Error

from tests.standins.redshift_client import Connection, RedshiftServer, Transactions, connect


@pytest.fixture
def redshift(redshift_database: RedshiftServer) -> Iterator[Connection]:
    with connect(redshift_database) as connection:
        yield connection


@pytest.fixture
def another(redshift_database: RedshiftServer) -> Iterator[Connection]:
    with connect(redshift_database) as connection:
        yield connection


def refusal(run: Callable[[], object]) -> dict[str, str]:
    """The fields of the error that running it raises."""
    with pytest.raises(Error) as raised:
        run()
    fields = raised.value.args[0]
    assert isinstance(fields, dict)
    return fields


def refused(connection: Connection, sql: str, parameters: tuple[object, ...] = ()) -> dict[str, str]:
    fields = refusal(lambda: connection.run(sql, parameters))
    connection.rollback()
    return fields


def test_version_is_redshifts(redshift: Connection) -> None:
    assert "Redshift" in redshift.value("SELECT version()")
    assert (b"server_version", b"8.0.2") in redshift.raw.parameter_statuses


def test_a_wrong_password_is_refused(redshift_database: RedshiftServer) -> None:
    def log_in() -> None:
        with connect(replace(redshift_database, password="not-the-password-1")):
            pass

    fields = refusal(log_in)
    assert fields["C"] == "28000"
    assert "password authentication failed" in fields["M"]


def test_an_unknown_database_is_refused(redshift_database: RedshiftServer) -> None:
    def log_in() -> None:
        with connect(redshift_database.within("nowhere")):
            pass

    assert refusal(log_in)["C"] == "3D000"


def test_varchar_counts_bytes(redshift: Connection) -> None:
    redshift.run("CREATE TABLE t (short varchar(4))")
    redshift.commit()
    redshift.run("INSERT INTO t VALUES (%s), (%s)", ("🙂", "éé"))
    redshift.commit()
    for text in ("🙂!", "ééé", "abcde"):
        assert refused(redshift, "INSERT INTO t VALUES (%s)", (text,))["C"] == "22001"
    assert redshift.rows("SELECT short FROM t ORDER BY short") == [("éé",), ("🙂",)]


def test_varchar_without_a_length_holds_256_bytes(redshift: Connection) -> None:
    redshift.run("CREATE TABLE t (a varchar, b text, c varchar(max))")
    redshift.run("INSERT INTO t VALUES (%s, %s, %s)", ("x" * 256, "x" * 256, "x" * 65535))
    redshift.commit()
    assert refused(redshift, "INSERT INTO t (a) VALUES (%s)", ("x" * 257,))["C"] == "22001"
    assert refused(redshift, "INSERT INTO t (b) VALUES (%s)", ("x" * 257,))["C"] == "22001"


@pytest.mark.parametrize(
    "text",
    [
        "🙂👩‍👩‍👧🏳️‍🌈",
        "Привет שלום 你好 ñandú",
        r"C:\new\table \\ \' \x41",
        'it\'s "quoted"',
        "100% %s $1 ; -- /* */",
        "line\none\ttab\r",
        "CREATE TABLE t (a int) DISTKEY(a); SYSDATE PRIMARY KEY",
    ],
)
def test_text_comes_back_as_it_went(redshift: Connection, text: str) -> None:
    redshift.run("CREATE TEMP TABLE t (words varchar(256))")
    redshift.run("INSERT INTO t VALUES (%s)", (text,))
    assert redshift.value("SELECT words FROM t") == text
    literal = text.replace("\\", "\\\\").replace("'", "''")
    assert redshift.value(f"SELECT '{literal}'") == text


def test_a_literal_that_looks_like_ddl_is_not_rewritten(redshift: Connection) -> None:
    said = "sysdate distkey(a) primary key encode zstd; delete t -- merge"
    redshift.run(f"CREATE TABLE t DISTKEY(a) AS SELECT 1 AS a, '{said}' AS words /* 'sysdate */")
    assert redshift.rows('SELECT words, words AS "sysdate" FROM t') == [(said, said)]
    assert isinstance(redshift.value(f"SELECT sysdate -- '{said}"), datetime)


def test_backslashes_escape_in_literals(redshift: Connection) -> None:
    assert redshift.value(r"SELECT 'it\'s a\\b'") == "it's a\\b"


def test_getdate_is_utc_without_fractions(redshift: Connection) -> None:
    now = datetime.now(UTC).replace(tzinfo=None)
    answered = redshift.value("SELECT GETDATE()")
    assert abs(answered - now) < timedelta(seconds=30)
    assert answered.tzinfo is None
    assert answered.microsecond == 0


def test_sysdate_stands_still_in_a_transaction(redshift: Connection) -> None:
    first = redshift.value("SELECT SYSDATE")
    assert redshift.value("SELECT SYSDATE") == first


def test_a_timestamp_is_stored_as_it_is_given(redshift: Connection) -> None:
    redshift.run("CREATE TEMP TABLE t (at timestamp)")
    at = datetime(2023, 10, 31, 3, 58, 22, 123456)  # noqa: DTZ001 - the column has no zone
    redshift.run("INSERT INTO t VALUES (%s), ('2023-10-31 03:58:22.123456')", (at,))
    assert redshift.rows("SELECT DISTINCT at FROM t") == [(at,)]


def test_primary_keys_are_not_enforced(redshift: Connection) -> None:
    redshift.run("CREATE TABLE t (a int PRIMARY KEY, b int UNIQUE)")
    redshift.run("CREATE TABLE u (a int NOT NULL, b int REFERENCES t (a), PRIMARY KEY (a), UNIQUE (b))")
    redshift.run("INSERT INTO t VALUES (1, 1), (1, 1)")
    redshift.run("INSERT INTO u VALUES (1, 7), (1, 7)")
    assert redshift.value("SELECT count(*) FROM t JOIN u ON t.a = u.a") == 4


def test_not_null_is_enforced(redshift: Connection) -> None:
    redshift.run("CREATE TABLE t (a int NOT NULL)")
    assert refused(redshift, "INSERT INTO t VALUES (%s)", (None,))["C"] in ("23502", "XX000")


def test_ddl_is_transactional(redshift: Connection, another: Connection) -> None:
    redshift.run("CREATE SCHEMA interactions")
    redshift.run("CREATE TABLE interactions.t (a int) DISTKEY(a)")
    seen = "SELECT count(*) FROM svv_redshift_columns WHERE schema_name = 'interactions'"
    assert redshift.value(seen) == 1
    assert another.value(seen) == 0
    another.rollback()
    redshift.rollback()
    assert redshift.value(seen) == 0
    redshift.run("CREATE SCHEMA interactions")
    redshift.run("CREATE TABLE interactions.t (a int)")
    redshift.commit()
    assert another.value(seen) == 1


def test_distribution_and_sort_key_are_in_the_catalogue(redshift: Connection) -> None:
    redshift.run("CREATE SCHEMA interactions")
    redshift.run(
        "CREATE TABLE IF NOT EXISTS interactions.messages (user_id varchar(128) NOT NULL ENCODE zstd,"
        " length_seconds int, n bigint, created_at timestamp NOT NULL, is_current boolean)"
        " DISTSTYLE KEY DISTKEY(user_id) COMPOUND SORTKEY(created_at, user_id)"
    )
    redshift.commit()
    columns = redshift.rows(
        "SELECT column_name, ordinal_position, data_type, is_nullable, distkey, sortkey"
        " FROM svv_redshift_columns WHERE database_name = current_database()"
        " AND schema_name = 'interactions' AND table_name = 'messages' ORDER BY ordinal_position"
    )
    assert columns == [
        ("user_id", 1, "character varying(128)", "NO", True, 2),
        ("length_seconds", 2, "integer", "YES", False, 0),
        ("n", 3, "bigint", "YES", False, 0),
        ("created_at", 4, "timestamp without time zone", "NO", False, 1),
        ("is_current", 5, "boolean", "YES", False, 0),
    ]
    encoding = (
        "SELECT encoding FROM svv_redshift_columns WHERE table_name = 'messages' AND column_name = 'user_id'"
    )
    assert redshift.value(encoding) == "zstd"


def test_keys_may_stand_with_their_columns(redshift: Connection) -> None:
    redshift.run("CREATE TABLE t (a int SORTKEY, b int DISTKEY)")
    keys = "SELECT column_name, distkey, sortkey FROM svv_redshift_columns WHERE table_name = 't' ORDER BY 1"
    assert redshift.rows(keys) == [("a", False, 1), ("b", True, 0)]


def test_a_key_must_name_a_column(redshift: Connection) -> None:
    assert "nowhere" in refused(redshift, "CREATE TABLE t (a int) DISTKEY(nowhere)")["M"]


@pytest.fixture
def merging(redshift: Connection) -> Connection:
    redshift.run("CREATE TABLE target (id int, words varchar(16)) DISTKEY(id)")
    redshift.run("CREATE TABLE source (id int, words varchar(16)) DISTKEY(id)")
    redshift.run("INSERT INTO target VALUES (1, 'old'), (2, 'kept')")
    redshift.run("INSERT INTO source VALUES (1, 'new'), (3, 'added')")
    redshift.commit()
    return redshift


MATCHED = "WHEN MATCHED THEN UPDATE SET words = source.words"
NOT_MATCHED = "WHEN NOT MATCHED THEN INSERT (id, words) VALUES (source.id, source.words)"


def test_merge_updates_and_inserts(merging: Connection) -> None:
    merging.run(f"MERGE INTO target USING source ON target.id = source.id {MATCHED} {NOT_MATCHED}")
    assert merging.rows("SELECT * FROM target ORDER BY id") == [(1, "new"), (2, "kept"), (3, "added")]


def test_merge_inserts_each_of_two_equal_source_rows(merging: Connection) -> None:
    merging.run("INSERT INTO source VALUES (3, 'added')")
    merging.run(f"MERGE INTO target USING source ON target.id = source.id {MATCHED} {NOT_MATCHED}")
    assert merging.value("SELECT count(*) FROM target WHERE id = 3") == 2


@pytest.mark.parametrize(
    "merge",
    [
        f"MERGE INTO target t USING source ON t.id = source.id {MATCHED} {NOT_MATCHED}",
        f"MERGE INTO target AS t USING source ON t.id = source.id {MATCHED} {NOT_MATCHED}",
        f"MERGE INTO target USING (SELECT * FROM source) s ON target.id = s.id {MATCHED} {NOT_MATCHED}",
        "MERGE INTO target USING source ON target.id = source.id WHEN MATCHED AND source.id > 1"
        f" THEN UPDATE SET words = source.words {NOT_MATCHED}",
        f"MERGE INTO target USING source ON target.id = source.id {MATCHED} WHEN NOT MATCHED THEN DO NOTHING",
        f"MERGE INTO target USING source ON target.id = source.id {MATCHED}",
    ],
)
def test_merge_takes_neither_a_target_alias_nor_a_subquery_nor_a_condition(
    merging: Connection, merge: str
) -> None:
    refused(merging, merge)
    assert merging.value("SELECT words FROM target WHERE id = 1") == "old"


def test_delete_using_joins_another_table(merging: Connection) -> None:
    assert merging.run("DELETE FROM source USING target WHERE target.id = source.id") == 1
    assert merging.rows("SELECT id FROM source") == [(3,)]


def test_delete_needs_no_from(merging: Connection) -> None:
    assert merging.run("DELETE target WHERE id = 1") == 1


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO target VALUES (1, 'x') ON CONFLICT DO NOTHING",
        "INSERT INTO target VALUES (1, 'x') RETURNING id",
        "SELECT DISTINCT ON (id) id FROM target",
        "CREATE INDEX i ON target (id)",
        "SAVEPOINT here",
        "CREATE TABLE t (a jsonb)",
        "INSERT INTO target SELECT generate_series(1, 3), 'x'",
        "UPDATE target SET words = NOW()",
        "LOCK target IN SHARE MODE",
    ],
)
def test_what_only_postgresql_knows_is_refused(merging: Connection, sql: str) -> None:
    assert refused(merging, sql)["C"] in ("42601", "0A000", "XX000")


def test_an_error_aborts_the_transaction(merging: Connection) -> None:
    merging.run("DELETE FROM target")
    refusal(lambda: merging.run("CREATE INDEX i ON target (id)"))
    assert refusal(lambda: merging.run("SELECT 1"))["C"] == "25P02"
    merging.rollback()
    assert merging.value("SELECT count(*) FROM target") == 2


def test_truncate_commits(merging: Connection) -> None:
    merging.run("INSERT INTO source VALUES (4, 'along')")
    merging.run("TRUNCATE target")
    merging.rollback()
    assert merging.value("SELECT count(*) FROM target") == 0
    assert merging.value("SELECT count(*) FROM source") == 3


def test_a_transaction_sees_a_snapshot(merging: Connection, another: Connection) -> None:
    assert another.value("SELECT count(*) FROM target") == 2
    merging.run("INSERT INTO target VALUES (9, 'late')")
    merging.commit()
    assert another.value("SELECT count(*) FROM target") == 2
    another.rollback()
    assert another.value("SELECT count(*) FROM target") == 3


def test_concurrent_writers_get_a_serialization_failure(merging: Connection, another: Connection) -> None:
    another.value("SELECT count(*) FROM target")
    merging.run("UPDATE target SET words = 'mine' WHERE id = 1")
    merging.commit()
    fields = refusal(lambda: another.run("UPDATE target SET words = 'ours' WHERE id = 1"))
    assert fields["C"] == "XX000"
    assert fields["M"].startswith("1023")


def test_concurrent_lockers_wait_and_then_see_what_was_committed(
    merging: Connection, another: Connection
) -> None:
    merging.run("LOCK target")
    merging.run("INSERT INTO target VALUES (9, 'first')")
    another.run("SET statement_timeout TO 300")
    another.commit()
    assert refused(another, "LOCK target")["C"] == "57014"
    another.run("SET statement_timeout TO 0")
    another.commit()

    def count_under_lock() -> Any:
        another.run("LOCK target")
        return another.value("SELECT count(*) FROM target")

    with ThreadPoolExecutor(1) as pool:
        counted = pool.submit(count_under_lock)
        merging.commit()
        assert counted.result(30) == 3


def test_a_thousand_rows_go_in_one_statement(redshift: Connection) -> None:
    redshift.run(
        "CREATE TEMP TABLE staging (a varchar(128) NOT NULL, b varchar(128) NOT NULL, c varchar(2056),"
        " d varchar(16), e varchar(64), f int, g timestamp NOT NULL, h timestamp, i timestamp,"
        " j varchar(32), k varchar(32), l int NOT NULL, m bigint NOT NULL) DISTKEY(a)"
    )
    at = datetime(2023, 10, 31, 3, 58, 22)  # noqa: DTZ001 - the column has no zone
    rows = [
        (
            f"u{n}",
            "s",
            None if n % 7 else "hé 🙂",
            "opened",
            None,
            n % 60 or None,
            at,
            at,
            at,
            "p",
            "t",
            n % 4,
            n << 33,
        )
        for n in range(1000)
    ]
    one = "(" + ", ".join(["%s"] * 13) + ")"
    inserted = redshift.run(
        f"INSERT INTO staging VALUES {', '.join([one] * 1000)}", [value for row in rows for value in row]
    )
    assert inserted == 1000
    assert redshift.rows("SELECT * FROM staging ORDER BY m") == rows


def test_each_statement_may_be_its_own_transaction(redshift_database: RedshiftServer) -> None:
    with connect(redshift_database, Transactions.EACH_STATEMENT) as connection:
        connection.run("CREATE TABLE t (a int)")
    with connect(redshift_database) as later:
        assert later.value("SELECT count(*) FROM t") == 0


def test_temporary_tables_end_with_the_session(redshift_database: RedshiftServer) -> None:
    for _ in range(2):
        with connect(redshift_database) as connection:
            connection.run("CREATE TEMP TABLE stg (a int)")
            connection.commit()
