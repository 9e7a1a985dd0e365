"""The prefilter: which texts of a batch may hold a contact.

Most chat holds none. The whole batch is one string of bytes: folded, its punctuation blanked, and searched
once for every trigger by an Aho-Corasick automaton, so that a text without any costs no Python at all.
Triggers weigh: a platform's name is enough by itself, digits and number words must add up to a number. What
may be a name misspelt, a link, or letters with signs among them gets a second look, of the one word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from io import BytesIO
from itertools import combinations, islice, product
from string import ascii_lowercase, digits
from typing import Final

from ahocorasick_rs import BytesAhoCorasick, Implementation

from dataflow.detect.data import table
from dataflow.detect.lexicon import ANYWHERE_PHRASES, COMMON, ENGLISH, ROLES
from dataflow.detect.misspell import unleet
from dataflow.detect.normalise import fold, plain_form
from dataflow.detect.numerals import CHARACTERS, HALF_WRITTEN, LISTED, MISSPELT_DIGITS, SIGNS
from dataflow.detect.platforms import PLATFORMS
from dataflow.detect.roles import MAYBE, ORDINARY, SURE

_FEWEST_DIGITS: Final = 7
_ENOUGH: Final = 5
_SURELY: Final = 100
# Not weights, but that a second look is needed.
_LOOK: Final = -100
_LINK: Final = 1
_CHUNK: Final = 2
_SHORTEST_RAW: Final = 4
_SHORTEST_SQUEEZED: Final = 7
_SHORTEST_LOOKED: Final = 4
_SHORTEST_NEAR: Final = 8
_FRAGMENT: Final = 4
_LONGEST_DOMAIN: Final = 24
_LONGEST_WORD: Final = 32
_DOTS: Final = frozenset(b".,")
_KEPT: Final = 20_000
_LONGEST_KEPT: Final = 20
_LETTERS_AS_DIGITS: Final = {"o": "0", "i": "1", "l": "1", "e": "3", "a": "4", "s": "5", "t": "7", "b": "8"}
_BREAK: Final = "\x1e"
_APART: Final = f" {_BREAK} "
_BREAKS: Final = _BREAK.encode()
_SHORT_FORMS: Final = frozenset(["im", "sa", "si", "ti", "di", "id", "ur", "ru", "ia", "ai", "ma"])
"""What apostrophes and chat leave of two letters in a row, in no spelled-out name."""
_PHRASES: Final = table("phrases.toml")
_SPELLING: Final = table("handle_context.toml")


def _spelt() -> Iterator[str]:
    """Dots and underscores in words: alone where they are no other word, else before a domain's ending."""
    for name in ("dot", "underscore", "slash"):
        for word in [fold(word) for text in _SPELLING[name].values() for word in text.split()]:
            if "_" in word or not ROLES[word] & ORDINARY:
                yield word.replace("_", " ")
            if name == "dot":
                yield from [f"{word} {ending}" for ending in _PHRASES["endings_of_domains"]]
    yield from [fold(word) for text in _SPELLING["at"].values() for word in text.split() if len(word) > 5]


def _leet(name: str) -> Iterator[str]:
    """A name with some of its letters written as digits."""
    places = [i for i, letter in enumerate(name) if letter in _LETTERS_AS_DIGITS]
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
    for domain in [*PLATFORMS.domains, *PLATFORMS.sites]:
        weights[f" {domain.split('/')[0].replace('.', ' ').replace('-', ' ')} "] = _SURELY
    for name in table("platforms.toml").values():
        leetable = [*name.get("names", ()), *[w for w in name.get("words", ()) if len(w) > 3]]
        for word in [fold(w) for w in leetable if w.isascii() and w.isalpha()]:
            if len(word) < _SHORTEST_SQUEEZED:
                weights.update((f" {leet} ", _SURELY) for leet in _leet(word))
    for sign in [*PLATFORMS.emoji, *PLATFORMS.in_script]:
        weights[sign] = _SURELY
    for word, numeral in [*LISTED.items(), *HALF_WRITTEN.items(), *MISSPELT_DIGITS.items()]:
        raw = word in CHARACTERS or not (word.isascii() or word[0] < "\u0590")
        long = word in LISTED and len(word) >= _SHORTEST_RAW and not numeral.weak
        if raw or (long and word not in ENGLISH):
            weights.setdefault(word, min(2, len(numeral.digits)))
        elif not numeral.weak or word not in COMMON:
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
    for name in [*PLATFORMS.listed, *PLATFORMS.words]:
        if len(name) >= _SHORTEST_LOOKED:
            weights.setdefault(f" {name}", _LOOK)
    for name in [
        name for name in table("platforms.toml") if name in PLATFORMS.names and len(name) >= _SHORTEST_NEAR
    ]:
        for k in range(len(name) - _FRAGMENT + 1):
            if name[k : k + _FRAGMENT] not in ENGLISH:
                weights.setdefault(name[k : k + _FRAGMENT], _LOOK)
    return weights


