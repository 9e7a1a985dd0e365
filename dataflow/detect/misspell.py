"""Misspellings of a lexicon's words, made by rule."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rapidfuzz.distance import OSA

_VOWELS: Final = "aeiou"
_LONG: Final = 8
_SOUNDS: Final = {
    "c": "ks",
    "k": "cq",
    "s": "zc",
    "z": "s",
    "v": "w",
    "w": "v",
    "f": "v",
    "y": "i",
    "x": "z",
    "d": "t",
    "t": "d",
}
_MISTAKEN: Final = _SOUNDS | dict.fromkeys(_VOWELS, _VOWELS)


def misspellings(word: str) -> list[str]:
    """One letter dropped, doubled, swapped with its neighbour, or mistaken for one that sounds the same."""
    found: list[str] = []
    for i, letter in enumerate(word):
        before, after = word[:i], word[i + 1 :]
        found += (before + after, f"{before}{letter}{letter}{after}")
        if after:
            found.append(f"{before}{after[0]}{letter}{after[1:]}")
        found += [f"{before}{other}{after}" for other in _MISTAKEN.get(letter, "")]
    return found


def near(word: str, name: str) -> bool:
    """Whether a slip (two in a name of eight letters or more) is between them: a letter dropped, added,
    changed, or two swapped.
    """
    most = 2 if len(name) >= _LONG else 1
    return OSA.distance(word, name, score_cutoff=most) <= most


def squeezed(word: str) -> Iterator[str]:
    """Drawn-out letters ("sooo") shortened to two, then to one."""
    twos: list[str] = []
    for letter in word:
        if twos[-2:] != [letter, letter]:
            twos.append(letter)
    yield "".join(twos)
    ones: list[str] = []
    for letter in word:
        if ones[-1:] != [letter]:
            ones.append(letter)
    yield "".join(ones)


_LEET: Final = str.maketrans("0134578!$@|€", "oieastbisail")


def unleet(token: str) -> str:
    """Digits and signs read as the letters they stand for."""
    return token.translate(_LEET)
