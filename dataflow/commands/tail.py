"""`tail`: messages, events and dead letters as they pass, with nothing in them that a person wrote."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any, TextIO

import orjson

from connectors.items import Batch, Record
from connectors.kafka_read import Polled, TopicReader
from dataflow.commands.access import kafka_access, topics_of
from dataflow.commands.forms import decoder_of
from dataflow.commands.schemas import schemas_of
from dataflow.commands.show import Form, json_line, moment
from dataflow.contract import Contract
from dataflow.dead_letters import read_letter
from dataflow.enrich import Enricher
from dataflow.fields import Field
from dataflow.model import Row, Value
from dataflow.settings import Settings
from dataflow.validate import Validator

SAFE_EVENT_FIELDS = ("kind", "platform", "rule", "span", "masked", "key_id", "origin")
"""What of an event is shown, besides the identity: never `value`, which only `CONTACT_VALUES=raw` sends."""


class Stream(Enum):
    """What to watch."""

    ROWS = "rows"
    EVENTS = "events"
    DEAD_LETTERS = "dead-letters"


@dataclass(frozen=True, slots=True)
class TailOrder:
    """What to show."""

    streams: frozenset[Stream]
    last: int
    """So many of what is there already, of each partition; then what comes."""
    most: int | None
    """End after so many; None: on a signal."""


def tail(
    settings: Settings,
    contract: Contract,
    order: TailOrder,
    stop: Callable[[], bool],
    form: Form,
    out: TextIO,
) -> int:
    """Show what passes until `stop`; 0. Raises KafkaTrouble, RegistryAway."""
    topics = topics_of(settings, contract)
    access = kafka_access(settings, topics)
    show = _Shower(settings, contract)
    left = order.most
    names = {
        Stream.ROWS: topics.source,
        Stream.EVENTS: topics.contacts,
        Stream.DEAD_LETTERS: topics.dead_letters,
    }
    with ExitStack() as readers:
        followed: list[tuple[Stream, Iterator[Polled]]] = []
        for stream in Stream:
            if stream in order.streams:
                reader = readers.enter_context(TopicReader(access, names[stream]))
                starts = {
                    partition: max(oldest, end - order.last)
                    for partition, (oldest, end) in reader.bounds().items()
                }
                followed.append((stream, reader.follow(starts, stop)))
        while not stop():
            for stream, polls in followed:
                for partition, record in _each(next(polls, {})):
                    told = show.of(stream, partition, record)
                    json_line(told, out) if form is Form.JSON else print(_line(told), file=out, flush=True)
                    left = None if left is None else left - 1
                    if left == 0:
                        return 0
    return 0


def _each(polled: Polled) -> Iterator[tuple[int, Record]]:
    for partition, records in polled.items():
        for record in records:
            yield partition, record


def _line(told: Mapping[str, Any]) -> str:
    rest = "  ".join(
        f"{name}={value}" for name, value in told.items() if name not in ("stream", "at", "place")
    )
    return f"{told['at']}  {told['stream']:<12} {told['place']:<12} {rest}"


class _Shower:
    """Messages as what may be shown of them."""

    def __init__(self, settings: Settings, contract: Contract) -> None:
        self._contract = contract
        self._decoder = decoder_of(settings, contract)
        self._schemas = schemas_of(settings)
        self._validator = Validator(contract, self._decoder.message_rows)
        self._enricher = Enricher(contract)

    def of(self, stream: Stream, partition: int, record: Record) -> dict[str, Any]:
        """One message, as an object that holds no text and no contact's value."""
        kind, milliseconds = record.timestamp()
        told: dict[str, Any] = {
            "at": moment(datetime.fromtimestamp(milliseconds / 1000, UTC) if kind else None),
            "stream": stream.value,
            "place": f"{partition}:{record.offset()}",
        }
        match stream:
            case Stream.ROWS:
                return told | self._row(partition, record)
            case Stream.EVENTS:
                return told | self._event(record)
            case Stream.DEAD_LETTERS:
                letter = read_letter(record, partition)
                faults = [f"{fault.field or 'message'}: {fault.code}" for fault in letter.faults]
                return told | {"faults": faults or list(letter.codes), "attempt": letter.attempt}

    def _row(self, partition: int, record: Record) -> dict[str, Any]:
        at = record.offset()
        schemas = self._schemas([record])
        batch = Batch("", partition, 0, at, at + 1, datetime.now(UTC), at, [record], schemas=schemas)
        checked = self._validator.validate(self._decoder.decode(batch))
        if checked.dead_letters:
            (letter,) = checked.dead_letters
            faults = [f"{each.field or 'message'}: {each.code}" for each in letter.violations]
            return {"verdict": "dead_letter", "faults": faults}
        (row,) = checked.rows
        warnings = [each.code for each in self._enricher.warnings_of(row)]
        return {"verdict": "row", **self._values(row), **({"warnings": warnings} if warnings else {})}

    def _values(self, row: Row) -> dict[str, Any]:
        return {
            field.name: _shown(field, value)
            for field, value in zip(self._contract.fields, row.values, strict=True)
            if value is not None
        }

    def _event(self, record: Record) -> dict[str, Any]:
        try:
            data = orjson.loads(record.value() or b"")
        except orjson.JSONDecodeError:
            data = None
        if not isinstance(data, dict):
            return {"event": "not readable"}
        names: Sequence[str] = (*self._contract.identity, *SAFE_EVENT_FIELDS)
        return {name: data[name] for name in names if data.get(name) is not None}


def _shown(field: Field, value: Value) -> Value:
    """A value, or only its length where the contract calls it personal."""
    if field.classification == "internal" or not isinstance(value, str):
        return value
    return f"<{len(value.encode())} bytes>"
