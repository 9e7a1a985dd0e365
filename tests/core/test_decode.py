from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflow.decode import CODES, MAX_VALUE_BYTES, decode, decode_value
from dataflow.model import Violation
from tests.core.messages import batch_of, cases


def _value(case: dict[str, Any]) -> bytes | None:
    if "hex" in case:
        return bytes.fromhex(case["hex"])
    return case["text"].encode() if "text" in case else None


def _code(value: bytes | None) -> str | None:
    found = decode_value(value)
    return found.code if isinstance(found, Violation) else None


@pytest.mark.parametrize("case", cases("decode.jsonl"), ids=lambda case: case["name"])
def test_each_value_has_its_named_outcome(case: dict[str, Any]) -> None:
    assert _code(_value(case)) == case["code"]


def test_every_code_has_a_case_or_a_test() -> None:
    assert {case["code"] for case in cases("decode.jsonl")} - {None} == CODES - {"too_large", "too_deep"}


def test_the_longest_value_is_parsed_and_one_byte_more_is_not() -> None:
    longest = b'{"a":"' + b"x" * (MAX_VALUE_BYTES - 8) + b'"}'
    assert len(longest) == MAX_VALUE_BYTES
    assert _code(longest) is None
    assert _code(longest + b" ") == "too_large"
    assert _code(b"\xff" * 10_000_000) == "too_large"


@pytest.mark.parametrize(
    "value",
    [
        b"[" * 200_000,
        b'{"a":' * 100_000,
        b'{"a":' + b"[" * 2_000 + b"]" * 2_000 + b"}",
        b'{"b":"\\ud800","a":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
        b'{"a":1,"a":' + b'{"b":' * 5_000 + b"1" + b"}" * 5_001,
    ],
    ids=["open arrays", "open objects", "closed arrays", "beside a lone surrogate", "beside a repeated name"],
)
def test_deep_nesting_is_named(value: bytes) -> None:
    assert _code(value) == "too_deep"


def test_moderate_nesting_is_no_fault() -> None:
    assert _code(b'{"a":' + b"[" * 200 + b"]" * 200 + b"}") is None


@pytest.mark.parametrize("space", [b" ", b"\t", b"\n", b"\r", b" \t\r\n"])
def test_a_name_twice_is_found_however_its_colons_are_written(space: bytes) -> None:
    assert _code(b'{"a":1,"a"' + space + b":2}") == "duplicate_key"
    assert decode_value(b'{"a":1,"b"' + space + b":2}") == {"a": 1, "b": 2}


def test_an_integer_of_many_digits_is_named() -> None:
    assert _code(b'{"a":' + b"1" * 5_000 + b"}") == "number_too_large"


def test_a_lone_surrogate_does_not_change_how_numbers_are_read() -> None:
    plain = decode_value(b'{"a":"","b":18446744073709551616,"c":18446744073709551615,"d":-5}')
    lone = decode_value(b'{"a":"\\ud800","b":18446744073709551616,"c":18446744073709551615,"d":-5}')
    assert isinstance(plain, dict)
    assert lone == {**plain, "a": "\ud800"}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(st.lists(st.none() | st.binary(max_size=60) | st.text(max_size=60).map(str.encode), max_size=8))
def test_any_bytes_become_a_document_or_a_dead_letter_in_order(values: list[bytes | None]) -> None:
    decoded = decode(batch_of(values, first=7))
    documents = [record.offset() for record, _ in decoded.documents]
    dead_letters = [each.record.offset() for each in decoded.dead_letters]
    assert documents == sorted(documents)
    assert dead_letters == sorted(dead_letters)
    assert sorted(documents + dead_letters) == list(range(7, 7 + len(values)))
    for letter in decoded.dead_letters:
        assert [violation.code in CODES for violation in letter.violations] == [True]


@given(
    st.dictionaries(st.text(max_size=8), json_values, max_size=6),
    st.sampled_from([None, (",", ":"), (" , ", " : ")]),
)
def test_what_the_standard_library_writes_is_read_or_named(
    fields: dict[str, Any], separators: tuple[str, str] | None
) -> None:
    found = decode_value(json.dumps(fields, separators=separators).encode())
    if isinstance(found, Violation):
        assert found.code in {"nan_or_infinity", "number_too_large"}
    else:
        assert found.keys() == fields.keys()


@given(st.text(max_size=30))
def test_a_decode_violation_never_quotes_the_value(text: str) -> None:
    secret = f"x{text}marker"
    for value in (f'{{"a": "{secret}', f'{{"{secret}": }}', f'{{"{secret}": NaN}}', f'"{secret}"'):
        found = decode_value(value.encode("utf-8", "surrogatepass"))
        if isinstance(found, Violation):
            assert "marker" not in found.message
