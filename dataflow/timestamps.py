"""RFC 3339 days and instants to the staging format's text: `YYYY-MM-DD HH:MM:SS[.ffffff]`, UTC, no zone.

The text is canonical: one instant has one text, with six fractional digits or none at all, so that texts
compare as the instants do and a message's identity does not hang on how its producer writes zeros.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from enum import Enum

_RFC_3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])([01]\d|2[0-3]):([0-5]\d))?", re.ASCII
)

_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)

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
    # The common forms without the pattern, which takes four times as long. The separators rule out the other
    # forms that fromisoformat takes: week dates, compact times, a comma before the fraction.
    try:
        instant = _from_iso(text)
    except ValueError:
        return _by_pattern(text)
    separators = text[4:20:3]
    if separators == "--T::." and text[26:] in _UTC:
        if instant.microsecond:
            return text[:26].replace("T", " ")
        return text[:19].replace("T", " ")
    if separators == "--T::." and text[23:] in _UTC:
        return to_utc_text(f"{text[:23]}000{text[23:]}")
    if separators in _WHOLE_SECONDS and text[19:] in _UTC:
        return text[:19].replace("T", " ")
    return _by_pattern(text)


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
