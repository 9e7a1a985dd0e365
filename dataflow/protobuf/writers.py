"""Whether what was written with a producer's own registered Protobuf type may be read as the contract's."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)
from google.protobuf.message import DecodeError

from dataflow.protobuf.schema import ProtobufField, ProtobufSchema


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The registered text is not what it should be."""

    why: str


@dataclass(frozen=True, slots=True)
class NoSuchType:
    """The message indexes lead to no type in the writer's file."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """The writer's type and the contract's disagree in these ways."""

    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Agreement:
    """What was written with it may be read as the contract's message."""

    names: Mapping[int, str]
    """The writer's name of each tag that the contract does not know."""


WriterOpinion = Agreement | Disagreement | NoSuchType | Unreadable


def compare(text: str, path: Sequence[int], schema: ProtobufSchema) -> WriterOpinion:
    """The writer's type, at `path` in the file of `text` (base64), against the contract's. Never raises.

    They agree when every field of the contract that the writer has bears the same tag, name and type, none
    that is required is missing, and no number of an enumeration means another word. Fields that only the
    writer has are unknown fields. An enumeration that the file imports can't be looked into.
    """
    try:
        file = FileDescriptorProto.FromString(b64decode(text, validate=True))
    except (binascii.Error, ValueError, DecodeError):
        return Unreadable("it is no serialized file descriptor; does the registry know format=serialized?")
    writer = _type_at(file, path)
    if writer is None:
        return NoSuchType()
    enums = dict(_enums(file))
    problems = [problem for ours in schema.fields for problem in _problems(ours, writer, schema, enums)]
    if problems:
        return Disagreement(tuple(problems))
    known = {ours.tag for ours in schema.fields}
    return Agreement({field.number: field.name for field in writer.field if field.number not in known})


def _type_at(file: FileDescriptorProto, path: Sequence[int]) -> DescriptorProto | None:
    types: Sequence[DescriptorProto] = file.message_type
    found = None
    for index in path:
        if index >= len(types):
            return None
        found = types[index]
        types = found.nested_type
    return found


def _enums(file: FileDescriptorProto) -> Iterator[tuple[str, EnumDescriptorProto]]:
    """Every enumeration of the file by its full name, as a field names its type."""
    package = f".{file.package}" if file.package else ""
    waiting: list[tuple[str, DescriptorProto | FileDescriptorProto]] = [(package, file)]
    while waiting:
        prefix, holder = waiting.pop()
        for enum in holder.enum_type:
            yield f"{prefix}.{enum.name}", enum
        nested = holder.message_type if isinstance(holder, FileDescriptorProto) else holder.nested_type
        waiting += [(f"{prefix}.{inner.name}", inner) for inner in nested]


def _problems(
    ours: ProtobufField,
    writer: DescriptorProto,
    schema: ProtobufSchema,
    enums: Mapping[str, EnumDescriptorProto],
) -> Iterator[str]:
    name = ours.field.name
    theirs = next((field for field in writer.field if field.number == ours.tag), None)
    if theirs is None:
        moved = next((field.number for field in writer.field if field.name == name), None)
        if moved is not None:
            yield f"{name} has the tag {moved} instead of {ours.tag}"
        elif ours.field.required:
            yield f"{name} is missing"
        return
    if theirs.name != name:
        yield f"the tag {ours.tag} is {theirs.name} instead of {name}"
        return
    own = schema.descriptor.fields_by_name[name]
    same_message = own.message_type is None or theirs.type_name == f".{own.message_type.full_name}"
    if (
        theirs.label == FieldDescriptorProto.LABEL_REPEATED
        or int(theirs.type) != own.type
        or not same_message
    ):
        yield f"{name} is of another type"
        return
    for value in enums[theirs.type_name].value if theirs.type_name in enums else ():
        known = own.enum_type.values_by_number.get(value.number) if own.enum_type else None
        if known is not None and known.name != value.name:
            yield f"{name}: the number {value.number} is {value.name} instead of {known.name}"
