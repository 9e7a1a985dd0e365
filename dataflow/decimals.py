"""JSON values to exact numbers in the staging format's text, with the column's digits after the point.

The text is canonical, so that a number that is part of a message's identity has one form: `12.5`, `"12.50"`
and `12.500` are all `12.50` in a decimal(10,2). Nothing is rounded.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Context, Decimal
from enum import Enum

from dataflow.fields import DecimalField

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,37})(?:\.[0-9]{1,37})?", re.ASCII)
_EXACT = Context(prec=80)
"""Room for whatever `_NUMBER` and a 64-bit float hold."""


class NoDecimal(Enum):
    """Why a value is no number that the column can hold."""

    FORM = "form"
    RANGE = "range"
    PRECISION = "precision"
    """More digits after the point than the column has."""


def reader(field: DecimalField) -> Callable[[int | float | str], str | NoDecimal]:
    """From an integer, a float or a text to the field's text. Never raises; a float must be finite."""
    unit = Decimal(1).scaleb(-field.scale)
    low, high = field.minimum, field.maximum

    def read(value: int | float | str) -> str | NoDecimal:
        if type(value) is str:
            if not _NUMBER.fullmatch(value):
                return NoDecimal.FORM
            number = Decimal(value)
        else:
            # The shortest decimal that names the float: what the producer wrote, up to EXACT_DIGITS digits.
            number = Decimal(repr(value))
        if not low <= number <= high:
            return NoDecimal.RANGE
        stored = number.quantize(unit, context=_EXACT)
        if stored != number:
            return NoDecimal.PRECISION
        return f"{abs(stored) if stored.is_zero() else stored:f}"

    return read