_WEIGHTS: Final = {trigger.encode(): weight for trigger, weight in _triggers().items()}
_AUTOMATON: Final = BytesAhoCorasick(list(_WEIGHTS), implementation=Implementation.ContiguousNFA)
_WEIGHT: Final = list(_WEIGHTS.values())
_SQUEEZED: Final = BytesAhoCorasick(
    sorted(
        fold(name).replace(" ", "").encode()
        for entries in table("platforms.toml").values()
        for name in [*entries.get("names", ()), *entries.get("phrases", ())]
        if name.isascii() and len(name.replace(" ", "")) >= _SHORTEST_SQUEEZED
    ),
    implementation=Implementation.DFA,
)
_BLANK: Final = bytes(
    [
        ord("\n") if code == ord(_BREAK) else code if code >= 128 or chr(code).isalnum() else ord(" ")
        for code in range(256)
    ]
)
"""Makes lines of texts, and spaces of signs."""
_NO_DIGIT: Final = bytes([code for code in range(256) if code not in b"0123456789\x1e"])
_UNLEET: Final = bytes.maketrans(b"0134578", b"oieastb")
_NO_LETTER: Final = bytes(
    [code for code in range(128) if not chr(code).isalpha() and code not in b"0134578\n"]
)
_FIGURES_OF_A_LINE: Final = re.compile(rb"[0-9]{2,}")
_LEET: Final = re.compile(rb"[0-9](?:[oilszbgq]|(?<=[oilszbgq][0-9]))")
"""A figure beside a letter like one; in an order that is quick to look for."""
_LIKE_DIGITS, _MAYBE_DIGITS = [
    bytes(
        [
            ord("0") if code in letters or 48 <= code < 58 else code if code == 32 else ord("-")
            for code in range(256)
        ]
    )
    for letters in (b"oilszbgq", b"oilszbgqaet")
]
_RUN: Final = b"0" * _FEWEST_DIGITS
_APART_RUN: Final = b"0" * 10
_LETTERS: Final = ascii_lowercase
_FIGURES: Final = digits
_CHOSEN: Final = f"{_LETTERS}{_FIGURES}_"


def _signs() -> dict[str, int]:
    """What to look for in the text as it is: signs that may make a contact, and whether they need a look."""
    found = {f"{sign}{gap}{char}": _LINK for sign in "/" for gap in ("", " ") for char in f"{_CHOSEN}@~$+#"}
    found |= {f"{sign}{letter}": _CHUNK for sign in "!$|" for letter in _LETTERS}
    found |= {
        f"{letter}{sign}{figure}": _CHUNK for sign in "!$|" for letter in _LETTERS for figure in _FIGURES
    }
    found |= {f"_{char}": _SURELY for char in f"{_LETTERS}{_FIGURES}"}
    found |= {f"@{gap}{char}": _SURELY for gap in ("", " ") for char in f"{_CHOSEN}:"}
    found |= {f"#{gap}{figure}": _SURELY for gap in ("", " ") for figure in _FIGURES}
    marks = (":", " :", " =", " -", "=", "-")
    said = [
        "live:",
        "tel:",
        "sms:",
        "number=",
        "phone=",
        *[f" {w}{mark}" for w in PLATFORMS.pointed for mark in marks],
    ]
    said += [f".{ending}" for ending in ("com", "net", "org", "io", "me", "gg", "ee", "edu", "co.")]
    for name in ("dot", "at", "underscore"):
        spelt = {fold(w).replace("_", " ") for text in _SPELLING[name].values() for w in text.split()} | {
            ".",
            "@",
            "_",
        }
        said += [f"{mark}{word}" for mark in "([{<" for word in spelt]
    return found | dict.fromkeys(said, _SURELY)


_SIGN: Final = _signs()
_LITERAL: Final = BytesAhoCorasick([sign.encode() for sign in _SIGN], implementation=Implementation.DFA)
_SIGNED: Final = list(_SIGN.values())


def suspects(texts: Sequence[str | None]) -> list[int]:
    """Indices of the texts that may hold a contact, in order."""
    order, plain = _joined(texts)
    figures = plain.translate(None, _NO_DIGIT)
    if figures.count(_BREAKS) != len(order):
        order, plain = _joined([text.replace(_BREAK, " ") if text else text for text in texts])
        figures = plain.translate(None, _NO_DIGIT)
    blank = plain.translate(_BLANK)
    weights = _weighed(blank)
    _weigh_figures(figures, blank, weights)
    _weigh_signs(plain, weights)
    squeezed = blank.translate(_UNLEET, _NO_LETTER)
    line = at = 0
    for _, start, _ in _SQUEEZED.find_matches_as_indexes(squeezed):
        line += squeezed.count(b"\n", at, start)
        at = start
        weights[line] = _SURELY
    return sorted([order[line] for line, weight in weights.items() if weight >= _ENOUGH])


