"""Dead letters read back: byte-exact, selected, and held back when they come too often."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.items import StoredRecord
from dataflow import encode
from dataflow.dead_letters import (
    CUT,
    NOT_OURS,
    TOO_MANY_ATTEMPTS,
    Done,
    Letter,
    Place,
    Replay,
    Selection,
    decide_replay,
    marker_of,
    read_letter,
    record_of,
)
from dataflow.encode import encode_dead_letter
from dataflow.model import DeadLetter, Violation

AT = datetime(2026, 1, 1, 12, tzinfo=UTC)
VIOLATIONS = (
    Violation("status", "not_in_enumeration", "is none of the allowed words"),
    Violation("", "x", "y"),
)
HEADERS = st.lists(
    st.tuples(
        st.text(min_size=1, max_size=8).filter(lambda name: name not in encode.OURS),
        st.one_of(st.none(), st.binary(max_size=8)),
    ),
    max_size=3,
)


def dead(record: StoredRecord) -> Letter:
    """The record as a dead letter that lies at offset 7 of partition 2."""
    written = encode_dead_letter(DeadLetter(record, VIOLATIONS), "dead", "messages", 3, "1.0.0")
    stored = StoredRecord(7, written.value, written.key, written.headers, int(AT.timestamp() * 1000))
    return read_letter(stored, 2)


@given(
    value=st.one_of(st.none(), st.binary()),
    key=st.one_of(st.none(), st.binary()),
    headers=HEADERS,
)
def test_the_record_comes_back_byte_for_byte_and_says_how_often_it_died(
    value: bytes | None, key: bytes | None, headers: list[tuple[str, bytes | None]]
) -> None:
    record = StoredRecord(11, value, key, tuple(headers))
    for attempt in (1, 2, 3):
        letter = dead(record)
        assert letter.attempt == attempt
        assert (letter.place, letter.origin) == (Place(2, 7), Place(3, 11))
        again = record_of(letter, "messages")
        assert (again.key, again.value) == (key, value)
        assert again.headers == (*headers, (encode.ATTEMPT, str(attempt).encode()))
        record = StoredRecord(11, again.value, again.key, again.headers)


def test_a_letter_tells_its_reasons_its_origin_and_its_time() -> None:
    letter = dead(StoredRecord(11, b"{}"))
    assert letter.codes == ("not_in_enumeration", "x")
    assert [(fault.field, fault.code) for fault in letter.faults] == [
        ("status", "not_in_enumeration"),
        ("", "x"),
    ]
    assert (letter.at, letter.contract_version, letter.origin_topic) == (AT, "1.0.0", "messages")


@pytest.mark.parametrize(
    ("selection", "taken"),
    [
        (Selection(), True),
        (Selection(codes=frozenset({"x", "missing"})), True),
        (Selection(codes=frozenset({"missing"})), False),
        (Selection(since=AT), True),
        (Selection(since=AT + timedelta(seconds=1)), False),
        (Selection(until=AT), False),
        (Selection(until=AT + timedelta(seconds=1)), True),
        (Selection(partitions=frozenset({3})), True),
        (Selection(partitions=frozenset({2})), False),
        (Selection(codes=frozenset({"x"}), partitions=frozenset({2})), False),
    ],
)
def test_a_selection_takes_what_fits_all_of_it(selection: Selection, taken: bool) -> None:
    assert selection.takes(dead(StoredRecord(11, b"{}"))) is taken


def test_what_a_marker_names_is_done_for_this_destination_and_incarnation_only() -> None:
    letter = dead(StoredRecord(11, b"{}"))
    marker = marker_of(letter, "id", "messages")
    assert decide_replay(letter, marker, {marker}, 3) == Done()
    for other in (marker_of(letter, "id", "elsewhere"), marker_of(letter, "another id", "messages")):
        assert decide_replay(letter, other, {marker}, 3) == Replay()


def test_what_died_too_often_is_held_back() -> None:
    record = StoredRecord(11, b"{}", record_headers=((encode.ATTEMPT, b"2"),))
    assert decide_replay(dead(record), b"m", (), 4) == Replay()
    assert decide_replay(dead(record), b"m", (), 3) == TOO_MANY_ATTEMPTS


def test_what_lost_bytes_is_held_back() -> None:
    assert decide_replay(dead(StoredRecord(11, b"x" * 2_000_000)), b"m", (), 3) == CUT


def test_a_message_that_is_no_dead_letter_of_ours_is_held_back() -> None:
    assert decide_replay(read_letter(StoredRecord(0, b"hello"), 0), b"m", (), 3) == NOT_OURS


@given(headers=st.lists(st.tuples(st.sampled_from(sorted(encode.OURS)), st.one_of(st.none(), st.binary()))))
def test_no_header_however_broken_stops_the_reading(headers: list[tuple[str, bytes | None]]) -> None:
    read_letter(StoredRecord(0, b"", record_headers=tuple(headers)), 0)
