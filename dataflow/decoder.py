"""Bytes to objects whatever form they come in: JSON or Protobuf, bare or in Confluent's frame.

Nothing here raises. Besides the codes of `dataflow.decode` (JSON) and `dataflow.protobuf.decode`, a dead
letter may have one of these:

====================== =================================================================================
`broken_frame`         a frame begins, and its schema id or its message indexes do not come
`unframed`             `MessageFraming.CONFLUENT` asks for a frame, and there is none
`unknown_schema`       the registry knows no schema of this id
`unreadable_schema`    the registered text is not a schema of its kind
`incompatible_schema`  by the registered schema no message can keep the contract, or it is of another format
`wrong_message_type`   the message indexes name another type than the contract's
====================== =================================================================================

Bytes tell the formats apart: neither JSON nor Protobuf begins with 0 or 1, as a frame does; JSON objects
begin with `{`, which would be the start of a group to Protobuf.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from connectors.framing import FIRST, BrokenFrame, Frame, Framing, SchemaReference, read_frame, read_indexes
from connectors.items import Batch, Record, WriterSchema
from dataflow.contract import Contract
from dataflow.decode import MAX_VALUE_BYTES, decode_value
from dataflow.json_rows import compile_json_rows
from dataflow.json_schemas import disagreements
from dataflow.model import (
    DeadLetter,
    Decoded,
    Document,
    MessageFormat,
    MessageFraming,
    Row,
    Violation,
)
from dataflow.protobuf.decode import NO_NAMES, ProtobufReader
from dataflow.protobuf.rows import compile_rows
from dataflow.protobuf.schema import ProtobufSchema
from dataflow.protobuf.writers import Agreement, Disagreement, NoSuchType, Unreadable, compare
from dataflow.rows import Horizons, horizons_of
from dataflow.validate import RowValues

CODES = frozenset(
    {
        *("broken_frame", "unframed", "unknown_schema", "unreadable_schema", "incompatible_schema"),
        "wrong_message_type",
    }
)
"""Every code that this step gives of its own."""
MAX_DECISIONS = 1000
"""Schemas whose verdict is kept; a topic has a handful."""
_JSON, _PROTOBUF, _UNKNOWN = "json", "protobuf", "unknown"

_Outcome = Any
"""A row, a dictionary (named values), a Protobuf message, a Violation; or bytes that a frame calls JSON."""


@dataclass(frozen=True, slots=True)
class _Read:
    """How to read what follows the frame: as JSON, or as Protobuf with the writer's names of unknown tags."""

    form: str
    names: Mapping[int, str]


