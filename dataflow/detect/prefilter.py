"""The prefilter: which texts of a batch may hold a contact.

Most chat holds none. The whole batch is one string of bytes: folded, its punctuation blanked, and searched
once for every trigger by an Aho-Corasick automaton, so that a text without any costs no Python at all.
Triggers weigh: a platform's name is enough by itself, digits and number words must add up to a number. Signs
("@", a link) and digits among letters get a second look, of the one text.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import accumulate, combinations, compress, count, product
from operator import add
from string import ascii_lowercase, digits

from ahocorasick_rs import BytesAhoCorasick, Implementation

from dataflow.detect.data import table
from dataflow.detect.lexicon import ANYWHERE_PHRASES, ENGLISH, MAYBE, ORDINARY, ROLES, SURE
from dataflow.detect.misspell import unleet
from dataflow.detect.normalise import fold, plain_form
from dataflow.detect.numerals import CHARACTERS, LISTED, NUMERALS, SIGNS
from dataflow.detect.platforms import PLATFORMS

_FEWEST_DIGITS = 7
_ENOUGH, _SURELY = 5, 100
_SHORTEST_RAW, _SHORTEST_SQUEEZED, _MOST_LEET = 4, 7, 6
_LETTERS_AS_DIGITS = {"o": "0", "i": "1", "l": "1", "e": "3", "a": "4", "s": "5", "t": "7", "b": "8"}
_BREAK = "\x1e"
_APART = f" {_BREAK} "
_SHORT_FORMS = frozenset(["im", "sa", "si", "ti", "di", "id", "ur", "ru", "ia", "ai", "ma"])
"""What apostrophes and chat leave of two letters in a row, in no spelled-out name."""
_PHRASES, _SPELLING = table("phrases.toml"), table("handle_context.toml")


def _spelt() -> Iterator[str]:
    """Dots and underscores in words: alone where they are no other word, else before a domain's ending."""
    for name in ("dot", "underscore", "slash"):
        for word in (fold(word) for text in _SPELLING[name].values() for word in text.split()):
            if not ROLES[word] & ORDINARY:
                yield word
            if name == "dot":
                yield from (f"{word} {ending}" for ending in _PHRASES["endings_of_domains"])
    yield from (fold(word) for text in _SPELLING["at"].values() for word in text.split() if len(word) > 5)


def _leet(name: str) -> Iterator[str]:
    """A name with some of its letters written as digits."""
    places = [i for i, letter in enumerate(name) if letter in _LETTERS_AS_DIGITS][:_MOST_LEET]
    for size in range(1, len(places) + 1):
        for chosen in combinations(places, size):
            yield "".join(_LETTERS_AS_DIGITS[c] if i in chosen else c for i, c in enumerate(name))


def _triggers() -> dict[str, int]:
    """What to look for in the blanked text, and how much each weighs."""
    weights: dict[str, int] = {}
    for word in [*PLATFORMS.names, *PLATFORMS.words, *_spelt(), *_PHRASES["mail"]]:
        weights[f" {word} "] = _SURELY
    for phrase in [*PLATFORMS.phrases, *ANYWHERE_PHRASES]:
        weights[f" {' '.join(phrase)} "] = _SURELY
    for domain in PLATFORMS.domains:
        weights[f" {domain.split('/')[0].replace('.', ' ').replace('-', ' ')} "] = _SURELY
    for name in table("platforms.toml").values():
        leetable = [*name.get("names", ()), *(w for w in name.get("words", ()) if len(w) > 3)]
        for word in (fold(w) for w in leetable if w.isascii() and w.isalpha()):
            weights.update((f" {leet} ", _SURELY) for leet in _leet(word))
    for sign in [*PLATFORMS.emoji, *PLATFORMS.in_script]:
        weights[sign] = _SURELY
    for word, numeral in NUMERALS.items():
        raw = word in CHARACTERS or not (word.isascii() or word[0] < "\u0590")
        long = word in LISTED and len(word) >= _SHORTEST_RAW and not numeral.weak
        if raw or (long and word not in ENGLISH):
            weights.setdefault(word, min(2, len(numeral.digits)))
        else:
            weights.setdefault(f" {word} ", 1)
    for word in ("zero", "three", "four", "five", "seven", "eight", "nine"):
        weights.pop(f" {word} ", None)
        weights[word] = 1
    for pair in product(("one", "two", "six"), repeat=2):
        weights["".join(pair)] = 2
    weights.update((f" {word} ", 2) for word, sign in SIGNS.items() if sign in ("twice", "thrice"))
    for a, b in product(ascii_lowercase + digits, repeat=2):
        if not (a in digits and b in digits) and a + b not in _SHORT_FORMS:
            weights.setdefault(f" {a} {b} ", 3)
    return weights


