"""The contract's message as a Protobuf type, checked against the contract and against the record of tags.

Names, types and tags are part of the agreement: a producer's compiled code knows a field by its tag alone.
The record beside the `.proto` tells which tag a field has had since it was first released; a field that is
gone, renumbered or of another type is refused, in the tests and whenever the program starts.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from importlib import resources
from pathlib import Path
from typing import Any, cast

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from dataflow.contract import Contract, ContractError
from dataflow.contracts import messages_pb2
from dataflow.fields import (
    BooleanField,
    DateField,
    DecimalField,
    Field,
    IntegerField,
    TextField,
    TimestampField,
)

TIMESTAMP = "google.protobuf.Timestamp"
RECORD = ".tags.toml"
CONTRACT_FILE = ".odcs.yaml"


class ProtobufMismatch(ContractError):
    """The Protobuf schema is not the contract's. `problems` lists every fault as `field: what is wrong`."""


class Form(Enum):
    """What a field is in Protobuf, and so how it is read."""

    TEXT = "string"
    WORD = "enum"
    NUMBER = "integer"
    INSTANT = "timestamp"
    PLAIN = "plain"
    """Another scalar, handed to the validator as it is."""


_INTEGERS = {
    *(FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_SINT32, FieldDescriptor.TYPE_SFIXED32),
    *(FieldDescriptor.TYPE_INT64, FieldDescriptor.TYPE_SINT64, FieldDescriptor.TYPE_SFIXED64),
    *(FieldDescriptor.TYPE_UINT32, FieldDescriptor.TYPE_FIXED32),
    *(FieldDescriptor.TYPE_UINT64, FieldDescriptor.TYPE_FIXED64),
}
_STRING = FieldDescriptor.TYPE_STRING
_TYPE_NAMES = {
    getattr(FieldDescriptor, name): name.removeprefix("TYPE_").lower()
    for name in dir(FieldDescriptor)
    if name.startswith("TYPE_")
}


@dataclass(frozen=True, slots=True)
class ProtobufField:
    """One field of the contract in its Protobuf form."""

    field: Field
    tag: int
    form: Form
    words: Mapping[int, str]
    """Number to word of the enumeration; empty for other forms."""


@dataclass(frozen=True, slots=True)
class ProtobufSchema:
    """The contract's message in Protobuf, checked."""

    message: type[Message]
    fields: tuple[ProtobufField, ...]
    """In the contract's order."""

    @property
    def descriptor(self) -> Descriptor:
        """The type's description."""
        return cast(Descriptor, self.message.DESCRIPTOR)


@dataclass(frozen=True, slots=True)
class Beside:
    """The files of the Protobuf form of a contract of one's own."""

    proto: Path
    record: Path
    descriptors: Path


def beside(contract: Path) -> Beside:
    """Where they lie when the contract's file is this one."""
    stem = contract.name.removesuffix(CONTRACT_FILE)
    names = (contract.with_name(stem + ending) for ending in (".proto", RECORD, ".binpb"))
    return Beside(*names)


def load(contract: Contract, path: Path | None) -> ProtobufSchema | None:
    """The Protobuf form of a contract; None when it has none.

    The packaged contract (`path` is None) has its generated module. A contract of your own, `X.odcs.yaml`,
    has one when its record `X.tags.toml` lies beside it, with `X.binpb`, the `.proto` as a descriptor set:
    `contract proto` writes both. Raises ProtobufMismatch with every fault, and
    OSError.
    """
    if path is None:
        packaged = resources.files("dataflow").joinpath("contracts", f"messages{RECORD}")
        return check(contract, messages_pb2.Message, packaged.read_text(encoding="utf-8"))
    lies = beside(path)
    record, descriptors = lies.record, lies.descriptors
    if not has_form(path):
        return None
    if not record.exists():
        raise ProtobufMismatch(str(record), [f"is missing beside {descriptors.name}; copy it too"])
    try:
        text = record.read_text(encoding="utf-8")
    except UnicodeDecodeError as fault:
        raise ProtobufMismatch(str(record), [f"byte {fault.start}: not UTF-8"]) from None
    named = _parsed(str(record), text).get("message")
    if not isinstance(named, str):
        told = 'lacks the key message, the full name of the type, as in message = "shop.v1.Purchase"'
        raise ProtobufMismatch(str(record), [told])
    try:
        files = FileDescriptorSet.FromString(descriptors.read_bytes())
        pool = DescriptorPool()
        for file in files.file:
            pool.Add(file)
        message = GetMessageClass(pool.FindMessageTypeByName(named))
    except FileNotFoundError:
        made = f"protoc --include_imports --descriptor_set_out={descriptors.name} FILE.proto"
        told = f"is missing beside {record.name}; copy it too, or make it: {made}"
        raise ProtobufMismatch(str(descriptors), [told]) from None
    except (DecodeError, TypeError, KeyError) as fault:
        raise ProtobufMismatch(
            str(descriptors), [f"no descriptor set with the message {named!r}: {type(fault).__name__}"]
        ) from fault
    return check(contract, message, text)


