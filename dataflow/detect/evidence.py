"""What speaks for and against a chosen name: where it stands, and what stands before it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from functools import cached_property
from typing import Final, NamedTuple

from dataflow.detect.data import table
from dataflow.detect.lexicon import languages
from dataflow.detect.normalise import Normal, fold
from dataflow.detect.roles import GIVE, LABEL, LATIN, OTHER, PLATFORM, PUBLIC
from dataflow.detect.shapes import NEVER, STRONG, WITH_HYPHENS, chunk, shape
from dataflow.detect.tokens import Tokens

_POINTING: Final = frozenset(':=→➡👉>⇒☞👇⬇"«»“⏩↪➜▶🔜')
_LOOSE: Final = frozenset("-~|*()•/_[]`<{}#^,")
ENDS: Final = frozenset(".!?;")
"""Signs that end a sentence."""
_WITHIN: Final = frozenset(" ,'\"-/&@:_()=#*`")
"""Signs inside a sentence."""
_FEWEST_APART: Final = 4
_NEAR: Final = 5
_FEWEST_FIGURES: Final = 2
_FARTHEST: Final = 7
_MOST_WORDS: Final = 64


def some(name: str) -> frozenset[str]:
    """One of the small word lists in data/handle_context.toml."""
    words: str = table("handle_context.toml")["some"][name]
    return frozenset(map(fold, words.split()))


_ARTICLES: Final = some("articles")
_NAMING: Final = PLATFORM | LABEL | PUBLIC


class Place(NamedTuple):
    """A chosen name where it stands: tokens `[first, last)`, characters `[start, end)`, and its points."""

    first: int
    last: int
    start: int
    end: int
    points: int
    signed: bool


class Gap(NamedTuple):
    """What stands between two words."""

    joint: int
    """How strongly a gap joins: 2 for what points, 1 for loose signs, 0 for none."""
    ends: bool
    """It ends a sentence."""
    signed: bool
    """ "@" stands at its end."""
    breaks: bool
    """It may begin another thought: the end of a sentence or line, an emoji."""


class _Gaps(dict[str, Gap]):
    """What a gap says, worked out when it is first met."""

    def __missing__(self, gap: str) -> Gap:
        joint = 2 if gap == "/" or not _POINTING.isdisjoint(gap) else 1 if not _LOOSE.isdisjoint(gap) else 0
        ends = not ENDS.isdisjoint(gap)
        found = Gap(joint, ends, gap.endswith("@"), not _WITHIN.issuperset(gap))
        if len(self) < 5000 and len(gap) <= 8:
            self[gap] = found
        return found


GAPS: Final = _Gaps()


class Text:
    """A respelt text with what has been taken from it."""

    def __init__(self, normal: Normal, t: Tokens, free: Sequence[tuple[int, int]]) -> None:
        """`free`: spans of contacts that stand by themselves; their tokens are taken."""
        self.normal = normal
        self.t = t
        self.latin = sum([1 for roles in t.roles if roles & LATIN])
        self.taken: set[int] = set()
        self._places: dict[tuple[int, str | None], Place | None] = {}
        for start, end in free:
            i = bisect_left(t.ends, start + 1)
            while i < len(t.starts) and t.starts[i] < end:
                self.taken.add(i)
                i += 1

    @cached_property
    def language(self) -> str:
        """The language of the text, by its first words."""
        return languages(self.t.words[:_MOST_WORDS])[0]

    def signed(self, i: int) -> bool:
        """Whether "@" stands right before token i."""
        return GAPS[self.t.gaps[i]].signed

    def apart(self, first: int, last: int) -> bool:
        """Whether signs or the text's edges set tokens `[first, last)` apart from the words around."""
        gaps = self.t.gaps
        before, after = first == 0 or not gaps[first].isspace(), last == len(gaps) - 1
        return before and (after or not gaps[last].isspace())

    def capitals(self, place: Place) -> bool:
        """Whether the name is written as codes are: capitals and figures, in a text of small letters."""
        said = self.normal.original[slice(*self.normal.span(place.start, place.end))]
        return (
            said.isupper()
            and sum(map(str.isdigit, said)) >= _FEWEST_FIGURES
            and not self.normal.original.isupper()
        )

    def _spelt_out(self, start: int, end: int) -> bool:
        """Whether the name's letters stood apart, which no word's do."""
        if self.normal.origin is None or end - start < _FEWEST_APART:
            return False
        first, last = self.normal.span(start, end)
        return last - first >= 2 * (end - start) - 1 and self.normal.original[first:last].isascii()

    def place(self, i: int, platform: str | None = None) -> Place | None:
        """The chosen name at token i with its shape's points, or None when it cannot be one."""
        if not self.t.roles[i] & LATIN:
            return None
        key = i, platform if platform in WITH_HYPHENS else None
        if key not in self._places:
            self._places[key] = self._place(*key)
        return self._places[key]

    def _place(self, i: int, platform: str | None) -> Place | None:
        t = self.t
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


def gives(t: Tokens, first: int) -> int:
    """1 when the words before token `first` give or invite, else 0."""
    for i in range(first - 1, max(-1, first - _NEAR), -1):
        if GAPS[t.gaps[i + 1]].ends:
            break
        if t.roles[i] & GIVE:
            return 1
    return 0


def something_else(text: Text, place: Place) -> bool:
    """Whether the words before a name say that it is no name: a code, a product, "a" thing."""
    t = text.t
    if place.signed or not place.first:
        return False
    if t.words[place.first - 1] in _ARTICLES or text.capitals(place):
        return True
    for i in range(place.first - 1, max(-1, place.first - 1 - _FARTHEST), -1):
        gap = t.gaps[i + 1]
        if GAPS[gap].ends or "," in gap or "\n" in gap:
            return False
        roles = t.roles[i]
        if roles & _NAMING:
            return bool(i and t.roles[i - 1] & OTHER and not t.roles[i - 1] & _NAMING)
        if roles & OTHER:
            return True
    return False
