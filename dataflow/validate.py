"""Objects to rows: the contract, compiled once into one check per field.

Every violation of a message is reported, not the first. Codes, per field:

================== =======================================================================================
`missing`          a required field is absent
`null`             a required field is null
`empty`            a text that must not be empty is
`wrong_type`       another JSON type than the contract's (30.0 is no integer, true is no number)
`too_long`         more bytes of UTF-8 than the column holds; never cut
`nul_character`    the text holds U+0000, which the warehouse refuses
`lone_surrogate`   the text holds half a surrogate pair, which UTF-8 cannot express
`not_in_enumeration` another word than the contract lists
`not_a_timestamp`  not RFC 3339, or a day or hour that does not exist
`not_a_date`       not of the form 2023-10-31, or a day that does not exist
`not_a_number`     a text that is not a decimal number
`too_precise`      more digits after the point than the column holds; never rounded
`out_of_range`     a number beyond its limits, or an instant outside the years 1 to 9999
`number_too_large` an integer beyond 64 bits, of which the parser has kept only an approximation
================== =======================================================================================

A violation never quotes the value: it may be personal data.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any

from dataflow.checks import MISSING, across, field_check
from dataflow.contract import Contract
from dataflow.fields import (
    BooleanField,
    DateField,
    DecimalField,
    IntegerField,
    PresentUnless,
    TextField,
    TimestampField,
)
from dataflow.model import Checked, DeadLetter, Decoded, Row, Value, Violation
from dataflow.rows import Horizons, compile_row, horizons_of
from dataflow.timestamps import to_utc_text

CODES = frozenset(
    {
        *("missing", "null", "empty", "wrong_type", "too_long", "nul_character", "lone_surrogate"),
        *("not_in_enumeration", "not_a_timestamp", "not_a_date", "not_a_number", "too_precise"),
        *("out_of_range", "number_too_large"),
    }
)
"""Every code that this step gives."""
MAX_UNKNOWN_NAMES = 20
"""Distinct unknown field names counted per batch; the rest is counted under `OTHER_NAMES`."""
_FIELD_NAME = re.compile(r"(?!.*\d{4})[A-Za-z_][A-Za-z0-9_.-]{0,63}")
"""An unknown name that is told as it is. Others may be data, a phone number as a key for one."""
OTHER_NAMES = "(other)"


RowValues = Callable[[Any, list[Violation]], tuple[Value, ...]]
"""From a decoded message to the row's values. What is wrong is appended, and the answer is then of no use."""
ProtobufRows = Callable[[RowValues], RowValues]
"""From the checks of named values to those of Protobuf messages."""


class Validator:
    """Checks messages against a contract. Holds no state between batches."""

    def __init__(self, contract: Contract, messages: ProtobufRows | None = None) -> None:
        """Compile the checks; costs about a millisecond.

        `messages` compiles the checks of Protobuf messages, given those of named values; None: none come.
        """
        self._known = frozenset(field.name for field in contract.fields)
        self.row_values = _compile(contract)
        """From a decoded object to the row's values; violations are appended to the list given.

        If there are any, the values are of no use. Never raises.
        """
        self._make_row = compile_row(contract)
        self._horizons = horizons_of(contract)
        self._message_values = None if messages is None else messages(self.row_values)

    def validate(self, decoded: Decoded) -> Checked:
        """Every document as a row or a dead letter; what decode made of either is kept, in offset order.

        Never raises. Unknown fields are ignored and counted by name, dead letters' fields among them.
        """
        rows = [*decoded.rows]
        dead_letters: list[DeadLetter] = []
        unknown: Counter[str] = Counter()
        known, row_values, make_row = self._known, self.row_values, self._make_row
        horizons = self._horizons(decoded.batch.polled_at)
        found: list[Violation] = []
        for record, fields in decoded.documents:
            values = row_values(fields, found)
            if found:
                dead_letters.append(DeadLetter(record, tuple(found)))
                found.clear()
            else:
                rows.append(make_row(record.offset(), values, horizons))
            if not known.issuperset(fields):
                _count_unknown(unknown, known, fields)
        if decoded.messages:
            self._validate_messages(decoded, horizons, rows, dead_letters)
        if len(rows) > len(decoded.rows) > 0 or (decoded.documents and decoded.messages):
            rows.sort(key=attrgetter("offset"))
            dead_letters.sort(key=_offset_of)
        if decoded.dead_letters:
            dead_letters.extend(decoded.dead_letters)
            dead_letters.sort(key=_offset_of)
        return Checked(
            decoded.batch,
            tuple(rows),
            tuple(dead_letters),
            unknown_fields=dict(unknown),
            forms=decoded.forms,
        )

    def _validate_messages(
        self, decoded: Decoded, horizons: Horizons, rows: list[Row], dead_letters: list[DeadLetter]
    ) -> None:
        """The Protobuf messages, among what came of the documents."""
        message_values, make_row = self._message_values, self._make_row
        assert message_values is not None, "Protobuf messages came, and nobody said how to read them"
        found: list[Violation] = []
        for record, message in decoded.messages:
            values = message_values(message, found)
            if found:
                dead_letters.append(DeadLetter(record, tuple(found)))
                found.clear()
            else:
                rows.append(make_row(record.offset(), values, horizons))


