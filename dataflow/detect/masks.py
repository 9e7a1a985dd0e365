"""Vetoes by shape: spans whose digits are a date, a time, a price, a measure, an address, never a phone."""

from __future__ import annotations

import re
from typing import Final

from dataflow.detect.data import table
from dataflow.detect.roles import DIGITS, MIXED
from dataflow.detect.tokens import Tokens

_UNITS: Final = "|".join(
    sorted(
        map(
            re.escape,
            set(table("phrases.toml")["units"]) - {"", "in", "x", "s", "e", "f", "l", "p", "d", "g"},
        ),
        key=len,
        reverse=True,
    )
)

_SHAPES: Final = {
    "date": r"(?<![\d/.-])(?:\d{1,2}[/.-]\d{1,2}[/.-](?:19|20)\d\d|(?:19|20)\d\d[/.-][01]?\d[/.-][0-3]?\d)"
    r"(?![/.-]?\d)"
    r"(?:[ t]{1,2}\d{1,2}:\d\d(?::\d\d)?)?",
    "machine": r"(?<![\d:])(?:\d\d:){5}\d\d(?![\d:])",
    "day": r"(?<![\d/])\d{1,2}/\d{1,2}(?:/\d\d)?(?![/\d])",
    "clock": r"(?<![\d:])\d{1,2}(?:[:.]\d\d)?\s?[ap]\.?m\b|(?<![\d:])[0-2]?\d:[0-5]\d(?::[0-5]\d)?(?![:\d])",
    "coordinates": r"\d{1,3}\.\d{4,}°?[ nsew]{0,3}[,;/]?\s{0,2}-?\d{1,3}\.\d{4,}",
    "address": r"(?<![\d.])(?:(?:0|[1-9]\d{0,2})\.){3}(?:0|[1-9]\d{0,2})(?![.\d])(?::\d{1,5})?",
    "price": r"[$€£¥₹₽₺₱]\s?(?:\d{1,3}(?:[ .,']\d{3})+(?![-\d])|\d{1,9}\b)(?:[.,]\d{1,2}\b)?|"
    r"(?<![\d.,])(?:\d{1,3}(?: \d{3}){1,2}|\d[\d.,']{0,9})(?:[.,]\d\d)?\s?"
    r"(?:[€£¥₹₽₺%]|\$(?!\d)|(?:usd|eur|euros?|dollars?|bucks|quid|kr|zl|percent)\b)",
    "thousands": r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![,.]?\d)",
    "measure": rf"(?<![\d.,-])\d{{1,5}}(?:[.,]\d{{1,2}})?\s?(?:{_UNITS})\b",
}
_MASK: Final = re.compile("|".join(f"(?P<{name}>{shape})" for name, shape in _SHAPES.items()))
_CURRENCIES: Final = "$€£¥₹₽₺₱"
_SIGN: Final = re.compile(f"[{_CURRENCIES}]")
_FIGURES: Final = DIGITS | MIXED
_MOST: Final = 96
"""Figures that are looked at: a text with more holds no dates and prices that matter."""
_TELLING: Final = re.compile(f"[/.:,'%°{_CURRENCIES}-]")
"""After a figure these may make it one of the shapes; else only a unit does."""
_OF_A_DATE: Final = (1, 2, 4)
"""As many digits a part of a date has: what a hyphen follows is nothing else of the shapes."""
_MEASURES: Final = frozenset(table("phrases.toml")["units"]) | frozenset(
    [
        "am",
        "pm",
        "a",
        "p",
        "usd",
        "eur",
        "euro",
        "euros",
        "dollar",
        "dollars",
        "buck",
        "bucks",
        "quid",
        "kr",
        "zl",
        "percent",
        "n",
        "s",
        "e",
        "w",
    ]
)
_IBAN: Final[dict[str, int]] = table("phone_context.toml")["iban"]
_FOUR: Final = 4
_MOST_GROUPS: Final = 10
_FEWEST_IN_FOURS: Final = 15
_LINK: Final = re.compile(r"[a-z0-9-]{1,40}\.(?:[a-z]{2,12}\.)?[a-z]{2,12}/[^\s]*")


def _iban(t: Tokens, i: int) -> int:
    """Where the account number that token i begins ends, or 0."""
    word = t.words[i]
    length = _IBAN.get(word[:2])
    if length is None or not word[2:4].isdigit():
        return 0
    size, fours = len(word), len(word) == _FOUR
    for k in range(i + 1, min(i + _MOST_GROUPS, len(t.words))):
        if size >= length or t.gaps[k] not in (" ", "-"):
            return t.ends[k - 1] if size == length or (fours and size >= _FEWEST_IN_FOURS) else 0
        size += len(t.words[k])
        fours = fours and len(t.words[k]) <= _FOUR
    whole = size == length or (fours and size >= _FEWEST_IN_FOURS)
    return t.ends[min(i + _MOST_GROUPS, len(t.words)) - 1] if whole else 0


def masked(t: Tokens) -> list[tuple[int, int, str]]:
    """Spans of a normalised text in which no phone number begins or ends, in order, and why. Linear time."""
    text = t.text
    found: list[tuple[int, int, str]] = []
    covered = -1
    for i in [i for i, roles in enumerate(t.roles) if roles & _FIGURES][:_MOST]:
        start = t.starts[i]
        if start < covered:
            continue
        if t.roles[i] & MIXED and (end := _iban(t, i)):
            covered = end
            found.append((start, end, "iban"))
            continue
        gap, after = t.gaps[i], t.gaps[i + 1]
        sign = _SIGN.search(gap) if gap and gap != " " else None
        if not (sign or t.roles[i] & MIXED or (after != " " and _TELLING.search(after))) and (
            i + 1 == len(t.words) or len(after) > 1 or t.words[i + 1] not in _MEASURES
        ):
            continue
        if after[:1] == "-" and not sign and len(t.words[i]) not in _OF_A_DATE and not t.roles[i] & MIXED:
            continue
        match = _MASK.match(text, start - len(gap) + sign.start()) if sign else None
        match = match or _MASK.match(text, start)
        if match:
            covered = match.end()
            found.append((match.start(), covered, match.lastgroup or ""))
    if "/" in text:
        found += [(match.start(), match.end(), "link") for match in _LINK.finditer(text)]
        found.sort()
    return found
