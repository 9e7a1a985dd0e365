"""What libphonenumber says of digits.

`rphonenumbers` binds the Rust port of libphonenumber: 3.4 µs to parse and check, against 22 to 35 µs with
the pure-Python `phonenumbers`, with the same answers; its calls share no mutable state, so threads may
call it at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Final, NamedTuple

import rphonenumbers

from dataflow.detect.data import table
from dataflow.detect.lexicon import ENGLISH_REGIONS, regions

_FICTION: Final[dict[str, int]] = table("phone_context.toml")["fiction"]
_PREFIXES: Final = sorted({len(prefix) for prefix in _FICTION})
_FICTION_SIZES: Final = frozenset(_FICTION.values())
_MOST_ABROAD: Final = 8
_MOST_REGIONS: Final = 8
_MOST_WORDS: Final = 64
_USUAL: Final = (32, 24)
_CROWDED: Final = (20, 12)
"""Numbers asked for and parts of runs looked at: of a text, and of one of more than `_MOST_WORDS` words."""
NANP: Final = frozenset(("US", "CA"))
_NANP_SIZES: Final = (7, 10)
"""Digits of a number in North America, without an area code and with it; other sizes begin with 0 or 1."""
_UNKNOWN: Final = rphonenumbers.PhoneNumberType.UNKNOWN
_TOLL_FREE: Final = (rphonenumbers.PhoneNumberType.TOLL_FREE, rphonenumbers.PhoneNumberType.PREMIUM_RATE)


class Known(NamedTuple):
    """A number: valid in its region, or possible by its length."""

    parsed: Any
    """rphonenumbers.PhoneNumber."""
    value: str
    """E.164."""
    national: int
    """Digits of the national number."""
    valid: bool
    toll_free: bool
    """Whether it is free or costs extra to call: nobody's own number, but a service's."""

    @property
    def trunk(self) -> bool:
        """Whether it is written with a zero before it at home."""
        written: str = rphonenumbers.format_number(self.parsed, rphonenumbers.PhoneNumberFormat.NATIONAL)
        return written.startswith(("0", "(0")) and not self.parsed.italian_leading_zero


class Reader:
    """Asks libphonenumber, at most so often for one text: the bound that keeps a text's time linear."""

    def __init__(self, region: str, words: Sequence[str] = ()) -> None:
        """`words`: of the text, whose language says where else to look."""
        self.region = region
        self._words = words[:_MOST_WORDS]
        tries, looks = _CROWDED if len(words) > _MOST_WORDS else _USUAL
        self._left, self._looks = tries, looks
        self._left_abroad = _MOST_ABROAD
        self._abroad: list[str] | None = None

    def read(self, number: str, region: str | None) -> Known | None:
        """The number, when it is one of that region or could be by its length."""
        if self._left <= 0:
            return None
        self._left -= 1
        if region in NANP and len(number) not in _NANP_SIZES and number[0] not in "01+":
            return None
        try:
            parsed = rphonenumbers.parse(number, region)
        except rphonenumbers.NumberParseException:
            return None
        # What is valid is possible; what it is takes libphonenumber several times as long to say.
        if not rphonenumbers.is_possible_number(parsed):
            return None
        kind = rphonenumbers.number_type(parsed)
        national = str(parsed.national_number)
        zeros = "0" * (parsed.number_of_leading_zeros or 1) if parsed.italian_leading_zero else ""
        value = f"+{parsed.country_code}{zeros}{national}"
        valid = kind != _UNKNOWN or _fictitious(value)
        return Known(parsed, value, len(national), valid, kind in _TOLL_FREE)

    def looks(self) -> bool:
        """Whether one more part of a run of digits may be looked at: at most so many of a text are."""
        self._looks -= 1
        return self._looks >= 0 and self._left > 0

    def valid(self, number: str, region: str | None) -> Known | None:
        """The number, when libphonenumber or a range for fiction knows it."""
        known = self.read(number, region)
        return known if known and known.valid else None

    def abroad(self, *, english: bool) -> list[str]:
        """Other regions in which to look, by the language of the text."""
        if self._abroad is None:
            self._abroad = [each for each in regions(self._words) if each != self.region]
        chosen = self._abroad if english else [each for each in self._abroad if each not in ENGLISH_REGIONS]
        chosen = chosen[: min(_MOST_REGIONS, self._left_abroad)]
        self._left_abroad -= len(chosen)
        return chosen


def _fictitious(value: str) -> bool:
    digits = value[1:]
    size = len(digits)
    return size in _FICTION_SIZES and any(_FICTION.get(digits[:length]) == size for length in _PREFIXES)


@cache
def warm(region: str) -> None:
    """Have libphonenumber compile a region's rules (a millisecond, 2 MB) before a message needs them."""
    for kind in (rphonenumbers.PhoneNumberType.MOBILE, rphonenumbers.PhoneNumberType.FIXED_LINE):
        number = rphonenumbers.example_number_for_type(region, kind)
        if number:
            national = rphonenumbers.format_number(number, rphonenumbers.PhoneNumberFormat.NATIONAL)
            for said in (national, national[:-1]):
                parsed = rphonenumbers.parse(said, region)
                rphonenumbers.is_valid_number(parsed)
                rphonenumbers.is_possible_number(parsed)
                rphonenumbers.number_type(parsed)


def international(digits: str) -> str | None:
    """E.164 of digits that begin with the country code, or None when they are no number."""
    found = Reader("US").read("+" + digits, None)
    return found.value if found else None
