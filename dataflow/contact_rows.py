"""Contacts to the staging format: they travel behind the values of the row whose text gave them away."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import groupby
from operator import attrgetter

import orjson

from connectors.items import ContactColumn, ContactPart
from dataflow.contract import Contract
from dataflow.encode import ContactValues, Hidden, event_id, hidden
from dataflow.enrich import Enricher
from dataflow.model import Contact, Row, Sighting, Value

_Part = Callable[[str, Contact, Hidden | None], Value]
"""A column's value, of the message's id, the contact, and what may be told of its value."""


_OFFSET: Callable[[Row], int] = attrgetter("offset")


class ContactRows:
    """Rows of the contacts' table under one contract. The value itself is in none of them."""

    def __init__(self, contract: Contract, values: ContactValues, detector_version: int) -> None:
        """`detector_version` is the detector's major version.

        Raises ValueError when the contract has no contacts' table.
        """
        if contract.contacts is None:
            raise ValueError(f"contract {contract.name} has no table of contacts")
        self._values = values
        self._message_id = Enricher(contract).message_id
        self._parts = tuple(_part(column, detector_version) for column in contract.contacts.contact_columns)

    def behind(
        self, lines: Sequence[bytes], rows: Sequence[Row], sightings: Sequence[Sighting]
    ) -> tuple[bytes, ...]:
        """`lines`, those of the last of `rows`, each with the contacts that it gave.

        `sightings` are of these rows, in their order. Those of rows that have no line are left out.
        """
        found = list(lines)
        without = len(rows) - len(lines)
        for offset, given in groupby(sightings, lambda sighting: sighting.row.offset):
            at = bisect_left(rows, offset, key=_OFFSET) - without
            if at >= 0:
                contacts = orjson.dumps([self._values_of(sighting) for sighting in given])
                found[at] = b"%b,%b]" % (found[at][:-1], contacts)
        return tuple(found)

    def _values_of(self, sighting: Sighting) -> list[Value]:
        message_id = self._message_id(sighting.row.values)
        told = hidden(sighting.contact, self._values)
        return [part(message_id, sighting.contact, told) for part in self._parts]


def _part(column: ContactColumn, detector_version: int) -> _Part:
    match column.part:
        case ContactPart.EVENT_ID:
            return lambda message_id, contact, _told: event_id(message_id, contact, detector_version)
        case ContactPart.KIND:
            return lambda _id, contact, _told: contact.kind
        case ContactPart.PLATFORM:
            return lambda _id, contact, _told: contact.platform
        case ContactPart.HMAC:
            return lambda _id, _contact, told: told.hmac if told else None
        case ContactPart.KEY_ID:
            return lambda _id, _contact, told: told.key_id if told else None
        case ContactPart.MASKED:
            limit = int(column.sql_type.removeprefix("varchar(").removesuffix(")"))
            return lambda _id, _contact, told: _shortened(told.masked, limit) if told else None
        case ContactPart.START:
            return lambda _id, contact, _told: contact.start
        case ContactPart.END:
            return lambda _id, contact, _told: contact.end
        case ContactPart.RULE:
            return lambda _id, contact, _told: contact.rule
        case ContactPart.DETECTOR_VERSION:
            return lambda _id, _contact, _told: detector_version
        case None:
            raise ValueError(f"no contact fills {column.name}")


def _shortened(mask: str, limit: int) -> str:
    """A mask with fewer stars, so that it fits into so many bytes: they tell of no more than the length."""
    excess = len(mask.encode()) - limit
    return mask if excess <= 0 else mask.replace("*" * excess, "", 1)