def _joined(texts: Sequence[str | None]) -> tuple[list[int], bytes]:
    """Which texts are not empty, those in ASCII first, which need no folding; and these, folded, each ended
    by what keeps them apart.
    """
    own: list[int] = []
    others: list[int] = []
    for i, text in enumerate(texts):
        if text:
            (own if text.isascii() else others).append(i)
    plain = _APART.join([*[texts[i] or "" for i in own], ""]).encode()
    folded = _folded(_APART.join([*[texts[i] or "" for i in others], ""]).encode("utf-8", "surrogatepass"))
    return own + others, (b" %b%b" % (plain, folded)).lower()


def _weighed(blank: bytes) -> dict[int, int]:
    """What the triggers in each line weigh; a line that weighs enough is not looked at further."""
    weights: dict[int, int] = {}
    line = at = passed = 0
    for trigger, start, _ in _AUTOMATON.find_matches_as_indexes(blank, overlapping=True):
        if start < passed:
            continue
        weight = _WEIGHT[trigger]
        if weight == _LOOK:
            if not _names(blank, start):
                continue
            weight = _SURELY
        # A match may begin before the one found last, but in the same line.
        line += blank.count(b"\n", at, start)
        at = start
        weights[line] = weight = weights.get(line, 0) + weight
        if weight >= _ENOUGH:
            passed = blank.find(b"\n", start)
    return weights


def _weigh_figures(figures: bytes, blank: bytes, weights: dict[int, int]) -> None:
    """Mark the lines whose figures, with what is spelled in them, may add up to a number."""
    lines = BytesIO(blank)
    line = at = read = 0
    for found in _FIGURES_OF_A_LINE.finditer(figures):
        start, end = found.span()
        line += figures.count(_BREAKS, at, start)
        at = start
        weight = weights.get(line, 0)
        if end - start + weight >= _FEWEST_DIGITS:
            weights[line] = _SURELY
        elif weight < _ENOUGH:
            said = next(islice(lines, line - read, None))
            read = line + 1
            if _LEET.search(said) and _leet_run(said):
                weights[line] = _SURELY


def _weigh_signs(plain: bytes, weights: dict[int, int]) -> None:
    """Mark the lines with signs that make a contact."""
    line = at = passed = 0
    for sign, start, end in _LITERAL.find_matches_as_indexes(plain, overlapping=True):
        if start < passed:
            continue
        kind = _SIGNED[sign]
        line += plain.count(_BREAKS, at, start)
        at = start
        if (
            weights.get(line, 0) >= _ENOUGH
            or kind == _SURELY
            or (_links(plain, start) if kind == _LINK else _disguised(plain, end))
        ):
            weights[line] = _SURELY
            passed = plain.find(_BREAKS, start)


def _leet_run(line: bytes) -> bool:
    """Whether a line has so many digits, and letters like one, in a row; spaces may be among more of them."""
    if _RUN in line.translate(_LIKE_DIGITS):
        return True
    return _APART_RUN in line.translate(_MAYBE_DIGITS).replace(b"   ", b"-").replace(b" ", b"")


def _word(text: bytes, at: int) -> bytes:
    """The word, between spaces, that `at` lies in or begins before; what is longer than any name is cut."""
    first = text.rfind(b" ", max(0, at - _LONGEST_WORD), at) + 1 or max(0, at - _LONGEST_WORD)
    last = text.find(b" ", at, at + _LONGEST_WORD)
    return text[first : last if last >= 0 else at + _LONGEST_WORD]


def _names(blank: bytes, start: int) -> bool:
    """Whether the word that a fragment begins in, or before, names a platform."""
    return bool(ROLES[_word(blank, start + 1).decode("utf-8", "replace")] & (SURE | MAYBE))


def _links(plain: bytes, slash: int) -> bool:
    """Whether what stands before a slash may be a domain, or "u"."""
    before = plain[max(0, slash - _LONGEST_DOMAIN) : slash].rpartition(_BREAKS)[2].rstrip()
    return before.endswith(b" u") or not _DOTS.isdisjoint(before) or b" dot" in before


def _disguised(plain: bytes, end: int) -> bool:
    """Whether a word with signs for letters names a platform."""
    word = unleet(_word(plain, end - 1).decode("utf-8", "replace").strip(".,:?\"'"))
    return bool(ROLES[word] & (SURE | MAYBE))


class _Forms(dict[bytes, bytes]):
    """Words that are not all ASCII in their normal form, both in UTF-8: worked out when first met, and kept
    up to a bound, those with figures never.
    """

    def __missing__(self, word: bytes) -> bytes:
        said = word.decode("utf-8", "surrogatepass")
        plain = plain_form(said)
        form = plain.encode("utf-8", "replace")
        if len(self) < _KEPT and len(said) <= _LONGEST_KEPT and not any(map(str.isdigit, plain)):
            self[word] = form
        return form


_FORMS: Final = _Forms([(word.encode(), word.encode()) for word in COMMON if not word.isascii()])


def _folded(text: bytes) -> bytes:
    """A text, its words that are not all ASCII in their normal form."""
    return b" ".join([word if word.isascii() else _FORMS[word] for word in text.split(b" ")])
