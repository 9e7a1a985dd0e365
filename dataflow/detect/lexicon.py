"""Every word that means something to the detector, in one look-up: what roles it may play.

Words that no lexicon lists are judged by their shape when they are first met.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from string import ascii_lowercase, digits
from typing import Final

from dataflow.detect.data import table, words
from dataflow.detect.misspell import squeezed
from dataflow.detect.normalise import fold
from dataflow.detect.numerals import (
    CHARACTERS,
    JOINERS,
    LANGUAGES,
    NUMERALS,
    PHRASE_STARTS,
    PROSE,
    SIGNS,
    SUFFIXES,
    fused,
    leet_numeral,
)
from dataflow.detect.platforms import PLATFORMS, named
from dataflow.detect.roles import (
    AM,
    ANNOUNCE,
    ANYWHERE,
    AT,
    BEGINNING,
    CHARACTER,
    CONTACT,
    COPULA,
    CREDIT,
    DIGITS,
    FILLER,
    FUSED,
    GIVE,
    JOINER,
    LABEL,
    LATIN,
    LOCAL,
    MANY,
    MAYBE,
    ME,
    MIXED,
    NAME,
    NUMERAL,
    ON,
    ORDINARY,
    OTHER,
    OTHERS,
    OWN,
    PHRASE,
    POINTED,
    PUBLIC,
    REVERSE,
    SIGN,
    SINGLE,
    SPELT,
    SUFFIX,
    SURE,
    THEIRS,
)

ENGLISH: Final = words("words_en.txt")
_CHAT: Final[Mapping[str, frozenset[str]]] = {
    **{language: frozenset(table("words_chat.toml")[language].split()) for language in ("en", "hi_latn")},
    **PROSE,
}
"""Words of prose that are in no English dictionary, by language."""
COMMON: Final = words("words_common.txt").union(*[text.split() for text in table("words_chat.toml").values()])
NAMES: Final = words("names.txt")
PUBLIC_ACCOUNTS: Final = words("public_accounts.txt")
ANYWHERE_PHRASES: Final = [tuple(fold(p).split()) for p in table("phrases.toml")["anywhere"]]

_KEPT: Final = 50_000
_LONGEST_KEPT: Final = 20
_LONGEST_JUDGED: Final = 40
_SHORTEST_CUT: Final = 5
_HANDLE_ROLES: Final = {
    "label": LABEL,
    "copula": COPULA,
    "filler": FILLER,
    "give": GIVE,
    "on": ON,
    "others": OTHERS,
    "theirs": THEIRS,
    "credit": CREDIT,
    "public": PUBLIC,
    "own": OWN,
    "am": AM,
    "me": ME,
    "announce": ANNOUNCE,
}
_PHONE_ROLES: Final = {"contact": CONTACT, "other": OTHER, "reverse": REVERSE, "local": LOCAL}


def _said(entries: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Each word of a concept, with its language."""
    for language, text in entries.items():
        for word in text.split():
            yield language, fold(word)


_IN_SCRIPT: Final = {
    word: role
    for name, role in _PHONE_ROLES.items()
    for _, word in _said(table("phone_context.toml")[name])
    if not word.isascii() and len(word) > 1
}
"""Words of scripts that write without spaces: found inside a token."""


def _foreign(word: str) -> int:
    roles = 0
    if named(word):
        roles |= SURE
    for part, role in _IN_SCRIPT.items():
        if part in word:
            roles |= role
    if any(char in CHARACTERS for char in word):
        roles |= CHARACTER
    return roles


