"""The short way from JSON to a row takes nothing that the long way refuses, and makes the same row."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connectors.items import StoredRecord
from dataflow.contract import Contract
from dataflow.decode import MAX_VALUE_BYTES, decode, decode_value
from dataflow.decoder import Decoder
from dataflow.fields import DecimalField
from dataflow.json_rows import compile_json_rows
from dataflow.model import Row, Violation
from dataflow.rows import horizons_of
from dataflow.validate import Validator
from tests.contracts.test_message_schema import CONTRACTS as PACKAGED
from tests.contracts.test_message_schema import GOOD_PURCHASE, MESSAGES, PURCHASES, messages
from tests.core.messages import EXAMPLE, READ_AT, batch_of
from tests.standins.traffic import generate

WITHOUT_DECIMALS = replace(
    PURCHASES,
    name="purchases without decimals",
    fields=tuple(field for field in PURCHASES.fields if not isinstance(field, DecimalField)),
)
"""Of this one too a name given twice is seen by the length, with kinds of field that the messages lack."""
CONTRACTS = (*PACKAGED, WITHOUT_DECIMALS)
SHORT = {contract.name: compile_json_rows(contract) for contract in CONTRACTS}
LONG = {contract.name: Validator(contract) for contract in CONTRACTS}
USUAL = {
    MESSAGES.name: dict(EXAMPLE),
    PURCHASES.name: GOOD_PURCHASE,
    WITHOUT_DECIMALS.name: {
        field.name: GOOD_PURCHASE[field.name]
        for field in WITHOUT_DECIMALS.fields
        if field.name in GOOD_PURCHASE
    },
}


def _long_way(contract: Contract, value: bytes | None, offset: int = 0) -> Row | None:
    checked = LONG[contract.name].validate(decode(batch_of([value], first=offset)))
    return checked.rows[0] if checked.rows and not checked.unknown_fields else None


def _agree(contract: Contract, value: bytes) -> bool:
    """Whether the short way takes it. The long way then makes the same row of it, to the byte."""
    offset = 10 ** (len(value) % 19)
    horizons = horizons_of(contract)(READ_AT)
    found = SHORT[contract.name].one(value, offset, horizons)
    if found is not None:
        assert found == _long_way(contract, value, offset)
    # Beside one that has fewer digits: the length of a row's line depends on it.
    usual, record = StoredRecord(0, _compact(USUAL[contract.name])), StoredRecord(offset, value)
    rows, others = SHORT[contract.name].many((usual, record), horizons)
    if value[:1] == b"{" and found is not None:
        assert (rows[1:], others) == ([found], [])
    else:
        assert (len(rows), others) == (1, [record])
    return found is not None


def _compact(message: dict[str, Any]) -> bytes:
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")


def _twice(message: dict[str, Any]) -> bytes:
    first = next(iter(message.items()), ("user_id", 1))
    return b"{" + _compact(dict([first]))[1:-1] + b"," + _compact(message)[1:]


WRITTEN: tuple[Callable[[dict[str, Any]], bytes], ...] = (
    _compact,
    lambda message: json.dumps(message).encode(),
    lambda message: json.dumps(message, indent=1).encode(),
    lambda message: json.dumps(message, separators=(" , ", "\t:\n")).encode(),
    lambda message: b" " + _compact(message) + b"\r\n",
    lambda message: b"\xef\xbb\xbf" + _compact(message),
    lambda message: _compact(message).replace(b"_", b"\\u005f"),
    lambda message: _compact(message)[:-1],
    lambda message: _compact(message) * 2,
    _twice,
    lambda message: _twice(message).replace(b":", b" :"),
)


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
@settings(max_examples=1000, deadline=None)
@given(data=st.data())
def test_what_the_short_way_takes_the_long_way_reads_alike(contract: Contract, data: st.DataObject) -> None:
    message = data.draw(messages(contract))
    _agree(contract, data.draw(st.sampled_from(WRITTEN))(message))


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
@settings(max_examples=1000, deadline=None)
@given(data=st.data())
def test_bytes_changed_anywhere_are_read_alike(contract: Contract, data: st.DataObject) -> None:
    value = data.draw(st.sampled_from(WRITTEN))(USUAL[contract.name])
    at = data.draw(st.integers(0, len(value)))
    gone = data.draw(st.integers(0, 3))
    put = data.draw(
        st.binary(max_size=3) | st.sampled_from([b'"', b"\\", b"0", b"e9", b".0", b"-", b"null,"])
    )
    _agree(contract, value[:at] + put + value[at + gone :])


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_what_keeps_the_contract_and_is_written_plainly_is_taken(
    contract: Contract, data: st.DataObject
) -> None:
    value = _compact(data.draw(messages(contract)))
    if _long_way(contract, value) is not None and b"\\" not in value:
        assert _agree(contract, value)


@pytest.mark.parametrize("write", WRITTEN[:7], ids=range(7))
@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
def test_spaces_and_escapes_are_no_reason_for_the_long_way(
    contract: Contract, write: Callable[[dict[str, Any]], bytes]
) -> None:
    value = write(USUAL[contract.name])
    plain = not value.startswith(b"\xef") and b"\t:" not in value
    assert _agree(contract, value) is plain


@pytest.mark.parametrize(
    ("name", "text", "taken"),
    [
        ("message_text", '"\\u0000"', False),
        ("message_text", '"\\\\u0000"', False),
        ("message_text", '"\\ud800"', False),
        ("message_text", '"\\ud83d\\ude00"', True),
        ("message_text", '"\\":\\""', False),
        ("message_text", '":)"', True),
        ("message_text", '" :)"', True),
        ("message_text", "null", True),
        ("message_text", '"' + "é" * 1028 + '"', True),
        ("message_text", '"' + "é" * 1028 + 'x"', False),
        ("message_text", '"' + "\\u00e9" * 1029 + '"', False),
        ("user_id", '""', False),
        ("user_id", "-0", True),
        ("user_id", "9223372036854775807", True),
        ("user_id", "9223372036854775808", False),
        ("user_id", "1.0", False),
        ("user_id", "true", False),
        ("user_id", "null", False),
        ("user_id", '"' + "é" * 64 + '"', True),
        ("user_id", '"' + "é" * 65 + '"', False),
        ("length_seconds", "30.0", False),
        ("length_seconds", "3e1", False),
        ("length_seconds", "61", False),
        ("length_seconds", "null", True),
        ("length_seconds", "-0", True),
        ("status", '"lost"', False),
        ("status", '"\\u006fpened"', True),
        ("created_at", '"2023-10-31T03:58:22.1234567Z"', True),
        ("created_at", '"2023-10-31"', False),
        ("created_at", '"2023-02-30T03:58:22Z"', False),
        ("unknown", "1", False),
    ],
)
def test_each_value_goes_its_way(name: str, text: str, taken: bool) -> None:
    members = {**{key: json.dumps(value) for key, value in EXAMPLE.items()}, name: text}
    value = ("{" + ",".join(f'"{key}":{each}' for key, each in members.items()) + "}").encode()
    assert _agree(MESSAGES, value) is taken


@pytest.mark.parametrize("text", ['"x"', "7", "null", '"\\u0078"'])
@pytest.mark.parametrize("name", [field.name for field in MESSAGES.fields])
@pytest.mark.parametrize("colon", [":", " :"])
def test_a_name_given_twice_is_never_taken(name: str, text: str, colon: str) -> None:
    value = b'{"%b"%b%b,' % (name.encode(), colon.encode(), text.encode()) + _compact(dict(EXAMPLE))[1:]
    assert not _agree(MESSAGES, value)
    found = decode_value(value)
    assert isinstance(found, Violation)
    assert found.code == "duplicate_key"


def test_a_value_that_is_too_large_is_not_taken_however_right_it_is() -> None:
    value = _compact(dict(EXAMPLE))
    longest = value + b" " * (MAX_VALUE_BYTES - len(value))
    assert _agree(MESSAGES, longest)
    assert not _agree(MESSAGES, longest + b" ")


def test_a_voice_message_may_lack_its_text_and_no_other_may() -> None:
    voice = {name: value for name, value in EXAMPLE.items() if name != "message_text"}
    silent = {
        name: value for name, value in voice.items() if name not in ("cloudinary_url", "length_seconds")
    }
    assert _agree(MESSAGES, _compact(voice))
    assert _agree(MESSAGES, _compact({**voice, "message_text": ""}))
    assert not _agree(MESSAGES, _compact(silent))
    assert not _agree(MESSAGES, _compact({**silent, "message_text": "", "cloudinary_url": ""}))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60) | st.text(max_size=40).map(str.encode))
@example(b"")
@example(b"[]")
@example(b'{"a":' * 5000)
def test_nothing_escapes_of_any_bytes(value: bytes) -> None:
    assert not _agree(MESSAGES, value)


def test_nearly_all_of_a_day_is_taken_and_every_row_is_the_long_ways() -> None:
    values = [message.value for message in generate(3000, 7, datetime(2026, 1, 1, tzinfo=UTC)).messages]
    batch = batch_of(values)
    decoded = Decoder(MESSAGES).decode(batch)
    assert len(decoded.rows) > 0.95 * len(values)
    checked = LONG[MESSAGES.name].validate(decoded)
    expected = LONG[MESSAGES.name].validate(decode(batch))
    assert checked.rows == expected.rows
    assert checked.dead_letters == expected.dead_letters
    assert checked.unknown_fields == expected.unknown_fields
    assert sum(decoded.forms.values()) == len(values)


def test_rows_of_either_way_stand_in_the_order_of_their_offsets() -> None:
    right = _compact(dict(EXAMPLE))
    told = _compact({**EXAMPLE, "unknown": 1})
    checked = LONG[MESSAGES.name].validate(
        Decoder(MESSAGES).decode(batch_of([told, right, b"[]", told, right]))
    )
    assert [row.offset for row in checked.rows] == [0, 1, 3, 4]
    assert all(type(row) is Row for row in checked.rows)
    assert checked.unknown_fields == {"unknown": 2}
