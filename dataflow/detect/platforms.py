"""Platforms: the lexicon compiled, and where a text mentions one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from dataflow.detect.data import table
from dataflow.detect.misspell import misspellings, unleet
from dataflow.detect.normalise import MARKS, fold
from dataflow.detect.vocabulary import ORDINARY

_TOKEN = re.compile(rf"[a-z0-9_](?:[a-z0-9_.]*[a-z0-9_])?|[^\W\da-z_]+(?:[{MARKS}]+[^\W\da-z_]*)*|[^\w\s]")
_INITIALS = re.compile(r"[a-z0-9](?:\.[a-z0-9])+")
_LONGEST_PHRASE = 3
_WIDEST_GAP = 2
_SHORTEST_MISSPELT = 6
_SHORTEST_INFLECTED = 5
_ENDINGS = tuple(map(fold, table("phrases.toml")["endings"]))


@dataclass(frozen=True, slots=True)
class Token:
    """A word, a run of another script's letters, or one sign, of a normalised text."""

    text: str
    start: int
    end: int

    @property
    def latin(self) -> bool:
        """Whether it may be (part of) a handle."""
        return self.text[0] < "\x7f" and (self.text[0].isalnum() or self.text[0] == "_")


@dataclass(frozen=True, slots=True)
class Mention:
    """Tokens `[first, last)` name a platform. `sure`: they can hardly mean anything else."""

    platform: str | None
    first: int
    last: int
    sure: bool


@dataclass(frozen=True, slots=True)
class Platforms:
    """The lexicon of platforms, compiled."""

    names: dict[str, str]
    words: dict[str, str]
    phrases: dict[tuple[str, ...], str]
    emoji: dict[str, str]
    domains: dict[str, str]
    in_script: dict[str, str]
    """Names in scripts that write without spaces, or glue endings on: found inside a token."""
    with_numbers: frozenset[str]


def _compile() -> Platforms:
    names: dict[str, str] = {}
    words: dict[str, str] = {}
    phrases: dict[tuple[str, ...], str] = {}
    emoji: dict[str, str] = {}
    domains: dict[str, str] = {}
    in_script: dict[str, str] = {}
    lexicon = table("platforms.toml")
    for platform, entries in lexicon.items():
        for name in map(fold, entries.get("names", ())):
            if " " in name:
                phrases[tuple(name.split())] = platform
            elif name.isascii():
                names[name] = platform
            else:
                in_script[name] = platform
        for word in map(fold, entries.get("words", ())):
            words[word] = platform
        for phrase in map(fold, entries.get("phrases", ())):
            phrases[tuple(phrase.split())] = platform
        for sign in map(fold, entries.get("emoji", ())):
            emoji[sign] = platform
        for domain in entries.get("domains", ()):
            domains[domain] = platform
    listed = list(names.items())
    for name, platform in listed:
        if len(name) >= _SHORTEST_MISSPELT:
            for slip in misspellings(name):
                if slip not in ORDINARY and slip not in words:
                    names.setdefault(slip, platform)
    for name, platform in listed:
        if len(name) < _SHORTEST_INFLECTED:
            continue
        for ending in _ENDINGS:
            if name + ending not in ORDINARY:
                names.setdefault(name + ending, platform)
    numbered = frozenset(p for p, entries in lexicon.items() if entries.get("number"))
    return Platforms(names, words, phrases, emoji, domains, in_script, numbered)


PLATFORMS = _compile()
_LONG_NAMES = {name: p for name, p in PLATFORMS.names.items() if len(name) >= 3}


def tokens(text: str) -> list[Token]:
    """The tokens of a normalised text. Linear time."""
    return [Token(match[0], match.start(), match.end()) for match in _TOKEN.finditer(text)]


def _single(token: str) -> tuple[str, bool] | None:
    """The platform that one token names, and whether surely."""
    lexicon = PLATFORMS
    platform = lexicon.names.get(token)
    if platform:
        return platform, True
    platform = lexicon.words.get(token) or lexicon.emoji.get(token)
    if platform:
        return platform, False
    if token[0] > "\x7f":
        for name, known in lexicon.in_script.items():
            if name in token:
                return known, True
        return None
    if not token.isalpha():
        if _INITIALS.fullmatch(token):
            joined = token.replace(".", "")
            platform = lexicon.names.get(joined) or lexicon.words.get(joined)
            return (platform, True) if platform else None
        for letters in (unleet(token), unleet(token.replace("1", "l"))):
            platform = _LONG_NAMES.get(letters)
            if platform:
                return platform, True
    return None


def mentions(sequence: Sequence[Token]) -> list[Mention]:
    """Every mention of a platform, the longest where they overlap, in order."""
    found: list[Mention] = []
    phrases = PLATFORMS.phrases
    signless = [i for i, token in enumerate(sequence) if token.text != "'"]
    at = 0
    while at < len(signless):
        for length in range(min(_LONGEST_PHRASE, len(signless) - at), 1, -1):
            chosen = [sequence[i] for i in signless[at : at + length]]
            platform = phrases.get(tuple(token.text for token in chosen))
            if platform and all(b.start - a.end <= _WIDEST_GAP for a, b in pairwise(chosen)):
                found.append(Mention(platform, signless[at], signless[at + length - 1] + 1, True))
                at += length
                break
        else:
            single = _single(sequence[signless[at]].text)
            if single:
                found.append(Mention(single[0], signless[at], signless[at] + 1, single[1]))
            at += 1
    return found
