"""Digits in words: the lexicon of numerals, compiled."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from dataflow.detect.data import by_language, table, words
from dataflow.detect.misspell import misspellings, unleet
from dataflow.detect.normalise import fold

_SHORTEST_IN_FUSED: Final = 3
_LONGEST_FUSED: Final = 120
_LONGEST_LEET: Final = 12
_MAIN: Final = frozenset(("en", "es", "fr", "de", "pt", "it", "nl", "tr", "ru", "hi", "hi_latn", "id", "pl"))
"""Languages whose numerals count even where they look like an English word ("null", "once", "elf")."""


@dataclass(frozen=True, slots=True)
class Numeral:
    """What a word spells. `weak`: it also means something else, so it only counts among others.

    `room`: how many of its last digits a following numeral may fill ("forty" "two": 1).
    """

    digits: str
    weak: bool = False
    room: int = 0


_ENGLISH: Final = words("words_en.txt")
PROSE: Final[dict[str, frozenset[str]]] = {
    language: frozenset(listed).union(table("words_chat.toml").get(language, "").split())
    for language, listed in by_language("words_world.txt").items()
}
"""Words of prose that are in no English dictionary, by language."""
_WORDS: Final = _ENGLISH.union(table("words_chat.toml")["en"].split(), *PROSE.values())
_LEXICON: Final = dict(table("numbers.toml"))
SIGNS: Final[dict[str, str]] = {}
"""Words that are no numerals but change one: what the word means by the word."""
for _sign, _words in _LEXICON.pop("signs").items():
    SIGNS.update((fold(_word), _sign) for _word in _words)
SUFFIXES: Final[dict[str, str]] = {}
"""Words that make the digit before them a teen or a ten ("dua belas", "dua puluh")."""
LANGUAGES: Final[dict[str, tuple[str, ...]]] = {}
"""In which languages a word is a numeral, when English is none of them."""
AMBIGUOUS: Final[dict[str, dict[str, str]]] = {}
"""Words that spell one thing in one language and another in the next: the digits by language."""


def _alternatives(entries: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each word of a list by value, and the digit it spells."""
    for value, alternatives in enumerate(entries):
        for word in filter(None, map(fold, alternatives.split("/"))):
            yield word, str(value)


def _language(name: str, entries: Mapping[str, Any]) -> dict[str, Numeral]:
    """A language's numerals, with those that it writes as one word."""
    units = dict(_alternatives(entries["digits"]))
    prose = [_ENGLISH, *[words for language, words in PROSE.items() if language != name]]
    numerals = {
        word: Numeral(digit, name not in _MAIN and any(word in words for words in prose))
        for word, digit in units.items()
    }
    for word, digit in _alternatives(entries.get("weak", ())):
        numerals.setdefault(word, Numeral(digit, weak=True))
    for key, room in (("more", 0), ("tens", 1), ("hundreds", 2)):
        for word, number in entries.get(key, {}).items():
            numerals.setdefault(fold(word), Numeral(str(number), room=room))
    if "join" in entries:
        for tens, number in entries["tens"].items():
            for unit, digit in [*units.items(), *_alternatives(entries.get("weak", ()))]:
                word = entries["join"].format(unit=unit, tens=fold(tens))
                numerals.setdefault(word, Numeral(str(number + int(digit))))
    return numerals


def _plurals(english: Mapping[str, Numeral]) -> Iterator[tuple[str, Numeral]]:
    """ "fives", for "three fives"."""
    for word, numeral in english.items():
        if len(numeral.digits) == 1 and not numeral.weak:
            yield (
                (word + "es" if word.endswith("x") or word == "zero" else word + "s"),
                replace(numeral, weak=True),
            )


def _compile() -> dict[str, Numeral]:
    everything: dict[str, Numeral] = {}
    languages: defaultdict[str, list[str]] = defaultdict(list)
    for name, entries in _LEXICON.items():
        for word, numeral in _language(name, entries).items():
            if word not in everything or (everything[word].weak and not numeral.weak and name in _MAIN):
                everything[word] = numeral
            languages[word].append(name)
            AMBIGUOUS.setdefault(word, {})[name] = numeral.digits
        SUFFIXES.update(entries.get("suffixes", {}))
    for word in [word for word, digits in AMBIGUOUS.items() if len(set(digits.values())) == 1]:
        del AMBIGUOUS[word]
    LANGUAGES.update((word, tuple(names)) for word, names in languages.items() if "en" not in names)
    return everything


