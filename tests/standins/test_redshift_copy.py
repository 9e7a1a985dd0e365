"""COPY from S3, through the unmodified driver. The stand-in only: a real Redshift reads a real S3."""

from __future__ import annotations

import gzip
import json
import os
import socket
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redshift_connector.error import Error

from tests.standins.redshift_client import Connection, RedshiftServer, connect
from tests.standins.redshift_copy import Copy, Keys, Location, Refused, Role
from tests.standins.redshift_process import RedshiftProcess
from tests.standins.redshift_sql import Kind, translate
from tests.standins.s3 import ACCESS_KEY_ID, ROLE, SECRET_ACCESS_KEY, Bucket, S3Process, S3Server

pytestmark = pytest.mark.skipif(
    "TEST_REDSHIFT_DSN" in os.environ, reason="what is loaded from is the stand-in of S3"
)

IN_TRUTH = (
    "(short varchar(4), words varchar(256), n int, big bigint, at timestamp, must varchar(64) NOT NULL)"
)
COLUMNS = "short, words, n, big, at, must"
AT = datetime(2023, 10, 31, 3, 58, 22, 123456)  # noqa: DTZ001 - the column has no zone
FAILED = "Load into table 't' failed.  Check 'sys_load_error_detail' system table for details."
ROLE_OPTION = f"IAM_ROLE '{ROLE}'"


@pytest.fixture
def redshift(redshift_database: RedshiftServer) -> Iterator[Connection]:
    with connect(redshift_database) as connection:
        connection.run(f"CREATE TABLE t {IN_TRUTH}")
        connection.commit()
        yield connection


def lines(rows: Sequence[object]) -> bytes:
    return b"".join(orjson.dumps(row) + b"\n" for row in rows)


def manifest(bucket: Bucket, *entries: dict[str, Any]) -> str:
    return bucket.put("of.manifest", json.dumps({"entries": entries}).encode())


def entry(url: str, **more: object) -> dict[str, Any]:
    return {"url": url, "mandatory": True, **more}


def paths(bucket: Bucket, told: Sequence[str]) -> str:
    return bucket.put("of.jsonpaths", json.dumps({"jsonpaths": told}).encode())


def copy(
    bucket: Bucket,
    columns: str = COLUMNS,
    told: Sequence[str] = (),
    more: str = ROLE_OPTION,
    table: str = "t",
) -> str:
    told = told or [f"$[{index}]" for index in range(len(columns.split(",")))]
    return (
        f"COPY {table} ({columns}) FROM '{bucket.url('of.manifest')}' {more} MANIFEST FORMAT AS JSON"
        f" '{paths(bucket, told)}' TIMEFORMAT 'auto' COMPUPDATE OFF STATUPDATE OFF"
    )


def prepared(bucket: Bucket, body: bytes, **more: str) -> str:
    """The COPY of one object."""
    manifest(bucket, entry(bucket.put("rows", body)))
    return copy(bucket, **more)


def loaded(connection: Connection, sql: str) -> int:
    """How many rows it has loaded: the driver does not tell, and Redshift's command tag neither."""
    connection.run(sql)
    return int(connection.value("SELECT pg_last_copy_count()"))


def refusal(connection: Connection, sql: str) -> dict[str, str]:
    """The fields of the error that it raises; the transaction is then aborted, as it has to be."""
    with pytest.raises(Error) as raised:
        connection.run(sql)
    fields = raised.value.args[0]
    assert isinstance(fields, dict)
    with pytest.raises(Error) as aborted:
        connection.run("SELECT 1")
    assert aborted.value.args[0]["C"] == "25P02"
    connection.rollback()
    return fields


def detail(connection: Connection) -> tuple[Any, ...]:
    """The latest load error: file, line, column, its type and length, code, message."""
    return connection.rows(
        "SELECT trim(file_name), line_number, trim(column_name), trim(column_type), trim(column_length),"
        " error_code, trim(error_message) FROM sys_load_error_detail ORDER BY query_id DESC LIMIT 1"
    )[0]


GOOD = ["🙂", "x", 7, 1 << 40, "2023-10-31 03:58:22.123456", "m"]


