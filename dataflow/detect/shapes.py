"""How much a word looks like a name that somebody chose, rather than a word of the sentence."""

from __future__ import annotations

import re
from functools import reduce
from itertools import repeat
from operator import or_
from typing import Final

from dataflow.detect.data import table
from dataflow.detect.lexicon import COMMON, ENGLISH, PUBLIC_ACCOUNTS, ROLES, ROLES_LISTED, compound
from dataflow.detect.misspell import misspellings
from dataflow.detect.numerals import PROSE
from dataflow.detect.roles import COPULA, FILLER, GIVE, LABEL, NAME, ORDINARY
from dataflow.detect.tokens import Tokens

NEVER: Final = -9
STRONG: Final = 3
DOTTED: Final = -1
"""Two words with a dot between, one of them common: a chosen name after a colon, else prose."""
_SHORTEST_DOTTED: Final = 4
_SHORTEST_NAME: Final = 4
_SHORTEST_PARTLY: Final = 8
_SHORTEST: Final = 3
LONGEST: Final = 40
_CHUNK: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_]*(?:\.+(?=[a-z0-9_]))?)*")
_HYPHENED: Final = re.compile(r"(?:-[a-z0-9_.]*[a-z0-9_])+")
_PHRASES: Final = table("phrases.toml")
_UNITS: Final = "|".join(sorted(_PHRASES["units"], key=len, reverse=True))
_UNIT_LIKE: Final = re.compile(
    rf"[0-9]+(?:\.[0-9]+)?(?:{_UNITS})|[a-z]{{1,2}}[0-9]{{1,2}}|[0-9]{{1,3}}[a-z]|[a-z]?[0-9.]+|(?:19|20)[0-9]{{2}}s?|[0-9]+x[0-9]+"
)
_INFLECTIONS: Final = {language: tuple(text.split()) for language, text in _PHRASES["inflections"].items()}
_TOLD: Final = {language: tuple(text.split()) for language, text in _PHRASES["told"].items()}
_PRONOUNS: Final = {language: tuple(text.split()) for language, text in _PHRASES["pronouns"].items()}
_ON: Final = {
    word: [name for name, text in table("handle_context.toml")["on"].items() if word in text.split()]
    for words in table("handle_context.toml")["on"].values()
    for word in words.split()
}
"""Languages by a word that stands before a platform."""
_SHORTEST_INFLECTED: Final = 5
_SHORTEST_VERB: Final = 4
_SHORTEST_BEFORE_VERB: Final = 3
_DOUBLED: Final = frozenset("bdglmnprt")
"""Consonants that English doubles before "-ing"."""
_SHORTEST_PUT: Final = 7
_SHORT_FORMS: Final = frozenset(_PHRASES["short_forms"])
WITH_HYPHENS: Final = frozenset(
    ("venmo", "snapchat", "wechat", "skype", "twitch", "linkedin", "reddit", "vk")
)
"""Platforms whose names of accounts may have hyphens."""
_INITIALS: Final = frozenset("bcdfghjklmpqtvwx")
_WORDY: Final = ORDINARY | LABEL | COPULA | FILLER | GIVE


def chunk(t: Tokens, i: int, platform: str | None = None) -> tuple[int, int]:
    """The span of the chosen name that token i is in or begins: letters, digits, "_", and "." inside."""
    start = t.starts[i]
    while start and t.text[start - 1] == "_":
        start -= 1
    match = _CHUNK.match(t.text, start)
    end = min(match.end() if match else t.ends[i], start + 2 * LONGEST)
    if platform in WITH_HYPHENS:
        tail = _HYPHENED.match(t.text, end, end + LONGEST)
        told = (
            platform == "linkedin"
            or t.text[start - 1 : start] == "@"
            or (tail and any(c.isdigit() or c == "_" for c in t.text[start : tail.end()]))
        )
        if tail and told:
            end = tail.end()
    return start, end


def shape(word: str, signed: bool) -> int:
    """In points, `NEVER` for what cannot be one. `signed`: "@" stands right before it."""
    if not _SHORTEST <= len(word) <= LONGEST:
        return NEVER
    bonus = 2 if signed else 0
    if signed and word in PUBLIC_ACCOUNTS:
        return NEVER
    if word.isalpha():
        return _letters(word, bonus)
    if not any(map(str.isalpha, word)) or _UNIT_LIKE.fullmatch(word) or word in _SHORT_FORMS:
        return NEVER
    if "_" in word.strip("_") or any(map(str.isdigit, word)):
        return STRONG + bonus
    plain = word.strip("_")
    if plain != word and plain.isalpha():
        return STRONG + bonus
    parts = plain.split(".")
    if len(parts) > 4 or "" in parts:
        return 1 + bonus if signed else NEVER
    if all(ROLES[p] & ORDINARY and not ROLES[p] & NAME for p in parts):
        if signed:
            return 1 + bonus
        if len(parts) > 3 or min(map(len, parts)) < 2:
            return NEVER
        if not any(part in COMMON for part in parts):
            return 2
        if not all(part in COMMON for part in parts):
            return 0
        return (
            DOTTED if min(map(len, parts)) >= (_SHORTEST_DOTTED if len(parts) == 2 else _SHORTEST) else NEVER
        )
    return STRONG + bonus