_ALL: Final = _compile()
PLURALS: Final = dict(_plurals(_language("en", _LEXICON["en"])))
"""English numerals in the plural ("three fives")."""
PHRASES: Final = {tuple(word.split()): numeral for word, numeral in _ALL.items() if " " in word}
"""Numerals of several words, apart by a space or a hyphen."""
PHRASE_STARTS: Final = frozenset(phrase[0] for phrase in PHRASES)
LONGEST_PHRASE: Final = max(map(len, PHRASES))
LISTED: Final = {word: numeral for word, numeral in _ALL.items() if " " not in word}
CHARACTERS: Final = {
    word: digit
    for entries in _LEXICON.values()
    if entries.get("characters")
    for word, digit in _alternatives(entries["digits"])
}
"""Scripts that write a digit as one character and no spaces between."""
JOINERS: Final = frozenset(fold(entries["and"]) for entries in _LEXICON.values() if "and" in entries)
"""Words that may stand between a numeral with room and what fills it."""


def _with_misspellings(numerals: dict[str, Numeral]) -> dict[str, Numeral]:
    """Also with slips of the pen that are no words; short ones only doubled or swapped."""
    known = dict(numerals)
    for word, numeral in numerals.items():
        if len(word) < 3 or not word.isascii() or numeral.weak:
            continue
        for slip in misspellings(word):
            if slip in known or slip in _WORDS or len(slip) < 3:
                continue
            if len(word) > 3 or len(slip) > 3 or (len(slip) == 3 and sorted(slip) == sorted(word)):
                known[slip] = numeral
    return known


def _half_written(numerals: Mapping[str, Numeral]) -> Iterator[tuple[str, Numeral]]:
    """ "5ive": the digit itself for the word's first letter."""
    for word, numeral in numerals.items():
        if len(numeral.digits) == 1 and len(word) > 2 and word.isascii() and not numeral.weak:
            yield numeral.digits + word[1:], numeral


NUMERALS: Final = _with_misspellings(LISTED)
MISSPELT_DIGITS: Final = {
    slip: NUMERALS[slip]
    for language in sorted(_MAIN)
    for word, numeral in _language(language, _LEXICON[language]).items()
    if len(numeral.digits) == 1 and word.isascii()
    for slip in misspellings(word)
    if slip in NUMERALS and slip not in LISTED
}
"""Slips of the pen in the ten digits of the main languages."""
HALF_WRITTEN: Final = dict(_half_written(_language("en", _LEXICON["en"])))
for _word, _numeral in HALF_WRITTEN.items():
    NUMERALS.setdefault(_word, _numeral)
for _word, _numeral in PLURALS.items():
    NUMERALS.setdefault(_word, _numeral)
_FUSIBLE: Final = {
    word: numeral
    for word, numeral in LISTED.items()
    if len(word) >= _SHORTEST_IN_FUSED and not numeral.weak and word not in CHARACTERS
} | {"oh": Numeral("0"), "ek": Numeral("1")}
_LONGEST: Final = max(map(len, _FUSIBLE))
FUSED_STARTS: Final = frozenset(word[:3] for word in _FUSIBLE if len(word) > 2)


def fused(word: str) -> list[tuple[int, int, str]] | None:
    """Numerals written without spaces ("fivezerofive"): their spans and digits, or None. Linear time."""
    if len(word) > _LONGEST_FUSED:
        return None
    # back[i]: where the numeral that ends at i begins, when word[:i] is all numerals.
    back: list[int] = [-1] * (len(word) + 1)
    back[0] = 0
    for start in range(len(word) - 1):
        if back[start] < 0 or (start == 0 and word[:3] not in FUSED_STARTS and word[:2] not in _FUSIBLE):
            continue
        for end in range(start + 2, min(start + _LONGEST, len(word)) + 1):
            if back[end] < 0 and word[start:end] in _FUSIBLE:
                back[end] = start
    if back[len(word)] < 0:
        return None
    parts: list[tuple[int, int, str]] = []
    end = len(word)
    while end:
        parts.append((back[end], end, _FUSIBLE[word[back[end] : end]].digits))
        end = back[end]
    return parts[::-1]


def leet_numeral(token: str) -> Numeral | None:
    """A numeral with some letters written as digits ("s3ven"), or None."""
    if not 2 < len(token) <= _LONGEST_LEET or sum(map(str.isalpha, token)) < 2:
        return None
    found = NUMERALS.get(unleet(token))
    return found or (NUMERALS.get(unleet(token.replace("1", "l"))) if "1" in token else None)