def test_rows_are_loaded_in_the_order_of_the_paths(redshift: Connection, s3: Bucket) -> None:
    body = lines([GOOD, [None, "", None, None, None, ""]])
    assert loaded(redshift, prepared(s3, body)) == 2
    assert redshift.rows(f"SELECT {COLUMNS} FROM t ORDER BY n") == [
        ("🙂", "x", 7, 1 << 40, AT, "m"),
        (None, "", None, None, None, ""),
    ]


def test_objects_are_read_by_name_and_several_after_one_another(redshift: Connection, s3: Bucket) -> None:
    one = s3.put("one", b'{"a": 1, "must it": "x"}\n\n{"must it": "y", "more": []}')
    two = s3.put("two", gzip.compress(b""))
    manifest(s3, entry(one), entry(one), {"url": s3.url("absent")})
    assert loaded(redshift, copy(s3, "n, must", ["$.a", "$['must it']"])) == 4
    assert redshift.rows("SELECT n, must FROM t ORDER BY must, n") == [(1, "x")] * 2 + [(None, "y")] * 2
    manifest(s3, entry(two))
    assert loaded(redshift, copy(s3, "must", more=ROLE_OPTION + " GZIP")) == 0


def test_numbers_and_booleans_become_text_as_they_are_written(redshift: Connection, s3: Bucket) -> None:
    body = b'[true, 1.50]\n[false, 1E5]\n["x", 123456789012345678901234567890]\n["z"]\n'
    redshift.run(prepared(s3, body, columns="must, words"))
    assert redshift.rows("SELECT words FROM t WHERE words IS NOT NULL ORDER BY words") == [
        ("1.50",),
        ("123456789012345678901234567890",),
        ("1E5",),
    ]
    assert redshift.value("SELECT count(*) FROM t WHERE must IN ('true', 'false')") == 2
    assert redshift.value("SELECT words FROM t WHERE must = 'z'") is None


def test_an_index_beyond_the_array_is_null(redshift: Connection, s3: Bucket) -> None:
    redshift.run(prepared(s3, b'["m"]\n["m", "w", "more"]\n', columns="must, words"))
    assert redshift.rows("SELECT must, words FROM t ORDER BY words") == [("m", "w"), ("m", None)]


def test_gzip_of_several_members_is_read(redshift: Connection, s3: Bucket) -> None:
    body = gzip.compress(lines([["a"]] * 3)) + gzip.compress(lines([["b"]] * 2))
    assert loaded(redshift, prepared(s3, body, columns="must", more=f"{ROLE_OPTION} GZIP")) == 5


def test_it_is_part_of_its_transaction(redshift: Connection, s3: Bucket) -> None:
    sql = prepared(s3, lines([["a"], ["b"]]), columns="must", table="staged")
    for end in (redshift.rollback, redshift.commit):
        redshift.run("LOCK t")
        redshift.run("CREATE TEMP TABLE staged (must varchar(8) NOT NULL)")
        assert loaded(redshift, sql) == 2
        assert loaded(redshift, sql) == 2
        assert redshift.run("INSERT INTO t (must) SELECT must FROM staged") == 4
        end()
    assert redshift.value("SELECT count(*) FROM t") == 4
    assert redshift.value("SELECT count(*) FROM staged") == 4


TEXTS = st.one_of(
    st.none(),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=60),
    st.sampled_from(
        ["", "\\N", "\\.", "\n\\.\n", "a\tb\r\n", "\\", "\\\\N", "\u2028", "👩‍👩‍👧", "'\"", "\x01\x1f"]
    ),
)


def test_every_text_comes_back_as_it_went(redshift: Connection, s3: Bucket) -> None:
    redshift.run("CREATE TEMP TABLE texts (place int, words varchar(300))")
    redshift.commit()

    @settings(max_examples=30, deadline=None)
    @given(st.lists(TEXTS, min_size=1, max_size=30))
    def comes_back(texts: list[str | None]) -> None:
        numbered = list(enumerate(texts))
        sql = prepared(s3, lines(numbered), columns="place, words", table="texts")
        assert loaded(redshift, sql) == len(texts)
        assert redshift.rows("SELECT place, words FROM texts ORDER BY place") == numbered
        redshift.rollback()

    comes_back()


