"""A contract's message written as Protobuf: the `.proto`, its descriptor set and its record of tags.

No compiler is needed: the descriptor is built as protoc would build it of the `.proto` that is written.
Tags and numbers that the record has are kept, what is new gets the next free ones.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from itertools import count
from pathlib import Path
from typing import Any

from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.timestamp_pb2 import DESCRIPTOR as TIMESTAMP_FILE

from dataflow.contract import Contract
from dataflow.fields import BooleanField, DecimalField, Field, IntegerField, TextField, TimestampField
from dataflow.protobuf.schema import (
    TIMESTAMP,
    ProtobufMismatch,
    against_record,
    beside,
    recorded,
    upper_snake,
)

MESSAGE = "Message"
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESERVED_TAGS = range(19_000, 20_000)
"""Protobuf keeps these to itself."""
_UNSENT = "UNSPECIFIED"


@dataclass(frozen=True, slots=True)
class ProtobufForm:
    """What lies beside a contract file of one's own."""

    proto: str
    """The `.proto`, for producers to compile."""
    record: str
    """The record of tags, TOML: it is kept for ever, and read when this is made again."""
    descriptors: bytes
    """The `.proto` as a descriptor set, with what it imports."""


def write(contract: Contract, name: str, record: str | None) -> ProtobufForm:
    """The Protobuf form of a contract; `name` is that of the `.proto`, `record` the text of the one there is.

    Raises ProtobufMismatch when something that was recorded would be gone or changed, or when a decimal
    takes no strings: Protobuf has no other exact form of one.
    """
    known = _known(record)
    problems = [
        f"{field.name}: a decimal is sent as a string, which acceptedTypes must list"
        for field in contract.fields
        if isinstance(field, DecimalField) and "string" not in field.accepts
    ]
    if problems:
        raise ProtobufMismatch(name, problems)
    full_name = str(known.get("message") or _default_name(contract))
    package, _, message = full_name.rpartition(".")
    file = _file(contract, name, package, message, known)
    pool = DescriptorPool()
    pool.AddSerializedFile(TIMESTAMP_FILE.serialized_pb)
    pool.Add(file)
    descriptor = pool.FindMessageTypeByName(full_name)
    if record is not None:
        told = [each for each in against_record(descriptor, record) if ": was " in each]
        if told:
            raise ProtobufMismatch(name, told)
    imported = [FileDescriptorProto.FromString(TIMESTAMP_FILE.serialized_pb)] if file.dependency else []
    return ProtobufForm(
        _source(contract, file),
        record_of(
            descriptor,
            f"The tags of {name}, as they were first released. `contract proto` adds what is new; nothing "
            "here ever changes.",
        ),
        FileDescriptorSet(file=[*imported, file]).SerializeToString(deterministic=True),
    )


def source(contract: Contract, path: Path | None) -> str | None:
    """The `.proto` of the contract in `path` (None: the packaged one); None when its messages are JSON.

    What lies beside the file, or what `write` would put there. Raises ProtobufMismatch and OSError.
    """
    if contract.terms.kafka.format == "json":
        return None
    if path is None:
        return resources.files("dataflow").joinpath("contracts", "messages.proto").read_text(encoding="utf-8")
    files = beside(path)
    if files.proto.exists():
        return files.proto.read_text(encoding="utf-8")
    record = files.record.read_text(encoding="utf-8") if files.record.exists() else None
    return write(contract, files.proto.name, record).proto


def record_of(descriptor: Descriptor, heading: str) -> str:
    """The text of the record of tags."""
    wanted = recorded(descriptor)
    lines = [f"# {heading}", f'message = "{wanted["message"]}"', "", "[fields]"]
    lines += [f'{name} = "{told}"' for name, told in wanted["fields"].items()]
    for enum, values in wanted["enums"].items():
        lines += ["", f'[enums."{enum}"]', *(f"{name} = {number}" for name, number in values.items())]
    return "\n".join(lines) + "\n"


def _known(record: str | None) -> Mapping[str, Any]:
    try:
        return tomllib.loads(record or "")
    except tomllib.TOMLDecodeError as fault:
        raise ProtobufMismatch("tags", [f"the record of tags is no TOML: {fault}"]) from None


def _default_name(contract: Contract) -> str:
    return f"{contract.table.schema}.v{contract.version.partition('.')[0]}.{MESSAGE}"