def has_form(path: Path) -> bool:
    """Whether anything of a Protobuf form lies beside a contract file; one file of the two is a fault."""
    lies = beside(path)
    return lies.record.exists() or lies.descriptors.exists()


def check(contract: Contract, message: type[Message], record: str) -> ProtobufSchema:
    """The schema, when type, contract and record (the text of its file) agree. Raises ProtobufMismatch."""
    descriptor = cast(Descriptor, message.DESCRIPTOR)
    problems = [*against_record(descriptor, record)]
    fields: list[ProtobufField] = []
    known = descriptor.fields_by_name
    for field in contract.fields:
        if field.name not in known:
            problems.append(f"{field.name}: the message lacks it; add it with a new tag")
            continue
        found = _read(field, known[field.name], problems)
        if found is not None:
            fields.append(found)
    for name in set(known) - {field.name for field in contract.fields}:
        problems.append(f"{name}: the contract has no such field")
    if problems:
        raise ProtobufMismatch(descriptor.full_name, problems)
    return ProtobufSchema(message, tuple(fields))


def _read(field: Field, found: FieldDescriptor, problems: list[str]) -> ProtobufField | None:
    if found.is_repeated or not found.has_presence:
        problems.append(f"{field.name}: must be `optional`, or a field not sent looks like one sent empty")
        return None
    words: Mapping[int, str] = {}
    if isinstance(field, TextField):
        form = Form.TEXT if found.type == FieldDescriptor.TYPE_STRING else None
        if field.values and found.enum_type is not None:
            form = Form.WORD
            words = _words(field, found.enum_type, problems)
    elif isinstance(field, IntegerField):
        form = Form.NUMBER if found.type in _INTEGERS else None
    elif isinstance(field, TimestampField):
        is_timestamp = found.message_type is not None and found.message_type.full_name == TIMESTAMP
        form = Form.INSTANT if is_timestamp else None
    else:
        form = Form.PLAIN if found.type in _plain_types(field) else None
    if form is None:
        problems.append(f"{field.name}: {type_of(found)} does not suit a {type(field).__name__}")
        return None
    return ProtobufField(field, found.number, form, words)


def _plain_types(field: BooleanField | DateField | DecimalField) -> set[int]:
    """The scalar types whose values the field's check may take."""
    if isinstance(field, BooleanField):
        return {FieldDescriptor.TYPE_BOOL}
    exact = set() if isinstance(field, DecimalField) and str not in field.kinds else {_STRING}
    return exact | (_INTEGERS if isinstance(field, DecimalField) and int in field.kinds else set())


def _words(field: TextField, enum: EnumDescriptor, problems: list[str]) -> Mapping[int, str]:
    """Number to word; the number 0 stands for no word, unless the contract has one of its name."""
    prefix = f"{upper_snake(enum.name)}_"
    expected = {f"{prefix}{word.upper()}": word for word in field.values}
    named = {value.name: value.number for value in enum.values}
    for name in expected.keys() - named.keys():
        problems.append(f"{field.name}: {enum.name} lacks {name}")
    for name in named.keys() - expected.keys():
        if named[name]:
            problems.append(f"{field.name}: the contract has no word for {name}")
    return {number: expected[name] for name, number in named.items() if name in expected}


def upper_snake(name: str) -> str:
    """What the names of an enumeration's values begin with."""
    return "".join(f"_{c}" if c.isupper() and at else c for at, c in enumerate(name)).upper()


def type_of(field: FieldDescriptor) -> str:
    """A field's type as the `.proto` writes it, with its full name."""
    if field.message_type is not None:
        return field.message_type.full_name
    return field.enum_type.full_name if field.enum_type is not None else _TYPE_NAMES[field.type]


def recorded(descriptor: Descriptor) -> dict[str, Any]:
    """What the record of tags must hold of a message type."""
    enums = {field.enum_type.full_name: field.enum_type for field in descriptor.fields if field.enum_type}
    return {
        "message": descriptor.full_name,
        "fields": {field.name: f"{type_of(field)} = {field.number}" for field in descriptor.fields},
        "enums": {name: {value.name: value.number for value in enum.values} for name, enum in enums.items()},
    }


def _parsed(name: str, record: str) -> dict[str, Any]:
    try:
        return tomllib.loads(record)
    except tomllib.TOMLDecodeError as fault:
        raise ProtobufMismatch(name, [f"the record of tags is no TOML: {fault}"]) from None


def against_record(descriptor: Descriptor, record: str) -> Iterator[str]:
    """What has changed that must never change, and what is not recorded yet. Raises ProtobufMismatch."""
    is_now, was = _flat(recorded(descriptor)), _flat(_parsed(descriptor.full_name, record))
    for path, before in was.items():
        after = is_now.get(path)
        if after is None:
            yield f"{path}: was {before} and is gone; producers still send it, so it must stay"
        elif after != before:
            yield f"{path}: was {before} and is now {after}; what was sent before would be read as another"
    for path in is_now.keys() - was.keys():
        yield f"{path}: is not in the record of tags; `make proto` or `contract proto` adds it"


def _flat(tree: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{path}{name}: ")
        else:
            flat[f"{path}{name}"] = value
    return flat
