"""Where a text mentions a platform."""

from __future__ import annotations

from typing import Final, NamedTuple

from dataflow.detect.lexicon import ANYWHERE_PHRASES, ROLES
from dataflow.detect.platforms import LONGEST_PHRASE, PLATFORMS, named
from dataflow.detect.roles import ANYWHERE, BEGINNING, MAYBE, PHRASE, PLATFORM, POINTED, SURE
from dataflow.detect.tokens import Tokens

_WIDEST_GAP: Final = 3
_POINTS: Final = frozenset(":=-@→➡👉")
_ANY: Final = PLATFORM | BEGINNING
_SECOND: Final[dict[str, set[str]]] = {}
"""What may follow the first word of a name of several."""
for _first, _next, *_ in PLATFORMS.phrases:
    _SECOND.setdefault(_first, set()).add(_next)
_SHORTEST_SPLIT: Final = 6
_MOST_PARTS: Final = 4


class Mention(NamedTuple):
    """Tokens `[first, last)` name a platform. `sure`: they can hardly mean anything else."""

    platform: str | None
    first: int
    last: int
    sure: bool


def _joined(t: Tokens, i: int) -> bool:
    """Whether token i is part of a longer chosen name ("insta_luna"), not a mention."""
    before, after = t.gaps[i], t.gaps[i + 1]
    if before[-1:] in ("_", ".") and (before == "_" or (before == "." and i > 0)):
        return True
    return (
        after in ("_", ".")
        and i + 1 < len(t.words)
        and not (after == "." and t.words[i + 1] == "com" and t.gaps[i + 2][:1] == " ")
    )


def _phrase(t: Tokens, i: int) -> tuple[int, str] | None:
    """The longest name of several words at token i: where it ends, and the platform."""
    if i + 1 == len(t.words) or t.words[i + 1] not in _SECOND[t.words[i]]:
        return None
    for last in range(min(i + LONGEST_PHRASE, len(t.words)), i + 1, -1):
        platform = PLATFORMS.phrases.get(tuple(t.words[i:last]))
        if platform and max(map(len, t.gaps[i + 1 : last])) <= _WIDEST_GAP:
            return last, platform
    return None


def _split(t: Tokens, i: int) -> tuple[int, str] | None:
    """A long name cut into parts ("te-le-gr am") that begins at token i."""
    name = t.words[i]
    if len(t.gaps[i + 1]) > 2 or not ROLES.get(name + t.words[i + 1], 0) & (BEGINNING | SURE):
        return None
    for last in range(i + 1, min(i + _MOST_PARTS, len(t.words))):
        if len(t.gaps[last]) > 2 or len(name) > 12:
            return None
        name += t.words[last]
        if len(name) >= _SHORTEST_SPLIT and name in PLATFORMS.names:
            return last + 1, PLATFORMS.names[name]
    return None


def mentions(t: Tokens) -> list[Mention]:
    """Every mention of a platform, the longest where they overlap, in order. Linear time."""
    found: list[Mention] = []
    passed = 0
    for i in [i for i, roles in enumerate(t.roles) if roles & _ANY]:
        if i < passed:
            continue
        roles = t.roles[i]
        if roles & PHRASE:
            phrase = _phrase(t, i)
            if phrase:
                passed, platform = phrase
                found.append(Mention(platform, i, passed, True))
                continue
        if roles & (SURE | MAYBE):
            name = named(t.words[i])
            if name and not _joined(t, i):
                found.append(Mention(name[0], i, i + 1, bool(roles & SURE)))
        elif roles & POINTED and t.gaps[i + 1].strip()[:1] in _POINTS and not _joined(t, i):
            found.append(Mention(PLATFORMS.pointed[t.words[i]], i, i + 1, False))
        elif roles & BEGINNING and i + 1 < len(t.words):
            split = _split(t, i)
            if split:
                passed, platform = split
                found.append(Mention(platform, i, passed, True))
    return found


def _announces(t: Tokens, i: int) -> bool:
    """Whether token i and the next begin a phrase of `anywhere`."""
    second = _SECOND_SAID[t.words[i]]
    return "" in second or (i + 1 < len(t.words) and t.words[i + 1] in second)


def announcements(t: Tokens) -> list[Mention]:
    """Phrases that announce a handle without a platform ("same name on all socials")."""
    found = []
    for i, roles in enumerate(t.roles):
        if roles & ANYWHERE and _announces(t, i):
            for phrase in _BY_FIRST[t.words[i]]:
                last = i + len(phrase)
                if tuple(t.words[i:last]) == phrase:
                    found.append(Mention(None, i, last, True))
                    break
    return found


_BY_FIRST: Final = {
    first: sorted((p for p in ANYWHERE_PHRASES if p[0] == first), key=len, reverse=True)
    for first in {p[0] for p in ANYWHERE_PHRASES}
}


_SECOND_SAID: Final = {
    first: {p[1] if len(p) > 1 else "" for p in phrases} for first, phrases in _BY_FIRST.items()
}
"""What may follow the first word of a phrase; "" stands for anything."""
