"""The columns of a contract for people."""

from __future__ import annotations

from dataclasses import replace

from connectors.items import ContactPart, Fill
from dataflow.contract import Contract
from dataflow.fields import DecimalField, Field, IntegerField, TextField, TimestampField
from dataflow.terms import Property

_FILLED = {
    Fill.COMMIT_TIME: "the commit's time",
    Fill.COMMIT_ID: "the commit's id",
    Fill.SOURCE_NAME: "the topic's name",
    Fill.VALID_FROM: "the row's version",
    Fill.VALID_TO: "the next version",
    Fill.IS_CURRENT: "whether there is no next version",
}


_PARTS = {
    ContactPart.EVENT_ID: "the event's id",
    ContactPart.KIND: "phone or handle",
    ContactPart.PLATFORM: "the platform's name",
    ContactPart.HMAC: "the value's HMAC",
    ContactPart.KEY_ID: "the key's name",
    ContactPart.MASKED: "the value, masked",
    ContactPart.START: "where it begins",
    ContactPart.END: "where it ends",
    ContactPart.RULE: "the detector's rule",
    ContactPart.DETECTOR_VERSION: "the detector's major version",
}


def field_table(contract: Contract) -> str:
    """A Markdown document: one line for each column, of the messages and of their contacts."""
    lines = [
        f"# {contract.table.qualified}, contract {contract.version}",
        "",
        "Made by `make docs` from the contract; change that instead.",
        "",
        "| column | type | may be null | classification | takes | meaning |",
        "|---|---|---|---|---|---|",
    ]
    for each in contract.terms.properties:
        key = f", {_ordinal(each.key_position)} of the identity" if each.key_position else ""
        null = "no" if each.required else "yes"
        taken = _escaped(takes(contract, each))
        meaning = _escaped(f"{each.description}{key and ' ('}{key[2:]}{key and ')'}")
        cells = (f"`{each.name}`", f"`{each.physical_type}`", null, each.classification, taken, meaning)
        lines.append(f"| {' | '.join(cells)} |")
    if contract.contacts is None or contract.terms.contacts is None:
        return "\n".join([*lines, ""])
    lines += [
        "",
        f"## {contract.contacts.qualified}",
        "",
        " ".join(contract.terms.contacts.description.split()),
        "",
        "| column | type | may be null | classification | holds | meaning |",
        "|---|---|---|---|---|---|",
    ]
    for each in contract.terms.contacts.properties:
        null = "no" if each.required else "yes"
        held, meaning = _escaped(holds(each)), _escaped(each.description)
        cells = (f"`{each.name}`", f"`{each.physical_type}`", null, each.classification, held, meaning)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def holds(column: Property) -> str:
    """What a column of the contacts' table holds, in a few words."""
    if column.part is not None:
        return _PARTS[column.part]
    if column.fill is not Fill.MESSAGE:
        return _FILLED[column.fill]
    return "as the message's"


def takes(contract: Contract, column: Property) -> str:
    """What a message may send for a column, in a few words."""
    if column.fill is not Fill.MESSAGE:
        return f"not sent: {_FILLED[column.fill]}"
    field = contract.fields[contract.position(column.name)]
    return _takes_in_protobuf(field) if contract.terms.kafka.format == "protobuf" else _takes(field)


def _takes_in_protobuf(field: Field) -> str:
    match field:
        case TextField(values=()):
            return _takes(replace(field, accepts=frozenset({"string"})))
        case DecimalField():
            return _takes(replace(field, accepts=frozenset({"string"})))
        case TimestampField():
            return "google.protobuf.Timestamp"
        case _:
            return _takes(field)


def _takes(field: Field) -> str:
    match field:
        case TextField(values=values) if values:
            return f"one of {', '.join(values)}"
        case TextField():
            kinds = "text or an integer" if "integer" in field.accepts else "text"
            least = "1 to " if field.min_bytes else "at most "
            return f"{kinds}, {least}{field.max_bytes:,} bytes of UTF-8"
        case IntegerField():
            return f"an integer from {field.minimum} to {field.maximum}"
        case DecimalField():
            kinds = " or ".join(sorted(field.accepts))
            limits = f"from {field.minimum} to {field.maximum}"
            return f"a number ({kinds}) {limits}, {field.scale} digits after the point"
        case _:
            return {
                "BooleanField": "true or false",
                "DateField": "a day, as 2023-10-31",
                "TimestampField": "RFC 3339, stored in UTC",
            }[type(field).__name__]


def _ordinal(position: int) -> str:
    return f"field {position}"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
