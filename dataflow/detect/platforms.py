"""Platforms: the lexicon compiled, and what a word or several name."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from dataflow.detect.data import table, words
from dataflow.detect.misspell import misspellings, substitutions, unleet
from dataflow.detect.normalise import fold, lookalike

LONGEST_PHRASE = 4
_SHORTEST_DOUBLED, _SHORTEST_MISSPELT, _SHORTEST_SUBSTITUTED = 3, 5, 7
_SHORTEST_INFLECTED, _SHORTEST_WORD_INFLECTED = 5, 4
_SHORTEST_LEET = 3
_SHORTEST_DRAWN, _LONGEST_DRAWN = 4, 7


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
    in_script: dict[str, str] = field(default_factory=dict)
    """Names in scripts that write without spaces, or glue endings on: found inside a word."""
    with_numbers: frozenset[str] = frozenset()
    public: frozenset[str] = frozenset()
    """Where most accounts that people name are not their own."""


def _compile() -> Platforms:
    lexicon = table("platforms.toml")
    found = Platforms(
        with_numbers=frozenset(p for p, entries in lexicon.items() if entries.get("number")),
        public=frozenset(p for p, entries in lexicon.items() if entries.get("public")),
    )
    ordinary = words("words_en.txt") | {
        word for text in table("words_chat.toml").values() for word in text.split()
    }
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
    for name, platform in [(n, p) for n, p in found.names.items() if "i" in n and len(n) >= _SHORTEST_DRAWN]:
        found.names.setdefault(name.replace("i", "l"), platform)
    listed_names = list(found.names.items())
    found.listed.extend(found.names)
    listed_only = {*found.names, *found.words}
    for name, platform in listed_names:
        if len(name) >= _SHORTEST_DOUBLED and name.isalpha():
            slips = [name[:i] + name[i:][:1] + name[i:] for i in range(len(name))]
            slips += misspellings(name) if len(name) >= _SHORTEST_MISSPELT else ()
            slips += substitutions(name) if len(name) >= _SHORTEST_SUBSTITUTED else ()
            for slip in slips:
                if slip not in ordinary and slip not in found.words:
                    found.names.setdefault(slip, platform)
    for name, platform in listed_names:
        for ending in map(fold, table("phrases.toml")["endings"]):
            if len(name) >= _SHORTEST_INFLECTED and name + ending not in ordinary:
                found.names.setdefault(name + ending, platform)
    for listed in (found.names, found.words):
        for name, platform in [
            (n, p) for n, p in listed.items() if n in listed_only and len(n) >= _SHORTEST_DRAWN
        ]:
            for times in range(1, _LONGEST_DRAWN):
                if name + name[-1] * times not in ordinary:
                    listed.setdefault(name + name[-1] * times, platform)
    for word, platform in list(found.words.items()):
        for ending in map(fold, table("phrases.toml")["endings"]):
            inflected = word + ending
            taken = inflected in ordinary or inflected in found.names
            if len(word) >= _SHORTEST_WORD_INFLECTED and not taken:
                found.words.setdefault(inflected, platform)
    return found


PLATFORMS = _compile()
_SPACED = re.compile(r"[\u0370-\u052f\u0590-\u06ff]")
_BY_LENGTH = sorted(PLATFORMS.in_script, key=len, reverse=True)
_ALONE = "|".join(re.escape(name) for name in _BY_LENGTH if not _SPACED.match(name))
_INFLECTED = "|".join(re.escape(name) for name in _BY_LENGTH if _SPACED.match(name) and len(name) > 2)
_WHOLE = "|".join(re.escape(name) for name in _BY_LENGTH if _SPACED.match(name) and len(name) <= 2)
_IN_SCRIPT = re.compile(
    rf"({_ALONE})|(?<!\w)(?:[\u0590-\u06ff]{{1,3}})?({_INFLECTED})\w{{0,4}}(?!\w)|(?<!\w)({_WHOLE})(?!\w)"
)
"""Names in other scripts: anywhere in a word where no spaces are written, else with an ending, short ones alone."""


def named(word: str) -> str | None:
    """The platform that one word names, in whatever disguise a single word can have."""
    lexicon = PLATFORMS
    platform = lexicon.names.get(word) or lexicon.words.get(word) or lexicon.emoji.get(word)
    if platform:
        return platform
    if not word.isascii():
        inside = _IN_SCRIPT.search(word)
        if inside:
            return lexicon.in_script[inside[inside.lastindex or 0]]
        plain = lookalike(word)
        return (lexicon.names.get(plain) or lexicon.words.get(plain)) if plain else None
    if word.isalpha() or len(word) < _SHORTEST_LEET:
        return None
    for letters in (unleet(word), unleet(word.replace("1", "l"))):
        if letters.isalpha() and len(letters) >= _SHORTEST_LEET:
            platform = lexicon.names.get(letters) or (
                lexicon.words.get(letters) if len(letters) > 3 else None
            )
            if platform:
                return platform
    return None
