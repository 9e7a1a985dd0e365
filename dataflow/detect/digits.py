"""Digit runs: everything in a text that spells digits, strung together over separators."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from dataflow.detect.atoms import LONGEST_TIED, TIMES, Atom, atoms, phrase, tied
from dataflow.detect.numerals import AMBIGUOUS, LANGUAGES, NUMERALS, PLURALS, SIGNS, SUFFIXES
from dataflow.detect.roles import DIGITS, JOINER, MANY, MIXED, NUMBERLIKE, NUMERAL, ORDINARY, SIGN, SUFFIX
from dataflow.detect.tokens import Tokens

_ZEROS: Final = {"hundred": "00", "thousand": "000"}
_WIDEST_GAP: Final = 8
_HUNDREDS: Final = 3
_MOST_BETWEEN: Final = 2
_FEWEST_ATOMS: Final = 10
_FEWEST_DIFFERENT: Final = 4
_MOST_ATOMS: Final = 48
_PART: Final = NUMBERLIKE | SIGN | JOINER | SUFFIX


class Run(NamedTuple):
    """Atoms with nothing but separators between them, of tokens `[first, last)`.

    `plus`: an international prefix stands before. `full`: with the weak atoms at its ends, if any.
    """

    atoms: tuple[Atom, ...]
    first: int
    last: int
    digits: str
    """All digits."""
    start: int
    end: int
    plus: bool = False
    full: Run | None = None
    fills: tuple[int, ...] = ()
    """Tokens that were read as filling the number before them, and may be numbers of their own."""

    @classmethod
    def of(
        cls,
        atoms: Sequence[Atom],
        first: int,
        last: int,
        plus: bool = False,
        full: Run | None = None,
        fills: Sequence[int] = (),
    ) -> Run:
        """The run of these atoms."""
        digits = "".join([atom.digits for atom in atoms])
        return cls(tuple(atoms), first, last, digits, atoms[0].start, atoms[-1].end, plus, full, tuple(fills))


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
                tokens, fills = self._tokens, self._fills
                full = None
                if last - first < len(atoms):
                    full = Run.of(atoms, tokens[0], tokens[-1] + 1, self._plus, None, fills)
                    atoms = atoms[first:last]
                plus = self._plus and not first
                self.found.append(Run.of(atoms, tokens[first], tokens[last - 1] + 1, plus, full, fills))
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
        votes = Counter([language for word in words for language in LANGUAGES.get(word, ("en",))])
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
        if sign in TIMES:
            self._times = TIMES[sign]
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


_SPOKEN: Final = NUMERAL | MANY | SIGN
_SPELLS: Final = NUMBERLIKE | SIGN
_WORTH: Final = 3
"""Digits that one number word may spell."""


def most_digits(t: Tokens, enough: int) -> int:
    """At most how many digits the words of a text spell; looks closer where that is `enough`."""
    most = sum(
        [_WORTH if roles & _SPOKEN else len(t.words[i]) for i, roles in enumerate(t.roles) if roles & _SPELLS]
    )
    return _closer(t) if most >= enough and t.all_roles & MIXED else most


def _closer(t: Tokens) -> int:
    """At most how many digits they spell, words with figures looked at: most are names, and spell few."""
    most = 0
    for i, roles in enumerate(t.roles):
        size = len(t.words[i])
        if roles & _SPOKEN:
            most += max(_WORTH, size)
        elif roles & MIXED:
            spelt = atoms(t, i)
            figures = all(atom.how == "digits" for atom in spelt)
            most += sum([len(atom.digits) for atom in spelt]) if figures else size
        elif roles & NUMBERLIKE:
            most += size
        elif roles & SUFFIX:
            most += 1
        elif not roles & ORDINARY and size <= LONGEST_TIED and tied(t, i):
            most += size
    return most


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
        if not roles & _PART and not (figures and len(t.words[i]) <= LONGEST_TIED and tied(t, i)):
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
            many = phrase(t, i)
            if many and not (len(many[1].digits) == _HUNDREDS and assembler.fills(t.words[i])):
                passed, numeral = many
                last = passed - 1
                atom = Atom(numeral.digits, start, t.ends[last], "words", room=numeral.room)
                assembler.digits([atom], i, last)
                continue
        if roles & JOINER and assembler.joins(i):
            assembler.sign(i)
            continue
        spelt = atoms(t, i)
        if spelt:
            assembler.digits(spelt, i, i)
        elif roles & (SIGN | JOINER | SUFFIX):
            assembler.sign(i)
        else:
            assembler.close()
    assembler.close()
