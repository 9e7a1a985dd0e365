from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.items import Batch, OutgoingMessage, StoredRecord
from dataflow import contract as contracts
from dataflow.decode import decode
from dataflow.encode import (
    LARGEST_DEAD_LETTER,
    ContactEncoder,
    ContactValues,
    DeadLetterEncoder,
    Hashed,
    Omitted,
    Raw,
    masked,
)
from dataflow.enrich import Enricher
from dataflow.model import Contact, DeadLetter, Row, Sighting, Violation
from dataflow.validate import Validator
from tests.core.messages import EXAMPLE, READ_AT, batch_of

CONTRACT = contracts.load()
KEY = b"a secret of the tests, 32 bytes."
PHONE = Contact("phone", None, "+14155550164", 11, 25, "assembled")
BATCH = Batch("interactions.messages", 2, 1, 40, 50, READ_AT, 40)


def _row(**change: object) -> Row:
    message = json.dumps({**EXAMPLE, **change}).encode()
    (row,) = Validator(CONTRACT).validate(decode(batch_of([message], first=41))).rows
    return row


def _event(
    contact: Contact = PHONE, values: ContactValues | None = None, version: int = 1, **change: object
) -> tuple[OutgoingMessage, dict[str, str], dict[str, Any]]:
    encoder = ContactEncoder(CONTRACT, "side", values or Hashed(KEY, "k1"), version)
    message = encoder.encode(Sighting(_row(**change), contact), BATCH)
    headers = {name: (value or b"").decode() for name, value in message.headers}
    return message, headers, json.loads(message.value or b"")


def test_a_contact_is_a_cloud_event_keyed_by_the_event_key() -> None:
    message, headers, data = _event()
    assert (message.topic, message.key, message.source_offset) == ("side", b"1234", 41)
    assert list(headers)[:4] == ["ce_specversion", "ce_id", "ce_source", "ce_type"]
    assert headers["ce_specversion"] == "1.0"
    assert headers["ce_source"] == "/topics/interactions.messages"
    assert headers["ce_type"] == "interactions.messages.contact.v1"
    assert headers["ce_time"] == "2023-10-31T03:58:22Z"
    assert headers["content-type"] == "application/json"
    assert data == {
        "kind": "phone",
        "platform": None,
        "rule": "assembled",
        "span": [11, 25],
        "user_id": "1234",
        "subject_id": "5678",
        "created_at": "2023-10-31 03:58:22",
        "origin": {"topic": "interactions.messages", "partition": 2, "offset": 41},
        "value_hmac": hmac.new(KEY, b"+14155550164", hashlib.sha256).hexdigest(),
        "key_id": "k1",
        "masked": "+14*******64",
    }


def test_the_raw_value_leaves_only_when_chosen() -> None:
    assert b"4155550164" not in (_event()[0].value or b"")
    assert _event(values=Raw(KEY, "k1"))[2]["value"] == "+14155550164"
    assert not {"value", "value_hmac", "key_id", "masked"} & _event(values=Omitted())[2].keys()


@pytest.mark.parametrize("kind", [Hashed, Raw])
def test_a_key_is_never_shown_and_never_short(kind: type[Hashed] | type[Raw]) -> None:
    assert "secret" not in repr(kind(KEY, "k1"))
    with pytest.raises(ValueError, match="at least 16 bytes"):
        kind(b"short", "k1")


def test_an_events_id_hangs_on_identity_kind_span_and_detector_only() -> None:
    same = _event()[1]["ce_id"]
    moved = Contact("phone", None, "+14155550164", 12, 26, "assembled")
    handle = Contact("handle", "instagram", "x", 11, 25, "assembled")
    renamed = Contact("phone", None, "+14155550164", 11, 25, "another rule")
    assert _event(status="archived", updated_at="2024-02-01T00:00:00Z")[1]["ce_id"] == same
    assert _event(user_id="1234", created_at="2023-10-31T04:58:22.000+01:00")[1]["ce_id"] == same
    assert _event(values=Omitted())[1]["ce_id"] == same
    assert _event(renamed)[1]["ce_id"] == same
    different = [
        *(_event(moved), _event(handle), _event(version=2)),
        *(_event(user_id=12345), _event(created_at="2023-10-31T03:58:23Z")),
    ]
    assert len({same, *(headers["ce_id"] for _, headers, _ in different)}) == 6


def test_a_message_id_does_not_confuse_neighbouring_fields() -> None:
    message_id = Enricher(CONTRACT).message_id
    assert message_id(_row(user_id="ab", subject_id="c").values) != message_id(
        _row(user_id="a", subject_id="bc").values
    )
    assert len(message_id(_row().values)) == 32


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("+14155550164", "+14*******64"),
        ("kelly.and.some37", "ke************37"),
        ("abcdef", "a****f"),
        ("abc", "***"),
        ("a", "*"),
        ("", ""),
    ],
)
def test_a_value_is_masked(value: str, shown: str) -> None:
    assert masked(value) == shown


@given(st.text(max_size=40))
def test_a_mask_shows_at_most_half_and_four(value: str) -> None:
    shown = masked(value)
    assert len(shown) == len(value)
    kept = len(shown.removeprefix("+")) - shown.count("*")
    assert "*" in value or kept <= min(4, len(value) / 2)


FAULTS = (
    Violation("status", "null", "is required; send a value instead of null"),
    Violation("user_id", "too_long", "has 129 bytes of UTF-8; at most 128 fit, and nothing is cut off"),
)


def _dead_letter(record: StoredRecord, *faults: Violation) -> OutgoingMessage:
    return DeadLetterEncoder("dead", "1.0.0").encode(DeadLetter(record, faults or FAULTS), BATCH)


