"""Whatever comes: no exception escapes, every record has one outcome, time and memory are bounded."""

from __future__ import annotations

import resource
from functools import lru_cache
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from connectors.framing import SchemaReference, read_frame
from connectors.items import Batch, WriterSchema
from dataflow import decode, decoder, validate
from dataflow.decode import MAX_VALUE_BYTES
from dataflow.decoder import Decoder
from dataflow.model import MessageFormat, MessageFraming
from dataflow.protobuf import decode as protobuf_decode
from dataflow.protobuf.decode import ProtobufReader
from dataflow.protobuf.wire import Broken, parts
from dataflow.protobuf.writers import compare
from dataflow.validate import Validator
from tests.protobuf.test_decoder import OWN
from tests.protobuf.writing import CONTRACT, GUID, SCHEMA, batch_of, by_guid, by_id, in_header, sent

assert SCHEMA is not None
CODES = decode.CODES | validate.CODES | decoder.CODES | protobuf_decode.CODES
READER = ProtobufReader(SCHEMA)
BY_NAME = Validator(CONTRACT).row_values
DECODERS = [
    Decoder(CONTRACT, SCHEMA, message_format, framing)
    for message_format in MessageFormat
    for framing in MessageFraming
]
BY_MESSAGE = Validator(CONTRACT, DECODERS[0].message_rows)._message_values
assert BY_MESSAGE is not None
SCHEMAS: dict[SchemaReference, WriterSchema | None] = {
    7: OWN,
    8: WriterSchema("JSON", "{}"),
    9: None,
    GUID.bytes: OWN,
}

texts = st.text(max_size=30) | st.sampled_from(
    ["", "é" * 1028, "é" * 1029, "x" * 128, "x" * 129, "a\0b", "u" * 64, "u" * 65]
)
instants = st.tuples(
    st.integers(-(2**63), 2**63 - 1)
    | st.integers(-10, 10**10)
    | st.integers(253_402_300_700, 253_402_300_900),
    st.integers(-(2**31), 2**31 - 1) | st.integers(0, 999_999_999),
)
sent_fields: dict[str, st.SearchStrategy[Any]] = {
    "user_id": texts,
    "subject_id": texts,
    "message_text": texts,
    "status": st.sampled_from(["opened", "unread", "archived", "unspecified", "lost"]),
    "cloudinary_url": texts,
    "length_seconds": st.integers(-(2**31), 2**31 - 1) | st.integers(0, 60),
    "created_at": instants,
    "updated_at": instants,
    "client_version": st.sampled_from(["1", "2"]),
}
messages = st.fixed_dictionaries({}, optional=sent_fields).map(
    lambda fields: sent(**{**dict.fromkeys(sent_fields, ...), **fields})
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A message that lost, gained or changed some bytes."""
    value = bytearray(draw(messages | st.just(sent())))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(value)))
        match draw(st.integers(0, 2)):
            case 0:
                del value[at : at + draw(st.integers(1, 8))]
            case 1:
                value[at:at] = draw(st.binary(max_size=8))
            case _:
                value[at : at + 1] = draw(st.binary(min_size=1, max_size=1))
    return bytes(value)


values = st.one_of(st.binary(max_size=80), damaged(), messages, st.just(b'{"user_id":1}'))
framed = st.one_of(
    values,
    st.builds(
        by_id, values, st.sampled_from([7, 8, 9]), st.sampled_from([b"\0", b"", b"\2\0", b"\2\2", b"\4\2\0"])
    ),
    st.builds(by_guid, values, st.sampled_from([b"\0", b""])),
)


@lru_cache(len(DECODERS))
def validator_of(decoder: Decoder) -> Validator:
    return Validator(CONTRACT, decoder.message_rows)


def judge(decoder: Decoder, batch: Batch) -> None:
    """Every record has one outcome, and every code is one of those that are documented."""
    judged = validator_of(decoder).validate(decoder.decode(batch))
    offsets = [row.offset for row in judged.rows], [each.record.offset() for each in judged.dead_letters]
    assert all(each == sorted(each) for each in offsets)
    assert sorted(offsets[0] + offsets[1]) == list(range(len(batch.records)))
    assert {each.code for letter in judged.dead_letters for each in letter.violations} <= CODES
    assert sum(judged.forms.values()) == len(batch.records)


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.none() | framed, max_size=4), st.none() | st.binary(max_size=24), st.sampled_from(DECODERS)
)
def test_any_bytes_become_a_row_or_a_dead_letter(
    given_values: list[bytes | None], header: bytes | None, chosen: Decoder
) -> None:
    headers = () if header is None else in_header(header)
    judge(chosen, batch_of(*given_values, headers=headers))
    frames = [read_frame(value or b"", list(headers)) for value in given_values]
    # As the gate does it: what the registry does not know is None.
    known = {
        ref: SCHEMAS.get(ref)
        for ref in (getattr(frame, "reference", None) for frame in frames)
        if ref is not None
    }
    judge(chosen, batch_of(*given_values, headers=headers, schemas=known))


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(messages)
@example(sent())
def test_the_short_way_and_the_long_way_to_a_row_agree(value: bytes) -> None:
    message = READER._parse(value)
    assert BY_MESSAGE is not None
    short: list[Any] = []
    long: list[Any] = []
    by_message, by_name = BY_MESSAGE(message, short), BY_NAME(READER.fields_of(message), long)
    assert short == long
    assert long or by_message == by_name


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(damaged() | st.binary(max_size=60))
def test_what_the_parser_refuses_has_its_reason_and_what_it_takes_has_none(value: bytes) -> None:
    found = READER.read(value)
    structural = [part for part in parts(value) if isinstance(part, Broken)]
    refused = getattr(found, "code", None) in protobuf_decode.CODES - {"wrong_message_type", "empty_value"}
    assert refused or not structural


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.binary(max_size=60) | st.just(OWN.text.encode()), st.lists(st.integers(0, 5), min_size=1, max_size=3)
)
def test_any_registered_text_is_read_or_named(text: bytes, path: list[int]) -> None:
    assert SCHEMA is not None
    assert compare(text.decode("latin-1"), path, SCHEMA)
    schemas: dict[SchemaReference, WriterSchema | None] = {7: WriterSchema("JSON", text.decode("latin-1"))}
    for chosen in DECODERS[-3:]:
        fresh = Decoder(CONTRACT, SCHEMA, MessageFormat.AUTO, chosen._framing)
        judge(fresh, batch_of(by_id(b"{}", indexes=b""), schemas=schemas))


def test_the_largest_values_are_judged_in_bounded_memory() -> None:
    many_unknown = b"\xa0\x06\x01" * (MAX_VALUE_BYTES // 3)
    many_groups = b"\x7b\x7c" * (MAX_VALUE_BYTES // 2)
    many_sent = b"\x0a\x00" * (MAX_VALUE_BYTES // 2 - 1) + b"\x0a"
    for value in (many_unknown, many_groups, many_sent, sent() + many_unknown[: MAX_VALUE_BYTES // 2]):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        judge(Decoder(CONTRACT, SCHEMA, MessageFormat.PROTOBUF), batch_of(value))
        # In KiB. An unknown field of two bytes is an object of the library.
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert grown * 1024 < 128 * MAX_VALUE_BYTES