def _offset_of(letter: DeadLetter) -> int:
    return letter.record.offset()


def _compile(contract: Contract) -> Callable[[Mapping[str, Any], list[Violation]], tuple[Value, ...]]:
    """One function for all fields, written for this contract and then compiled.

    It holds each field's guard in line: an expression that is true only of values that are surely right as
    they are. Whatever a guard does not take goes to the field's check, which alone decides. For a text that
    accepts integers:

        v0 = get('name', MISSING)
        if type(v0) is int: v0 = str(v0)
        elif not (type(v0) is str and v0.isascii() and 1 <= len(v0) <= 128 and NUL not in v0):
            v0 = check0(v0, found)
    """
    scope: dict[str, Any] = {"MISSING": MISSING, "NUL": "\x00", "to_utc_text": to_utc_text}
    body = ["get = fields.get", "raw = t = None"]
    for at, field in enumerate(contract.fields):
        value = f"v{at}"
        scope[f"check{at}"] = field_check(field)
        # To an optional field absent and null are the same.
        body.append(f"{value} = get({field.name!r}{', MISSING' if field.required else ''})")
        otherwise = f"{value} = check{at}({value}, found)"
        if isinstance(field, TimestampField):
            # One that is not updated yet was updated when it was created.
            body.append(f"if {value} != raw:")
            body.append(f"    raw = {value}; t = to_utc_text(raw) if type(raw) is str else None")
            body.append(f"if type(t) is str: {value} = t{_ZONE if field.zoned else ''}")
            body.append(f"else: {otherwise}")
        elif isinstance(field, DateField | DecimalField):
            body.append(otherwise)
        elif isinstance(field, TextField) and field.takes_integers:
            body.append(f"if type({value}) is int: {value} = str({value})")
            body.append(f"elif not ({_guard(value, field, scope)}): {otherwise}")
        else:
            body.append(f"if not ({_guard(value, field, scope)}): {otherwise}")
    for number, rule in enumerate(rule for rule in contract.rules if isinstance(rule, PresentUnless)):
        scope[f"across{number}"] = across(rule)
        body.append(f"if not v{contract.position(rule.field)}: across{number}(fields, found)")
    values = ", ".join(f"v{at}" for at in range(len(contract.fields)))
    source = "\n    ".join(["def row_values(fields, found):", *body, f"return ({values},)"])
    exec(compile(source, f"<contract {contract.name}>", "exec"), scope)
    compiled: Callable[[Mapping[str, Any], list[Violation]], tuple[Value, ...]] = scope["row_values"]
    return compiled


_ZONE = " + '+00'"
"""What the text of an instant ends with in a column that has a zone: UTC, whatever the session's zone is."""


def _guard(value: str, field: TextField | IntegerField | BooleanField, scope: dict[str, Any]) -> str:
    optional = "" if field.required else f"{value} is None or "
    if isinstance(field, BooleanField):
        return f"{optional}type({value}) is bool"
    if isinstance(field, IntegerField):
        return f"{optional}type({value}) is int and {field.minimum} <= {value} <= {field.maximum}"
    if field.values:
        scope[f"words_of_{value}"] = frozenset(field.values)
        return f"{optional}type({value}) is str and {value} in words_of_{value}"
    length = f"{field.min_bytes} <= len({value}) <= {field.max_bytes}"
    return f"{optional}type({value}) is str and {value}.isascii() and {length} and NUL not in {value}"


def _count_unknown(unknown: Counter[str], known: frozenset[str], fields: Mapping[str, Any]) -> None:
    for name in fields.keys() - known:
        shown = name if _FIELD_NAME.fullmatch(name) else OTHER_NAMES
        if shown not in unknown and len(unknown) >= MAX_UNKNOWN_NAMES:
            shown = OTHER_NAMES
        unknown[shown] += 1
