"""Digit runs: everything in a text that spells digits, strung together over separators."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from dataflow.detect.normalise import WORD
from dataflow.detect.numerals import (
    CHARACTERS,
    JOINERS,
    LONGEST_PHRASE,
    NUMERALS,
    PHRASE_STARTS,
    PHRASES,
    SIGNS,
    Numeral,
    fused,
    leet_numeral,
)
from dataflow.detect.vocabulary import ORDINARY

_PIECE = re.compile(r"[0-9]+|[^0-9]+")
_LONG_DIGITS = re.compile(r"[0-9]{7,}")
_LEET = str.maketrans("oilszbgq", "01152899")
_LEET_TOKEN = re.compile(r"[0-9oilszbgq]+")
_NUMERAL_CHARACTERS = re.compile("[" + "".join(CHARACTERS) + "]+")
_WIDEST_GAP = 8
_HAS_DIGIT = re.compile(r"[0-9]")
_TIGHT = frozenset("-._*/~")
_TIMES = {"twice": 2, "thrice": 3}
_ZEROS = {"hundred": "00", "thousand": "000"}
_FEWEST_ATOMS, _FEWEST_DIFFERENT = 10, 4


@dataclass(frozen=True, slots=True)
class Atom:
    """Digits from one place: `how` is `digits`, `words` or `leet`; `weak` and `room` as a `Numeral`'s."""

    digits: str
    start: int
    end: int
    how: str
    weak: bool = False
    room: int = 0


@dataclass(frozen=True, slots=True)
class Run:
    """Atoms with nothing but separators between them. `plus`: an international prefix stands before."""

    atoms: tuple[Atom, ...]
    plus: bool = False

    @property
    def digits(self) -> str:
        """All digits."""
        return "".join(atom.digits for atom in self.atoms)

    @property
    def start(self) -> int:
        """Start of the first atom."""
        return self.atoms[0].start

    @property
    def end(self) -> int:
        """End of the last atom."""
        return self.atoms[-1].end


def _mixed(token: str, at: int) -> list[Atom]:
    """The atoms of a token of letters and digits; none when it spells no digits."""
    long = _LONG_DIGITS.search(token)
    if long:
        return [Atom(long[0], at + long.start(), at + long.end(), "digits")]
    if leet(token):
        return [Atom(token.translate(_LEET), at, at + len(token), "leet")]
    numeral = leet_numeral(token)
    if numeral:
        return [Atom(numeral.digits, at, at + len(token), "words", room=numeral.room)]
    atoms: list[Atom] = []
    for piece in _PIECE.finditer(token):
        start, end = at + piece.start(), at + piece.end()
        if piece[0].isdigit():
            atoms.append(Atom(piece[0], start, end, "digits"))
            continue
        whole = NUMERALS.get(piece[0])
        parts = [(0, len(piece[0]), whole.digits)] if whole else fused(piece[0])
        if not parts:
            break
        atoms += [Atom(digits, start + a, start + b, "words") for a, b, digits in parts]
    else:
        return atoms
    return []


def _letters(token: str, at: int) -> list[Atom]:
    numeral = NUMERALS.get(token)
    if numeral:
        return [Atom(numeral.digits, at, at + len(token), "words", numeral.weak, numeral.room)]
    if len(token) >= 6 and token.isascii():
        parts = fused(token)
        if parts and len(parts) > 1:
            return [Atom(digits, at + a, at + b, "words") for a, b, digits in parts]
    if not token.isascii():
        return [
            Atom(
                "".join(CHARACTERS[c] for c in run[0]), at + run.start(), at + run.end(), "words", weak=False
            )
            for run in _NUMERAL_CHARACTERS.finditer(token)
            if len(run[0]) >= 3 or len(run[0]) == len(token)
        ]
    return []


def leet(token: str) -> bool:
    """Whether all of a token of letters and digits may be read as digits ("O77OO")."""
    return len(token) >= 3 and _LEET_TOKEN.fullmatch(token) is not None


def leet_letters(token: str) -> bool:
    """Whether a token of letters may stand for digits, as no word does."""
    return len(token) <= 4 and _LEET_TOKEN.fullmatch(token) is not None and token not in ORDINARY


def _leet_letters(token: str, at: int, text: str) -> list[Atom]:
    """Letters that stand for digits ("sss"), when punctuation ties them to their neighbours."""
    if not leet_letters(token):
        return []
    before, after = text[at - 1 : at], text[at + len(token) : at + len(token) + 1]
    if before in _TIGHT or after in _TIGHT:
        return [Atom(token.translate(_LEET), at, at + len(token), "leet", weak=True)]
    return []


