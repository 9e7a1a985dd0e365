"""Vetoes by shape: spans whose digits are a date, a time, a price, a measure, an address, never a phone."""

from __future__ import annotations

import re

from dataflow.detect.data import table

_UNITS = "|".join(
    sorted(
        map(re.escape, set(table("phrases.toml")["units"]) - {"", "in", "x", "s", "e", "f", "l", "p", "d", "g"}),
        key=len,
        reverse=True,
    )
)

_SHAPES = {
    "date": r"(?<![\d/.-])(?:\d{1,2}[/.-]\d{1,2}[/.-](?:19|20)\d\d|(?:19|20)\d\d[/.-][01]?\d[/.-][0-3]?\d)"
    r"(?![/.-]?\d)"
    r"(?:[ t]{1,2}\d{1,2}:\d\d(?::\d\d)?)?",
    "day": r"(?<![\d/])\d{1,2}/\d{1,2}(?:/\d\d)?(?![/\d])",
    "clock": r"(?<![\d:])\d{1,2}(?:[:.]\d\d)?\s?[ap]\.?m\b|(?<![\d:])[0-2]?\d:[0-5]\d(?::[0-5]\d)?(?![:\d])",
    "coordinates": r"\d{1,3}\.\d{4,}°?[ nsew]{0,3}[,;/]?\s{0,2}-?\d{1,3}\.\d{4,}",
    "address": r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![.\d])(?::\d{1,5})?",
    "price": r"[$€£¥₹₽₺₱]\s?(?:\d{1,3}(?:[ .,']\d{3})+(?![-\d])|\d{1,9}\b)(?:[.,]\d{1,2}\b)?|"
    r"(?<![\d.,])(?:\d{1,3}(?: \d{3}){1,2}|\d[\d.,']{0,9})(?:[.,]\d\d)?\s?"
    r"(?:[€£¥₹₽₺%]|\$(?!\d)|(?:usd|eur|euros?|dollars?|bucks|quid|kr|zl|percent)\b)",
    "thousands": r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![,.]?\d)",
    "measure": rf"(?<![\d.,-])\d{{1,5}}(?:[.,]\d{{1,2}})?\s?(?:{_UNITS})\b",
}
_MASK = re.compile(
    r"(?=[$€£¥₹₽₺₱0-9])(?:" + "|".join(f"(?P<{name}>{shape})" for name, shape in _SHAPES.items()) + ")"
)
_LINK = re.compile(r"[a-z0-9-]{2,40}\.(?:[a-z]{2,12}\.)?[a-z]{2,12}/[^\s]*")


def masked(text: str) -> list[tuple[int, int, str]]:
    """Spans of the normalised `text` in which no phone number begins or ends, in order, and why. Linear time."""
    found = [(match.start(), match.end(), match.lastgroup or "") for match in _MASK.finditer(text)]
    if "/" in text:
        found += [(match.start(), match.end(), "link") for match in _LINK.finditer(text)]
        found.sort()
    return found
