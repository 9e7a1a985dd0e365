"""The Protobuf schema: its generated module, its record of tags, and the contract agree."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import cast

import pytest
from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.internal import api_implementation
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from dataflow.contract import load
from dataflow.contracts import messages_pb2
from dataflow.protobuf.form import record_of
from dataflow.protobuf.schema import ProtobufMismatch, check
from dataflow.protobuf.schema import load as load_schema
from tests.pipeline import ROOT
from tests.protobuf.generate import (
    DESCRIPTORS,
    HEADING,
    PROTO,
    RECORD,
    compile_into,
    descriptor_set,
    packaged_set,
)

SOURCE = (ROOT / PROTO).read_text(encoding="utf-8")
TAGS = (ROOT / RECORD).read_text(encoding="utf-8")
CONTRACT = load()
CONTRACT_TEXT = (ROOT / "dataflow/contracts/messages.odcs.yaml").read_text(encoding="utf-8")


def compiled(directory: Path, source: str) -> type[Message]:
    (directory / "changed.proto").write_text(source)
    files = FileDescriptorSet.FromString(descriptor_set(directory, "changed.proto"))
    pool = DescriptorPool()
    for file in files.file:
        pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName("interactions.v1.Message"))


def test_the_generated_module_is_what_the_compiler_makes_of_the_proto(tmp_path: Path) -> None:
    for made in compile_into(tmp_path):
        assert made.read_text() == (ROOT / made.relative_to(tmp_path)).read_text(), "run make proto"


def test_the_descriptor_set_is_what_the_compiler_makes_of_the_proto() -> None:
    assert (ROOT / DESCRIPTORS).read_bytes() == packaged_set(), "run make proto"


def test_a_copy_of_the_three_files_reads_both_forms(tmp_path: Path) -> None:
    for suffix in (".odcs.yaml", ".tags.toml", ".binpb"):
        shutil.copy(ROOT / "dataflow" / "contracts" / f"messages{suffix}", tmp_path / f"copy{suffix}")
    schema = load_schema(CONTRACT, tmp_path / "copy.odcs.yaml")
    assert schema is not None
    assert schema.descriptor.full_name == "interactions.v1.Message"


@pytest.mark.parametrize(
    ("record", "descriptors", "named", "told"),
    [
        (TAGS, None, "other.binpb", "is missing beside other.tags.toml; copy it too, or make it: protoc"),
        (None, b"", "other.tags.toml", "is missing beside other.binpb; copy it too"),
        ("", b"", "other.tags.toml", "lacks the key message, the full name of the type"),
    ],
)
def test_half_of_a_protobuf_form_is_refused_and_the_other_half_is_named(
    tmp_path: Path, record: str | None, descriptors: bytes | None, named: str, told: str
) -> None:
    if record is not None:
        (tmp_path / "other.tags.toml").write_text(record)
    if descriptors is not None:
        (tmp_path / "other.binpb").write_bytes(descriptors)
    with pytest.raises(ProtobufMismatch) as refused:
        load_schema(CONTRACT, tmp_path / "other.odcs.yaml")
    assert refused.value.source == str(tmp_path / named)
    (problem,) = refused.value.problems
    assert problem.startswith(told)


def test_the_record_of_tags_is_complete() -> None:
    assert record_of(cast(Descriptor, messages_pb2.Message.DESCRIPTOR), HEADING) == TAGS, "run make proto"


def test_the_schema_agrees_with_the_contract() -> None:
    schema = load_schema(CONTRACT, None)
    assert schema is not None
    assert [each.field.name for each in schema.fields] == [field.name for field in CONTRACT.fields]


def test_the_parser_is_the_one_in_c() -> None:
    assert api_implementation.Type() == "upb"


@pytest.mark.parametrize(
    ("pattern", "replacement", "told"),
    [
        (r"optional string subject_id = 2;", "reserved 2;", "subject_id: was string = 2 and is gone"),
        (r"message_text = 3", "message_text = 9", "message_text: was string = 3 and is now string = 9"),
        (
            r"optional int32 length",
            "optional int64 length",
            "length_seconds: was int32 = 6 and is now int64 = 6",
        ),
        (r"STATUS_UNREAD = 2", "STATUS_UNREAD = 4", "STATUS_UNREAD: was 2 and is now 4"),
        (r"STATUS_UNREAD", "STATUS_UNSEEN", "the contract has no word for STATUS_UNSEEN"),
        (r"STATUS_UNREAD = 2", "STATUS_SEEN = 2", "Status lacks STATUS_UNREAD"),
        (r"optional string user_id", "string user_id", "user_id: must be `optional`"),
        (r"optional string user_id", "repeated string user_id", "user_id: must be `optional`"),
        (r"optional string user_id", "optional bytes user_id", "user_id: bytes does not suit a TextField"),
        (r"optional Status status", "optional string status", "status: was interactions.v1.Status = 4"),
        (
            r"google.protobuf.Timestamp created",
            "string created",
            "created_at: string does not suit a TimestampField",
        ),
        (r"(updated_at = 8;)", r"\1 optional bool sent = 9;", "sent: the contract has no such field"),
        (r"(updated_at = 8;)", r"\1 optional bool sent = 9;", "sent: is not in the record of tags"),
    ],
)
def test_a_change_that_breaks_the_agreement_is_refused_by_name(
    tmp_path: Path, pattern: str, replacement: str, told: str
) -> None:
    source, changes = re.subn(pattern, replacement, SOURCE)
    assert changes
    with pytest.raises(ProtobufMismatch) as refused:
        check(CONTRACT, compiled(tmp_path, source), TAGS)
    assert any(told in problem for problem in refused.value.problems), refused.value.problems


def test_a_contract_of_your_own_has_its_schema_beside_it(tmp_path: Path) -> None:
    contract = tmp_path / "other.odcs.yaml"
    contract.write_text(CONTRACT_TEXT)
    assert load_schema(CONTRACT, contract) is None
    (tmp_path / "other.proto").write_text(SOURCE)
    (tmp_path / "other.tags.toml").write_text(TAGS)
    (tmp_path / "other.binpb").write_bytes(descriptor_set(tmp_path, "other.proto"))
    schema = load_schema(CONTRACT, contract)
    assert schema is not None
    assert schema.message is not messages_pb2.Message


@pytest.mark.parametrize("content", [b"", b"\xff\xff", b"\x0a\x03\x0a\x01x"])
def test_a_descriptor_set_without_the_message_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "other.tags.toml").write_text(TAGS)
    (tmp_path / "other.binpb").write_bytes(content)
    with pytest.raises(ProtobufMismatch, match=r"interactions\.v1\.Message"):
        load_schema(CONTRACT, tmp_path / "other.odcs.yaml")


def test_a_record_that_is_no_toml_is_refused() -> None:
    with pytest.raises(ProtobufMismatch, match="no TOML"):
        check(CONTRACT, messages_pb2.Message, "fields = {")
