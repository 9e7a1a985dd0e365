"""How much of a text is read: none of it when all is prose, else as far as it has given enough away.

A text that gives away ten contacts needs no more work to be told from one that gives away forty. What
bounds the work is not what is found but what must be looked at, platforms named and digits spelled, so
that decoys cost no more than contacts do. They can hide what follows them; what stands before the cut is
never lost, for a text is cut at a word of prose.
"""

from __future__ import annotations

import re

from dataflow.detect.data import table
from dataflow.detect.lexicon import (
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
from dataflow.detect.normalise import Normal, normalise
from dataflow.detect.tokens import Tokens, tokens

SHORT = 256
"""Characters of a normalised text that are always read."""
ENOUGH = 140
"""In digits; ten contacts or so. 2,056 bytes of ordinary chat come to 69, at most to 108 (n = 200)."""
_NAMED, _PERHAPS, _SPOKEN, _SIGNED = 8, 2, 1, 8
_AT_FIRST = 640
"""Characters of a long text that are looked at first: where it gives away a great deal, they are enough."""
_LONGEST = 15
_MOST_MORE = 48
_FIGURES, _SPELT = DIGITS | MIXED, NUMERAL | FUSED | CHARACTER
_TELLING = SURE | MAYBE | _FIGURES | _SPELT
_IN_A_CONTACT = NUMBERLIKE | PLATFORM | SINGLE
_SIGNS = ("@", "/", "#")
_NO_PROSE = NAME | DIGITS | MIXED | FUSED | CHARACTER | SPELT | ANYWHERE
_WORDS = ORDINARY | SURE | MAYBE
_COUNTS = NUMERAL | MANY | SIGN | SINGLE
_FEW_COUNTS = 2
_SIGN = re.compile(r"[@_/#$|(\[{<]|[a-z][.:-][a-z]")
_MAIL = frozenset(word for phrase in table("phrases.toml")["mail"] for word in phrase.split())


def portion(text: str) -> tuple[Normal, Tokens]:
    """The part of a text that is read, from its beginning, normalised, and its tokens. Linear time."""
    if len(text) > 2 * _AT_FIRST:
        begun = _enough(*_tokenised(text[:_AT_FIRST]))
        if begun:
            return begun
    normal, t = _tokenised(text)
    return _enough(normal, t) or (normal, t)


def _tokenised(text: str) -> tuple[Normal, Tokens]:
    normal = normalise(text)
    return normal, tokens(normal.text, text if normal.origin is None else "")


def _enough(normal: Normal, t: Tokens) -> tuple[Normal, Tokens] | None:
    """The part of a text that gives enough away; None when all of it has to be read."""
    if len(t.text) <= SHORT:
        return None
    signs = any(sign in t.text for sign in _SIGNS)
    sum_ = before = 0
    for i, roles in enumerate(t.roles):
        gap = t.gaps[i]
        if signs and gap != " ":
            sum_ += _SIGNED * sum([gap.count(sign) for sign in _SIGNS])
        if roles & _TELLING:
            sum_ += _weight(roles, t.words[i])
        elif roles & before & SINGLE:
            sum_ += _SPOKEN
        before = roles
        if sum_ > ENOUGH and t.starts[i] > SHORT:
            return _cut(normal, t, i)
    return None


def _weight(roles: int, word: str) -> int:
    """What a word comes to, in digits."""
    if roles & SURE:
        return _NAMED
    if roles & MAYBE:
        return _PERHAPS if roles & ORDINARY else _NAMED
    return min(len(word), _LONGEST) if roles & _FIGURES else _SPOKEN


def _cut(normal: Normal, t: Tokens, enough: int) -> tuple[Normal, Tokens] | None:
    """The text before the first word of prose from token `enough` on; None when that is its last word."""
    farthest = min(len(t.words) - 1, enough + _MOST_MORE)
    last = next(
        (i for i in range(enough, farthest) if _prose(t, i)),
        farthest,
    )
    if last >= len(t.words) - 1:
        return None
    return normal.beginning(t.starts[last]), t.beginning(last)


def _prose(t: Tokens, i: int) -> bool:
    """Whether token i is a word of prose by itself, no part of a contact."""
    return bool(t.roles[i] & ORDINARY) and not t.roles[i] & _IN_A_CONTACT and t.gaps[i][-1:].isspace()


def only_prose(t: Tokens) -> bool:
    """Whether a text is all words of prose and of platforms, and no contact can hide in any of them."""
    if t.all_roles & _NO_PROSE or not t.text.isascii() or _SIGN.search(t.text):
        return False
    count = 0
    for roles in t.roles:
        if not roles & _WORDS:
            return False
        if roles & _COUNTS:
            count += 1
    return count <= _FEW_COUNTS and _MAIL.isdisjoint(t.words)
