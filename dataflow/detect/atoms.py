"""Atoms: what one token, or a numeral of several words, spells in digits."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from dataflow.detect.data import table
from dataflow.detect.lexicon import ENGLISH, ROLES
from dataflow.detect.numerals import (
    CHARACTERS,
    LONGEST_PHRASE,
    NUMERALS,
    PHRASES,
    SIGNS,
    Numeral,
    fused,
    leet_numeral,
)
from dataflow.detect.roles import CHARACTER, DIGITS, FUSED, JOINER, LATIN, MIXED, NUMERAL, SIGN, SUFFIX
from dataflow.detect.tokens import Tokens

_PIECE: Final = re.compile(r"[0-9]+|[^0-9]+")
_LONG_DIGITS: Final = re.compile(r"[0-9]{7,}")
_LEET: Final = str.maketrans("oilszbgqaet", "01152899437")
_LEET_TOKEN: Final = re.compile(r"[0-9oilszbgq]+|[0-9oilszbgq]+[0-9aet]*[0-9][0-9oilszbgqaet]*[0-9oilszbgq]")
_LEET_PAIR: Final = re.compile(r"[0-9][oilszb]|[oilszb][0-9]")
_LEET_LETTERS: Final = re.compile(r"[oilszbgq]{1,4}")
_CHARACTERS: Final = re.compile("[" + "".join(CHARACTERS) + "]+")
_TIGHT: Final = frozenset("-._*/~")
TIMES: Final = {"twice": 2, "thrice": 3}
"""What makes the first digit after it two or three."""
_FEWEST_GLUED: Final = 3
_ALTERNATING: Final = 5
"""Pieces of a token in which the same letters stand between digits again: a divider, whatever they are."""
_PAIR: Final = 2
LONGEST_TIED: Final = 4
"""Letters that may stand for digits together."""


class Atom(NamedTuple):
    """Digits from one place: `how` is `digits`, `words` or `leet`; `weak` and `room` as a `Numeral`'s."""

    digits: str
    start: int
    end: int
    how: str
    weak: bool = False
    room: int = 0


def _mixed(token: str, at: int, roles: int) -> list[Atom]:
    """The atoms of a token of letters and digits, which may play `roles`; none when it spells no digits."""
    long = _LONG_DIGITS.search(token)
    if long:
        return [Atom(long[0], at + long.start(), at + long.end(), "digits")]
    if leet(token):
        return [Atom(token.translate(_LEET), at, at + len(token), "leet")]
    numeral = leet_numeral(token) if roles & NUMERAL else None
    if numeral:
        return [Atom(numeral.digits, at, at + len(token), "words", room=numeral.room)]
    pieces = [(piece[0], at + piece.start(), at + piece.end()) for piece in _PIECE.finditer(token)]
    letters = {text for text, _, _ in pieces if not text[0].isdigit()}
    if len(letters) == 1 and len(pieces) >= (3 if letters <= _DIVIDERS else _ALTERNATING):
        return [Atom(text, a, b, "digits") for text, a, b in pieces if text[0].isdigit()]
    if len(pieces) == 2:
        (left, start, _), (right, middle, end) = pieces
        times = TIMES.get(SIGNS.get(left, ""), 0)
        if times:
            return [Atom(right[0] * times + right[1:], start, end, "digits")]
        word, figures, a, b = (
            (left, right, middle, end) if right[0].isdigit() else (right, left, start, middle)
        )
        known = ROLES[word] != LATIN or len(figures) >= _FEWEST_GLUED
        if known and word not in NUMERALS and not ROLES[word] & FUSED:
            return [Atom(figures, a, b, "digits")] if len(figures) > 1 else []
    atoms: list[Atom] = []
    for text, start, end in pieces:
        if text[0].isdigit():
            atoms.append(Atom(text, start, end, "digits"))
            continue
        whole = NUMERALS.get(text)
        parts = [(0, len(text), whole.digits)] if whole else fused(text)
        if not parts:
            break
        atoms += [Atom(digits, start + a, start + b, "words") for a, b, digits in parts]
    else:
        return atoms
    if len(atoms) > 1 or (atoms and len(atoms[0].digits) >= 2 and letters <= _ATTACHED):
        return atoms
    return []


