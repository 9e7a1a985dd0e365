"""Handles: a platform's mention binds a token near it when the evidence adds up.

Evidence is counted in points: how sure the mention is, what joins it to the token ("is", "id:", "on"),
whether somebody gives ("my", "add me on"), and how much the token looks like a chosen name rather than a
word. A handle needs `_ENOUGH` of them; an ordinary word never is one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from dataflow.detect.evidence import ENDS, GAPS, Place, Text, gives, some, something_else
from dataflow.detect.mentions import Mention, announcements
from dataflow.detect.normalise import Normal
from dataflow.detect.ownership import Owner, gives_nothing, owner, possessed
from dataflow.detect.roles import (
    AM,
    ANNOUNCE,
    ANYWHERE,
    COPULA,
    FILLER,
    GIVE,
    LABEL,
    LATIN,
    MAYBE,
    ME,
    NAME,
    ON,
    ORDINARY,
    OWN,
    PHRASE,
    SINGLE,
    SURE,
)
from dataflow.detect.shapes import DOTTED, STRONG, inflected, numbered, put_together, told
from dataflow.detect.tokens import Tokens
from dataflow.detect.verdicts import Veto

_BRACKET: Final = frozenset("(-,|/:=@)[")
_JOINED: Final = frozenset(("_", ".", "__", ".."))
_ENOUGH: Final = 3
_SPEAKS: Final = LABEL | COPULA | FILLER | GIVE | ANNOUNCE | AM | ME | OWN | ON
_PROSE: Final = ORDINARY | SINGLE
_POINTED: Final = 2
_WORDLIKE: Final = 2
"""Points of a name of letters only, in whose parts words are known."""
_FARTHEST: Final = 9
_FEW_WORDS: Final = 5
_NOTHING_ELSE: Final = 2
_MOST: Final = 24
_MOST_LOOKS: Final = 16
_FEW_FIGURES: Final = 2
_INVITING: Final = re.compile(r"\s*[ :,-]\s*_*$")
"""Between an invitation and the name it gives."""
_ANSWERS, _BEFORE_ON, _GIVEN, _INVITE, _INVITES, _MARKS = map(
    some, ("answers", "before_on", "given", "invite", "invites", "marks")
)


class Handle(NamedTuple):
    """A handle in a respelt text, `[start, end)`."""

    platform: str | None
    value: str
    start: int
    end: int
    rule: str


def _theirs(t: Tokens, place: Place) -> bool:
    return owner(t, place.first, place.last, signed=place.signed) is Owner.THEIRS


def _in_prose(t: Tokens, place: Place) -> bool:
    """Whether a word that gives nothing stands right before a name."""
    i = place.first
    return i > 0 and t.gaps[i] == " " and not t.roles[i - 1] & _SPEAKS and bool(t.roles[i - 1] & _PROSE)


def _forward(text: Text, mention: Mention) -> Place | None:
    """The name after a mention that is its handle, with all its points; None when there is none."""
    t = text.t
    base = (1 if mention.sure else 0) + gives(t, mention.first)
    base += (text.latin <= _FEW_WORDS) + (text.latin <= _NOTHING_ELSE)
    joint, asked = 0, False
    i = mention.last
    stop = min(len(t.words), mention.last + _FARTHEST)
    while i < stop:
        if i in text.taken:
            return None
        roles = t.roles[i]
        gap = GAPS[t.gaps[i]]
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
        elif t.gaps[i + 1] in _JOINED and i + 1 < len(t.words):
            pass
        elif roles & LABEL and i + 1 < len(t.words):
            joint, asked = max(joint, 2), False
            i += 1
            continue
        elif roles & COPULA:
            joint = max(joint, 1)
            asked = asked and t.words[i] not in _ANSWERS
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
        return place and _bound(text, mention, place, base + joint, joint, asked)
    return None


def _bound(text: Text, mention: Mention, place: Place, points: int, joint: int, asked: bool) -> Place | None:
    """The name with all its points when they are enough. `asked`: a sentence ended before it."""
    t = text.t
    leads = mention.first == 0 or GAPS[t.gaps[mention.first]].ends or "\n" in t.gaps[mention.first]
    lead = leads and not mention.sure and place.points >= _WORDLIKE
    if place.points + points + lead < _ENOUGH or (place.points == DOTTED and joint < _POINTED):
        return None
    if place.points < STRONG and _may_be_prose(text, mention, place, joint):
        return None
    if asked and not place.signed and place.points < STRONG:
        ends = place.last == len(t.words)
        name = t.text[place.start : place.end]
        if not (ends and t.all_roles & GIVE and put_together(name)):
            return None
    if possessed(t, mention.first) or (place.signed and _theirs(t, place)):
        return None
    told_of = place.signed and not leads and t.gaps[mention.first] == " " and text.latin > _FEW_WORDS
    if told_of and gives_nothing(t, mention.first, place.last):
        return None
    return place._replace(points=points + place.points)


def _may_be_prose(text: Text, mention: Mention, place: Place, joint: int) -> bool:
    """Whether a name that might be a word goes on with the sentence ("snapchat dysmorphia is real")."""
    t = text.t
    name = t.text[place.start : place.end]
    english = text.language == "en"
    goes_on = place.last < len(t.words) and t.gaps[place.last] == " "
    made = put_together(name, NAME | ORDINARY if english or not goes_on else NAME)
    if joint < _POINTED and inflected(name, text.language) and not (joint and put_together(name)):
        return True
    given = gives(t, mention.first) or any(
        roles & (OWN | ME | AM | GIVE) for roles in t.roles[mention.last : place.first]
    )
    if goes_on and (not joint or t.gaps[place.first] == ", "):
        return bool(t.roles[place.last] & COPULA and not given) or not made
    others = text.latin - (mention.last - mention.first) - (place.last - place.first)
    return not (joint or made or given or others <= 0)


def _backward(text: Text, mention: Mention) -> Place | None:
    """The name before a mention that is its handle ("… on insta"), with all its points."""
    t = text.t
    i = mention.first - 1
    joined = bool(t.roles[mention.first] & ON) and mention.last - mention.first > 1
    loose = False
    while i >= 0 and mention.first - i <= 5:
        gap = t.gaps[i + 1]
        if not ENDS.isdisjoint(gap) or "\n" in gap:
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
    name = t.text[place.start : place.end]
    named = i > 0 and (t.roles[i - 1] & LABEL or t.words[i - 1] in _INVITE)
    if not (named or place.signed) and told(name, t.words[place.last] if place.last < len(t.words) else ""):
        return None
    if not given and _in_prose(t, place) and (place.points < STRONG or numbered(name)):
        return None
    if place.points < (1 if given and joined else 2) or points < _ENOUGH:
        return None
    if loose and not joined and place.points < (2 if text.latin <= _NOTHING_ELSE else STRONG):
        return None
    if something_else(text, place) or _theirs(t, place):
        return None
    told_of = place.signed and text.latin > _FEW_WORDS and not text.apart(place.first, mention.last)
    if told_of and gives_nothing(t, place.first, mention.last):
        return None
    return place._replace(points=points)


def _marked(text: Text, found: Sequence[Mention]) -> tuple[Place, Mention] | None:
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
        if not looks:
            break
        looks -= 1
        place = text.place(i, found[0].platform)
        if place is None or something_else(text, place):
            continue
        last = place.last == len(t.words)
        before = i and (
            t.roles[i - 1] & LABEL
            or t.words[i - 1] in _MARKS
            or ":" in t.gaps[i]
            or (last and GAPS[t.gaps[i]].joint and len(t.gaps[i]) > 1)
        )
        if (
            (place.signed or before)
            and place.points >= (STRONG if place.signed else 2)
            and not (place.signed and _theirs(t, place))
            and (
                place.points >= STRONG
                or (
                    put_together(name := t.text[place.start : place.end], NAME | ORDINARY)
                    and not inflected(name, text.language)
                )
            )
        ):
            return place, min(found, key=lambda m: abs(m.first - i))
        if place.points >= STRONG and not place.signed and not (_in_prose(t, place) and numbered(t.words[i])):
            strong.append(place)
    if len(strong) != 1:
        return None
    (place,) = strong
    whose = owner(t, place.first, place.last, signed=False)
    if whose is Owner.OURS or (
        whose is Owner.UNSAID and (text.latin <= _FEW_WORDS or text.apart(place.first, place.last))
    ):
        return place, min(found, key=lambda m: abs(m.first - place.first))
    return None


def _bare(text: Text) -> Place | None:
    """A lone "@name" in a message that says little else."""
    marked = [i for i in range(len(text.t.words)) if text.signed(i) and i not in text.taken]
    if len(marked) != 1:
        return None
    place = text.place(marked[0])
    if place is None or _theirs(text.t, place):
        return None
    return place if place.points >= STRONG + 2 or (place.points >= 3 and text.latin <= 3) else None


def _invited(text: Text) -> Place | None:
    """A chosen name that an invitation gives without a platform ("add me luna_moon42")."""
    t = text.t
    for i in [i for i, word in enumerate(t.words) if word in _INVITES][:_MOST]:
        first = i + 1
        if first < len(t.words) and t.roles[first] & ME and not t.roles[first] & NAME:
            first += 1
        if first >= len(t.words) or first in text.taken or not _INVITING.match(t.gaps[first]):
            continue
        place = text.place(first)
        if place is None or place.points < STRONG or place.signed or _theirs(t, place):
            continue
        name = t.text[place.start : place.end]
        chosen = "_" in name or (sum(map(str.isdigit, name)) >= _FEW_FIGURES and not numbered(name))
        if chosen and (first > i + 1 or text.latin <= _FEW_WORDS) and not text.capitals(place):
            return place
    return None


def handles(
    normal: Normal, t: Tokens, named: Sequence[Mention], free: Sequence[tuple[int, int]]
) -> list[Handle | Veto]:
    """The handles of a respelt text, outside the spans of `free`-standing contacts, and those mentions
    (`named`) that bind nothing. Linear time.
    """
    announced = announcements(t) if t.all_roles & ANYWHERE else []
    invited = not _INVITES.isdisjoint(t.words)
    if not (named or announced or invited or "@" in t.text):
        return []
    text = Text(normal, t, free)
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
    if invited and not (count or named) and (lone := _invited(text)) is not None:
        take(lone, None, "handle_invited")
    return found
