"""Handles: a platform's mention binds a token near it when the evidence adds up.

Evidence is counted in points: how sure the mention is, what joins it to the token ("is", "id:", "on"),
whether somebody gives ("my", "add me on"), and how much the token looks like a chosen name rather than a
word. A handle needs `_ENOUGH` of them; an ordinary word never is one.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

from dataflow.detect.lexicon import (
    ANYWHERE,
    ANYWHERE_PHRASES,
    COPULA,
    FILLER,
    GIVE,
    LABEL,
    LATIN,
    MAYBE,
    NAME,
    ON,
    ORDINARY,
    OTHERS,
    OWN,
    PHRASE,
    SURE,
)
from dataflow.detect.mentions import Mention
from dataflow.detect.normalise import Normal
from dataflow.detect.shapes import DOTTED, NEVER, STRONG, chunk, shape
from dataflow.detect.tokens import Tokens
from dataflow.detect.verdicts import Veto

_POINTING = frozenset(':=→➡👉>⇒☞👇⬇"«»“⏩↪➜▶🔜')
_LOOSE = frozenset("-~|*()•/_[]`<{}#^,")
_ENDS = frozenset(".!?;")
_ENOUGH = 3
_FARTHEST = 9
_FEW_WORDS, _NOTHING_ELSE = 5, 2
_FEWEST_APART = 4
_MOST, _MOST_LOOKS = 24, 48
_OWN_ANSWER = frozenset(("mine", "mines", "its", "im", "m"))


class Handle(NamedTuple):
    """A handle in a respelt text, `[start, end)`."""

    platform: str | None
    value: str
    start: int
    end: int
    rule: str


class Place(NamedTuple):
    """A chosen name where it stands: tokens `[first, last)`, characters `[start, end)`, and its points."""

    first: int
    last: int
    start: int
    end: int
    points: int
    signed: bool


class _Gap(NamedTuple):
    joint: int
    """How strongly a gap joins: 2 for what points, 1 for loose signs, 0 for none."""
    ends: bool
    """It ends a sentence."""
    signed: bool
    """ "@" stands at its end."""


class _Gaps(dict[str, _Gap]):
    """What a gap says, worked out when it is first met."""

    def __missing__(self, gap: str) -> _Gap:
        joint = 2 if gap == "/" or not _POINTING.isdisjoint(gap) else 1 if not _LOOSE.isdisjoint(gap) else 0
        ends = not _ENDS.isdisjoint(gap)
        found = _Gap(joint, ends, gap.endswith("@"))
        if len(self) < 5000 and len(gap) <= 8:
            self[gap] = found
        return found


_GAPS = _Gaps()


class _Text:
    """A respelt text with what has been taken from it."""

    def __init__(self, normal: Normal, t: Tokens, free: Sequence[tuple[int, int]]) -> None:
        self.normal = normal
        self.t = t
        self.latin = sum([1 for roles in t.roles if roles & LATIN])
        self.taken: set[int] = set()
        for start, end in free:
            i = bisect_left(t.ends, start + 1)
            while i < len(t.starts) and t.starts[i] < end:
                self.taken.add(i)
                i += 1

    def signed(self, i: int) -> bool:
        """Whether "@" stands right before token i."""
        return _GAPS[self.t.gaps[i]].signed

    def _spelt_out(self, start: int, end: int) -> bool:
        """Whether the name's letters stood apart, which no word's do."""
        if self.normal.origin is None or end - start < _FEWEST_APART:
            return False
        first, last = self.normal.span(start, end)
        return last - first >= 2 * (end - start) - 1 and self.normal.original[first:last].isascii()

    def place(self, i: int, platform: str | None = None) -> Place | None:
        """The chosen name at token i with its shape's points, or None when it cannot be one."""
        t = self.t
        if not t.roles[i] & LATIN:
            return None
        after = t.gaps[i + 1][:1]
        if after in ("_", ".", "-") or t.gaps[i][-1:] == "_":
            start, end = chunk(t, i, platform)
            last = bisect_left(t.starts, end)
        else:
            start, end, last = t.starts[i], t.ends[i], i + 1
        word = t.text[start:end]
        signed = start > 0 and t.text[start - 1] == "@"
        points = shape(word, signed)
        if points < STRONG and self._spelt_out(start, end):
            points = STRONG
        if points <= NEVER + 2 or not self.normal.plain(start, end):
            return None
        return Place(i, max(last, i + 1), start, end, points, signed)


def _gives(t: Tokens, first: int) -> int:
    """1 when the words before token `first` give or invite, else 0."""
    for i in range(first - 1, max(-1, first - 5), -1):
        if _GAPS[t.gaps[i + 1]].ends:
            break
        if t.roles[i] & GIVE:
            return 1
    return 0