_CONTEXT: Final = table("phone_context.toml")
_DIVIDERS: Final = frozenset(_CONTEXT["dividers"].split())
_ATTACHED: Final = frozenset(_CONTEXT["attached"].split())


def _like_a_figure(t: Tokens, i: int) -> bool:
    """Whether token i, a digit and a letter like one ("o4"), stands among figures."""
    if _LEET_PAIR.fullmatch(t.words[i]) is None:
        return False
    figures = DIGITS | MIXED
    before = i > 0 and len(t.gaps[i]) == 1 and bool(t.roles[i - 1] & figures)
    return before or (i + 1 < len(t.words) and len(t.gaps[i + 1]) == 1 and bool(t.roles[i + 1] & figures))


def leet(token: str) -> bool:
    """Whether all of a token of letters and digits may be read as digits ("O77OO")."""
    return len(token) >= 3 and _LEET_TOKEN.fullmatch(token) is not None


def leet_letters(token: str) -> bool:
    """Whether a token of letters may stand for digits, as no word does."""
    return _LEET_LETTERS.fullmatch(token) is not None and token not in ENGLISH


def tied(t: Tokens, i: int) -> bool:
    """Whether token i is letters that stand for digits ("sss") and punctuation ties it to its neighbours."""
    if not leet_letters(t.words[i]):
        return False
    if t.gaps[i][-1:] in _TIGHT or t.gaps[i + 1][:1] in _TIGHT:
        return True
    figures = DIGITS | MIXED
    return 0 < i < len(t.words) - 1 and bool(t.roles[i - 1] & figures) and bool(t.roles[i + 1] & figures)


def atoms(t: Tokens, i: int) -> list[Atom]:
    """The atoms of token i; none when it spells no digits."""
    word, start, roles = t.words[i], t.starts[i], t.roles[i]
    if roles & DIGITS:
        return [Atom(word, start, t.ends[i], "digits")]
    if roles & MIXED:
        found = _mixed(word, start, roles)
        if not found and len(word) == _PAIR and _like_a_figure(t, i):
            found = [Atom(word.translate(_LEET), start, start + _PAIR, "leet", weak=True)]
        return found if "g" not in word else [_with_capitals(atom, t) for atom in found]
    if roles & NUMERAL:
        numeral = NUMERALS[word]
        return [Atom(numeral.digits, start, t.ends[i], "words", numeral.weak, numeral.room)]
    if roles & FUSED:
        return [Atom(digits, start + a, start + b, "words") for a, b, digits in fused(word) or ()]
    if roles & CHARACTER:
        return [
            Atom("".join(CHARACTERS[c] for c in run[0]), start + run.start(), start + run.end(), "words")
            for run in _CHARACTERS.finditer(word)
            if len(run[0]) >= 3 or len(run[0]) == len(word)
        ]
    if roles & (SIGN | JOINER | SUFFIX) or not leet_letters(word):
        return []
    return [_with_capitals(Atom(word.translate(_LEET), start, t.ends[i], "leet", weak=True), t)]


def _with_capitals(atom: Atom, t: Tokens) -> Atom:
    """What is like digits, read again: a "G" is like a 6, a "g" like a 9."""
    said = t.said[atom.start : atom.end]
    if atom.how != "leet" or "G" not in said:
        return atom
    return atom._replace(
        digits="".join("6" if c == "G" else d for c, d in zip(said, atom.digits, strict=True))
    )


def phrase(t: Tokens, i: int) -> tuple[int, Numeral] | None:
    """The longest numeral of several words that begins at token i: where it ends, and what it spells."""
    for last in range(min(i + LONGEST_PHRASE, len(t.words)), i + 1, -1):
        numeral = PHRASES.get(tuple(t.words[i:last]))
        if numeral and all(len(t.gaps[k]) == 1 for k in range(i + 1, last)):
            return last, numeral
    return None
