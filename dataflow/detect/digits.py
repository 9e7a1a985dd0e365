"""Digit runs: everything in a text that spells digits, strung together over separators."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from dataflow.detect.lexicon import (
    CHARACTER,
    DIGITS,
    ENGLISH,
    FUSED,
    JOINER,
    LATIN,
    MANY,
    MIXED,
    NUMBERLIKE,
    NUMERAL,
    ORDINARY,
    ROLES,
    SIGN,
    SUFFIX,
)
from dataflow.detect.numerals import (
    AMBIGUOUS,
    CHARACTERS,
    LANGUAGES,
    LONGEST_PHRASE,
    NUMERALS,
    PHRASES,
    PLURALS,
    SIGNS,
    SUFFIXES,
    Numeral,
    fused,
    leet_numeral,
)
from dataflow.detect.tokens import Tokens

_PIECE = re.compile(r"[0-9]+|[^0-9]+")
_LONG_DIGITS = re.compile(r"[0-9]{7,}")
_LEET = str.maketrans("oilszbgqaet", "01152899437")
_LEET_TOKEN = re.compile(r"[0-9oilszbgq]+|[0-9oilszbgq]+[0-9aet]*[0-9][0-9oilszbgqaet]*[0-9oilszbgq]")
_LEET_PAIR = re.compile(r"[0-9][oilszb]|[oilszb][0-9]")
_LEET_LETTERS = re.compile(r"[oilszbgq]{1,4}")
_CHARACTERS = re.compile("[" + "".join(CHARACTERS) + "]+")
_TIGHT = frozenset("-._*/~")
_TIMES = {"twice": 2, "thrice": 3}
_ZEROS = {"hundred": "00", "thousand": "000"}
_WIDEST_GAP = 8
_FEWEST_GLUED = 3
_ALTERNATING = 5
"""Pieces of a token in which the same letters stand between digits again: a divider, whatever they are."""
_HUNDREDS = 3
_PAIR = 2
_MOST_BETWEEN = 2
_FEWEST_ATOMS, _FEWEST_DIFFERENT = 10, 4
_MOST_ATOMS = 48
_PART = NUMBERLIKE | SIGN | JOINER | SUFFIX


class Atom(NamedTuple):
    """Digits from one place: `how` is `digits`, `words` or `leet`; `weak` and `room` as a `Numeral`'s."""

    digits: str
    start: int
    end: int
    how: str
    weak: bool = False
    room: int = 0


class Run(NamedTuple):
    """Atoms with nothing but separators between them, of tokens `[first, last)`.

    `plus`: an international prefix stands before. `full`: with the weak atoms at its ends, if any.
    """

    atoms: tuple[Atom, ...]
    first: int
    last: int
    plus: bool = False
    full: Run | None = None
    fills: tuple[int, ...] = ()
    """Tokens that were read as filling the number before them, and may be numbers of their own."""

    @property
    def digits(self) -> str:
        """All digits."""
        return "".join([atom.digits for atom in self.atoms])

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
    pieces = [(piece[0], at + piece.start(), at + piece.end()) for piece in _PIECE.finditer(token)]
    letters = {text for text, _, _ in pieces if not text[0].isdigit()}
    if len(letters) == 1 and len(pieces) >= (3 if letters <= _DIVIDERS else _ALTERNATING):
        return [Atom(text, a, b, "digits") for text, a, b in pieces if text[0].isdigit()]
    if len(pieces) == 2:
        (left, start, _), (right, middle, end) = pieces
        times = _TIMES.get(SIGNS.get(left, ""), 0)
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


_DIVIDERS = frozenset(("x", "dash", "dot", "xx", "n", "and", "space", "z"))
_ATTACHED = frozenset(("x", "ext", "me", "call", "text", "lol", "xx", "xo", "thanks", "ok", "pls"))


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


def _tied(t: Tokens, i: int) -> bool:
    """Whether token i is letters that stand for digits ("sss") and punctuation ties it to its neighbours."""
    if not leet_letters(t.words[i]):
        return False
    if t.gaps[i][-1:] in _TIGHT or t.gaps[i + 1][:1] in _TIGHT:
        return True
    figures = DIGITS | MIXED
    return 0 < i < len(t.words) - 1 and bool(t.roles[i - 1] & figures) and bool(t.roles[i + 1] & figures)


