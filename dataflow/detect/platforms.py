"""Platforms: the lexicon compiled, and what a word or several name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Final

from dataflow.detect.data import table, words
from dataflow.detect.misspell import misspellings, near, squeezed, unleet
from dataflow.detect.normalise import fold, lookalike

_SHORTEST_DOUBLED: Final = 3
_SHORTEST_MISSPELT: Final = 5
_SHORTEST_NEAR: Final = 6
_SHORTEST_INFLECTED: Final = 5
_SHORTEST_WORD_INFLECTED: Final = 4
_SHORTEST_DRAWN: Final = 4
_SHORTEST_LEET: Final = 3
_SHORTEST_SPELT: Final = 5
_PHRASES: Final = table("phrases.toml")


@dataclass(frozen=True, slots=True)
class Platforms:
    """The lexicon of platforms, compiled: what each says, and the platform."""

    names: dict[str, str] = field(default_factory=dict)
    """Unmistakable names, with their misspellings."""
    listed: list[str] = field(default_factory=list)
    """Those of `names` that the lexicon lists."""
    words: dict[str, str] = field(default_factory=dict)
    """Names that are also ordinary words."""
    phrases: dict[tuple[str, ...], str] = field(default_factory=dict)
    pointed: dict[str, str] = field(default_factory=dict)
    """Words that name a platform only right before a colon or the like."""
    emoji: dict[str, str] = field(default_factory=dict)
    domains: dict[str, str] = field(default_factory=dict)
    """Profile addresses up to the handle."""
    sites: dict[str, str] = field(default_factory=dict)
    """Profile addresses after the handle."""
    in_script: dict[str, str] = field(default_factory=dict)
    """Names in scripts that write without spaces, or glue endings on: found inside a word."""
    with_numbers: frozenset[str] = frozenset()
    public: frozenset[str] = frozenset()
    """Where most accounts that people name are not their own."""


_ORDINARY: Final = words("words_en.txt") | {
    word for text in table("words_chat.toml").values() for word in text.split()
}


def _compile() -> Platforms:
    lexicon = table("platforms.toml")
    found = Platforms(
        with_numbers=frozenset(p for p, entries in lexicon.items() if entries.get("number")),
        public=frozenset(p for p, entries in lexicon.items() if entries.get("public")),
    )
    for platform, entries in lexicon.items():
        for key, listed in (("names", found.names), ("words", found.words), ("phrases", found.words)):
            for name in map(fold, entries.get(key, ())):
                if " " in name:
                    found.phrases.setdefault(tuple(name.split()), platform)
                elif name.isascii():
                    listed.setdefault(name, platform)
                else:
                    found.in_script.setdefault(name, platform)
        found.pointed.update((fold(word), platform) for word in entries.get("pointed", ()))
        for sign in map(fold, entries.get("emoji", ())):
            found.emoji[sign] = platform
        for domain in entries.get("domains", ()):
            found.domains[domain] = platform
        found.sites.update((site, platform) for site in entries.get("sites", ()))
    for name, platform in [(n, p) for n, p in found.names.items() if "i" in n and len(n) >= _SHORTEST_DRAWN]:
        found.names.setdefault(name.replace("i", "l"), platform)
    found.listed.extend(found.names)
    for name, platform in list(found.names.items()):
        if len(name) >= _SHORTEST_DOUBLED and name.isalpha():
            slips = [name[:i] + name[i:][:1] + name[i:] for i in range(len(name))]
            slips += misspellings(name) if len(name) >= _SHORTEST_MISSPELT else ()
            for slip in slips:
                if slip not in _ORDINARY and slip not in found.words:
                    found.names.setdefault(slip, platform)
    for platform, entries in lexicon.items():
        for phrase in [*_of_halves(*entries.get("halves", ["", ""])), *_spelt(entries.get("letters", []))]:
            found.phrases.setdefault(phrase, platform)
            if len(word := "".join(phrase)) >= _SHORTEST_SPELT and word not in _ORDINARY:
                found.names.setdefault(word, platform)
    for base, endings in _PHRASES["playful"].items():
        platform = found.names.get(base) or found.words[base]
        for ending in endings.split():
            if base + ending not in _ORDINARY:
                found.names.setdefault(base + ending, platform)
    return found


def _of_halves(first: str, second: str) -> Iterator[tuple[str, ...]]:
    """Every word of the first after every word of the second."""
    for a, b in product(first.split(), second.split()):
        yield tuple(f"{a}_{b}".split("_"))


def _spelt(names: list[str]) -> Iterator[tuple[str, ...]]:
    """Short names by the names of their letters, at least one of them unmistakable."""
    sure, weak = _PHRASES["letters"]["names"], _PHRASES["letters"]["weak"]
    for name in names:
        spelled = [[letter, *f"{sure[letter]} {weak.get(letter, '')}".split()] for letter in name]
        for chosen in product(*spelled):
            if any(said in sure[letter].split() for letter, said in zip(name, chosen, strict=True)):
                yield tuple("_".join(chosen).split("_"))


PLATFORMS: Final = _compile()
LONGEST_PHRASE: Final = max(map(len, PLATFORMS.phrases))
_SPACED: Final = re.compile(r"[\u0370-\u052f\u0590-\u06ff]")
_BY_LENGTH: Final = sorted(PLATFORMS.in_script, key=len, reverse=True)
_ALONE: Final = "|".join(re.escape(name) for name in _BY_LENGTH if not _SPACED.match(name))
_INFLECTED: Final = "|".join(re.escape(name) for name in _BY_LENGTH if _SPACED.match(name) and len(name) > 2)
_WHOLE: Final = "|".join(re.escape(name) for name in _BY_LENGTH if _SPACED.match(name) and len(name) <= 2)
_IN_SCRIPT: Final = re.compile(
    rf"({_ALONE})|(?<!\w)(?:[\u0590-\u06ff]{{1,3}})?({_INFLECTED})\w{{0,4}}(?!\w)|(?<!\w)({_WHOLE})(?!\w)"
)
"""Names in other scripts: anywhere in a word where no spaces are written, else with an ending; short ones
alone.
"""
_NO_LETTERS: Final = frozenset("269")
"""Digits that stand for no letter."""
_THRICE: Final = re.compile(r"(.)\1\1")
_ENDINGS: Final = frozenset(map(fold, _PHRASES["endings"]))
_LONGEST_ENDING: Final = max(map(len, _ENDINGS))
_VOWELS: Final = "aeiou"
_TITLES: Final[dict[str, list[str]]] = {}
"""Names by what may stand for their first letter."""
for _name in [name for name in table("platforms.toml") if name in PLATFORMS.names]:
    for _first in _VOWELS if _name[0] in _VOWELS else _name[0]:
        _TITLES.setdefault(_first, []).append(_name)


def named(word: str) -> tuple[str, bool] | None:
    """The platform that one word names, in whatever disguise a single word can have; and whether it is sure.

    For words that no lexicon lists as anything else: it takes a slip of the pen or two for granted.
    """
    found = _listed(word)
    if found:
        return found
    if word in PLATFORMS.emoji:
        return PLATFORMS.emoji[word], False
    if not word.isascii():
        inside = _IN_SCRIPT.search(word)
        if inside:
            return PLATFORMS.in_script[inside[inside.lastindex or 0]], True
        plain = lookalike(word)
        return _listed(plain) if plain else None
    if word.isalpha():
        return _inflected(word) or _near(word) or _drawn(word)
    if len(word) < _SHORTEST_LEET or not _NO_LETTERS.isdisjoint(word):
        return None
    for letters in _unleeted(word):
        if letters.isalpha() and len(letters) >= _SHORTEST_LEET:
            found = _listed(letters) or (_inflected(letters) if len(letters) > _SHORTEST_INFLECTED else None)
            if found and (found[1] or len(letters) > _SHORTEST_LEET):
                return found[0], True
    return None


def _unleeted(word: str) -> Iterator[str]:
    """A word's digits read as letters: a "1" is like an "i" or an "l"."""
    yield unleet(word)
    if "1" in word:
        yield unleet(word.replace("1", "l"))


