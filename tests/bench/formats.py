"""Decode and validate: Protobuf against JSON, the same messages by turns in the same process."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from connectors.framing import SchemaReference
from connectors.items import Batch, StoredRecord, WriterSchema
from dataflow.contract import load
from dataflow.decoder import Decoder
from dataflow.model import MessageFormat, MessageFraming
from dataflow.protobuf import schema
from dataflow.validate import Validator
from tests.bench.figures import Cell, Figure, Report, Table, quotients
from tests.bench.job import as_the_program_collects
from tests.bench.occasion import Occasion, Size
from tests.bench.workload import BATCH, DAY, SEED
from tests.protobuf.writing import by_id
from tests.standins.registry import protobuf_schema
from tests.standins.traffic import DeadLetterOutcome, Form, generate

MICRO = 1e6
READ_AT = datetime(2026, 1, 2, tzinfo=UTC)
_ID = 7


@dataclass(frozen=True, slots=True)
class _Plan:
    messages: int
    repetitions: int


_PLANS = {Size.QUICK: _Plan(2_000, 3), Size.USUAL: _Plan(20_000, 25), Size.LONG: _Plan(50_000, 51)}


@dataclass(frozen=True, slots=True)
class _Way:
    """A topic of one form, and how it is read."""

    name: str
    decoder: Decoder
    validator: Validator
    batches: Sequence[Batch]


def run(occasion: Occasion) -> Report:
    """Messages that keep the contract: those that break it are rare, and take the long way in both."""
    plan = _PLANS[occasion.size]
    values = {form: _values(plan.messages, form) for form in (Form.JSON, Form.PROTOBUF)}
    ways = _ways(values[Form.JSON], values[Form.PROTOBUF])
    decoding: defaultdict[str, list[float]] = defaultdict(list)
    validating: defaultdict[str, list[float]] = defaultdict(list)
    count = len(values[Form.JSON])
    with as_the_program_collects():
        for number in range(plan.repetitions):
            occasion.tell(f"repetition {number + 1} of {plan.repetitions}")
            for way in ways:
                decode, validate = _spent(way)
                decoding[way.name].append(decode / count * MICRO)
                validating[way.name].append(validate / count * MICRO)
    whole = {
        way.name: [a + b for a, b in zip(decoding[way.name], validating[way.name], strict=True)]
        for way in ways
    }
    base = whole[ways[0].name]
    rows: list[tuple[Cell, ...]] = [
        (
            way.name,
            Figure(tuple(decoding[way.name])),
            Figure(tuple(validating[way.name])),
            Figure(tuple(whole[way.name])),
            quotients(whole[way.name], base),
        )
        for way in ways
    ]
    ratio = quotients(whole[ways[1].name], base).median
    sizes = [sum(map(len, values[form])) / count for form in (Form.JSON, Form.PROTOBUF)]
    return Report(
        measured=(
            f"{count:,} messages of contract traffic, all of them rows ({sizes[0]:.0f} bytes of JSON, "
            f"{sizes[1]:.0f} of Protobuf), in batches of {BATCH}, n = {plan.repetitions} rounds of all "
            "ways by turns in one process. CPU time of the thread."
        ),
        tables=(
            Table(
                ("way", "decode, µs", "validate, µs", "both, µs per message", "both / JSON's"), tuple(rows)
            ),
        ),
        observations=(f"Protobuf costs {ratio:.2f} times what JSON does.",),
    )


def _values(messages: int, form: Form) -> list[bytes]:
    return [
        message.value
        for message in generate(messages, SEED, DAY, form).messages
        if message.value is not None and not isinstance(message.outcome, DeadLetterOutcome)
    ]


def _ways(json: Sequence[bytes], protobuf: Sequence[bytes]) -> list[_Way]:
    contract = load()
    message = schema.load(contract, None)
    assert message is not None
    registered = protobuf_schema(message.message)
    schemas: dict[SchemaReference, WriterSchema | None] = {
        _ID: WriterSchema(registered.kind, registered.serialized)
    }
    framed = [by_id(value, _ID) for value in protobuf]

    def way(
        name: str,
        message_format: MessageFormat,
        framing: MessageFraming,
        values: Sequence[bytes],
        known: dict[SchemaReference, WriterSchema | None] | None = None,
    ) -> _Way:
        decoder = Decoder(contract, message, message_format, framing)
        return _Way(name, decoder, Validator(contract, decoder.message_rows), _batches(values, known))

    auto, none, confluent = MessageFraming.AUTO, MessageFraming.NONE, MessageFraming.CONFLUENT
    return [
        way("JSON", MessageFormat.JSON, none, json),
        way("Protobuf", MessageFormat.PROTOBUF, none, protobuf),
        way("JSON, sniffed", MessageFormat.AUTO, auto, json),
        way("Protobuf, sniffed", MessageFormat.AUTO, auto, protobuf),
        way("Protobuf, framed", MessageFormat.PROTOBUF, confluent, framed),
        way("Protobuf, framed, with a registry", MessageFormat.PROTOBUF, confluent, framed, schemas),
    ]


def _batches(
    values: Sequence[bytes], schemas: dict[SchemaReference, WriterSchema | None] | None
) -> list[Batch]:
    found: list[Batch] = []
    for first in range(0, len(values), BATCH):
        records = tuple(
            StoredRecord(at, value) for at, value in enumerate(values[first : first + BATCH], first)
        )
        found.append(
            Batch("messages", 0, 1, first, first + len(records), READ_AT, 0, records, schemas=schemas)
        )
    return found


def _spent(way: _Way) -> tuple[float, float]:
    """CPU seconds of decode and of validate over all batches."""
    decoding = validating = 0.0
    for batch in way.batches:
        began = time.thread_time()
        decoded = way.decoder.decode(batch)
        between = time.thread_time()
        checked = way.validator.validate(decoded)
        validating += time.thread_time() - between
        decoding += between - began
        assert len(checked.rows) == len(batch.records)
    return decoding, validating
