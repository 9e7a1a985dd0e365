"""RFC 3339 days and instants to the staging format's text: `YYYY-MM-DD HH:MM:SS[.ffffff]`, UTC, no zone.

The text is canonical: one instant has one text, with six fractional digits or none at all, so that texts
compare as the instants do and a message's identity does not hang on how its producer writes zeros.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from enum import Enum
from types import FunctionType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mypy_extensions import i64

_RFC_3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])([01]\d|2[0-3]):([0-5]\d))?", re.ASCII
)

_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)

_SHORTEST: Final = len("2023-10-31T03:58:22Z")
_SECONDS_END: Final = len("2023-10-31T03:58:22")
_FRACTION_END: Final = len("2023-10-31T03:58:22.000000")
_ZERO: Final = 48
_NINE: Final = 57
_DASH: Final = 45
_COLON: Final = 58
_POINT: Final = 46
_T: Final = 84
_Z: Final = 90

_from_iso = datetime.fromisoformat
_WHOLE_SECONDS = ("--T::Z", "--T::+")
_UTC = ("Z", "+00:00")


class NoInstant(Enum):
    """Why a text is no instant that the table can hold."""

    FORM = "form"
    """Not of the form, or a day or an hour that does not exist."""
    RANGE = "range"
    """Outside the years 1 to 9999, in UTC."""


def to_utc_text(text: str) -> str | NoInstant:
    """The instant that a text names. Never raises.

    `T`, `t` or a space before the time; `Z`, `z`, `±HH:MM` or nothing (read as UTC) after it. Fractional
    digits beyond microseconds are cut off. The leap second 23:59:60 UTC is read as the second that follows
    it, since the table's type has no such second.
    """
    if _COMPILED:
        usual = usual_text(text)
        if usual is not None:
            return usual
    # The common forms without the pattern, which takes four times as long. The separators rule out the other
    # forms that fromisoformat takes: week dates, compact times, a comma before the fraction.
    try:
        instant = _from_iso(text)
    except ValueError:
        return _by_pattern(text)
    separators = text[4:20:3]
    # A digit for each: fromisoformat takes what stands behind a NUL.
    if separators == "--T::." and text[26:] in _UTC and text[20:26].isdecimal():
        if instant.microsecond:
            return text[:26].replace("T", " ")
        return text[:19].replace("T", " ")
    if separators == "--T::." and text[23:] in _UTC and text[20:23].isdecimal():
        return to_utc_text(f"{text[:23]}000{text[23:]}")
    if separators in _WHOLE_SECONDS and text[19:] in _UTC:
        return text[:19].replace("T", " ")
    return _by_pattern(text)


def usual_text(text: str) -> str | None:
    """The instant of a text in one of the forms that are mostly sent; None of any other, right or wrong.

    Those are `YYYY-MM-DDTHH:MM:SS`, no fraction or one of six digits, and `Z` or `+00:00`; up to the 28th of
    a month. Goes by the character, which is quicker only when compiled.
    """
    length: i64 = len(text)
    if length < _SHORTEST:
        return None
    at: i64 = 0
    code: i64 = 0
    while at < _SECONDS_END:
        code = ord(text[at])
        if at == 4 or at == 7:
            if code != _DASH:
                return None
        elif at == 13 or at == 16:
            if code != _COLON:
                return None
        elif at == 10:
            if code != _T:
                return None
        elif code < _ZERO or code > _NINE:
            return None
        at += 1
    month = _two(text, 5)
    day = _two(text, 8)
    if month < 1 or month > 12 or day < 1 or day > 28 or _two(text, 0) + _two(text, 2) == 0:
        return None
    if _two(text, 11) > 23 or _two(text, 14) > 59 or _two(text, 17) > 59:
        return None
    end: i64 = _SECONDS_END
    zone: i64 = _SECONDS_END
    if ord(text[zone]) == _POINT:
        zone = _FRACTION_END
        if length <= zone:
            return None
        at = _SECONDS_END + 1
        while at < zone:
            code = ord(text[at])
            if code < _ZERO or code > _NINE:
                return None
            if code != _ZERO:
                end = zone
            at += 1
    if length == zone + 1:
        if ord(text[zone]) != _Z:
            return None
    elif text[zone:] != "+00:00":
        return None
    return text[:end].replace("T", " ")


def _two(text: str, at: i64) -> i64:
    return (ord(text[at]) - _ZERO) * 10 + ord(text[at + 1]) - _ZERO


def _by_pattern(text: str) -> str | NoInstant:
    match = _RFC_3339.fullmatch(text)
    if match is None:
        return NoInstant.FORM
    day, minute, second, fraction, sign, hours, minutes = match.groups()
    if day.startswith("0000"):
        return NoInstant.RANGE
    leap = second == "60"
    try:
        instant = datetime.fromisoformat(f"{day}T{minute}:{'59' if leap else second}")
    except ValueError:
        return NoInstant.FORM
    try:
        if sign is not None:
            offset = timedelta(hours=int(hours), minutes=int(minutes))
            instant = instant - offset if sign == "+" else instant + offset
        if leap:
            if (instant.hour, instant.minute) != (23, 59):
                return NoInstant.FORM
            instant += timedelta(seconds=1)
    except OverflowError:
        return NoInstant.RANGE
    microseconds = (fraction or "")[:6].ljust(6, "0")
    stored = instant.isoformat(" ", "seconds")
    return stored if microseconds == "000000" else f"{stored}.{microseconds}"


def is_day(text: str) -> bool:
    """Whether a text is a day that exists, in the form `2023-10-31`, in the years 1 to 9999. Never raises."""
    if not _DAY.fullmatch(text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


_COMPILED: Final = type(usual_text) is not FunctionType