def _listed(word: str) -> tuple[str, bool] | None:
    platform = PLATFORMS.names.get(word)
    if platform:
        return platform, True
    platform = PLATFORMS.words.get(word)
    return (platform, False) if platform else None


def _inflected(word: str) -> tuple[str, bool] | None:
    """A name with an ending, or drawn out ("instagramim", "snaaap" is listed, "snapppp")."""
    if word[-2:] == word[-1:] * 2:
        drawn = word.rstrip(word[-1])
        for base in (drawn + word[-1], drawn):
            if len(base) >= _SHORTEST_DRAWN and (found := _listed(base)):
                return found
    for size in range(1, min(_LONGEST_ENDING, len(word) - _SHORTEST_WORD_INFLECTED) + 1):
        if word[-size:] in _ENDINGS:
            found = _listed(word[:-size])
            if found and len(word) - size >= (_SHORTEST_INFLECTED if found[1] else _SHORTEST_WORD_INFLECTED):
                return found
    return None


def _drawn(word: str) -> tuple[str, bool] | None:
    """A name with letters of it drawn out ("innnstaaa")."""
    if _THRICE.search(word):
        for short in squeezed(word):
            if len(short) >= _SHORTEST_DOUBLED and short in PLATFORMS.names:
                return PLATFORMS.names[short], True
    return None


def _near(word: str) -> tuple[str, bool] | None:
    """A platform's own name with a slip or two."""
    if len(word) >= _SHORTEST_NEAR:
        for name in _TITLES.get(word[0], ()):
            if len(name) >= _SHORTEST_NEAR and near(word, name):
                return PLATFORMS.names[name], True
    return None