class Decoder:
    """Decodes batches of one topic. Remembers what it thinks of a registered schema, nothing of messages."""

    def __init__(
        self,
        contract: Contract,
        protobuf: ProtobufSchema | None = None,
        message_format: MessageFormat = MessageFormat.JSON,
        framing: MessageFraming = MessageFraming.NONE,
    ) -> None:
        """`protobuf` is the contract's message in Protobuf, if it has one: without, everything is JSON.

        Raises ValueError when the format is Protobuf all the same.
        """
        if protobuf is None and message_format is MessageFormat.PROTOBUF:
            raise ValueError("the contract has no Protobuf form")
        self._contract = contract
        self._json = compile_json_rows(contract)
        self._horizons = horizons_of(contract)
        self._schema = protobuf
        self._reader = None if protobuf is None else ProtobufReader(protobuf)
        self._format = MessageFormat.JSON if protobuf is None else message_format
        self._is_json = self._format is MessageFormat.JSON
        self._framing = framing
        self._decisions: dict[tuple[SchemaReference, tuple[int, ...]], _Read | Violation] = {}

    def message_rows(self, row_values: RowValues) -> RowValues:
        """The checks of Protobuf messages, for the validator whose checks of named values these are."""
        if self._schema is None or self._reader is None:
            return row_values
        fields_of = self._reader.fields_of
        return compile_rows(
            self._contract, self._schema, lambda message, found: row_values(fields_of(message), found)
        )

    def decode(self, batch: Batch) -> Decoded:
        """Every record of the batch as a row, a document, a message or a dead letter. Never raises."""
        rows: list[Row] = []
        documents: list[Document] = []
        messages: list[tuple[Record, Any]] = []
        dead_letters: list[DeadLetter] = []
        forms: dict[tuple[str, str], int] = {}
        # The two common cases without a frame are read right here; everything else by _read.
        bare = self._framing is MessageFraming.NONE or (
            self._framing is MessageFraming.AUTO and batch.schemas is None
        )
        as_object = bare and self._format is not MessageFormat.PROTOBUF
        read_message = self._reader.read if bare and self._reader and not self._is_json else None
        never_framed = self._framing is MessageFraming.NONE
        horizons = self._horizons(batch.polled_at)
        others: Sequence[Record] = batch.records
        if as_object:
            rows, others = self._json.many(batch.records, horizons)
        objects = plain = len(rows)
        bare_messages = 0
        for record in others:
            value = record.value()
            if as_object and value and value[0] == _BRACE:
                objects += 1
                outcome: _Outcome = decode_value(value)
            elif (
                read_message is not None
                and value
                and value[0] > 1
                and len(value) <= MAX_VALUE_BYTES
                and (never_framed or not record.headers())
                and type(outcome := read_message(value)) is not Violation
            ):
                bare_messages += 1
            else:
                outcome, form = self._read(value, record, batch.schemas, horizons)
                forms[form] = forms.get(form, 0) + 1
            if type(outcome) is Row:
                rows.append(outcome)
            elif type(outcome) is dict:
                documents.append((record, outcome))
            elif type(outcome) is Violation:
                dead_letters.append(DeadLetter(record, (outcome,)))
            else:
                messages.append((record, outcome))
        if len(rows) > plain > 0:
            rows.sort(key=attrgetter("offset"))
        for form, count in (((_JSON, _BARE), objects), ((_PROTOBUF, _BARE), bare_messages)):
            if count:
                forms[form] = forms.get(form, 0) + count
        return Decoded(batch, tuple(rows), tuple(documents), tuple(dead_letters), tuple(messages), forms)

    def _read(
        self,
        value: bytes | None,
        record: Record,
        schemas: Mapping[SchemaReference, WriterSchema | None] | None,
        horizons: Horizons,
    ) -> tuple[_Outcome, tuple[str, str]]:
        """The outcome, and (format, framing)."""
        if value is None or len(value) > MAX_VALUE_BYTES:
            return decode_value(value), (_UNKNOWN, _BARE)
        if self._framing is MessageFraming.NONE:
            return self._read_bare(value)
        frame = read_frame(value, record.headers())
        if type(frame) is BrokenFrame:
            return _wrong("broken_frame", f"the message {frame.value}"), (_UNKNOWN, _BARE)
        if type(frame) is not Frame:
            if self._framing is MessageFraming.CONFLUENT and value:
                return _wrong("unframed", "no schema id comes with the message; send one with each"), (
                    _UNKNOWN,
                    _BARE,
                )
            return self._read_bare(value)
        if schemas is None:
            outcome, form = self._read_stripped(frame)
        else:
            outcome, form = self._read_registered(frame, schemas[frame.reference])
        if type(outcome) is bytes:
            outcome = self._json.one(outcome, record.offset(), horizons) or decode_value(outcome)
        return outcome, (form, frame.framing.value)

    def _read_bare(self, value: bytes) -> tuple[_Outcome, tuple[str, str]]:
        reader = self._reader
        if self._format is MessageFormat.JSON or reader is None:
            return decode_value(value), (_JSON, _BARE)
        outcome = reader.read(value)
        if (
            self._format is MessageFormat.AUTO
            and type(outcome) is Violation
            and (0x20 <= (value or b" ")[0] < 0x7F or value.lstrip()[:1] in (b"", b"{", b"["))
        ):
            return decode_value(value), (_JSON, _BARE)
        return outcome, (_PROTOBUF, _BARE)

    def _read_stripped(self, frame: Frame) -> tuple[_Outcome, str]:
        """A framed message without a registry: the frame is taken off."""
        reader = self._reader
        is_json = frame.body[:1] == b"{" if frame.indexes is None else not frame.indexes
        if (
            reader is None
            or self._format is MessageFormat.JSON
            or (self._format is MessageFormat.AUTO and is_json)
        ):
            return frame.body, _JSON
        found = _indexed(frame)
        if found is None:
            return _NO_INDEXES, _PROTOBUF
        path, body = found
        if path != FIRST.path:
            return _wrong(
                "wrong_message_type",
                f"the message indexes are {list(path)}; without a registry only a file's first type is read",
            ), _PROTOBUF
        return reader.read(body), _PROTOBUF

    def _read_registered(self, frame: Frame, schema: WriterSchema | None) -> tuple[_Outcome, str]:
        if schema is None:
            return _wrong(
                "unknown_schema", f"the registry knows no schema {_told(frame.reference)}; register it first"
            ), _UNKNOWN
        path: tuple[int, ...] = ()
        body = frame.body
        if schema.kind == "PROTOBUF":
            found = _indexed(frame)
            if found is None:
                return _NO_INDEXES, _PROTOBUF
            path, body = found
        decision = self._decisions.get((frame.reference, path))
        if decision is None:
            if len(self._decisions) >= MAX_DECISIONS:
                self._decisions.clear()
            decision = self._decisions[frame.reference, path] = self._decide(frame.reference, schema, path)
        if isinstance(decision, Violation):
            return decision, _PROTOBUF if schema.kind == "PROTOBUF" else _JSON
        if decision.form == _JSON:
            return body, _JSON
        assert self._reader is not None
        return self._reader.read(body, decision.names), _PROTOBUF

    def _decide(
        self, reference: SchemaReference, schema: WriterSchema, path: Sequence[int]
    ) -> _Read | Violation:
        told = f"schema {_told(reference)}"
        accepted = [_JSON, _PROTOBUF] if self._format is MessageFormat.AUTO else [self._format.value]
        if schema.kind.lower() not in accepted:
            return _wrong("incompatible_schema", f"{told} is of another format; send {' or '.join(accepted)}")
        if schema.kind == "JSON":
            problems = disagreements(schema.text, self._contract)
            if problems is None:
                return _wrong("unreadable_schema", f"{told} is no JSON Schema")
            return _incompatible(told, problems) if problems else _Read(_JSON, NO_NAMES)
        assert self._schema is not None
        match compare(schema.text, path, self._schema):
            case Unreadable(why):
                return _wrong("unreadable_schema", f"{told} can't be read: {why}")
            case NoSuchType():
                return _wrong(
                    "wrong_message_type", f"{told} has no type with the message indexes {list(path)}"
                )
            case Disagreement(problems):
                return _incompatible(told, problems)
            case Agreement(names):
                return _Read(_PROTOBUF, names)


_BRACE = ord("{")
_BARE = Framing.NONE.value


def _wrong(code: str, message: str) -> Violation:
    return Violation("", code, message)


_NO_INDEXES = _wrong("broken_frame", "the message has no message indexes after its schema's id")


def _incompatible(told: str, problems: Sequence[str]) -> Violation:
    return _wrong("incompatible_schema", f"{told} does not agree with the contract: {'; '.join(problems)}")


def _indexed(frame: Frame) -> tuple[tuple[int, ...], bytes] | None:
    """The path of message indexes and what follows it."""
    if frame.indexes is not None:
        indexes = read_indexes(frame.indexes)
        return None if indexes is None else (indexes.path, frame.body)
    indexes = read_indexes(frame.body)
    return None if indexes is None else (indexes.path, frame.body[indexes.end :])


def _told(reference: SchemaReference) -> str:
    return str(reference) if isinstance(reference, int) else reference.hex()
