"""How much of a text is read: none of it when all is prose, else as far as it has given enough away.

A text that gives away six contacts needs no more work to be told from one that gives away forty. What
bounds the work is not what is found but what must be looked at, platforms named and digits spelled, so
that decoys cost no more than contacts do. They can hide what follows them, which is why such texts are
counted; what stands before the cut is never lost, for a text is cut at a word of prose.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from dataflow.detect.data import table
from dataflow.detect.mentions import announcements
from dataflow.detect.normalise import Normal, normalise
from dataflow.detect.roles import (
    ANYWHERE,
    CHARACTER,
    DIGITS,
    FUSED,
    MANY,
    MAYBE,
    MIXED,
    NAME,
    NUMBERLIKE,
    NUMERAL,
    ORDINARY,
    PLATFORM,
    SIGN,
    SINGLE,
    SPELT,
    SURE,
)
from dataflow.detect.tokens import Tokens, tokens

SHORT: Final = 256
"""Characters of a normalised text that are always read."""
ENOUGH: Final = 96
"""In digits; six contacts or more. 2,056 bytes of ordinary chat come to 60, 19 of 20 to less (n = 200)."""
_PIECE: Final = 320
"""Characters that are normalised at once."""
_NAMED: Final = 8.0
_PERHAPS: Final = 2.0
_SPOKEN: Final = 1.0
_ALONE: Final = 0.5
_LETTER: Final = 1.0
_SIGNED: Final = 4.0
_LONGEST: Final = 15
_LETTERS_OF_A_DIGIT: Final = 4
_MOST_MORE: Final = 48
"""Words after enough, in which one of prose is looked for to cut at."""
_FIGURES: Final = DIGITS | MIXED
_SPELT: Final = NUMERAL | FUSED | CHARACTER
_TELLING: Final = SURE | MAYBE | _FIGURES | _SPELT
_IN_A_CONTACT: Final = NUMBERLIKE | PLATFORM | SINGLE
_SIGNS: Final = ("@", "/", "#")
_NO_PROSE: Final = NAME | DIGITS | MIXED | FUSED | CHARACTER | SPELT
_WORDS: Final = ORDINARY | SURE | MAYBE | SINGLE
_COUNTS: Final = NUMERAL | MANY | SIGN | SINGLE
_FEW_COUNTS: Final = 2
_SIGN: Final = re.compile(r"[@_/#$|(\[{<]|[a-z][.:-][a-z]")
_MAIL: Final = frozenset(word for phrase in table("phrases.toml")["mail"] for word in phrase.split())


def portion(text: str) -> tuple[Normal, Tokens]:
    """The part of a text that is read, from its beginning, normalised, and its tokens. Linear time."""
    if len(text) <= SHORT:
        return _tokenised(text)
    read: tuple[Normal, Tokens] | None = None
    spent, more = 0.0, _MOST_MORE
    for piece in _pieces(text):
        normal, t = _tokenised(piece)
        before = len(read[0].text) if read else 0
        for i, cost in enumerate(_costs(t)):
            spent += cost
            if spent > ENOUGH and before + t.starts[i] > SHORT:
                if _prose(t, i) or not more:
                    return _joined(read, normal.beginning(t.starts[i]), t.beginning(i))
                more -= 1
        read = _joined(read, normal, t)
    return read or _tokenised("")


def _joined(read: tuple[Normal, Tokens] | None, normal: Normal, t: Tokens) -> tuple[Normal, Tokens]:
    """What was read before, if anything, with what comes right after it."""
    return (read[0].joined(normal), read[1].joined(t)) if read else (normal, t)


def _pieces(text: str) -> Iterator[str]:
    """A text, cut at spaces: only what is read has to be normalised."""
    start = 0
    while start < len(text):
        end = len(text)
        if end > start + _PIECE:
            space = text.rfind(" ", start + 1, start + _PIECE)
            end = space if space > 0 else end
        yield text[start:end]
        start = end


def _tokenised(text: str) -> tuple[Normal, Tokens]:
    normal = normalise(text)
    return normal, tokens(normal.text, text if normal.origin is None else "")


def _costs(t: Tokens) -> Iterator[float]:
    """What each word comes to with the signs before it, in digits."""
    signs = any(sign in t.text for sign in _SIGNS)
    before = 0
    for word, gap, roles in zip(t.words, t.gaps, t.roles, strict=False):
        cost = _cost(roles, word, before) if roles & _TELLING else _LETTER if roles & before & SINGLE else 0.0
        if signs and gap != " ":
            cost += _SIGNED * sum([gap.count(sign) for sign in _SIGNS])
        before = roles
        yield cost


def _cost(roles: int, word: str, before: int) -> float:
    """What a telling word comes to after one of the roles `before`."""
    if roles & SURE:
        return _NAMED
    if roles & MAYBE:
        return _PERHAPS if roles & ORDINARY else _NAMED
    if roles & _FIGURES:
        return min(len(word), _LONGEST)
    if roles & FUSED:
        return len(word) / _LETTERS_OF_A_DIGIT
    return _ALONE if roles & ORDINARY and not before & _SPELT else _SPOKEN


def _prose(t: Tokens, i: int) -> bool:
    """Whether token i is a word of prose by itself, no part of a contact."""
    return bool(t.roles[i] & ORDINARY) and not t.roles[i] & _IN_A_CONTACT and t.gaps[i][-1:].isspace()


def only_prose(t: Tokens) -> bool:
    """Whether a text is all words of prose and of platforms, and no contact can hide in any of them."""
    if t.all_roles & _NO_PROSE or not t.text.isascii():
        return False
    count = 0
    for roles in t.roles:
        if not roles & _WORDS:
            return False
        if roles & _COUNTS:
            count += 1
    if count > _FEW_COUNTS or _SIGN.search(t.text) or not _MAIL.isdisjoint(t.words):
        return False
    return not (t.all_roles & ANYWHERE and announcements(t))
