"""What one field, or a rule across fields, takes, and what it says of everything else.

The codes are listed in `dataflow.validate`. A violation never quotes the value: it may be personal data.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from dataflow.decimals import NoDecimal, reader
from dataflow.fields import (
    BooleanField,
    DateField,
    DecimalField,
    Field,
    IntegerField,
    PresentUnless,
    TextField,
    TimestampField,
)
from dataflow.model import Value, Violation
from dataflow.timestamps import NoInstant, is_day, to_utc_text


class _Missing:
    """The type of `MISSING`."""


MISSING = _Missing()
"""Stands for an absent field: null is a value of its own."""

Check = Callable[[Any, list[Violation]], Value]
"""From a field's raw value to the row's. What is wrong is appended, and the answer is then of no use."""


def field_check(field: Field) -> Check:
    """The check of one field."""
    match field:
        case TextField():
            return _enumeration(field) if field.values else _text(field)
        case IntegerField():
            return _integer(field)
        case DecimalField():
            return _decimal(field)
        case BooleanField():
            return _boolean(field)
        case DateField():
            return _date(field)
        case TimestampField():
            return _timestamp(field)


_NUMERIC = re.compile("integer|number")
_JSON_TYPES = {str: "a string", bool: "a boolean", float: "a number", dict: "an object", list: "an array"}
_BEYOND_64_BITS = float(2**63)


def _absent(value: object, field: Field, found: list[Violation]) -> bool:
    """Whether the field is absent or null, which is a violation when it is required."""
    if value is MISSING:
        if field.required:
            found.append(Violation(field.name, "missing", "is required; send it with every message"))
        return True
    if value is None:
        if field.required:
            found.append(Violation(field.name, "null", "is required; send a value instead of null"))
        return True
    return False


def _wrong_type(value: object, field: Field, expected: str, found: list[Violation]) -> None:
    number = isinstance(field, TextField | IntegerField | DecimalField) and _NUMERIC.search(expected)
    if number and type(value) is float and abs(value) >= _BEYOND_64_BITS:
        message = "is a number beyond 64 bits"
        message += "; send it as a string" if isinstance(field, TextField) else "; send one within the limits"
        found.append(Violation(field.name, "number_too_large", message))
        return
    kind = "an integer" if type(value) is int else _JSON_TYPES.get(type(value), "of another type")
    if number and type(value) is float:
        kind = "a number with a fraction or an exponent"
    found.append(Violation(field.name, "wrong_type", f"is {kind}; send {expected}"))


def _text(field: TextField) -> Check:
    name, limit, least = field.name, field.max_bytes, field.min_bytes
    integers = "integer" in field.accepts
    expected = "a string or an integer" if integers else "a string"

    def check(value: Any, found: list[Violation]) -> Value:
        if type(value) is not str:
            if integers and type(value) is int and len(digits := str(value)) <= limit:
                return digits
            if not _absent(value, field, found):
                _wrong_type(value, field, expected, found)
            return None
        if value.isascii():
            size = len(value)
        else:
            try:
                size = len(value.encode())
            except UnicodeEncodeError as fault:
                half = f"holds half a surrogate pair at character {fault.start}; send whole characters"
                found.append(Violation(name, "lone_surrogate", half))
                size = len(value.encode("utf-8", "surrogatepass"))
        if least <= size <= limit and "\x00" not in value:
            return value
        if size < least:
            found.append(Violation(name, "empty", "is empty; send a value"))
        if size > limit:
            long = f"has {size} bytes of UTF-8; at most {limit} fit, and nothing is cut off"
            found.append(Violation(name, "too_long", long))
        if "\x00" in value:
            nul = f"holds the character U+0000 at character {value.index(chr(0))}; remove it"
            found.append(Violation(name, "nul_character", nul))
        return None

    return check


def _enumeration(field: TextField) -> Check:
    words = frozenset(field.values)
    outside = Violation(
        field.name,
        "not_in_enumeration",
        f"is none of the allowed words; send one of: {', '.join(field.values)}",
    )

    def check(value: Any, found: list[Violation]) -> Value:
        if type(value) is str:
            if value in words:
                return value
            found.append(outside)
        elif not _absent(value, field, found):
            _wrong_type(value, field, "a string", found)
        return None

    return check


def _integer(field: IntegerField) -> Check:
    low, high = field.minimum, field.maximum
    outside = Violation(field.name, "out_of_range", f"is out of range; send an integer from {low} to {high}")

    def check(value: Any, found: list[Violation]) -> Value:
        if type(value) is int:
            if low <= value <= high:
                return value
            found.append(outside)
        elif not _absent(value, field, found):
            _wrong_type(value, field, "an integer", found)
        return None

    return check


def _decimal(field: DecimalField) -> Check:
    read = reader(field)
    taken = frozenset(field.kinds)
    expected = " or ".join(
        words
        for kind, words in ((float, "a number"), (int, "an integer"), (str, "a number as a string"))
        if kind in taken and not (kind is int and float in taken)
    )
    wrong = {
        NoDecimal.FORM: Violation(field.name, "not_a_number", "is no decimal number; send one as in 12.50"),
        NoDecimal.RANGE: Violation(
            field.name,
            "out_of_range",
            f"is out of range; send a number from {field.minimum} to {field.maximum}",
        ),
        NoDecimal.PRECISION: Violation(
            field.name,
            "too_precise",
            f"has more than {field.scale} digits after the point; nothing is rounded",
        ),
    }

    def check(value: Any, found: list[Violation]) -> Value:
        if type(value) in taken and not (type(value) is float and abs(value) >= _BEYOND_64_BITS):
            number = read(value)
            if type(number) is str:
                return number
            found.append(wrong[NoDecimal(number)])
        elif not _absent(value, field, found):
            _wrong_type(value, field, expected, found)
        return None

    return check


def _boolean(field: BooleanField) -> Check:
    def check(value: Any, found: list[Violation]) -> Value:
        if type(value) is bool:
            return value
        if not _absent(value, field, found):
            _wrong_type(value, field, "true or false", found)
        return None

    return check


def _date(field: DateField) -> Check:
    form = Violation(field.name, "not_a_date", "is no day that exists; send one as in 2023-10-31")

    def check(value: Any, found: list[Violation]) -> Value:
        if type(value) is str:
            if is_day(value):
                return value
            found.append(form)
        elif not _absent(value, field, found):
            _wrong_type(value, field, "a string as in 2023-10-31", found)
        return None

    return check


_FORM = "as in 2023-10-31T03:58:22Z"


def _timestamp(field: TimestampField) -> Check:
    form = Violation(
        field.name, "not_a_timestamp", f"is no RFC 3339 date and time that exists; send one {_FORM}"
    )
    outside = Violation(
        field.name, "out_of_range", "lies outside the years 1 to 9999 in UTC; send one within"
    )

    def check(value: Any, found: list[Violation]) -> Value:
        if type(value) is str:
            text = to_utc_text(value)
            if type(text) is str:
                return f"{text}+00" if field.zoned else text
            found.append(outside if text is NoInstant.RANGE else form)
        elif not _absent(value, field, found):
            _wrong_type(value, field, f"a string {_FORM}", found)
        return None

    return check


_States = ((MISSING, "missing", "is absent"), (None, "null", "is null"), ("", "empty", "is empty"))


def across(rule: PresentUnless) -> Callable[[Mapping[str, Any], list[Violation]], None]:
    """The check of a rule across fields, on the raw message."""
    name, others = rule.field, rule.fields
    remedy = f"send it, or one of: {', '.join(others)}"

    def check(fields: Mapping[str, Any], found: list[Violation]) -> None:
        if fields.get(name):
            return
        if any(fields.get(other) not in (None, "") for other in others):
            return
        value = fields.get(name, MISSING)
        for state, code, words in _States:
            if value is state or (value == state and type(value) is str):
                found.append(Violation(name, code, f"{words}; {remedy}"))

    return check
