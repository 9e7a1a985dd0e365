"""Normalisation: one plain form of a text, with the way back to the original's code points.

Lower case; compatibility forms (full-width, styled, circled, superscript) and digits of every script folded;
accents of Latin, Greek and Cyrillic letters, zero-width characters and keycap frames dropped; look-alikes
of Latin letters folded, but only inside words that are otherwise Latin, so that other scripts stay whole; and
of Cyrillic ones inside words that are otherwise Cyrillic.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from itertools import chain, repeat
from typing import Final, final

from rphonenumbers import SUPPORTED_REGIONS

from dataflow.detect.data import table

_LOOKALIKES: Final[Mapping[str, Mapping[str, str]]] = table("lookalikes.toml")
_MIXED: Final = str.maketrans(dict(_LOOKALIKES["mixed"]))
_LOOSE: Final = str.maketrans(dict(_LOOKALIKES["loose"]))
_MIXED_CYRILLIC: Final = str.maketrans(dict(_LOOKALIKES["cyrillic"]))
_FIGURES: Final = str.maketrans(dict(_LOOKALIKES["figures"]))
_ALWAYS: Final = _LOOKALIKES["always"]
_LATIN: Final = re.compile(r"[a-z]")
_IN_DOUBT: Final = re.compile(r"[α-ωа-џѐ-ԯ]")
_GREEK: Final = re.compile(r"[α-ω]")
_CYRILLIC: Final = re.compile(r"[а-џѐ-ԯ]")
_FLAGS: Final = re.compile(r"[\U0001f1e6-\U0001f1ff]{3,}")
_DOUBTFUL_WORD: Final = re.compile(r"(?<!\w)[a-z0-9_]*+[α-ωа-џѐ-ԯ]\w*+")
_FIGURED: Final = re.compile(
    f"[0-9{''.join(_LOOKALIKES['figures'])}]*[0-9][0-9{''.join(_LOOKALIKES['figures'])}]*(?<![чб])"
)
"""Digits, some of them letters that look like one."""
_ALPHANUMERIC: Final = re.compile(r"[a-z0-9]")
_BORDER: Final = re.compile(r"(?<=[a-z0-9])(?=[^\x00-\x7f])|(?<=[^\x00-\x7f])(?=[a-z0-9])")

MARKS: Final = "".join(chr(c) for c in range(0x300, 0x2000) if unicodedata.category(chr(c)) in ("Mn", "Mc"))
"""Vowel signs and other marks, which belong to the letter before them."""
WORD: Final = re.compile(rf"[^\W_]+(?:[{MARKS}]+[^\W_]*)*")
"""A word, in any script."""


_ENCLOSED: Final = (0x1F150, 0x1F170)
"""First of the white-on-black circled and squared letters, which Unicode does not fold."""


def _fold(char: str) -> str:
    if char in _ALWAYS:
        return _ALWAYS[char]
    for first in _ENCLOSED:
        if first <= ord(char) < first + 26:
            return chr(ord("a") + ord(char) - first)
    folded: list[str] = []
    for part in unicodedata.normalize("NFKC", char):
        value = unicodedata.digit(part, None)
        if value is not None:
            folded.append(str(value))
            continue
        for piece in unicodedata.normalize("NFD", part.lower()):
            if "\u0300" <= piece <= "\u036f" or unicodedata.category(piece) in ("Cf", "Me", "Cs"):
                continue
            if "\ufe00" <= piece <= "\ufe0f" or "\U000e0100" <= piece <= "\U000e01ef":
                continue
            folded.append(_ALWAYS.get(piece, piece))
    return unicodedata.normalize("NFC", "".join(folded))


class _Folds(dict[str, str]):
    """What each character becomes, worked out when it is first met."""

    def __missing__(self, char: str) -> str:
        folded = _fold(char)
        if len(self) < 20_000:
            self[char] = folded
        return folded


_FOLDS: Final = _Folds({chr(code): chr(code).lower() for code in range(128)})


@final
class Normal:
    """A normalised text, with the way back. No dataclass, as `Tokens` is none; frozen when compiled."""

    __slots__ = ("origin", "original", "text")

    def __init__(self, original: str, text: str, origin: tuple[int, ...] | None = None) -> None:
        """`origin[i]` is the original's index of character i; None: they are the same."""
        self.original: Final = original
        self.text: Final = text
        self.origin: Final = origin

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The original's span of `[start, end)`, which must not be empty."""
        if self.origin is None:
            return start, end
        stop = self.origin[end - 1] + 1
        while stop < len(self.original) and not _FOLDS[self.original[stop]]:
            stop += 1
        return self.origin[start], stop

    def plain(self, start: int, end: int) -> bool:
        """Whether `[start, end)` needed no accent dropped: an accented word is not a handle."""
        if self.origin is None:
            return True
        for char in self.original[slice(*self.span(start, end))]:
            if char > "\x7f" and unicodedata.combining(unicodedata.normalize("NFD", char)[-1]):
                return False
        return True

    def beginning(self, end: int) -> Normal:
        """The text before `end`, which must not be 0."""
        origin = self.origin[:end] if self.origin is not None else None
        return Normal(self.original[: self.span(end - 1, end)[1]], self.text[:end], origin)

    def joined(self, other: Normal) -> Normal:
        """The text with the one right after it."""
        original, text = self.original + other.original, self.text + other.text
        if self.origin is None and other.origin is None:
            return Normal(original, text)
        at = len(self.original)
        before = self.origin if self.origin is not None else range(at)
        after = [at + i for i in (other.origin if other.origin is not None else range(len(other.text)))]
        return Normal(original, text, (*before, *after))

    def rewrite(self, edits: Iterable[tuple[int, int, str]]) -> Normal:
        """With each `[start, end)` replaced; edits in order and apart."""
        pieces: list[str] = []
        origin: list[int] = []
        at = 0
        old = self.origin if self.origin is not None else range(len(self.text))
        for start, end, replacement in edits:
            pieces += (self.text[at:start], replacement)
            origin += old[at:start]
            origin += [old[start]] * len(replacement)
            at = end
        if not pieces:
            return self
        pieces.append(self.text[at:])
        origin += old[at:]
        return Normal(self.original, "".join(pieces), tuple(origin))


