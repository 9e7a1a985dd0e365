"""Contact events read back."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.items import StoredRecord, ToldContact
from dataflow.told_contacts import read_told

ID = "0f3c9a7e5b1d4f6a8c2e0b9d7a5f3c1e"
ORIGIN: dict[str, object] = {"topic": "interactions.messages", "partition": 2, "offset": 1041}


def record(value: bytes | None, *headers: tuple[str, bytes | None]) -> StoredRecord:
    return StoredRecord(7, value, None, headers)


def test_an_event_names_its_message_and_itself() -> None:
    value = orjson.dumps({"kind": "phone", "origin": ORIGIN})
    told = read_told(record(value, ("ce_type", b"x"), ("ce_id", ID.encode())), "interactions.messages")
    assert told == ToldContact(2, 1041, ID)


@pytest.mark.parametrize(
    ("value", "headers"),
    [
        (None, (("ce_id", ID.encode()),)),
        (b"{", (("ce_id", ID.encode()),)),
        (b"[1]", (("ce_id", ID.encode()),)),
        (orjson.dumps({"origin": ORIGIN}), ()),
        (orjson.dumps({"origin": ORIGIN}), (("ce_id", b"'; DROP TABLE"),)),
        (orjson.dumps({"origin": ORIGIN}), (("ce_id", b"\xff"),)),
        (orjson.dumps({"origin": ORIGIN | {"topic": "another"}}), (("ce_id", ID.encode()),)),
        (orjson.dumps({"origin": ORIGIN | {"offset": "1041"}}), (("ce_id", ID.encode()),)),
        (orjson.dumps({"origin": ORIGIN | {"partition": True}}), (("ce_id", ID.encode()),)),
    ],
)
def test_what_is_no_event_of_the_source_is_passed_over(
    value: bytes | None, headers: tuple[tuple[str, bytes | None], ...]
) -> None:
    assert read_told(record(value, *headers), "interactions.messages") is None


@given(st.binary(), st.binary())
def test_no_bytes_make_it_raise(value: bytes, event_id: bytes) -> None:
    read_told(record(value, ("ce_id", event_id)), "interactions.messages")
