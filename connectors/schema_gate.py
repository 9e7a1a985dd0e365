"""Which records of a poll may go on: those whose schemas are known, up to the first whose is not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from connectors.framing import Frame, SchemaReference, read_frame
from connectors.items import Record, WriterSchema


class Schemas(Protocol):
    """Who knows schemas, or asks for them. `connectors.schema_registry.SchemaRegistry` is one."""

    def find(self, references: Iterable[SchemaReference]) -> Mapping[SchemaReference, WriterSchema | None]:
        """What is known of these, None for a schema that does not exist. Asks for the others; never waits."""
        ...


@dataclass(frozen=True, slots=True)
class Admitted:
    """So many records, from the first on, and the schemas that they name."""

    records: int
    schemas: Mapping[SchemaReference, WriterSchema | None]


@dataclass(frozen=True, slots=True)
class SchemaGate:
    """Keeps a record and all behind it until its schema is known: a registry that is away only delays."""

    registry: Schemas

    def admit(self, records: Sequence[Record]) -> Admitted:
        """How many records may go on."""
        references = [_reference_of(record) for record in records]
        known = self.registry.find({each for each in references if each is not None})
        for number, reference in enumerate(references):
            if reference is not None and reference not in known:
                return Admitted(number, known)
        return Admitted(len(records), known)


def references_of(records: Sequence[Record]) -> set[SchemaReference]:
    """The schemas that these records name."""
    return {reference for record in records if (reference := _reference_of(record)) is not None}


def _reference_of(record: Record) -> SchemaReference | None:
    value = record.value()
    headers = record.headers()
    if not headers and not (value and value[0] <= 1):
        return None
    frame = read_frame(value or b"", headers)
    return frame.reference if isinstance(frame, Frame) else None