def _trimmed(atoms: Sequence[Atom]) -> tuple[int, int]:
    """Without the weak atoms at both ends, unless there are so many in a row that they are no prose."""
    mostly_weak = len(atoms) >= _FEWEST_ATOMS and sum(atom.weak for atom in atoms) > len(atoms) // 2
    if mostly_weak and len({atom.digits for atom in atoms}) >= _FEWEST_DIFFERENT:
        return 0, len(atoms)
    first, last = 0, len(atoms)
    while first < last and atoms[first].weak:
        first += 1
    while last > first and atoms[last - 1].weak:
        last -= 1
    return first, last


class _Assembler:
    """Takes the tokens of a text in order; strings together what spells digits."""

    def __init__(self, t: Tokens, apart: int = -1) -> None:
        """`apart`: a token that is not to fill the number before it."""
        self._t = t
        self._apart = apart
        self._fills: list[int] = []
        self._before_fill: Atom | None = None
        self._current: list[Atom] = []
        self._tokens: list[int] = []
        self._plus = False
        self._times = 1
        self._between = 0
        self._spelt = False
        self._last_end = 0
        self.found: list[Run] = []

    def close(self) -> None:
        """End the current run."""
        if not (self._current or self._plus or self._times > 1):
            return
        if self._current:
            atoms = self._resolved()
            first, last = _trimmed(atoms) if self._spelt else (0, len(atoms))
            if first < last and len(atoms) <= _MOST_ATOMS:
                tokens = self._tokens
                full = None
                fills = tuple(self._fills)
                if last - first < len(atoms):
                    full = Run(tuple(atoms), tokens[0], tokens[-1] + 1, self._plus, None, fills)
                self.found.append(
                    Run(
                        tuple(atoms[first:last]),
                        tokens[first],
                        tokens[last - 1] + 1,
                        self._plus and not first,
                        full,
                        fills,
                    )
                )
            self._current = []
            self._tokens = []
            self._fills = []
            self._spelt = False
        self._plus = False
        self._times = 1
        self._between = 0

    def _resolved(self) -> list[Atom]:
        """The atoms, words that differ between languages read in the language of most of the run."""
        if not self._spelt:
            return self._current
        words = [self._t.words[i] for i in self._tokens]
        doubtful = [k for k, word in enumerate(words) if word in AMBIGUOUS]
        if not doubtful:
            return self._current
        votes = Counter(language for word in words for language in LANGUAGES.get(word, ("en",)))
        atoms = list(self._current)
        for k in doubtful:
            digits = AMBIGUOUS[words[k]]
            best = max(digits, key=lambda language: votes[language])
            if votes[best] > 1 and atoms[k].digits in digits.values():
                atoms[k] = atoms[k]._replace(digits=digits[best], room=0, weak=False)
        return atoms

    def open(self) -> bool:
        """Whether a run has begun."""
        return bool(self._current)

    def fills(self, word: str) -> bool:
        """Whether a word may be a part of the number before it ("otuz iki", then "yuz")."""
        numeral = NUMERALS.get(word)
        return bool(self._current) and numeral is not None and len(numeral.digits) <= self._current[-1].room

    def overflows(self, i: int) -> bool:
        """Whether the run is too long to be a number already, so that token i only makes it longer."""
        if len(self._current) <= _MOST_ATOMS or self._t.starts[i] - self._last_end > _WIDEST_GAP:
            return False
        self._last_end = self._t.ends[i]
        return True

    def joins(self, i: int) -> bool:
        """Whether token i, an "and" that may also be a numeral, stands between figures."""
        t = self._t
        if not self._current or i + 1 == len(t.words):
            return False
        last = self._current[-1]
        if last.how == "digits":
            return len(last.digits) > 1 and bool(t.roles[i + 1] & DIGITS)
        following = NUMERALS.get(t.words[i + 1])
        return following is not None and len(following.digits) <= last.room

    def sign(self, i: int) -> None:
        """Take a word that is no numeral but changes one, or stands between two."""
        word = self._t.words[i]
        sign = SIGNS.get(word)
        current = self._current
        if sign in _TIMES:
            self._times = _TIMES[sign]
        elif sign in _ZEROS and current and current[-1].how == "words":
            last = current[-1]
            zeros = _ZEROS[sign]
            whole = self._before_fill
            if whole and len(whole.digits) > len(zeros) and last.start == whole.start:
                # "seven hundred nine hundred": the nine begins another number.
                at = self._fills.pop()
                unit = Atom(last.digits[-1], self._t.starts[at], last.end, "words")
                current[-1:] = [whole, unit]
                self._tokens.append(at)
                last = unit
            current[-1] = Atom(last.digits + zeros, last.start, self._t.ends[i], "words", room=len(zeros))
        elif sign == "plus":
            self.close()
            self._plus = True
        elif word in SUFFIXES and current and current[-1].how == "words" and len(current[-1].digits) == 1:
            last, self._last_end = current[-1], self._t.ends[i]
            teen = SUFFIXES[word] == "teen"
            digits = "1" + last.digits if teen else last.digits + "0"
            current[-1] = Atom(digits, last.start, self._t.ends[i], "words", room=0 if teen else 1)
            return
        elif sign == "counted":
            self.close()
            return
        elif current:
            self._between += 1
            if self._between > _MOST_BETWEEN:
                self.close()
                return
        if current or self._plus or self._times > 1:
            self._last_end = self._t.ends[i]

    def digits(self, atoms: list[Atom], i: int, last: int) -> None:
        """Take the atoms of tokens `[i, last]`."""
        start = atoms[0].start
        if self._current and start - self._last_end > _WIDEST_GAP:
            self.close()
        gap = self._t.gaps[i]
        if "+" in gap and gap.rstrip(" ([{'\"").endswith("+"):
            if self._current and not self._separated_by_plus():
                self.close()
            self._plus = self._plus or not self._current
        first = atoms[0]
        current = self._current
        self._between = 0
        self._before_fill = None
        if self._times > 1:
            atoms[0] = first._replace(digits=first.digits[0] * self._times + first.digits[1:], weak=False)
            self._times = 1
        elif current:
            before = current[-1]
            fills = first.how == "words" or (len(first.digits) == before.room == 1 and gap == " ")
            if fills and 0 < len(first.digits.lstrip("0")) <= before.room and i != self._apart:
                self._fills.append(i)
                self._before_fill = before
                kept = before.digits[: -len(first.digits)]
                atoms[0] = Atom(kept + first.digits, before.start, first.end, "words", room=first.room)
                current.pop()
                i = self._tokens.pop()
            elif before.digits in ("2", "3", "4") and self._t.words[i] in PLURALS and len(first.digits) == 1:
                atoms[0] = Atom(first.digits * int(before.digits), before.start, first.end, "words")
                current.pop()
                i = self._tokens.pop()
        if first.start > self._t.starts[i] and not current:
            self._plus = False
        self._spelt = self._spelt or first.how != "digits"
        current += atoms
        self._tokens += [i] * (len(atoms) - 1) + [last]
        self._last_end = atoms[-1].end
        if self._last_end < self._t.ends[last]:
            self.close()

    def _separated_by_plus(self) -> bool:
        """Whether "+" is what separates the digits so far ("951+555+7359")."""
        last = self._current[-1]
        return self._t.text[last.end : last.end + 1] == "+" and len(last.digits) <= 4


