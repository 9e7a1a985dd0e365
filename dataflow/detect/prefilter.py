"""The prefilter: which texts of a batch may hold a contact.

Most chat holds none. The first look is taken over the whole batch as bytes: fold case, blank punctuation,
split, and compare each text's words with the triggers. What only might matter (some digits, a number word, a
foreign script) gets a second look of its own. A text that passes neither is never scanned.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise

from dataflow.detect.data import table
from dataflow.detect.digits import leet, leet_letters
from dataflow.detect.misspell import unleet
from dataflow.detect.normalise import WORD, fold, normalise
from dataflow.detect.numerals import CHARACTERS, FUSED_STARTS, NUMERALS
from dataflow.detect.platforms import PLATFORMS
from dataflow.detect.vocabulary import ORDINARY

_PHRASES = table("phrases.toml")
_FEWEST_DIGITS = 7
_LONG_WORD = 12
_LONGEST_NAME = 14

_NAMED = frozenset(PLATFORMS.names) | frozenset(PLATFORMS.words)
_PHRASED = [tuple(fold(p).split()) for p in _PHRASES["anywhere"]] + list(PLATFORMS.phrases)
_DOMAIN_LABELS = frozenset(
    label for domain in PLATFORMS.domains for label in domain.split("/")[0].split(".")[:-1] if len(label) > 2
)
_SPELT = frozenset(fold(w) for key in ("dot", "slash", "underscore") for w in _PHRASES[key]) | frozenset(
    _PHRASES["mail"]
)
_SURE = frozenset(
    w.encode() for w in _NAMED | _DOMAIN_LABELS | _SPELT if w.isascii() and w.isalnum() and len(w) > 1
)
_PAIRS = frozenset((a.encode(), b.encode()) for phrase in _PHRASED for a, b in pairwise(phrase))
_COUNTING = frozenset(
    w.encode() for w, numeral in NUMERALS.items() if w.isascii() and not (numeral.weak and w in ORDINARY)
)

_BLANK = bytes(
    ord(" ")
    if code >= 128 or not (chr(code).isalnum() or code == 0x1E)
    else ord("0")
    if chr(code).isdigit()
    else code
    for code in range(256)
)
_BREAK = b"\x1e"
_MARKED = re.compile(rb"@|#[0-9]{4}|\.[a-z]{2,9} ?/|u/[a-z]|[a-z][!$|][a-z]|[!$|][a-z]{2}")
_STRUNG = re.compile(rb"[a-z0]{12,}| [a-z0]  ?[a-z0]  ?[a-z0] | [a-z]  ?[a-z] ")
_SIGN = re.compile(r"[@#/]|[!$|][a-z]")
_SIGNS_OF_PLATFORMS = frozenset(PLATFORMS.emoji)


def suspects(texts: Sequence[str | None]) -> list[int]:
    """Indices of the texts that may hold a contact, in order."""
    joined = " \x1e ".join([text or "" for text in texts])
    plain = joined.lower().encode("utf-8", "replace")
    lines = plain.translate(_BLANK).split(_BREAK)
    if len(lines) != len(texts):
        return [i for i, text in enumerate(texts) if text and _worth_it(text)]
    doubtful = set(_at(plain, _BREAK, _MARKED))
    doubtful.update(_at(_BREAK.join(lines), _BREAK, _STRUNG))
    found: list[int] = []
    for i, line in enumerate(lines):
        text = texts[i]
        if not text:
            continue
        digits = line.count(b"0")
        words = line.split()
        if (
            digits >= _FEWEST_DIGITS
            or not _SURE.isdisjoint(words)
            or not _PAIRS.isdisjoint(pairwise(words))
            or (
                (digits or i in doubtful or not text.isascii() or not _COUNTING.isdisjoint(words))
                and _worth_it(text)
            )
        ):
            found.append(i)
    return found


def _at(data: bytes, separator: bytes, pattern: re.Pattern[bytes]) -> Iterable[int]:
    """Indices of the lines of `data` in which `pattern` is found."""
    hits = [match.start() for match in pattern.finditer(data)]
    if not hits:
        return []
    ends = list(accumulate(len(line) + 1 for line in data.split(separator)))
    lines, line = [], 0
    for hit in hits:
        while ends[line] <= hit:
            line += 1
        lines.append(line)
    return lines


class _Harmless(dict[str, bool]):
    """Whether a character is only decoration: an emoji that names no platform, or typographic punctuation."""

    def __missing__(self, char: str) -> bool:
        harmless = char.isascii() or (
            (unicodedata.category(char) in ("So", "Sk", "Pf", "Pi", "Pd", "Po", "Mn") or char == "\u200d")
            and normalise(char).text not in _SIGNS_OF_PLATFORMS
            and not any(c.isalnum() for c in normalise(char).text)
            and char != "\u20e3"
        )
        if len(self) < 20_000:
            self[char] = harmless
        return harmless


_HARMLESS = _Harmless()


def _worth_it(text: str) -> bool:
    """The second look: digits and number words enough for a phone, or a platform's name in any disguise."""
    folded = text.lower()
    if not text.isascii() and not all(map(_HARMLESS.__getitem__, text)):
        folded = normalise(text).text
        if not _SIGNS_OF_PLATFORMS.isdisjoint(folded) or any(name in folded for name in PLATFORMS.in_script):
            return True
    words = WORD.findall(folded)
    if "@" in folded or (_SIGN.search(folded) and _signed(folded)):
        return True
    evidence = 0
    for word in words:
        if word in _NAMED:
            return True
        if word.isdigit():
            evidence += len(word)
        elif word in NUMERALS:
            evidence += 1
        elif not word.isascii():
            evidence += sum(char in CHARACTERS for char in word)
        elif not word.isalpha():
            letters = unleet(word)
            if letters in _NAMED or unleet(word.replace("1", "l")) in _NAMED:
                return True
            if letters in NUMERALS and not leet(word):
                evidence += 1
            else:
                evidence += len(word) if leet(word) else sum(map(str.isdigit, word)) + _strung(word)
        elif len(word) >= _LONG_WORD:
            evidence += _strung(word)
        elif leet_letters(word):
            evidence += len(word)
    return evidence >= _FEWEST_DIGITS or _apart(words)


def _signed(folded: str) -> bool:
    """A link, a tag, or a name with signs for letters."""
    if "/" in folded or "#" in folded:
        return True
    return any(
        unleet(chunk.strip(".,:?\"'")) in _NAMED for chunk in folded.split() if len(chunk) <= _LONGEST_NAME
    )


def _strung(word: str) -> int:
    """How many numerals a word without spaces may hold."""
    return sum(word[i : i + 3] in FUSED_STARTS for i in range(len(word) - 2))


def _apart(words: list[str]) -> bool:
    """Whether letters stand apart that together name a platform or make up a name."""
    single = "".join(word if len(word) == 1 else " " for word in words).split()
    return any(len(run) >= 4 or run in _NAMED for run in single)