def _third_party(t: Tokens, at: int, signed: bool) -> bool:
    """Whether the words before token `at` speak of somebody else's account ("i follow @…")."""
    others = False
    if not _FAVOURITES.isdisjoint(t.words[max(0, at - 5) : at]):
        return True
    for i in range(max(0, at - 5), at):
        roles = t.roles[i]
        if roles & OWN:
            return False
        if roles & OTHERS:
            others = others or (
                signed
                if t.words[i] in _CREDITS
                else t.words[i] not in _COMMANDS or (i > 0 and t.words[i - 1] in _SUBJECTS)
            )
    return others


_FAVOURITES = frozenset(("favorite", "favourite", "fave", "fav", "best", "shoutout"))
_CREDITS = frozenset(("by", "from", "via", "called", "official", "like"))
"""Words that credit somebody only before "@"."""
_COMMANDS = frozenset(("follow", "watch", "like", "read", "via"))
"""Verbs that, without a subject, invite."""
_SUBJECTS = frozenset(
    ("i", "we", "you", "u", "they", "to", "who", "people", "ppl", "also", "only", "just", "still", "ll", "d")
)


def _forward(text: _Text, mention: Mention) -> Place | None:
    """The name after a mention that is its handle, with all its points; None when there is none."""
    t = text.t
    leads = mention.first == 0 or _GAPS[t.gaps[mention.first]].ends or "\n" in t.gaps[mention.first]
    base = (1 if mention.sure else 0) + _gives(t, mention.first)
    lead = 1 if leads and not mention.sure else 0
    base += (text.latin <= _FEW_WORDS) + (text.latin <= _NOTHING_ELSE)
    joint, asked = 0, False
    i = mention.last
    stop = min(len(t.words), mention.last + _FARTHEST)
    while i < stop:
        if i in text.taken:
            return None
        roles = t.roles[i]
        gap = _GAPS[t.gaps[i]]
        joint = max(joint, gap.joint)
        if gap.ends and not (i == mention.last and t.gaps[i][:1] == "." and t.gaps[i][1:2] == " "):
            asked = True
        if gap.signed:
            joint = max(joint, 1)
        elif not roles & LATIN:
            if roles & LABEL:
                joint = 2
            elif roles & COPULA:
                joint = max(joint, 1)
            i += 1
            continue
        elif (
            t.gaps[i + 1][:1] in ("_", ".")
            and i + 1 < len(t.words)
            and t.gaps[i + 1] in ("_", ".", "__", "..")
        ):
            pass
        elif roles & LABEL and i + 1 < len(t.words):
            joint, asked = max(joint, 2), False
            i += 1
            continue
        elif roles & COPULA:
            joint = max(joint, 1)
            asked = asked and t.words[i] not in _OWN_ANSWER
            i += 1
            continue
        elif roles & GIVE and asked:
            joint, base, asked = max(joint, 1), base + 1, False
            i += 1
            continue
        elif roles & (FILLER | GIVE | SURE | MAYBE | PHRASE) and not (roles & NAME and joint == 2):
            i += 1
            continue
        place = text.place(i, mention.platform)
        if place is None:
            return None
        if place.points + base + joint + (lead if place.points >= 2 else 0) < _ENOUGH:
            return None
        if place.points == DOTTED and joint < 2:
            return None
        if asked and not place.signed and place.points < STRONG:
            return None
        if place.signed and _third_party(t, mention.first, True):
            return None
        return place._replace(points=base + joint + place.points)
    return None


_BEFORE_ON = frozenset(("my", "the", "meu", "mi", "mon", "mein", "mijn", "s", "is", "are", "me"))
_GIVEN = frozenset(("im", "m", "its", "add", "s", "it", "by", "as", "me", "to", "for"))


def _backward(text: _Text, mention: Mention) -> Place | None:
    """The name before a mention that is its handle ("… on insta"), with all its points."""
    t = text.t
    i = mention.first - 1
    joined = bool(t.roles[mention.first] & ON) and mention.last - mention.first > 1
    loose = False
    while i >= 0 and mention.first - i <= 5:
        gap = t.gaps[i + 1]
        if not _ENDS.isdisjoint(gap) or "\n" in gap:
            return None
        loose = loose or not _BRACKET.isdisjoint(gap)
        roles = t.roles[i]
        if roles & (ON | COPULA) and not roles & NAME and i:
            joined = True
        elif t.words[i] not in _BEFORE_ON and not (roles & (SURE | MAYBE | PHRASE) and not text.signed(i)):
            break
        i -= 1
    added = i > 0 and i == mention.first - 1 and bool(t.roles[i - 1] & GIVE) and t.words[i - 1] in _INVITE
    joined = joined or added
    if i < 0 or i in text.taken or not (joined or loose):
        return None
    while i and t.gaps[i] in ("_", ".", "__", "-"):
        i -= 1
    place = text.place(i, mention.platform)
    if place is None:
        return None
    points = place.points + (1 if mention.sure else 0)
    given = i == 0 or bool(t.roles[i - 1] & (LABEL | GIVE)) or t.words[i - 1] in _GIVEN
    if given:
        points += 2
    elif text.latin <= _FEW_WORDS:
        points += 1
    if place.points < (1 if given and joined else 2) or points < _ENOUGH:
        return None
    if loose and not joined and place.points < (2 if text.latin <= _NOTHING_ELSE else STRONG):
        return None
    return None if _third_party(t, i, place.signed) and not _gives(t, i) else place._replace(points=points)