def _roles() -> dict[str, int]:
    roles: defaultdict[str, int] = defaultdict(int)

    def give(entries: Iterable[str], role: int) -> None:
        for word in entries:
            roles[word] |= role

    give(ENGLISH, ORDINARY)
    for chat in _CHAT.values():
        give(chat, ORDINARY)
    give(NAMES, NAME)
    give(PLATFORMS.names, SURE)
    give(PLATFORMS.words, MAYBE)
    give(PLATFORMS.emoji, MAYBE)
    give(PLATFORMS.pointed, POINTED)
    give([phrase[0] for phrase in PLATFORMS.phrases], PHRASE)
    give(
        [name[:k] for name in PLATFORMS.listed if len(name) > _SHORTEST_CUT for k in range(1, len(name) - 1)],
        BEGINNING,
    )
    for name, role in _HANDLE_ROLES.items():
        give([word for _, word in _said(table("handle_context.toml")[name])], role)
    for name, role in _PHONE_ROLES.items():
        give([word for _, word in _said(table("phone_context.toml")[name])], role)
    give([word for word in NUMERALS if word not in CHARACTERS], NUMERAL)
    give(CHARACTERS, CHARACTER)
    give(PHRASE_STARTS, MANY)
    give(SIGNS, SIGN)
    give(JOINERS, JOINER)
    give(SUFFIXES, SUFFIX)
    give([phrase[0] for phrase in ANYWHERE_PHRASES], ANYWHERE)
    for name in ("dot", "underscore", "slash"):
        give([word.split("_")[0] for _, word in _said(table("handle_context.toml")[name])], SPELT)
    give([word for _, word in _said(table("handle_context.toml")["at"])], AT)
    give(ascii_lowercase + digits, SINGLE)
    give(digits, DIGITS)
    for word in roles:
        if not word.isascii():
            roles[word] |= _foreign(word)
        elif word.isalnum():
            roles[word] |= LATIN
    return dict(roles)


def _judge(word: str) -> int:
    """The roles of a word that no lexicon lists."""
    if not word.isascii():
        return _foreign(word)
    if not word.isalpha():
        roles = MIXED | LATIN
        if (name := named(word)) is not None:
            roles |= SURE if name[1] else MAYBE
        if leet_numeral(word):
            roles |= NUMERAL
        return roles
    if len(word) >= 6:
        parts = fused(word)
        if parts and len(parts) > 1:
            return FUSED | LATIN
    if len(word) > _LONGEST_JUDGED:
        return LATIN
    if _inflected(word):
        return ORDINARY | LATIN
    name = named(word)
    if name:
        return LATIN | (SURE if name[1] else MAYBE)
    if len(word) > 3 and any(short in ENGLISH or short in _CHAT["en"] for short in squeezed(word)):
        return ORDINARY | LATIN
    return LATIN | _compounded(word)


_SUFFIXES: Final = (
    "s",
    "es",
    "ed",
    "d",
    "er",
    "ers",
    "r",
    "rs",
    "ing",
    "ings",
    "ly",
    "ness",
    "able",
    "less",
    "ful",
    "ish",
    "y",
    "ier",
    "iest",
    "est",
    "ism",
    "ist",
    "ists",
    "ity",
    "like",
    "worthy",
    "ment",
    "ments",
    "ize",
    "ized",
    "n",
    "in",
    "ies",
    "wise",
)
_PREFIXES: Final = (
    "un",
    "re",
    "non",
    "over",
    "pre",
    "anti",
    "mis",
    "super",
    "out",
    "co",
    "ex",
    "semi",
    "ultra",
    "mega",
)
_SHORTEST_STEM: Final = 4
_SHORTEST_PART: Final = 4
_COMPOUNDS: Final = tuple(table("phone_context.toml")["compounds"].split())


def _compounded(word: str) -> int:
    """`OTHER` for a word put together of a word and one that says that a number is no phone's."""
    if word.endswith(_COMPOUNDS):
        return OTHER
    for k in range(_SHORTEST_PART, len(word) - _SHORTEST_PART + 1):
        first, second = ROLES_LISTED.get(word[:k], 0), ROLES_LISTED.get(word[k:], 0)
        either = first | second
        if (
            either & OTHER
            and not either & CONTACT
            and first & (ORDINARY | OTHER)
            and second & (ORDINARY | OTHER)
        ):
            return OTHER
    return 0


def _inflected(word: str) -> bool:
    """Whether a word is made of an English one and an ending, or a beginning."""
    for suffix in _SUFFIXES:
        if word.endswith(suffix):
            stem = word[: -len(suffix)]
            if len(stem) >= _SHORTEST_STEM and (
                stem in ENGLISH or stem + "e" in ENGLISH or (stem[-1] == stem[-2] and stem[:-1] in ENGLISH)
            ):
                return True
    return word.startswith(_PREFIXES) and any(
        word.startswith(prefix)
        and len(word) - len(prefix) >= _SHORTEST_STEM
        and word[len(prefix) :] in ENGLISH
        for prefix in _PREFIXES
    )


