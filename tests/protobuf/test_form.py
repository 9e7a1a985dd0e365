"""The Protobuf form of a contract of one's own: written by a command, and read by the program."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import pytest
from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from dataflow.contract import load, parse
from dataflow.contracts import messages_pb2
from dataflow.decoder import Decoder
from dataflow.model import MessageFormat, MessageFraming
from dataflow.protobuf.form import write
from dataflow.protobuf.schema import ProtobufMismatch, ProtobufSchema, recorded
from dataflow.protobuf.schema import load as load_schema
from dataflow.validate import Validator
from tests.cli.test_commands import call
from tests.contracts.mutations import FILES
from tests.contracts.test_purchases import CONTRACT, Purchase, purchases
from tests.core.messages import batch_of
from tests.pipeline import ROOT
from tests.protobuf.generate import RECORD, descriptor_set

TEXT = CONTRACT.read_text(encoding="utf-8")
PURCHASES = load(CONTRACT)
NAMES = [field.name for field in PURCHASES.fields]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The contract of purchases, with what the command has written beside it."""
    written = tmp_path / "purchases.odcs.yaml"
    written.write_text(TEXT, encoding="utf-8")
    said = call("contract", "proto", str(written))
    assert said.returncode == 0, said.stderr
    assert said.stdout.split() == [
        str(tmp_path / f"purchases{ending}") for ending in (".proto", ".tags.toml", ".binpb")
    ]
    return written


def encoded(schema: ProtobufSchema, purchase: Purchase) -> bytes:
    message: Any = schema.message()
    for name, value in purchase.message.items():
        if value is None:
            continue
        if name == "shop":
            value = {word: number for number, word in schema.fields[0].words.items()}[value]
        if name in ("paid_at", "changed_at"):
            getattr(message, name).FromDatetime(datetime.fromisoformat(value))
        else:
            setattr(message, name, str(value) if name == "amount" else value)
    return bytes(message.SerializeToString())


def test_messages_of_another_contract_become_the_same_rows_in_protobuf_as_in_json(path: Path) -> None:
    schema = load_schema(PURCHASES, path)
    assert schema is not None
    decoder = Decoder(PURCHASES, schema, MessageFormat.AUTO, MessageFraming.NONE)
    validator = Validator(PURCHASES, decoder.message_rows)
    sent = purchases(0, 60)
    told = [json.dumps(each.message).encode() for each in sent]
    as_json, as_protobuf = (
        validator.validate(decoder.decode(batch_of(values)))
        for values in (told, [encoded(schema, each) for each in sent])
    )
    assert set(as_protobuf.forms) == {("protobuf", "none")}
    assert len(as_protobuf.rows) == len(sent)
    assert as_protobuf.rows == as_json.rows


def test_the_command_that_judges_messages_takes_them(path: Path) -> None:
    schema = load_schema(PURCHASES, path)
    assert schema is not None
    line = base64.b64encode(encoded(schema, Purchase(1, 1))).decode()
    judged = call("validate", "--contract", str(path), "--format", "protobuf", text=f"{line}\n")
    assert judged.returncode == 0, judged.stdout + judged.stderr
    row = json.loads(judged.stdout)["row"]
    assert (row["order_number"], row["amount"], row["gift"]) == (2**53 + 1, "1.00", False)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_descriptor_set_is_what_the_compiler_makes_of_the_proto(file: Path, tmp_path: Path) -> None:
    form = write(load(file), "made.proto", None)
    (tmp_path / "made.proto").write_text(form.proto, encoding="utf-8")
    made, compiled = (
        {each.name: each for each in FileDescriptorSet.FromString(given).file}
        for given in (form.descriptors, descriptor_set(tmp_path, "made.proto"))
    )
    assert made.keys() == compiled.keys()
    for each in (*made.values(), *compiled.values()):
        for message in each.message_type:
            for field in message.field:
                field.ClearField("json_name")
    assert made["made.proto"] == compiled["made.proto"]


def test_of_the_packaged_contract_it_would_be_the_message_that_is_packaged() -> None:
    record = (ROOT / RECORD).read_text(encoding="utf-8")
    form = write(load(), "messages.proto", record)
    packaged = recorded(cast(Descriptor, messages_pb2.Message.DESCRIPTOR))
    assert form.record.partition("\n")[2] == record.partition("\n")[2]
    assert packaged["message"] in form.record


def test_written_again_nothing_changes_and_what_is_new_gets_new_tags(path: Path) -> None:
    before = {each.name: each.read_bytes() for each in path.parent.iterdir()}
    assert call("contract", "proto", str(path)).returncode == 0
    assert {each.name: each.read_bytes() for each in path.parent.iterdir()} == before
    record = path.with_name("purchases.tags.toml").read_text(encoding="utf-8")
    more = TEXT.replace(
        "      - name: order_number\n        logicalType",
        "      - name: till\n        logicalType: string\n        physicalType: varchar(8)\n"
        "        required: false\n        classification: public\n"
        "      - name: order_number\n        logicalType",
    ).replace("          - value: ios\n", "          - value: kiosk\n          - value: ios\n")
    form = write(parse(more, "more"), "purchases.proto", record)
    added = set(form.record.splitlines()) - set(record.splitlines())
    assert added == {'till = "string = 13"', "SHOP_KIOSK = 4"}
    assert set(record.splitlines()) <= set(form.record.splitlines())


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("          - value: ios\n", "", "SHOP_IOS: was 2 and is gone"),
        ("minimum: 1\n          maximum: 500", "minimum: 1", "line"),
        ("[number, string]", "[number]", "amount: a decimal is sent as a string"),
    ],
)
def test_what_would_take_a_tag_back_or_has_no_form_is_refused_by_name_and_nothing_is_written(
    path: Path, old: str, new: str, told: str
) -> None:
    assert TEXT.count(old) == 1
    before = path.with_name("purchases.tags.toml").read_bytes()
    changed = TEXT.replace(old, new)
    if told == "line":
        changed = changed.replace("physicalType: smallint", "physicalType: bigint")
    path.write_text(changed, encoding="utf-8")
    said = call("contract", "proto", str(path))
    assert said.returncode == 2
    assert told in said.stderr
    assert path.with_name("purchases.tags.toml").read_bytes() == before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("optional bool gift", "optional int32 gift"),
        ("optional string bought_on", "optional int64 bought_on"),
        ("optional string exchange_rate", "optional int64 exchange_rate"),
    ],
)
def test_a_type_whose_values_are_never_taken_does_not_suit_a_field(
    path: Path, tmp_path: Path, old: str, new: str
) -> None:
    source = path.with_name("purchases.proto")
    assert source.read_text().count(old) == 1
    source.write_text(source.read_text().replace(old, new))
    path.with_name("purchases.binpb").write_bytes(descriptor_set(tmp_path, "purchases.proto"))
    with pytest.raises(ProtobufMismatch, match=f"{new.split()[2]}: int.. does not suit"):
        load_schema(PURCHASES, path)