def _trimmed(atoms: list[Atom]) -> list[Atom]:
    """Without the weak atoms at both ends, unless there are so many in a row that they are no prose."""
    mostly_weak = len(atoms) >= _FEWEST_ATOMS and sum(atom.weak for atom in atoms) > len(atoms) // 2
    if mostly_weak and len({atom.digits for atom in atoms}) >= _FEWEST_DIFFERENT:
        return atoms
    first, last = 0, len(atoms)
    while first < last and atoms[first].weak:
        first += 1
    while last > first and atoms[last - 1].weak:
        last -= 1
    return atoms[first:last]


class _Assembler:
    """Takes the tokens of a text in order; strings together what spells digits."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._current: list[Atom] = []
        self._plus = False
        self._times = 1
        self._last_end = 0
        self.found: list[Run] = []

    def close(self) -> None:
        """End the current run."""
        atoms = _trimmed(self._current)
        if atoms:
            self.found.append(Run(tuple(atoms), self._plus))
        self._current = []
        self._plus = False

    def hide(self, end: int) -> None:
        """Pass over a token that is no part of any number."""
        self.close()
        self._last_end = end

    def word(self, token: str, start: int, end: int) -> None:
        """Take a token that spells no digits: a sign such as "double", or the end of a run."""
        self._gap(start)
        self._last_end = end
        current = self._current
        sign = SIGNS.get(token)
        if sign in _TIMES:
            self._times = _TIMES[sign]
        elif sign in _ZEROS and current and current[-1].how == "words":
            last = current[-1]
            current[-1] = Atom(last.digits + _ZEROS[sign], last.start, end, "words", room=len(_ZEROS[sign]))
        elif sign == "plus":
            self.close()
            self._plus = True
        elif not (token in JOINERS and current and current[-1].room):
            self.close()

    def digits(self, atoms: list[Atom], start: int, end: int) -> None:
        """Take the atoms of a token at `[start, end)`."""
        gap = self._gap(start)
        current = self._current
        if "+" in gap and gap.rstrip(" ([{'\"").endswith("+"):
            if current and not self._separated_by_plus():
                self.close()
            self._plus = self._plus or not self._current
        first, *rest = atoms
        current = self._current
        if self._times > 1:
            first = Atom(first.digits[0] * self._times + first.digits[1:], first.start, first.end, first.how)
            self._times = 1
        elif current and first.how == "words" and 0 < len(first.digits.lstrip("0")) <= current[-1].room:
            wide = current.pop()
            kept = wide.digits[: -len(first.digits)]
            first = Atom(kept + first.digits, wide.start, first.end, "words", room=first.room)
        if first.start > start and not current:
            self._plus = False
        current += (first, *rest)
        self._last_end = current[-1].end
        if self._last_end < end:
            self.hide(end)

    def _gap(self, start: int) -> str:
        if self._current and start - self._last_end > _WIDEST_GAP:
            self.close()
        return self._text[max(self._last_end, start - _WIDEST_GAP) : start]

    def _separated_by_plus(self) -> bool:
        """Whether "+" is what separates the digits so far ("951+555+7359")."""
        last = self._current[-1]
        return self._text[last.end : last.end + 1] == "+" and len(last.digits) <= 4


def runs(text: str, masked: list[tuple[int, int]]) -> list[Run]:
    """Every run of digits in the normalised `text`, outside the `masked` spans. Linear time."""
    assembler = _Assembler(text)
    mask = iter(masked)
    hidden = next(mask, None)
    words = [(match[0], match.start(), match.end()) for match in WORD.finditer(text)]
    at = 0
    while at < len(words):
        token, start, end = words[at]
        at += 1
        while hidden and hidden[1] <= start:
            hidden = next(mask, None)
        if hidden and hidden[0] < end:
            assembler.hide(end)
            continue
        phrase = _phrase(words, at - 1) if token in PHRASE_STARTS else None
        if phrase:
            length, numeral = phrase
            at += length - 1
            end = words[at - 1][2]
            assembler.digits([Atom(numeral.digits, start, end, "words", room=numeral.room)], start, end)
            continue
        if token.isdigit():
            atoms = [Atom(token, start, end, "digits")]
        elif _HAS_DIGIT.search(token):
            atoms = _mixed(token, start)
        else:
            atoms = _letters(token, start) or _leet_letters(token, start, text)
        if atoms:
            assembler.digits(atoms, start, end)
        else:
            assembler.word(token, start, end)
    assembler.close()
    return assembler.found


def _phrase(words: list[tuple[str, int, int]], at: int) -> tuple[int, Numeral] | None:
    """The longest numeral of several words that begins at word `at`, and how many words it has."""
    for length in range(min(LONGEST_PHRASE, len(words) - at), 1, -1):
        chosen = words[at : at + length]
        numeral = PHRASES.get(tuple(word for word, _, _ in chosen))
        if numeral and all(b - a == 1 for (_, _, a), (_, b, _) in pairwise(chosen)):
            return length, numeral
    return None
