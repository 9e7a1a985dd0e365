"""Whose account it is: the writer's own, given away, or one that is only spoken of.

"i follow @…", "the band's page is instagram.com/…", "lo vi en el tiktok de @…" give nothing away. The nearest
telling words decide, those before the name first; what speaks of others must stand in the name's sentence.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from dataflow.detect.evidence import GAPS, some
from dataflow.detect.roles import (
    AM,
    ANNOUNCE,
    COPULA,
    CREDIT,
    FILLER,
    GIVE,
    LABEL,
    ME,
    OTHERS,
    OWN,
    PLATFORM,
    PUBLIC,
    THEIRS,
)
from dataflow.detect.tokens import Tokens

_BEFORE: Final = 12
_AFTER: Final = 8
_NEAR: Final = 4
_HELD: Final = 3
_FEW_OTHERS: Final = 3
_FAVOURITES, _COMMANDS, _SUBJECTS, _DEMONSTRATIVES, _DOINGS = map(
    some, ("favourites", "commands", "subjects", "demonstratives", "doings")
)
_HAS: Final = PLATFORM | LABEL | PUBLIC


class Owner(Enum):
    """Whose an account is."""

    OURS = "the writer's"
    THEIRS = "somebody else's"
    UNSAID = "nobody says"


def owner(t: Tokens, first: int, last: int, *, signed: bool) -> Owner:
    """Whose the account is whose name, or link, stands at tokens `[first, last)`. `signed`: with "@"."""
    for i in range(last, min(len(t.words), last + _AFTER)):
        if t.gaps[i] and t.roles[i] & ME and t.roles[i - 1] & COPULA and i > last:
            return Owner.OURS
    same = clause = True
    for i in range(first - 1, max(-1, first - 1 - _BEFORE), -1):
        gap = t.gaps[i + 1]
        same = same and not GAPS[gap].breaks
        clause = clause and same and "," not in gap
        if t.roles[i] & _TELLS or t.words[i] in _TELLING:
            if _ours(t, i, first):
                return Owner.OURS
            if same and _theirs(t, i, first, clause=clause, signed=signed):
                return Owner.THEIRS
    for i in range(last, min(len(t.words), last + _AFTER)):
        gap = t.gaps[i]
        if GAPS[gap].breaks:
            break
        clause = (clause or i == last) and "," not in gap
        if _ours_after(t, i):
            return Owner.OURS
        if clause and (t.roles[i] & (OTHERS | PUBLIC) or t.words[i] in _FAVOURITES):
            return Owner.THEIRS
    return Owner.UNSAID


_JOINS: Final = PLATFORM | LABEL | COPULA | FILLER | OWN | ME
_TELLS: Final = OTHERS | THEIRS | CREDIT | PUBLIC | OWN | AM | ME | ANNOUNCE
_TELLING: Final = _FAVOURITES | _DEMONSTRATIVES | _DOINGS | {"s"}


def _ours(t: Tokens, i: int, first: int) -> bool:
    """Whether token i, before a name at token `first`, says that the name is the writer's."""
    roles = t.roles[i]
    if roles & OWN and (first - i <= _NEAR or _has(t, i + 1, i + 1 + _HELD, _HAS)):
        return True
    if roles & AM and first - i <= _HELD:
        return True
    if roles & ME and (
        (i and t.roles[i - 1] & (GIVE | COPULA | ANNOUNCE))
        or (i + 1 < first and t.roles[i + 1] & (GIVE | ANNOUNCE))
    ):
        return True
    if t.words[i] in _DOINGS:
        return i > 0 and t.words[i - 1] == "i"
    return bool(roles & ANNOUNCE) and (i == 0 or t.words[i - 1] not in _SUBJECTS)


def _theirs(t: Tokens, i: int, first: int, *, clause: bool, signed: bool) -> bool:
    """Whether token i, before a name at token `first`, says that the name is somebody else's."""
    roles, word = t.roles[i], t.words[i]
    if word in _FAVOURITES:
        return True
    if roles & CREDIT and signed and i == first - 1:
        return True
    if clause and roles & OTHERS and (word not in _COMMANDS or (i and t.words[i - 1] in _SUBJECTS)):
        return True
    if (clause or i == first - 1) and roles & PUBLIC and not _has(t, i - _HELD, i, OWN):
        return True
    if word in _DEMONSTRATIVES:
        thing = i + 2 == first and not t.roles[i + 1] & _JOINS
        return thing or _has(t, i + 1, min(first, i + 1 + _HELD), LABEL | PUBLIC)
    return possessed(t, i + 1) or bool(roles & THEIRS and i and t.roles[i - 1] & _HAS)


def possessed(t: Tokens, i: int) -> bool:
    """Whether what stands at token i is somebody else's ("her insta", "the band's page")."""
    if not 0 < i < len(t.words) or not t.roles[i] & _HAS:
        return False
    if t.roles[i - 1] & THEIRS:
        return True
    named = t.words[i - 1] == "s" and t.gaps[i - 1] == "'" and i > 1
    return named and not t.roles[i - 2] & (_HAS | COPULA | ANNOUNCE) and not _has(t, i - 4, i - 2, OWN)


def _ours_after(t: Tokens, i: int) -> bool:
    """Whether token i, after a name, says that the name is the writer's."""
    roles = t.roles[i]
    if roles & ME:
        return bool(t.roles[i - 1] & (COPULA | GIVE | ANNOUNCE))
    return bool(roles & (OWN | GIVE | ANNOUNCE))


def _has(t: Tokens, first: int, last: int, roles: int) -> bool:
    return any(each & roles for each in t.roles[max(0, first) : last])


def gives_nothing(t: Tokens, first: int, last: int) -> bool:
    """Whether tokens `[first, last)` stand in a sentence in which nobody gives or speaks of oneself."""
    others = len(t.words) - (last - first)
    return others > _FEW_OTHERS and not t.all_roles & (OWN | ME | AM | GIVE | ANNOUNCE)
