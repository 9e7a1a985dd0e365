"""Messages in Protobuf and in frames, from bytes to row or dead letter."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import orjson
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from connectors.framing import SchemaReference
from connectors.items import WriterSchema
from dataflow import decode, decoder
from dataflow.contracts.messages_pb2 import Message
from dataflow.decode import MAX_VALUE_BYTES
from dataflow.decoder import Decoder
from dataflow.model import MessageFormat, MessageFraming
from dataflow.protobuf import decode as protobuf_decode
from dataflow.validate import Validator
from tests.core.messages import EXAMPLE
from tests.pipeline import ROOT
from tests.protobuf.generate import PROTO, descriptor_set
from tests.protobuf.writing import (
    CONTRACT,
    GUID,
    SCHEMA,
    batch_of,
    by_guid,
    by_id,
    checked,
    codes,
    in_header,
    row,
    sent,
)

JSON, PROTOBUF, AUTO = MessageFormat.JSON, MessageFormat.PROTOBUF, MessageFormat.AUTO
BARE, CONFLUENT = MessageFraming.NONE, MessageFraming.CONFLUENT
IN_JSON = orjson.dumps(EXAMPLE)
SOURCE = (ROOT / PROTO).read_text(encoding="utf-8")


def test_a_message_gives_the_row_that_it_gives_in_json() -> None:
    assert row(checked(batch_of(sent()))) == row(checked(batch_of(IN_JSON), JSON))


def test_a_field_that_was_not_sent_is_not_one_that_was_sent_empty() -> None:
    unset = row(checked(batch_of(sent(message_text=...))))
    empty = row(checked(batch_of(sent(message_text="", length_seconds=0, cloudinary_url=""))))
    assert unset["message_text"] is None
    assert (empty["message_text"], empty["length_seconds"], empty["cloudinary_url"]) == ("", 0, "")
    assert row(checked(batch_of(sent(length_seconds=...))))["length_seconds"] is None
    assert codes(checked(batch_of(sent(user_id="")))) == [("user_id", "empty")]
    assert codes(checked(batch_of(sent(user_id=...)))) == [("user_id", "missing")]


@pytest.mark.parametrize(
    ("instant", "stored"),
    [
        ((0, 0), "1970-01-01 00:00:00"),
        ((1_698_724_702, 1_000), "2023-10-31 03:58:22.000001"),
        ((1_698_724_702, 999), "2023-10-31 03:58:22"),
        ((1_698_724_702, 999_999_999), "2023-10-31 03:58:22.999999"),
        ((-1, 500_000_000), "1969-12-31 23:59:59.500000"),
        ((-62_135_596_800, 0), "0001-01-01 00:00:00"),
        ((253_402_300_799, 999_999_999), "9999-12-31 23:59:59.999999"),
        ((-62_135_596_801, 0), "out_of_range"),
        ((253_402_300_800, 0), "out_of_range"),
        ((2**62, 0), "out_of_range"),
        ((-(2**63), 0), "out_of_range"),
        ((0, -1), "not_a_timestamp"),
        ((0, 1_000_000_000), "not_a_timestamp"),
    ],
)
def test_an_instant_is_kept_to_the_microsecond_or_refused(instant: tuple[int, int], stored: str) -> None:
    for others in ({}, {"user_id": "\u00e9"}, {"client_version": "7.1"}):
        judged = checked(batch_of(sent(created_at=instant, updated_at=instant, **others)))
        if stored[0].isdigit():
            found = row(judged)
            assert (found["created_at"], found["updated_at"]) == (stored, stored)
        else:
            assert codes(judged) == [("created_at", stored), ("updated_at", stored)]


def test_two_instants_of_a_message_are_kept_apart() -> None:
    found = row(checked(batch_of(sent(created_at=(60, 5_000), updated_at=(60, 6_000)))))
    assert (found["created_at"], found["updated_at"]) == (
        "1970-01-01 00:01:00.000005",
        "1970-01-01 00:01:00.000006",
    )


@pytest.mark.parametrize("added", [b"\x22\x06opened", b"\x21" + b"\0" * 8, b"\x25" + b"\0" * 4])
def test_a_field_of_another_wire_type_is_of_another_type(added: bytes) -> None:
    assert codes(checked(batch_of(sent() + added))) == [("status", "wrong_type")]


def test_fields_that_the_contract_does_not_know_are_counted_by_tag_or_by_the_writers_name(
    tmp_path: Path,
) -> None:
    value = sent(client_version="7.1")
    assert checked(batch_of(value, value)).unknown_fields == {"tag_100": 2}
    source = SOURCE.replace("updated_at = 8;", "updated_at = 8; optional string client_version = 100;")
    judged = checked(batch_of(by_id(value), schemas={7: written_with(tmp_path, source)}))
    assert judged.unknown_fields == {"client_version": 1}
    assert judged.rows


def test_of_many_unknown_fields_a_bounded_number_is_told() -> None:
    added = b"".join(bytes([tag << 3 & 0x7F | 0x80, tag >> 4, 0]) for tag in range(20, 120))
    judged = checked(batch_of(sent() + added))
    assert len(judged.rows) == 1
    assert len(judged.unknown_fields) <= protobuf_decode.MAX_UNKNOWN_TAGS


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (None, "tombstone"),
        (b"", "empty_value"),
        (sent()[:-1], "truncated_protobuf"),
        (sent()[:3], "truncated_protobuf"),
        (b"\x0a", "truncated_protobuf"),
        (b"\x0a\xff", "truncated_protobuf"),
        (sent() + b"\x7b", "truncated_protobuf"),
        (sent() + b"\x07", "malformed_protobuf"),
        (sent() + b"\0", "malformed_protobuf"),
        (sent() + b"\x7c", "malformed_protobuf"),
        (sent() + b"\x30" + b"\xff" * 10, "malformed_protobuf"),
        (sent() + b"\x3a\x02\x08\xff", "truncated_protobuf"),
        (sent() + b"\x3a\x01\x07", "malformed_protobuf"),
        (sent() + b"\x0a\x01\xff", "bad_utf8"),
        (sent() + b"\x1a\x03\xed\xa0\x80", "bad_utf8"),
        (sent() + b"\x7b" * 500 + b"\x7c" * 500, "too_deep"),
        (b"\xa2\x06\x01x", "wrong_message_type"),
        (b"\x08\x01", "wrong_message_type"),
        (sent() + b"\x1a" + bytes([0x80, 0x80, 0x40]) + b"x" * MAX_VALUE_BYTES, "too_large"),
        (by_id(sent())[:4], "broken_frame"),
        (by_guid(sent())[:10], "broken_frame"),
        (by_id(b"", indexes=b""), "broken_frame"),
        (by_id(sent(), indexes=b"\2\2"), "wrong_message_type"),
        (by_id(b""), "empty_value"),
    ],
)
def test_what_is_no_message_has_a_named_code(value: bytes | None, code: str) -> None:
    judged = checked(batch_of(value))
    assert codes(judged) == [("", code)]
    assert judged.dead_letters[0].record.value() == value


def test_a_message_in_any_frame_gives_its_row_and_the_dead_letter_keeps_the_frame() -> None:
    expected = row(checked(batch_of(sent())))
    for framed in (by_id(sent()), by_guid(sent()), by_id(sent(), indexes=b"\2\0")):
        for message_format in (PROTOBUF, AUTO):
            assert row(checked(batch_of(framed), message_format)) == expected
    header = batch_of(sent(), headers=in_header(b"\1" + GUID.bytes + b"\0"))
    assert row(checked(header, AUTO)) == expected
    broken = by_id(sent(user_id=...))
    assert checked(batch_of(broken)).dead_letters[0].record.value() == broken


def test_json_in_any_frame_gives_its_row() -> None:
    expected = row(checked(batch_of(IN_JSON), JSON))
    for message_format in (JSON, AUTO):
        for framed in (by_id(IN_JSON, indexes=b""), by_guid(IN_JSON, indexes=b"")):
            assert row(checked(batch_of(framed), message_format)) == expected
        header = batch_of(IN_JSON, headers=in_header(b"\1" + GUID.bytes))
        assert row(checked(header, message_format)) == expected


def test_where_every_message_must_have_a_frame_one_without_is_refused() -> None:
    assert codes(checked(batch_of(sent()), PROTOBUF, CONFLUENT)) == [("", "unframed")]
    assert checked(batch_of(by_id(sent())), PROTOBUF, CONFLUENT).rows


def test_without_framing_a_frame_is_no_message() -> None:
    assert codes(checked(batch_of(by_id(sent())), PROTOBUF, BARE)) == [("", "malformed_protobuf")]


def test_json_with_white_space_before_it_is_told_from_protobuf() -> None:
    for space in (b" ", b"\n", b"\r\n\t "):
        assert checked(batch_of(space + IN_JSON), AUTO).rows
        assert codes(checked(batch_of(space + IN_JSON[:-9]), AUTO)) == [("", "truncated_json")]


def test_formats_and_frames_are_counted() -> None:
    values = (IN_JSON, sent(), sent(client_version="1"), by_id(sent()), by_guid(IN_JSON, b""), None, b"\0")
    assert checked(batch_of(*values), AUTO).forms == {
        ("json", "none"): 1,
        ("protobuf", "none"): 2,
        ("protobuf", "id"): 1,
        ("json", "guid"): 1,
        ("unknown", "none"): 2,
    }


def test_rows_and_dead_letters_of_both_formats_keep_the_order_of_offsets() -> None:
    values = (
        sent(),
        IN_JSON,
        sent(user_id=...),
        b"{",
        IN_JSON,
        sent(),
        b'{"user_id":1}',
        sent(client_version="1"),
    )
    judged = checked(batch_of(*values), AUTO)
    assert [each.offset for each in judged.rows] == [0, 1, 4, 5, 7]
    assert [each.record.offset() for each in judged.dead_letters] == [2, 3, 6]


# -- with a registry ---------------------------------------------------------------------------------


def written_with(directory: Path, source: str) -> WriterSchema:
    """A Protobuf schema as the registry tells it."""
    (directory / "writer.proto").write_text(source)
    files = FileDescriptorSet.FromString(descriptor_set(directory, "writer.proto"))
    own = next(file for file in files.file if file.name == "writer.proto")
    return WriterSchema("PROTOBUF", base64.b64encode(own.SerializeToString()).decode())


OWN = WriterSchema("PROTOBUF", base64.b64encode(Message.DESCRIPTOR.file.serialized_pb).decode())


def test_the_registered_schema_says_the_format() -> None:
    schemas: dict[SchemaReference, WriterSchema | None] = {
        7: OWN,
        8: WriterSchema("JSON", "{}"),
        GUID.bytes: OWN,
    }
    values = (by_id(sent()), by_id(IN_JSON, 8, b""), by_guid(sent()), IN_JSON, sent())
    judged = checked(batch_of(*values, schemas=schemas), AUTO)
    assert len(judged.rows) == 5
    assert sum(judged.forms.values()) == 5


def test_a_schema_that_the_registry_does_not_know_is_named() -> None:
    assert codes(checked(batch_of(by_id(sent()), schemas={7: None}))) == [("", "unknown_schema")]


@pytest.mark.parametrize(
    ("pattern", "replacement", "told"),
    [
        (r"optional string user_id = 1;", "", "user_id is missing"),
        (r"user_id = 1", "user_id = 11", "user_id has the tag 11 instead of 1"),
        (r"string user_id", "string sender", "the tag 1 is sender instead of user_id"),
        (r"optional string user_id", "optional bytes user_id", "user_id is of another type"),
        (r"optional string user_id", "repeated string user_id", "user_id is of another type"),
        (r"google.protobuf.Timestamp created", "Inner created", "created_at is of another type"),
        (r"STATUS_UNREAD = 2", "STATUS_SEEN = 2", "the number 2 is STATUS_SEEN instead of STATUS_UNREAD"),
    ],
)
def test_a_writers_schema_that_disagrees_is_refused_with_the_reason(
    tmp_path: Path, pattern: str, replacement: str, told: str
) -> None:
    source = re.sub(pattern, replacement, SOURCE) + "message Inner { optional int64 seconds = 1; }"
    judged = checked(batch_of(by_id(sent()), schemas={7: written_with(tmp_path, source)}))
    assert codes(judged) == [("", "incompatible_schema")]
    assert told in judged.dead_letters[0].violations[0].message


def test_a_writers_schema_may_lack_what_is_optional_and_lie_elsewhere_in_its_file(tmp_path: Path) -> None:
    source = re.sub(r"optional int32 length_seconds = 6;", "", SOURCE).replace("package interactions.v1;", "")
    source = source.replace("message Message {", "message Other {} message Outer { message Message {")
    source = source.replace("enum Status", "} enum Status", 1)
    schema = written_with(tmp_path, source)
    value = sent(length_seconds=..., cloudinary_url=...)
    assert checked(batch_of(by_id(value, indexes=b"\4\2\0"), schemas={7: schema})).rows
    other = checked(batch_of(by_id(value), schemas={7: schema}))
    assert codes(other) == [("", "incompatible_schema")]
    assert codes(checked(batch_of(by_id(value, indexes=b"\2\6"), schemas={7: schema}))) == [
        ("", "wrong_message_type")
    ]


@pytest.mark.parametrize(
    ("schema", "code"),
    [
        (WriterSchema("AVRO", '"string"'), "incompatible_schema"),
        (WriterSchema("PROTOBUF", SOURCE), "unreadable_schema"),
        (WriterSchema("PROTOBUF", "////"), "unreadable_schema"),
        (WriterSchema("JSON", "{"), "unreadable_schema"),
        (WriterSchema("JSON", "7"), "unreadable_schema"),
        (WriterSchema("JSON", '{"type": "array"}'), "incompatible_schema"),
        (WriterSchema("JSON", '{"properties": {"status": {"type": "integer"}}}'), "incompatible_schema"),
        (WriterSchema("JSON", '{"properties": {}, "additionalProperties": false}'), "incompatible_schema"),
        (
            WriterSchema("JSON", '{"type": ["object", "null"], "properties": {"status": {"$ref": "#/x"}}}'),
            None,
        ),
        (WriterSchema("JSON", '{"properties": {"user_id": {"type": ["integer", "null"]}}}'), None),
        (WriterSchema("JSON", "true"), None),
        (WriterSchema("JSON", '{"properties": 7, "type": 7}'), None),
    ],
)
def test_a_registered_schema_is_read_or_its_fault_is_named(schema: WriterSchema, code: str | None) -> None:
    value = by_id(IN_JSON, indexes=b"") if schema.kind == "JSON" else by_id(sent())
    judged = checked(batch_of(value, schemas={7: schema}), AUTO)
    assert codes(judged) == ([] if code is None else [("", code)])


def test_a_schema_of_another_format_than_the_topics_is_refused() -> None:
    judged = checked(batch_of(by_id(IN_JSON, indexes=b""), schemas={7: WriterSchema("JSON", "{}")}), PROTOBUF)
    assert codes(judged) == [("", "incompatible_schema")]


def test_without_a_protobuf_form_everything_is_json_and_asking_for_more_is_a_defect() -> None:
    with pytest.raises(ValueError, match="no Protobuf form"):
        Decoder(CONTRACT, None, PROTOBUF)
    bare = Decoder(CONTRACT, None, AUTO, MessageFraming.AUTO)
    assert len(bare.decode(batch_of(IN_JSON, by_id(IN_JSON, indexes=b""))).rows) == 2
    judged = bare.decode(batch_of(by_id(sent()), schemas={7: OWN})).dead_letters
    assert [each.violations[0].code for each in judged] == ["incompatible_schema"]


def test_rows_keep_the_order_of_their_offsets_whichever_of_them_are_framed() -> None:
    framed = by_id(IN_JSON, indexes=b"")
    for values in (
        [framed, IN_JSON, framed, IN_JSON],
        [IN_JSON, framed],
        [framed, framed],
        [IN_JSON, b"{}", framed],
    ):
        batch = batch_of(*values)
        for each in (AUTO, JSON):
            decoded = Decoder(CONTRACT, None, each, MessageFraming.AUTO).decode(batch)
            rows = Validator(CONTRACT).validate(decoded).rows
            assert [row.offset for row in decoded.rows] == [row.offset for row in rows]
            assert [row.offset for row in rows] == [at for at, value in enumerate(values) if value != b"{}"]


def test_no_violation_quotes_a_value() -> None:
    secret = "marker"
    values: list[Any] = [sent(status=secret), sent(user_id=secret * 99), sent(message_text=f"{secret}\0")]
    values += [sent(message_text=secret)[:-1], sent(message_text=secret) + b"\x0a\x07marker\xff"]
    judged = checked(batch_of(*values))
    assert len(judged.dead_letters) == len(values)
    told = [each.message for letter in judged.dead_letters for each in letter.violations]
    assert not [message for message in told if secret in message]


def test_the_codes_of_each_step_are_its_own() -> None:
    assert SCHEMA is not None
    shared = {"empty_value", "bad_utf8", "too_deep"}
    assert shared == decode.CODES & protobuf_decode.CODES
    assert {"wrong_message_type"} == decoder.CODES & protobuf_decode.CODES