@pytest.mark.parametrize(
    ("column", "value", "kind", "code", "message"),
    [
        ("short", "ééé", ("varchar", "4"), 1204, "String length exceeds DDL length"),
        ("n", "1x", ("int4", ""), 1207, "Invalid digit, Value 'x', Pos 1"),
        ("n", 1 << 31, ("int4", ""), 1222, "Overflow"),
        ("at", "soon", ("timestamp", ""), 1206, "Invalid timestamp format or value [YYYY-MM-DD HH24:MI:SS]"),
        ("must", None, ("varchar", "64"), 1213, "Missing data for not-null field"),
    ],
)
def test_a_bad_value_ends_the_load_and_is_told_after_the_rollback(
    redshift: Connection,
    s3: Bucket,
    column: str,
    value: object,
    kind: tuple[str, str],
    code: int,
    message: str,
) -> None:
    bad = list(GOOD)
    bad[COLUMNS.split(", ").index(column)] = value
    first = s3.put("first", lines([GOOD]))
    second = s3.put("second", b"\n" + lines([GOOD, bad, GOOD]))
    manifest(s3, entry(first), entry(second))
    fields = refusal(redshift, copy(s3))
    assert (fields["C"], fields["M"]) == ("XX000", FAILED)
    assert redshift.value("SELECT count(*) FROM t") == 0
    assert detail(redshift) == (second, 3, column, *kind, code, message)


def test_another_session_sees_the_load_error_and_whose_it_is(
    redshift: Connection, redshift_database: RedshiftServer, s3: Bucket
) -> None:
    refusal(redshift, prepared(s3, lines([[None]]), columns="must"))
    with connect(redshift_database) as another:
        told = "SELECT session_id, trim(database_name), user_id, table_id FROM sys_load_error_detail"
        ((session, database, user, table),) = another.rows(told)
        assert database == redshift_database.database
    assert session == redshift.value("SELECT pg_backend_pid()")
    assert user == redshift.value("SELECT usesysid FROM pg_user WHERE usename = current_user")
    assert table == redshift.value("SELECT oid FROM pg_class WHERE relname = 't'")


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b'["unfinished', 1216),
        (b'"no row"', 1216),
        (b'[["nested"]]', 1216),
        (b'["\\u0000"]', 1220),
        (b'["\xff"]', 1216),
        (b'["\\ud800"]', 1216),
        (b'["' + b"x" * (4 << 20) + b'"]', 1216),
    ],
)
def test_a_line_that_is_no_row_ends_the_load(
    redshift: Connection, s3: Bucket, line: bytes, code: int
) -> None:
    sql = prepared(s3, lines([["m"]]) + line + b"\n", columns="must")
    assert refusal(redshift, sql)["M"] == FAILED
    assert detail(redshift)[1:2] + detail(redshift)[5:6] == (2, code)


def test_a_missing_mandatory_entry_ends_it_and_another_does_not(redshift: Connection, s3: Bucket) -> None:
    there = s3.put("there", lines([["m"]]))
    manifest(s3, entry(there), entry(s3.url("absent")))
    fields = refusal(redshift, copy(s3, "must"))
    assert fields["C"] == "XX000"
    assert "Mandatory url is not present" in fields["M"]
    assert "absent" in fields["D"]
    manifest(s3, entry(there), {"url": s3.url("absent")})
    assert loaded(redshift, copy(s3, "must")) == 1
    manifest(s3, {"url": s3.url("absent")})
    assert "names no file" in refusal(redshift, copy(s3, "must"))["M"]


def test_the_manifests_length_is_the_objects(redshift: Connection, s3: Bucket) -> None:
    body = lines([["m"]])
    url = s3.put("rows", body)
    manifest(s3, entry(url, meta={"content_length": len(body)}))
    assert loaded(redshift, copy(s3, "must")) == 1
    manifest(s3, entry(url, meta={"content_length": len(body) + 1}))
    assert "content_length" in refusal(redshift, copy(s3, "must"))["M"]


