"""What must not be found, in every form in which it might be written down."""

from __future__ import annotations

import html
import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

_SHORTEST = 6
"""Bytes below which a form says nothing: it may stand anywhere by chance."""


def forms_of(value: str) -> frozenset[bytes]:
    """The bytes of a value as it is, escaped for JSON, Python, HTML or a URL, in base64 and in hex."""
    raw = value.encode()
    texts = {
        value,
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        repr(value)[1:-1],
        repr(raw)[2:-1],
        html.escape(value),
        quote(value),
        quote(value, safe=""),
        quote_plus(value),
        raw.hex(),
        raw.hex().upper(),
        raw.hex(" "),
        raw.hex(":"),
    }
    found = {text.encode() for text in texts} | {value.encode("utf-16-le"), value.encode("utf-16-be")}
    found |= {form for encode in (b64encode, urlsafe_b64encode) for form in _within(raw, encode)}
    return frozenset(form for form in found if len(form) >= _SHORTEST)


def _within(raw: bytes, encode: object) -> Iterator[bytes]:
    """Base64 of a longer text that holds these bytes: what does not depend on the bytes around them."""
    assert callable(encode)
    for before in range(3):
        encoded: bytes = encode(b"\0" * before + raw)
        first = (before * 8 + 5) // 6
        last = (before + len(raw)) * 8 // 6
        yield encoded[first:last]


def found_in(content: bytes, values: Iterable[str]) -> list[str]:
    """The values that stand in the content, in whatever form."""
    return [value for value in values if any(form in content for form in forms_of(value))]