def _letters(word: str, bonus: int) -> int:
    roles = ROLES[word]
    if roles & NAME:
        return (1 if len(word) >= 5 else 0) + bonus
    if roles & ORDINARY or (roles & _WORDY and len(word) < 5):
        return NEVER + bonus
    if compound(word):
        return 2 + bonus
    if _slip(word):
        return NEVER
    if _partly_known(word, NAME) or (len(word) >= _SHORTEST_PARTLY and _partly_known(word, ORDINARY)):
        return 2 + bonus
    return (1 if len(word) >= 5 else 0) + bonus


def numbered(word: str) -> bool:
    """Whether it is an ordinary word with a figure, as things have ("python3")."""
    letters = word.rstrip("0123456789")
    return len(word) - len(letters) in (1, 2) and bool(ROLES_LISTED.get(letters, 0) & ORDINARY)


def put_together(word: str, known: int = NAME) -> bool:
    """Whether a word is made of words, or of one of `known` and more, as names that people choose are."""
    return not word.isalpha() or (
        len(word) > _SHORTEST_PUT and (compound(word) or _partly_known(word, known))
    )


def inflected(word: str, language: str) -> bool:
    """Whether an unknown word is an inflected one of a language."""
    endings = _INFLECTIONS.get(language)
    return (
        endings is not None and word.isalpha() and len(word) >= _SHORTEST_INFLECTED and word.endswith(endings)
    )


def told(word: str, on: str) -> bool:
    """Whether a word before `on` and a platform is what somebody is told to do there, or does there: a verb
    with a pronoun glued on ("scrivimi su insta"), an English gerund after a word ("doomscrolling on").
    """
    if not word.isalpha() or word[-4:-2] == word[-2:]:  # a doubled syllable is a pet name's: "mimi", "lala"
        return False
    return any(_gerund(word) if language == "en" else _bids(word, language) for language in _ON.get(on, ()))


def _bids(word: str, language: str) -> bool:
    if len(word) >= _SHORTEST_INFLECTED and word.endswith(_TOLD.get(language, ())):
        return True
    return any(
        word.endswith(pronoun) and word[: -len(pronoun)] in PROSE[language]
        for pronoun in _PRONOUNS.get(language, ())
    )


def _gerund(word: str) -> bool:
    """Whether a word ends in the gerund of an English one and does not begin with a name."""
    verb = word[:-3]
    size = len(verb)
    if not word.endswith("ing") or size < _SHORTEST_VERB + _SHORTEST_BEFORE_VERB:
        return False
    if any(ROLES_LISTED.get(verb[:k], 0) & NAME for k in range(_SHORTEST_NAME, size)):
        return False
    doubled = verb[-1] == verb[-2] and verb[-1] in _DOUBLED
    return any(
        verb[k:] in ENGLISH or verb[k:] + "e" in ENGLISH or (doubled and verb[k:-1] in ENGLISH)
        for k in range(_SHORTEST_BEFORE_VERB, size - _SHORTEST_VERB + 1)
    )


def _partly_known(word: str, known: int) -> bool:
    """Whether one of `known` and three letters or more make up the word."""
    for k in range(_SHORTEST_NAME, len(word) - 2):
        if ROLES_LISTED.get(word[:k], 0) & known:
            return True
    for k in range(3, len(word) - _SHORTEST_NAME):
        if ROLES_LISTED.get(word[k:], 0) & known:
            return True
    return bool(
        len(word) >= _SHORTEST_NAME + 3 and ROLES_LISTED.get(word[-_SHORTEST_NAME:], 0) & known & ORDINARY
    )


def _slip(word: str) -> bool:
    """Whether a word is one slip of the pen away from an ordinary one, not with an initial after it."""
    if (
        word[-1] in _INITIALS
        and word[-1] != word[-2]
        and len(word) > 5
        and ROLES_LISTED.get(word[:-1], 0) & ORDINARY
    ):
        return False
    if not 5 <= len(word) <= 12:
        return False
    return bool(reduce(or_, map(ROLES_LISTED.get, misspellings(word), repeat(0))) & ORDINARY)
