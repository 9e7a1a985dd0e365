"""What the words around a number say that it is."""

from __future__ import annotations

import re
from typing import Final

from dataflow.detect.data import table
from dataflow.detect.normalise import fold
from dataflow.detect.roles import CONTACT, LOCAL, OTHER
from dataflow.detect.tokens import Tokens

_REACH: Final = 48
_FARTHEST: Final = 12
_TELLING: Final = CONTACT | OTHER
_SENTENCE_ENDS: Final = re.compile(r"[.!?;](?:\s|$)|\n")
_GENERIC: Final = frozenset(map(fold, table("phone_context.toml")["generic"].split()))
_YOURS: Final = frozenset(table("phone_context.toml")["yours"].split())
_CURRENCIES: Final = frozenset(map(fold, table("phone_context.toml")["currencies"].split()))
_SERVICE: Final = frozenset(map(fold, table("phone_context.toml")["service"].split()))


def near(t: Tokens, first: int, last: int) -> str:
    """`contact`, `other` or `none` of the number at tokens `[first, last)`: the nearest telling word, one
    before the number rather than one after.
    """
    if not t.all_roles & _TELLING:
        return "none"
    roles, gaps = t.roles, t.gaps
    for i in range(first - 1, max(-1, first - _FARTHEST - 1), -1):
        if not roles[i] & _TELLING:
            continue
        if t.starts[first] - t.ends[i] > _REACH:
            break
        if roles[i] & OTHER and not any(map(_SENTENCE_ENDS.search, gaps[i + 1 : first + 1])):
            return "contact" if i and roles[i - 1] & LOCAL else "other"
        if roles[i] & CONTACT:
            if t.words[i] in _GENERIC and i and roles[i - 1] & OTHER and not roles[i - 1] & CONTACT:
                return "other"
            if not (t.words[i] in _GENERIC and i and t.words[i - 1] in _YOURS):
                return "contact"
    for i in range(last, min(len(roles), last + _FARTHEST)):
        if not roles[i] & _TELLING:
            continue
        if t.starts[i] - t.ends[last - 1] > _REACH:
            break
        if roles[i] & CONTACT:
            generic = t.words[i] in _GENERIC and i > last
            if generic and t.words[i - 1] in _YOURS:
                continue
            return "other" if generic and roles[i - 1] & OTHER else "contact"
        if roles[i] & OTHER:
            return "other" if not _SENTENCE_ENDS.search(gaps[i]) else "none"
    return "none"


def priced(t: Tokens, last: int) -> bool:
    """Whether a currency stands right after the number that ends before token `last`."""
    return last < len(t.words) and t.words[last] in _CURRENCIES and t.gaps[last] in ("", " ")


def spoken_of_a_service(t: Tokens) -> bool:
    """Whether a text speaks of hotlines and businesses."""
    return not _SERVICE.isdisjoint(t.words)
