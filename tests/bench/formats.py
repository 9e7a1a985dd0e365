"""Decode and validate: Protobuf against JSON, compiled against interpreted, by turns in the same process.

*Interpreted* is what the compiled functions stand for: every field looked up by name in a dictionary, and
handed to its check. Its rows are those of the compiled ways, or the benchmark ends.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from connectors.framing import SchemaReference
from connectors.items import Batch, StoredRecord, WriterSchema
from dataflow.checks import MISSING, across, field_check
from dataflow.contract import Contract, load
from dataflow.decode import decode
from dataflow.decoder import Decoder
from dataflow.fields import PresentUnless
from dataflow.model import Checked, Decoded, Document, MessageFormat, MessageFraming, Row, Violation
from dataflow.protobuf import schema
from dataflow.protobuf.decode import ProtobufReader
from dataflow.rows import compile_row, horizons_of
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
    decode: Callable[[Batch], Decoded]
    validate: Callable[[Decoded], Checked]
    batches: Sequence[Batch]


_JSON, _PROTOBUF = "JSON", "Protobuf"
_FRAMED_JSON, _FRAMED_PROTOBUF = "JSON, framed", "Protobuf, framed"
_INTERPRETED_JSON, _INTERPRETED_PROTOBUF = "JSON, interpreted", "Protobuf, interpreted"


def run(occasion: Occasion) -> Report:
    """Messages that keep the contract: those that break it are rare, and take the long way in both."""
    plan = _PLANS[occasion.size]
    values = {form: _values(plan.messages, form) for form in (Form.JSON, Form.PROTOBUF)}
    ways = _ways(values[Form.JSON], values[Form.PROTOBUF])
    _see_that_they_agree(ways)
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
        observations=(
            _compared("Bare", whole, _PROTOBUF, _JSON),
            _compared("In a frame", whole, _FRAMED_PROTOBUF, _FRAMED_JSON),
            _gained(whole, _INTERPRETED_JSON, _JSON),
            _gained(whole, _INTERPRETED_PROTOBUF, _PROTOBUF),
        ),
    )


def _see_that_they_agree(ways: Sequence[_Way]) -> None:
    rows = {way.name: way.validate(way.decode(way.batches[0])).rows for way in ways}
    assert all(found == rows[_JSON] for found in rows.values()), sorted(rows)


def _compared(where: str, whole: Mapping[str, Sequence[float]], protobuf: str, json: str) -> str:
    ratio = quotients(whole[protobuf], whole[json]).median
    verdict = "more than" if ratio > 1 else "no more than"
    return f"{where}, Protobuf costs {verdict} JSON: {ratio:.2f} times as much."


def _gained(whole: Mapping[str, Sequence[float]], interpreted: str, compiled: str) -> str:
    ratio = quotients(whole[interpreted], whole[compiled]).median
    return f"{compiled}: interpreted costs {ratio:.2f} times what compiled does."


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
    framed_json = [by_id(value, _ID, b"") for value in json]

    def way(
        name: str,
        message_format: MessageFormat,
        framing: MessageFraming,
        values: Sequence[bytes],
        known: dict[SchemaReference, WriterSchema | None] | None = None,
    ) -> _Way:
        decoder = Decoder(contract, message, message_format, framing)
        validator = Validator(contract, decoder.message_rows)
        return _Way(name, decoder.decode, validator.validate, _batches(values, known))

    auto, none, confluent = MessageFraming.AUTO, MessageFraming.NONE, MessageFraming.CONFLUENT
    interpreted = _interpreted(contract)
    by_name = _by_name(ProtobufReader(message))
    return [
        way(_JSON, MessageFormat.JSON, none, json),
        way(_PROTOBUF, MessageFormat.PROTOBUF, none, protobuf),
        way("JSON, sniffed", MessageFormat.AUTO, auto, json),
        way("Protobuf, sniffed", MessageFormat.AUTO, auto, protobuf),
        way(_FRAMED_JSON, MessageFormat.JSON, confluent, framed_json),
        way(_FRAMED_PROTOBUF, MessageFormat.PROTOBUF, confluent, framed),
        way("Protobuf, framed, with a registry", MessageFormat.PROTOBUF, confluent, framed, schemas),
        _Way(_INTERPRETED_JSON, decode, interpreted, _batches(json, None)),
        _Way(_INTERPRETED_PROTOBUF, by_name, interpreted, _batches(protobuf, None)),
    ]


def _interpreted(contract: Contract) -> Callable[[Decoded], Checked]:
    """Validate without what is compiled for the contract."""
    checks = [(field.name, field_check(field)) for field in contract.fields]
    rules = [across(rule) for rule in contract.rules if isinstance(rule, PresentUnless)]
    make_row, horizons_at = compile_row(contract), horizons_of(contract)

    def validate(decoded: Decoded) -> Checked:
        rows: list[Row] = []
        horizons = horizons_at(decoded.batch.polled_at)
        for record, fields in decoded.documents:
            found: list[Violation] = []
            values = tuple([check(fields.get(name, MISSING), found) for name, check in checks])
            for rule in rules:
                rule(fields, found)
            if not found:
                rows.append(make_row(record.offset(), values, horizons))
        return Checked(decoded.batch, tuple(rows), ())

    return validate


def _by_name(reader: ProtobufReader) -> Callable[[Batch], Decoded]:
    """Decode Protobuf to named values, as JSON comes."""

    def decode(batch: Batch) -> Decoded:
        documents: list[Document] = []
        for record in batch.records:
            message = reader.read(record.value() or b"")
            assert not isinstance(message, Violation)
            # One with unknown fields comes by name in any case.
            documents.append((record, message if isinstance(message, dict) else reader.fields_of(message)))
        return Decoded(batch, documents=tuple(documents))

    return decode


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
        decoded = way.decode(batch)
        between = time.thread_time()
        checked = way.validate(decoded)
        validating += time.thread_time() - between
        decoding += between - began
        assert len(checked.rows) == len(batch.records)
    return decoding, validating