def apart(t: Tokens, run: Run, token: int) -> Run | None:
    """The run again, `token` a number of its own; None when it falls to pieces."""
    assembler = _Assembler(t, token)
    _assemble(assembler, t, range(run.first, run.last), [])
    found = assembler.found
    return found[0] if len(found) == 1 and found[0].first == run.first else None


def runs(t: Tokens, masked: list[tuple[int, int, str]]) -> list[Run]:
    """Every run of digits, outside the `masked` spans. Linear time."""
    assembler = _Assembler(t)
    _assemble(
        assembler, t, [i for i, roles in enumerate(t.roles) if roles & _PART or not roles & ORDINARY], masked
    )
    return assembler.found


def _assemble(
    assembler: _Assembler, t: Tokens, chosen: Iterable[int], masked: Sequence[tuple[int, int, str]]
) -> None:
    """Give an assembler the chosen tokens of a text, and end the last run."""
    mask = iter(masked)
    hidden = next(mask, None)
    figures = t.all_roles & (DIGITS | MIXED)
    passed = 0
    for i in chosen:
        if i < passed:
            continue
        roles = t.roles[i]
        if not roles & _PART and not (figures and len(t.words[i]) <= 4 and _tied(t, i)):
            continue
        start, end = t.starts[i], t.ends[i]
        while hidden and hidden[1] <= start:
            hidden = next(mask, None)
        if hidden and hidden[0] < end:
            continue
        if i > passed:
            assembler.close()
        passed = i + 1
        if assembler.overflows(i):
            continue
        if roles & NUMERAL and i and SIGNS.get(t.words[i - 1]) == "counted" and not assembler.open():
            continue
        if roles & MANY:
            phrase = _phrase(t, i)
            if phrase and not (len(phrase[1].digits) == _HUNDREDS and assembler.fills(t.words[i])):
                passed, numeral = phrase
                last = passed - 1
                atom = Atom(numeral.digits, start, t.ends[last], "words", room=numeral.room)
                assembler.digits([atom], i, last)
                continue
        if roles & JOINER and assembler.joins(i):
            assembler.sign(i)
            continue
        atoms = _atoms(t.words[i], start, end, roles)
        if not atoms and roles & MIXED and end - start == _PAIR and _like_a_figure(t, i):
            atoms = [Atom(t.words[i].translate(_LEET), start, end, "leet", weak=True)]
        if atoms and atoms[0].how == "leet" and "g" in t.words[i]:
            atoms = [_with_capitals(atom, t) for atom in atoms]
        if atoms:
            assembler.digits(atoms, i, i)
        elif roles & (SIGN | JOINER | SUFFIX):
            assembler.sign(i)
        else:
            assembler.close()
    assembler.close()