def test_a_dead_letter_keeps_key_value_and_headers_byte_exact_and_says_why() -> None:
    own = (("trace", b"\xff\x00"), ("trace", b"2"), ("none", None))
    message = _dead_letter(StoredRecord(44, b"\xff{", b"\x00key", own, 1_700_000_000_123))
    assert (message.topic, message.key, message.value) == ("dead", b"\x00key", b"\xff{")
    assert message.source_offset == 44
    assert message.headers[:3] == own
    headers = dict(message.headers[3:])
    assert json.loads(headers.pop("dead_letter.violations") or b"") == [
        {"field": each.field, "code": each.code, "message": each.message} for each in FAULTS
    ]
    assert headers == {
        "dead_letter.codes": b"null,too_long",
        "dead_letter.contract_version": b"1.0.0",
        "dead_letter.attempt": b"1",
        "dead_letter.timestamp": b"1700000000123",
        "__connect.errors.topic": b"interactions.messages",
        "__connect.errors.partition": b"2",
        "__connect.errors.offset": b"44",
        "__connect.errors.stage": b"TRANSFORMATION",
        "__connect.errors.class.name": b"dataflow.validate",
        "__connect.errors.exception.class.name": b"ContractViolation",
        "__connect.errors.exception.message": b"status: null; user_id: too_long",
    }


def test_a_tombstone_stays_a_tombstone_and_names_the_step() -> None:
    (letter,) = decode(batch_of([None], first=7)).dead_letters
    message = DeadLetterEncoder("dead", "1.0.0").encode(letter, BATCH)
    headers = dict(message.headers)
    assert (message.key, message.value) == (None, None)
    assert headers["__connect.errors.stage"] == b"VALUE_CONVERTER"
    assert headers["__connect.errors.exception.message"] == b"message: tombstone"
    assert "dead_letter.timestamp" not in headers


def test_a_code_that_two_steps_share_names_the_step_that_gave_it() -> None:
    for value, stage in (
        (b'{"user_id":1e30}', b"TRANSFORMATION"),
        (b'{"user_id":1e999}', b"VALUE_CONVERTER"),
    ):
        (letter,) = Validator(CONTRACT).validate(decode(batch_of([value]))).dead_letters
        assert "number_too_large" in {each.code for each in letter.violations}
        headers = dict(DeadLetterEncoder("dead", "1.0.0").encode(letter, BATCH).headers)
        assert headers["__connect.errors.stage"] == stage


def test_a_replayed_dead_letter_counts_its_attempts_and_repeats_no_header() -> None:
    record = StoredRecord(44, b"{}", b"k", (("trace", b"1"),), 5)
    message = _dead_letter(record)
    for attempt in (2, 3):
        message = _dead_letter(StoredRecord(60 + attempt, b"{}", b"k", message.headers, 5))
        names = [name for name, _ in message.headers]
        assert len(names) == len(set(names)) == 13
        assert dict(message.headers)["dead_letter.attempt"] == str(attempt).encode()
        assert dict(message.headers)["__connect.errors.offset"] == str(60 + attempt).encode()


@pytest.mark.parametrize("told", [None, b"", b"-1", b"many", b"9" * 5000, b"\xd9\xa1"])
def test_an_attempt_that_is_no_number_counts_as_none(told: bytes | None) -> None:
    headers = dict(_dead_letter(StoredRecord(1, b"", None, (("dead_letter.attempt", told),))).headers)
    assert headers["dead_letter.attempt"] == b"1"


def _bytes_of(message: OutgoingMessage) -> int:
    headers = sum(len(name) + len(value or b"") for name, value in message.headers)
    return len(message.key or b"") + len(message.value or b"") + headers


def test_a_dead_letter_that_just_fits_is_whole() -> None:
    message = _dead_letter(StoredRecord(1, b"v" * 998_000, b"k"))
    assert message.value == b"v" * 998_000
    assert "dead_letter.cut" not in dict(message.headers)


def test_a_dead_letter_beyond_the_brokers_limit_loses_its_values_end_and_tells_so() -> None:
    value = b"v" * 10_000_000
    message = _dead_letter(StoredRecord(1, value, b"k", (("trace", b"2"),)))
    assert message.value is not None
    assert value.startswith(message.value)
    assert 999_000 < _bytes_of(message) <= LARGEST_DEAD_LETTER
    assert json.loads(dict(message.headers)["dead_letter.cut"] or b"") == {
        "value_bytes": len(value),
        "value_sha256": hashlib.sha256(value).hexdigest(),
    }
    assert message.headers[0] == ("trace", b"2")


@pytest.mark.parametrize("value", [None, b"", b"v" * 600_000])
@pytest.mark.parametrize("own", [(), (("big", b"h" * 900_000),), (("", b""),) * 90_000])
@pytest.mark.parametrize("key", [None, b"k", b"k" * 1_100_000])
def test_a_dead_letter_always_fits_and_always_says_why(
    key: bytes | None, own: tuple[tuple[str, bytes], ...], value: bytes | None
) -> None:
    message = _dead_letter(StoredRecord(1, value, key, own))
    assert _bytes_of(message) <= LARGEST_DEAD_LETTER
    headers = dict(message.headers)
    assert headers["dead_letter.codes"] == b"null,too_long"
    cut = json.loads(headers.get("dead_letter.cut") or b"{}")
    assert (message.key == key) == ("key_bytes" not in cut)
    assert (message.value == value) == ("value_bytes" not in cut)
    assert (message.headers[: len(own)] == own) == ("headers" not in cut)