_WEIGHTS = {trigger.encode(): weight for trigger, weight in _triggers().items()}
_AUTOMATON = BytesAhoCorasick(list(_WEIGHTS), implementation=Implementation.ContiguousNFA)
_WEIGHT = list(_WEIGHTS.values())
_SQUEEZED = BytesAhoCorasick(
    sorted(
        fold(name).replace(" ", "").encode()
        for entries in table("platforms.toml").values()
        for name in [*entries.get("names", ()), *entries.get("phrases", ())]
        if name.isascii() and len(name.replace(" ", "")) >= _SHORTEST_SQUEEZED
    ),
    implementation=Implementation.DFA,
)
_BLANK = bytes(
    code if code >= 128 or chr(code).isalnum() or code == ord(_BREAK) else ord(" ") for code in range(256)
)
_NO_DIGIT = bytes(code for code in range(256) if code not in b"0123456789\x1e")
_NO_LETTER = bytes(code for code in range(128) if not chr(code).isalpha() and code != ord(_BREAK))
_SIGN = re.compile(
    rb"[@#/$|!](?:(?<=@)(?= ?[a-z0-9_:])|(?<=#)(?= ?[0-9]{4})|(?<=[a-z]/)(?= ?[a-z0-9@~$+_#])"
    rb"|(?<=[a-z] /)(?= ?[a-z0-9@~$+_#])|(?<=[a-z0-9][!$@|])(?=[a-z0-9])|(?<=[!$|])(?=[a-z]))"
)
_LEET = re.compile(rb"[0-9][oilszbgq]|[oilszbgq][0-9]")
_LEET_RUN = re.compile(rb"(?:[0-9oilszbgqaet] {0,2}){10}|[0-9oilszbgq]{7}")
_LITERAL = BytesAhoCorasick(
    [b"live:", b"tel:", b"sms:", b"number=", b"phone="]
    + [f" {word}{mark}".encode() for word in PLATFORMS.pointed for mark in (":", " :", " =", " -", "=", "-")]
    + [f".{ending}".encode() for ending in ("com", "net", "org", "io", "me", "gg", "ee", "edu", "co.")]
    + [
        f"{mark}{word}".encode()
        for mark in "([{<"
        for name in ("dot", "at", "underscore")
        for word in sorted(
            {fold(w) for text in _SPELLING[name].values() for w in text.split()} | {".", "@", "_"}
        )
    ],
    implementation=Implementation.DFA,
)
"""What is worth a look where it stands in the text as it is."""


def suspects(texts: Sequence[str | None]) -> list[int]:
    """Indices of the texts that may hold a contact, in order."""
    said = [text or "" for text in texts]
    joined = _APART.join(said)
    if not joined.isascii():
        joined = _APART.join(_folded(said))
    plain = f" {joined} ".encode("utf-8", "replace").lower()
    blank = plain.translate(_BLANK)
    lines = blank.split(b"\x1e")
    if len(lines) != len(texts):
        return [i for i, text in enumerate(texts) if text]
    ends = _ends(lines)
    weights: defaultdict[int, int] = defaultdict(int)
    for trigger, start, _ in _AUTOMATON.find_matches_as_indexes(blank, overlapping=True):
        weights[bisect_right(ends, start)] += _WEIGHT[trigger]
    figures = [*map(len, plain.translate(None, _NO_DIGIT).split(b"\x1e"))]
    for line in [*compress(count(), figures)]:
        size = figures[line]
        if (
            size >= _FEWEST_DIGITS
            or size + weights.get(line, 0) >= _FEWEST_DIGITS
            or (size > 1 and _LEET.search(lines[line]) and _LEET_RUN.search(lines[line]))
        ):
            weights[line] = _SURELY
    for line, chunk in _signed(plain, ends):
        if weights.get(line, 0) < _ENOUGH and (chunk is None or _named(chunk)):
            weights[line] = _SURELY
    squeezed = blank.translate(None, _NO_LETTER)
    hits = _SQUEEZED.find_matches_as_indexes(squeezed)
    if hits:
        short = _ends(squeezed.split(b"\x1e"))
        for _, start, _ in hits:
            weights[bisect_right(short, start)] = _SURELY
    return sorted([line for line, weight in weights.items() if weight >= _ENOUGH and texts[line]])


def _ends(lines: list[bytes]) -> list[int]:
    """Where each line ends, its separator included."""
    return [*map(add, accumulate(map(len, lines)), count(1))]


def _folded(texts: list[str]) -> list[str]:
    """The texts, those in other than ASCII characters in their normal form."""
    others = [*compress(count(), [not ascii_only for ascii_only in map(str.isascii, texts)])]
    folded = plain_form(_APART.join([texts[i] for i in others])).split(_APART)
    if len(folded) == len(others):
        texts = texts.copy()
        for i, text in zip(others, folded, strict=True):
            texts[i] = text
    return texts


def _signed(plain: bytes, ends: list[int]) -> Iterator[tuple[int, bytes | None]]:
    """Lines with a sign that may make a contact; with "!", "$" or "|" the word that it is in, else None."""
    hit = _SIGN.search(plain)
    while hit:
        at, following = hit.span()
        line = bisect_right(ends, at)
        if hit[0] in b"@#/":
            yield line, None
            following = ends[line] if line < len(ends) else len(plain)
        else:
            start = plain.rfind(b" ", 0, at) + 1
            yield line, plain[start : plain.find(b" ", at)]
        hit = _SIGN.search(plain, following)
    for _, start, _ in _LITERAL.find_matches_as_indexes(plain):
        yield bisect_right(ends, start), None


def _named(chunk: bytes) -> bool:
    """Whether a word with signs for letters names a platform."""
    word = unleet(chunk.decode("utf-8", "replace").strip(".,:?\"'"))
    return bool(ROLES.get(word, 0) & (SURE | MAYBE))