def _file(
    contract: Contract, name: str, package: str, message: str, known: Mapping[str, Any]
) -> FileDescriptorProto:
    file = FileDescriptorProto(name=name, package=package, syntax="proto3")
    described = file.message_type.add(name=message)
    tags = {field: int(str(told).rpartition(" ")[2]) for field, told in known.get("fields", {}).items()}
    free = _free(tags.values())
    for field in contract.fields:
        made = described.field.add(
            name=field.name,
            number=tags.get(field.name) or next(free),
            label=FieldDescriptorProto.LABEL_OPTIONAL,
            proto3_optional=True,
            oneof_index=len(described.oneof_decl),
        )
        described.oneof_decl.add(name=f"_{field.name}")
        words = _words(field)
        if words:
            enum = _enum_name(field.name, message)
            made.type = FieldDescriptorProto.TYPE_ENUM
            made.type_name = f".{package}.{enum}"
            _add_enum(file, enum, words, known.get("enums", {}).get(f"{package}.{enum}", {}))
        elif isinstance(field, TimestampField):
            made.type = FieldDescriptorProto.TYPE_MESSAGE
            made.type_name = f".{TIMESTAMP}"
        else:
            made.type = _scalar(field)
    if any(isinstance(field, TimestampField) for field in contract.fields):
        file.dependency.append(TIMESTAMP_FILE.name)
    return file


def _scalar(field: Field) -> FieldDescriptorProto.Type.ValueType:
    """Decimals and days are text: exact, and as in JSON."""
    if isinstance(field, BooleanField):
        return FieldDescriptorProto.TYPE_BOOL
    if isinstance(field, IntegerField):
        fits = field.minimum >= -(2**31) and field.maximum < 2**31
        return FieldDescriptorProto.TYPE_INT32 if fits else FieldDescriptorProto.TYPE_INT64
    return FieldDescriptorProto.TYPE_STRING


def _words(field: Field) -> tuple[str, ...]:
    """The words of an enumeration; none when they can't be names of one, so that it stays a string."""
    if not isinstance(field, TextField):
        return ()
    names = [word.upper() for word in field.values]
    can_be = all(map(_IDENTIFIER.fullmatch, names)) and len(set(names)) == len(names) and _UNSENT not in names
    return field.values if can_be else ()


def _enum_name(field: str, message: str) -> str:
    name = "".join(part.capitalize() for part in field.split("_"))
    return f"{name}Word" if name == message else name


def _add_enum(file: FileDescriptorProto, name: str, words: tuple[str, ...], known: Mapping[str, int]) -> None:
    prefix = upper_snake(name)
    enum = file.enum_type.add(name=name)
    enum.value.add(name=f"{prefix}_{_UNSENT}", number=0)
    free = _free(known.values())
    for word in words:
        value = f"{prefix}_{word.upper()}"
        enum.value.add(name=value, number=known.get(value) or next(free))


def _free(taken: Iterable[int]) -> Iterator[int]:
    """Numbers above all that are taken."""
    return (at for at in count(max([0, *taken]) + 1) if at not in _RESERVED_TAGS)


def _source(contract: Contract, file: FileDescriptorProto) -> str:
    (message,) = file.message_type
    lines = [
        f"// {contract.name}, contract {contract.version}, as Protobuf: written by `contract proto`.",
        "//",
        "// Every field is `optional`, so that a reader can tell one that was not sent from one sent empty.",
        "// A tag is given to one field for ever.",
        'syntax = "proto3";',
        "",
        f"package {file.package};",
        "",
        *(line for each in file.dependency for line in (f'import "{each}";', "")),
        f"message {message.name} {{",
    ]
    told = {each.name: each.description for each in contract.terms.properties}
    for field in message.field:
        text = " ".join(told[field.name].split())
        lines += [f"  // {text}"] if text else []
        kind = (
            field.type_name.removeprefix(".").removeprefix(f"{file.package}.")
            if field.type_name
            else FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()
        )
        lines.append(f"  optional {kind} {field.name} = {field.number};")
    lines.append("}")
    for enum in file.enum_type:
        lines += ["", f"enum {enum.name} {{"]
        lines += [f"  {value.name} = {value.number};" for value in enum.value]
        lines.append("}")
    return "\n".join(lines) + "\n"
