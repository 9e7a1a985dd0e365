"""Words of a normalised text, with what stands between them and what each may mean."""

from __future__ import annotations

import re
from functools import reduce
from itertools import accumulate
from operator import or_
from typing import Final, final

from dataflow.detect.lexicon import ROLES, ROLES_LISTED
from dataflow.detect.normalise import MARKS, lookalike
from dataflow.detect.numerals import LISTED, NUMERALS
from dataflow.detect.platforms import PLATFORMS
from dataflow.detect.roles import CONTACT

_SHORTEST: Final = 3
_ASCII: Final = re.compile("([a-z0-9]+)")
_EMOJI: Final = sorted(
    set(PLATFORMS.emoji)
    | {word for word, roles in ROLES.items() if roles & CONTACT and not word[0].isalnum()}
    | {word for word in NUMERALS if not word[0].isalnum()}
)
"""Signs that mean something: words of one character."""
_ANY: Final = re.compile(rf"([a-z0-9]+|[{''.join(_EMOJI)}]|[^\W_a-z0-9]+(?:[{MARKS}]+[^\W_a-z0-9]*)*)")

_SPLIT_ASCII: Final = _ASCII.split
_SPLIT_ANY: Final = _ANY.split
_ROLES_OF: Final = ROLES.__getitem__


@final
class Tokens:
    """`words[i]` lies at `[starts[i], ends[i])`; `gaps[i]` stands before it, `gaps[-1]` after the last.

    Frozen to mypy, and when compiled; no dataclass: those take thirty times as long to make, compiled, and
    each text makes some.
    """

    __slots__ = ("all_roles", "ends", "gaps", "roles", "said", "starts", "text", "words")

    def __init__(
        self,
        text: str,
        words: list[str],
        gaps: list[str],
        starts: list[int],
        ends: list[int],
        roles: list[int],
        all_roles: int,
        said: str = "",
    ) -> None:
        """`all_roles`: what any of the words may mean. `said`: the text before its letters were made small,
        where it is as long.
        """
        self.text: Final = text
        self.words: Final = words
        self.gaps: Final = gaps
        self.starts: Final = starts
        self.ends: Final = ends
        self.roles: Final = roles
        self.all_roles: Final = all_roles
        self.said: Final = said

    def beginning(self, last: int) -> Tokens:
        """The words before token `last`."""
        roles = self.roles[:last]
        return Tokens(
            self.text[: self.starts[last]],
            self.words[:last],
            self.gaps[: last + 1],
            self.starts[:last],
            self.ends[:last],
            roles,
            reduce(or_, roles, 0),
            self.said[: self.starts[last]],
        )

    def joined(self, other: Tokens) -> Tokens:
        """The words with those of the text right after them; they must not be one word's parts."""
        text, at = self.text + other.text, len(self.text)
        said = self.said + other.said
        return Tokens(
            text,
            [*self.words, *other.words],
            [*self.gaps[:-1], self.gaps[-1] + other.gaps[0], *other.gaps[1:]],
            [*self.starts, *[start + at for start in other.starts]],
            [*self.ends, *[end + at for end in other.ends]],
            [*self.roles, *other.roles],
            self.all_roles | other.all_roles,
            said if len(said) == len(text) else "",
        )


def _read(word: str) -> str:
    """A word of other letters that are all like Latin ones and spell a numeral, as that numeral."""
    if word in ROLES_LISTED:
        return word
    plain = lookalike(word)
    return plain if plain and len(plain) >= _SHORTEST and plain in LISTED else word


def tokens(text: str, said: str = "") -> Tokens:
    """The words of a normalised text, which was `said`. Linear time."""
    if text.isascii():
        parts = _SPLIT_ASCII(text)
        words = parts[1::2]
    else:
        parts = _SPLIT_ANY(text)
        words = [word if word.isascii() else _read(word) for word in parts[1::2]]
    edges = [*accumulate(map(len, parts))]
    roles = [*map(_ROLES_OF, words)]
    all_roles = 0
    for each in roles:
        all_roles |= each
    return Tokens(text, words, parts[::2], edges[:-1:2], edges[1::2], roles, all_roles, said)