@pytest.mark.parametrize(
    ("told", "message"),
    [
        (b"", "not in correct json format"),
        (b'{"files": []}', "not in correct json format"),
        (b'{"entries": [{"url": "http://x"}]}', "not in correct json format"),
    ],
)
def test_a_manifest_that_is_none_ends_it(redshift: Connection, s3: Bucket, told: bytes, message: str) -> None:
    s3.put("of.manifest", told)
    assert message in refusal(redshift, copy(s3, "must"))["M"]


@pytest.mark.parametrize(
    ("told", "message"),
    [
        (["$[0]", "$[1]"], "Number of jsonpaths and the number of columns should match. JSONPath size: 2"),
        (["$[*]"], "Invalid JSONPath format"),
        (["$.a.b"], "Invalid JSONPath format"),
    ],
)
def test_paths_that_lead_nowhere_certain_end_it(
    redshift: Connection, s3: Bucket, told: list[str], message: str
) -> None:
    prepared(s3, lines([["m"]]))
    assert message in refusal(redshift, copy(s3, "must", told))["M"]


KEYS = f"ACCESS_KEY_ID '{ACCESS_KEY_ID}' SECRET_ACCESS_KEY"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("IAM_ROLE 'arn:aws:iam::999999999999:role/x'", "is not authorized to assume IAM Role"),
        (f"ACCESS_KEY_ID 'AKIANOBODY' SECRET_ACCESS_KEY '{SECRET_ACCESS_KEY}'", "Error InvalidAccessKeyId"),
        (f"{KEYS} 'wrong'", "Error SignatureDoesNotMatch"),
        (f"{ROLE_OPTION} REGION 'us-east-1'", "Status 301,Error PermanentRedirect"),
    ],
)
def test_who_may_not_read_is_told_so(redshift: Connection, s3: Bucket, more: str, message: str) -> None:
    fields = refusal(redshift, prepared(s3, lines([["m"]]), columns="must", more=more))
    assert fields["C"] == "XX000"
    assert message in fields["M"]
    assert SECRET_ACCESS_KEY not in str(fields)


@pytest.mark.parametrize(
    "more",
    [
        "iam_role default",
        f"{KEYS} '{SECRET_ACCESS_KEY}'",
        f"{KEYS} '{SECRET_ACCESS_KEY}' SESSION_TOKEN 'token' REGION AS 'eu-west-1'",
    ],
)
def test_who_may_read_reads(redshift: Connection, s3: Bucket, more: str) -> None:
    assert loaded(redshift, prepared(s3, lines([["m"]]), columns="must", more=more)) == 1


def test_an_absent_bucket_or_manifest_is_told_as_s3_tells_it(redshift: Connection, s3: Bucket) -> None:
    sql = copy(s3, "must")
    assert "Error NoSuchKey" in refusal(redshift, sql)["M"]
    absent = replace(s3, name="nowhere-at-all")
    fields = refusal(redshift, sql.replace(s3.url("of.manifest"), absent.url("of.manifest")))
    assert fields["M"].startswith("Problem reading manifest file - S3ServiceException:")
    assert "Status 404,Error NoSuchBucket" in fields["M"]


def test_an_absent_table_or_column_is_told(redshift: Connection, s3: Bucket) -> None:
    sql = prepared(s3, lines([["m"]]), columns="must", table="absent")
    assert refusal(redshift, sql)["M"] == "Cannot COPY into nonexistent table absent"
    assert refusal(redshift, prepared(s3, lines([["m"]]), columns="absent"))["C"] == "42703"


def test_broken_gzip_ends_it(redshift: Connection, s3: Bucket) -> None:
    for body in (b"no gzip", gzip.compress(lines([["m"]] * 1000))[:-10]):
        sql = prepared(s3, body, columns="must", more=f"{ROLE_OPTION} GZIP")
        assert "failed to inflate" in refusal(redshift, sql)["M"]


def test_ten_thousand_rows_of_which_the_first_is_bad_end_at_once(redshift: Connection, s3: Bucket) -> None:
    body = lines([["x" * 65]] + [["x" * 64]] * 30_000)
    assert refusal(redshift, prepared(s3, body, columns="must"))["M"] == FAILED
    assert detail(redshift)[1] == 1
    assert loaded(redshift, prepared(s3, lines([["m"]]), columns="must")) == 1


