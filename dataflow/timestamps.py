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

_COMMON = {"--T::Z": 19, "--T::+": 19, "--T::.": 26}
"""Separators of `2023-10-31T03:58:22Z` and its like to where the zone begins; six digits after a point."""
_MICROSECONDS_END = _COMMON["--T::."]
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
    end = _COMMON.get(text[4:20:3])
    if end is not None:
        if text[end:] in _UTC:
            try:
                datetime.fromisoformat(text)
            except ValueError:
                pass  # the pattern tells why
            else:
                return text[:end].replace("T", " ").removesuffix(".000000")
        elif end == _MICROSECONDS_END and text[23:] in _UTC:
            return to_utc_text(f"{text[:23]}000{text[23:]}")
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