class _Roles(dict[str, int]):
    """Roles by word. Words of letters that it judged are kept, up to a bound; those with figures never."""

    def __init__(self, listed: Mapping[str, int]) -> None:
        super().__init__(listed)
        self._bound = len(listed) + _KEPT

    def __missing__(self, word: str) -> int:
        if word.isdigit() and word.isascii():
            return DIGITS | LATIN
        roles = _judge(word)
        if not roles & MIXED and len(self) < self._bound and len(word) <= _LONGEST_KEPT:
            self[word] = roles
        return roles


ROLES_LISTED: Final[Mapping[str, int]] = _roles()
"""Roles of listed words only."""
ROLES: Final[Mapping[str, int]] = _Roles(ROLES_LISTED)


def _by_language() -> dict[str, tuple[str, ...]]:
    said: defaultdict[str, list[str]] = defaultdict(list)
    for language, text in _CHAT.items():
        for word in text:
            if language != "en" and word not in ENGLISH:
                said[word].append(language)
    for language, word in _said(table("phone_context.toml")["contact"]):
        if language not in ("en", "emoji") and word not in ENGLISH and language not in said[word]:
            said[word].append(language)
    for word, names in LANGUAGES.items():
        for language in names:
            if word not in ENGLISH and language not in said[word]:
                said[word].append(language)
    return {word: tuple(names) for word, names in said.items()}


_SPOKEN: Final = _by_language()
_SCRIPTS: Final = (
    ("\u0400", "\u052f", "ru"),
    ("\u0370", "\u03ff", "el"),
    ("\u0590", "\u05ff", "he"),
    ("\u0600", "\u06ff", "ar"),
    ("\u0900", "\u097f", "hi"),
    ("\u0980", "\u09ff", "bn"),
    ("\u0e00", "\u0e7f", "th"),
    ("\u3040", "\u30ff", "ja"),
    ("\u4e00", "\u9fff", "zh"),
    ("\uac00", "\ud7a3", "ko"),
)


def languages(sequence: Iterable[str]) -> list[str]:
    """The languages of words, the likeliest first; English last of all."""
    votes: defaultdict[str, float] = defaultdict(float)
    for word in sequence:
        spoken = _SPOKEN.get(word)
        if spoken:
            for language in spoken:
                votes[language] += 1
        if word[0] > "\x7f":
            for first, last, language in _SCRIPTS:
                if first <= word[0] <= last:
                    votes[language] += 0.5
    if not votes:
        return ["en"]
    found = sorted(votes, key=lambda language: -votes[language])
    return [*found, "en"]


_REGIONS: Final[Mapping[str, list[str]]] = table("phone_context.toml")["regions"]
ENGLISH_REGIONS: Final = frozenset(_REGIONS["en"])


def regions(sequence: Iterable[str]) -> Sequence[str]:
    """Countries in which to look up a number that stands among these words, the likeliest first."""
    return _regions_of(tuple(languages(sequence)))


@lru_cache(maxsize=256)
def _regions_of(said: tuple[str, ...]) -> tuple[str, ...]:
    """The countries of languages."""
    return tuple(dict.fromkeys([region for language in said for region in _REGIONS.get(language, ())]))


_PARTS: Final = frozenset(w for w in ENGLISH if len(w) > 3) | NAMES | words("glue.txt")
_LONGEST_COMPOUND: Final = 32
_LONGEST_PART: Final = 12


def compound(word: str) -> bool:
    """Whether a letters-only word is made of two or more words or names, as chosen handles are."""
    if not 6 <= len(word) <= _LONGEST_COMPOUND:
        return False
    # best[i]: a number of parts that spell word[:i], 0 when there is none.
    best = [0] * (len(word) + 1)
    for start in range(len(word) - 1):
        if start and not best[start]:
            continue
        count = best[start] + 1
        for end in range(start + 1, min(start + _LONGEST_PART, len(word)) + 1):
            if best[end] < count and word[start:end] in _PARTS:
                best[end] = count
    return best[len(word)] >= 2