def normalise(text: str) -> Normal:
    """The normal form of `text`; linear in its length."""
    if text.isascii():
        return Normal(text, text.lower())
    parts = _parts(text)
    folded = "".join(parts)
    if len(folded) == len(text) and all(parts):
        origin: tuple[int, ...] | None = None
    else:
        origin = tuple(chain.from_iterable(map(repeat, range(len(parts)), map(len, parts))))
    if _IN_DOUBT.search(folded):
        folded = _DOUBTFUL_WORD.sub(_unmixed, folded)
    return Normal(text, folded, origin)


def plain_form(text: str) -> str:
    """The normal form of `text`, other scripts and signs set apart, without the way back."""
    folded = "".join(_parts(text) if _FLAGS.search(text) else map(_FOLDS.__getitem__, text))
    if _IN_DOUBT.search(folded):
        folded = _DOUBTFUL_WORD.sub(_unmixed, folded)
    if folded.isascii() or not _ALPHANUMERIC.search(folded):
        return folded
    return _BORDER.sub(" ", folded)


def _unmixed(word: re.Match[str]) -> str:
    text = word[0]
    if _FIGURED.fullmatch(text):
        return text.translate(_FIGURES)
    latin, greek, cyrillic = _LATIN.search(text), _GREEK.search(text), _CYRILLIC.search(text)
    if not ((latin and (greek or cyrillic)) or (greek and cyrillic)):
        return text
    plain = text.translate(_MIXED)
    if cyrillic and not greek and not plain.isascii():
        other = text.translate(_MIXED_CYRILLIC)
        if len(_CYRILLIC.findall(text)) > len(_LATIN.findall(text)) and not _LATIN.search(other):
            return other
    return plain.translate(_LOOSE)


def _parts(text: str) -> list[str]:
    """What each character becomes. Flags stay; letters of flags that spell no countries are letters."""
    parts = [*map(_FOLDS.__getitem__, text)]
    for run in _FLAGS.finditer(text):
        letters = [chr(ord(char) - 0x1F1E6 + ord("A")) for char in run[0]]
        pairs = {a + b for a, b in zip(letters[::2], letters[1::2], strict=False)}
        if len(letters) % 2 or not pairs <= SUPPORTED_REGIONS:
            parts[run.start() : run.end()] = [letter.lower() for letter in letters]
    return parts


def lookalike(word: str) -> str | None:
    """A word that is all look-alikes of Latin letters, as the Latin word it looks like; else None."""
    plain = word.translate(_MIXED)
    return plain if plain.isascii() else None


def fold(entry: str) -> str:
    """The normal form of a lexicon's entry."""
    return normalise(entry).text