_INVITE = frozenset(("add", "follow", "find", "addme", "message", "dm"))
_BRACKET = frozenset("(-,|/:=@)[")
_MARKS = frozenset(("its", "add", "im", "m", "mine"))


def _marked(text: _Text, found: Sequence[Mention]) -> tuple[Place, Mention] | None:
    """A name that a label or "@" marks, or the only one that no word could be, in a text that mentions a
    platform.
    """
    t = text.t
    strong: list[Place] = []
    looks = _MOST_LOOKS
    for i in range(len(t.words)):
        if i in text.taken or not t.roles[i] & LATIN or (i and t.gaps[i] in ("_", ".")):
            continue
        if t.roles[i] & ORDINARY and t.gaps[i + 1][:1] not in ("_", ".") and not text.signed(i):
            continue
        looks -= 1
        place = text.place(i) if looks >= 0 else None
        if place is None:
            continue
        last = place.last == len(t.words)
        before = i and (
            t.roles[i - 1] & LABEL
            or t.words[i - 1] in _MARKS
            or ":" in t.gaps[i]
            or (last and _GAPS[t.gaps[i]].joint and len(t.gaps[i]) > 1)
        )
        if (
            (place.signed or before)
            and place.points >= (STRONG if place.signed else 2)
            and not (place.signed and _third_party(t, i, True))
        ):
            return place, min(found, key=lambda m: abs(m.first - i))
        if place.points >= STRONG and not place.signed:
            strong.append(place)
    if len(strong) == 1 and not _third_party(t, strong[0].first, False):
        nearest = min(found, key=lambda m: abs(m.first - strong[0].first))
        if nearest.sure or t.all_roles & GIVE or text.latin <= _FEW_WORDS:
            return strong[0], nearest
    return None


def _announces(t: Tokens, i: int) -> bool:
    """Whether token i and the next begin a phrase of `anywhere`."""
    second = _SECOND[t.words[i]]
    return "" in second or (i + 1 < len(t.words) and t.words[i + 1] in second)


def _anywhere(t: Tokens) -> list[Mention]:
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


_BY_FIRST = {
    first: sorted((p for p in ANYWHERE_PHRASES if p[0] == first), key=len, reverse=True)
    for first in {p[0] for p in ANYWHERE_PHRASES}
}


_SECOND = {first: {p[1] if len(p) > 1 else "" for p in phrases} for first, phrases in _BY_FIRST.items()}
"""What may follow the first word of a phrase; "" stands for anything."""


def _bare(text: _Text) -> Place | None:
    """A lone "@name" in a message that says little else."""
    marked = [i for i in range(len(text.t.words)) if text.signed(i) and i not in text.taken]
    if len(marked) != 1 or _third_party(text.t, marked[0], True):
        return None
    place = text.place(marked[0])
    if place is None:
        return None
    return place if place.points >= STRONG + 2 or (place.points >= 3 and text.latin <= 3) else None


def handles(
    normal: Normal, t: Tokens, named: Sequence[Mention], free: Sequence[tuple[int, int]]
) -> list[Handle | Veto]:
    """The handles of a respelt text, outside the spans of `free`-standing contacts, and those mentions
    (`named`) that bind nothing. Linear time.
    """
    announced = _anywhere(t) if t.all_roles & ANYWHERE else []
    if not (named or announced or "@" in t.text):
        return []
    text = _Text(normal, t, free)
    named = [m for m in named if m.first not in text.taken]
    for mention in named:
        text.taken.update(range(mention.first, mention.last))
    found: list[Handle | Veto] = []
    count = 0

    def take(place: Place, platform: str | None, rule: str) -> None:
        nonlocal count
        count += 1
        value = t.text[place.start : place.end]
        found.append(Handle(platform, value, place.start, place.end, rule))
        text.taken.update(range(place.first, place.last))

    for mention in named[:_MOST]:
        ahead = _forward(text, mention)
        back = _backward(text, mention)
        if back and (not ahead or back.points > ahead.points):
            take(back, mention.platform, "handle_backward")
        elif ahead:
            take(ahead, mention.platform, "handle_forward")
        else:
            start, end = t.starts[mention.first], t.ends[mention.last - 1]
            found.append(Veto("a platform's name, and no name of an account with it", start, end))
    if named and not count:
        marked = _marked(text, named)
        if marked:
            take(marked[0], marked[1].platform, "handle_marked")
    if announced and not count:
        for mention in announced:
            ahead = _forward(text, mention) or _backward(text, mention)
            if ahead:
                take(ahead, None, "handle_anywhere")
                break
        if not count and (marked := _marked(text, announced)):
            take(marked[0], None, "handle_anywhere")
    if not count and "@" in t.text and (lone := _bare(text)) is not None:
        take(lone, None, "handle_bare")
    return found


__all__ = ["NEVER", "Handle", "handles"]