def test_other_sessions_are_answered_while_s3_is_not(s3_server: S3Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        asked = threading.Event()
        with (
            RedshiftProcess(s3=replace(s3_server, endpoint=endpoint)) as process,
            ThreadPoolExecutor(2) as pool,
        ):
            bucket = Bucket(s3_server, s3_server.create_bucket())
            with connect(process.server) as loading, connect(process.server) as another:
                loading.run("CREATE TABLE t (must varchar(8))")
                loading.commit()
                ended = pool.submit(refusal, loading, copy(bucket, "must"))

                def accepted() -> socket.socket:
                    connection, _ = silent.accept()
                    asked.set()
                    return connection

                held = pool.submit(accepted)
                assert asked.wait(60)
                assert another.value("SELECT 1") == 1
                assert not ended.done()
                silent.close()
                held.result().close()
                assert "S3CurlException" in ended.result(60)["M"]


def test_without_an_s3_copy_is_refused() -> None:
    sql = translate_source()
    with RedshiftProcess() as process, connect(process.server) as connection:
        assert refusal(connection, sql)["C"] == "0A000"


def test_the_s3_comes_back_empty_on_the_same_port() -> None:
    with S3Process() as process:
        bucket = Bucket(process.server, process.server.create_bucket())
        bucket.put("a", b"x")
        assert process.stop() == 0
        process.start()
        assert process.server == bucket.server
        assert process.server.client().list_buckets()["Buckets"] == []


def translate_source(options: str = "IAM_ROLE default", rest: str = "") -> str:
    return (
        f'copy stg."T" (a, "B") from \'s3://bkt/a/m\' {options} statupdate off compupdate off'
        f" timeformat as 'auto' json 's3://bkt/p' manifest{rest}"
    )


def test_options_come_in_any_order_and_case() -> None:
    statement = translate(translate_source("access_key_id 'k' secret_access_key 's''\\'' region 'r' gzip"))
    assert statement.kinds == (Kind.COPY,)
    assert statement.sql == 'COPY stg."T" ("a", "B") FROM STDIN'
    location = Location("bkt", "a/m"), Location("bkt", "p")
    keys = Keys("k", "s''", None)
    assert statement.copy == Copy('stg."T"', ("a", "B"), *location, keys, "r", gzip=True)
    other = translate(translate_source(ROLE_OPTION, ";")).copy
    assert other is not None
    assert other.credentials == Role(ROLE)


@pytest.mark.parametrize(
    ("sql", "sqlstate"),
    [
        (translate_source("IAM_ROLE default MAXERROR 10"), "0A000"),
        (translate_source("IAM_ROLE default ZSTD"), "0A000"),
        (translate_source("IAM_ROLE default NONSENSE"), "42601"),
        (translate_source("IAM_ROLE default IAM_ROLE default"), "42601"),
        (translate_source(f"IAM_ROLE default {KEYS} 'x'"), "42601"),
        (translate_source(""), "XX000"),
        (translate_source("IAM_ROLE 'no-arn'"), "XX000"),
        (translate_source().replace(" manifest", ""), "0A000"),
        (translate_source().replace("compupdate off", "compupdate on"), "0A000"),
        (translate_source().replace("compupdate off", ""), "0A000"),
        (translate_source().replace("'s3://bkt/p'", "'auto'"), "0A000"),
        (translate_source().replace("'auto'", "'epochsecs'"), "0A000"),
        (translate_source().replace("json 's3://bkt/p'", "csv"), "0A000"),
        (translate_source().replace('(a, "B")', ""), "0A000"),
        (translate_source().replace("from", "to"), "42601"),
        (translate_source().replace("'s3://bkt/a/m'", "stdin"), "42601"),
        (translate_source().replace("'s3://bkt/a/m'", "'emr://x/y'"), "0A000"),
        (translate_source().replace("'s3://bkt/a/m'", "'s3://bkt'"), "XX000"),
        (translate_source(rest="; select 1"), "0A000"),
        ("select 1; " + translate_source(), "0A000"),
    ],
)
def test_every_other_copy_is_refused(sql: str, sqlstate: str) -> None:
    with pytest.raises(Refused) as refused:
        translate(sql)
    assert refused.value.sqlstate == sqlstate
