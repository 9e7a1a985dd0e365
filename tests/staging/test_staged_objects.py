"""Objects' names and layout, and which of them continue the ledger."""

from __future__ import annotations

import zlib
from dataclasses import replace

import orjson
from hypothesis import given
from hypothesis import strategies as st

from connectors.items import Column, Table
from connectors.redshift_sql import POSITION_COLUMNS
from connectors.s3_uploads import pack
from connectors.spool import lines_of
from connectors.staged_objects import (
    Place,
    StagedObject,
    described,
    jsonpaths,
    key_of,
    longest_chain,
    manifest,
    safe,
    span_of,
    without_partition,
)

PLACE = Place("bucket", "a/b", "messages", "topic")
TEXTS = st.text() | st.sampled_from(["", "\n[", "\\N", "\\", '"', "]]]", "\r\n", "\U0001f48c", "null", " "])
VALUES = st.none() | TEXTS | st.integers(-(2**63), 2**63 - 1) | st.booleans()
ROWS = st.lists(st.lists(VALUES, max_size=4), max_size=8)
COLUMNS = (Column("a", "varchar(9)", False), Column("b", "integer", False))
TABLE = Table("post", "letters", COLUMNS, ("a",), "b", "a", "b")


def staged(first: int, next: int, **more: str) -> StagedObject:
    key = key_of(PLACE, "id", 3, first, next, f"{first % 65536:08x}{next - first:08x}")
    plain = StagedObject(key, 3, first, next, "id", next - first, 0, 10, 20, "00", "made")
    return replace(plain, **more)  # type: ignore[arg-type]  # texts only


@given(ROWS, st.integers(0, 99_999), st.integers(1, 40))
def test_rows_survive_the_way_into_an_object_and_back(
    rows: list[list[object]], partition: int, cut: int
) -> None:
    lines = [orjson.dumps([offset, *values]) for offset, values in enumerate(rows)]
    spooled = b"".join(line + b"\n" for line in lines)
    packed = pack((spooled[at : at + cut] for at in range(0, len(spooled), cut)), partition)
    read = list(lines_of([zlib.decompress(packed.body, 31)]))
    assert [orjson.loads(line) for line in read] == [
        [partition, offset, *values] for offset, values in enumerate(rows)
    ]
    assert [without_partition(line) for line in read] == lines
    assert (packed.rows, packed.raw_size) == (len(rows), len(spooled))


@given(st.text(min_size=1), st.text(min_size=1))
def test_names_are_safe_and_no_two_are_the_same(one: str, other: str) -> None:
    assert set(safe(one)) <= set("!-_.ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
    assert not safe(one).startswith(".")
    assert (safe(one) == safe(other)) == (one == other)


@given(st.integers(0, 2**63 - 2), st.integers(1, 1000))
def test_an_object_is_known_again_by_its_key_and_metadata(first: int, length: int) -> None:
    there = staged(first, first + length)
    assert described(there.key, there.size, there.metadata()) == there
    assert span_of(there.key) == (first, first + length)


def test_what_is_not_ours_is_no_object() -> None:
    there = staged(5, 9)
    assert described("stage/else.txt", 10, there.metadata()) is None
    assert described(there.key, 10, {}) is None
    assert described(there.key, 10, {**there.metadata(), "layout": "2"}) is None
    assert described(there.key, 10, {**there.metadata(), "first": "4"}) is None
    assert span_of(f"{PLACE.folder}/commits/abc.manifest") is None


def test_keys_sort_as_offsets_do_and_name_pipeline_topic_and_partition() -> None:
    keys = [key_of(PLACE, "id", 3, first, first + 1, "0" * 16) for first in (9, 10, 100)]
    assert keys == sorted(keys)
    assert keys[0] == f"a/b/messages/topic/id/00003/{9:020d}-{10:020d}-{'0' * 16}.json.gz"


SPANS = st.lists(st.tuples(st.integers(0, 12), st.integers(1, 6)), max_size=8)


@given(SPANS, st.integers(0, 12))
def test_what_is_adopted_continues_the_ledger_without_a_gap_as_far_as_anything_does(
    spans: list[tuple[int, int]], position: int
) -> None:
    objects = [staged(first, first + length) for first, length in spans]
    chain = longest_chain(position, objects, topic_id="id", fingerprint="made")
    reached = position
    for each in chain:
        assert each.first <= reached < each.next
        reached = each.next
    covered = position
    while any(first <= covered < first + length for first, length in spans):
        covered += 1
    assert reached == covered


@given(SPANS, st.sampled_from([("topic_id", "other"), ("fingerprint", "older")]))
def test_nothing_is_adopted_that_another_topic_or_program_wrote(
    spans: list[tuple[int, int]], strange: tuple[str, str]
) -> None:
    objects = [staged(first, first + length, **dict([strange])) for first, length in spans]
    assert longest_chain(5, objects, topic_id="id", fingerprint="made") == ()


def test_the_staging_tables_columns_are_filled_from_their_places_in_a_line() -> None:
    columns = [column.name for column in (*TABLE.message_columns, *POSITION_COLUMNS)]
    paths = orjson.loads(jsonpaths(TABLE))["jsonpaths"]
    line = {"$[0]": "partition", "$[1]": "offset", "$[2]": "a", "$[3]": "b"}
    assert dict(zip(columns, (line[path] for path in paths), strict=True)) == {
        "a": "a",
        "b": "b",
        "kafka_partition": "partition",
        "kafka_offset": "offset",
    }


def test_every_object_of_a_manifest_must_be_there() -> None:
    entries = orjson.loads(manifest(PLACE, [staged(0, 2), staged(2, 4)]))["entries"]
    assert [entry["mandatory"] for entry in entries] == [True, True]
    assert entries[0]["url"] == f"s3://bucket/{staged(0, 2).key}"
    assert entries[0]["meta"] == {"content_length": 10}