def _with_capitals(atom: Atom, t: Tokens) -> Atom:
    """A "G" is like a 6, a "g" like a 9."""
    said = t.said[atom.start : atom.end]
    if len(said) != len(atom.digits):
        return atom
    return atom._replace(
        digits="".join("6" if c == "G" else d for c, d in zip(said, atom.digits, strict=True))
    )


def _atoms(word: str, start: int, end: int, roles: int) -> list[Atom]:
    """The atoms of one token."""
    if roles & DIGITS:
        return [Atom(word, start, end, "digits")]
    if roles & MIXED:
        return _mixed(word, start)
    if roles & NUMERAL:
        numeral = NUMERALS[word]
        return [Atom(numeral.digits, start, end, "words", numeral.weak, numeral.room)]
    if roles & FUSED:
        return [Atom(digits, start + a, start + b, "words") for a, b, digits in fused(word) or ()]
    if roles & CHARACTER:
        return [
            Atom("".join(CHARACTERS[c] for c in run[0]), start + run.start(), start + run.end(), "words")
            for run in _CHARACTERS.finditer(word)
            if len(run[0]) >= 3 or len(run[0]) == len(word)
        ]
    if roles & (SIGN | JOINER | SUFFIX):
        return []
    return [Atom(word.translate(_LEET), start, end, "leet", weak=True)] if leet_letters(word) else []


def _phrase(t: Tokens, i: int) -> tuple[int, Numeral] | None:
    """The longest numeral of several words that begins at token i: where it ends, and what it spells."""
    for last in range(min(i + LONGEST_PHRASE, len(t.words)), i + 1, -1):
        numeral = PHRASES.get(tuple(t.words[i:last]))
        if numeral and all(len(t.gaps[k]) == 1 for k in range(i + 1, last)):
            return last, numeral
    return None
