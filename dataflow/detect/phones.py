"""Phone numbers: digit runs in, decisions out. libphonenumber decides what is a number."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from operator import sub
from typing import Final, NamedTuple

from dataflow.detect.atoms import Atom
from dataflow.detect.context import near, priced, spoken_of_a_service
from dataflow.detect.data import table
from dataflow.detect.digits import Run, apart, most_digits, runs
from dataflow.detect.masks import masked
from dataflow.detect.numbering import NANP, Reader
from dataflow.detect.roles import ANNOUNCE, DIGITS, LOCAL, ME, MIXED, NUMBERLIKE, OWN, REVERSE
from dataflow.detect.tokens import Tokens
from dataflow.detect.verdicts import Veto

_STRONG_GAP: Final = re.compile(r"[,;:!?()\n&a-z]|\s-\s|.{3}", re.DOTALL)
_CURRENCY: Final = re.compile(r"[$€£¥₹₽₺₱][ (]{0,2}$")
_LISTING: Final = re.compile(r"[,;&a-z]")
_BRACKETED: Final = re.compile(r"[()\[\]{}<>\s]*[()\[\]{}<>][()\[\]{}<>\s]*")
DOUBTFUL: Final = frozenset(("phone_possible", "phone_abroad"))
"""Rules by which a number is no valid one of its text's region."""
_FEWEST: Final = 7
_MOST: Final = 15
_LONGEST_INTERRUPTION: Final = 28
_MOST_PIECES: Final = 12
_MOST_READINGS: Final = 6
_GROUPINGS: Final = ([3, 3, 4], [1, 3, 3, 4])
_GROUPED: Final = frozenset(map(sum, _GROUPINGS))
_COUNTS: Final = frozenset(table("phone_context.toml")["counts"].split())
_SHORT_TEXT: Final = 6
_ALONE: Final = 3
_WORD: Final = 4
_FEWEST_WEAK: Final = 2


class Phone(NamedTuple):
    """A phone number in a normalised text, `[start, end)`; `value` is E.164, or what `_local` says."""

    value: str
    start: int
    end: int
    rule: str


def _own(run: Run, t: Tokens) -> bool:
    """Whether a free-phone number is given as somebody's own, or stands alone."""
    if spoken_of_a_service(t):
        return False
    others = [*t.words[: run.first], *t.words[run.last :]]
    return bool(t.all_roles & (OWN | ME | ANNOUNCE)) or all(
        not w.isalpha() or len(w) < _WORD or w.startswith("ext") for w in others
    )


def _counting(atoms: tuple[Atom, ...]) -> bool:
    """Whether the atoms count, double or list years: number games, not numbers."""
    if len(atoms) < 3:
        return False
    if all(len(atom.digits) == 4 and "1900" <= atom.digits <= "2099" for atom in atoms):
        return True
    if len(atoms) < 5:
        return False
    values: list[int] = []
    sizes = {len(atom.digits) for atom in atoms if atom.how == "digits"}
    rises = falls = False
    for atom in atoms:
        value = int(atom.digits[:9])
        if values:
            rises, falls = rises or value > values[-1], falls or value < values[-1]
            if rises and falls:
                return False
        values.append(value)
    if sizes == {1, 2} and not (rises and falls) and len({*values}) == len(values):
        return True  # as figures in order are written, whatever the steps between them
    return len(values) >= 7 or ((rises or falls) and len({*map(sub, values[1:], values)}) == 1)


def _games(run: Run) -> str | None:
    """The name of a veto by the run's own shape, or None."""
    atoms = run.atoms
    if run.digits.count(run.digits[0]) == len(run.digits):
        return "one digit over and over"
    if len(atoms) < 3:
        return None
    if _counting(atoms):
        return "counting"
    sizes = [len(atom.digits) for atom in atoms]
    if sizes[:3] == [4, 4, 4] and len(sizes) >= 4:
        return "card"
    if sizes == [3, 2, 4] and all(atom.how == "digits" for atom in atoms):
        return "social security"
    return None


def _uneven(run: Run, text: str) -> bool:
    """Whether a run of figures has ones of one digit among longer ones, as in scores and lists, never in a
    number.
    """
    if _grouped(run, text):
        return False
    gaps = {text[a.end : b.start] for a, b in pairwise(run.atoms)}
    if all(_BRACKETED.fullmatch(gap) for gap in gaps):
        return False
    sizes = [len(atom.digits) for atom in run.atoms]
    if any(_LISTING.search(gap) for gap in gaps):
        glued = max(sizes) == 1 and not any(map(str.isspace, "".join(gaps)))
        if len(gaps) > 1 or (any(map(str.isalpha, "".join(gaps))) and not glued):
            return True
    ones = sizes[1:].count(1)
    if not ones or ones == len(sizes) - 1:
        return len(sizes) > 6 and ones > 0 and len(gaps) > 3
    return ones > 1 or min(sizes) == max(sizes)


def _how(atoms: tuple[Atom, ...]) -> str:
    kinds = {atom.how for atom in atoms}
    return kinds.pop() if len(kinds) == 1 else "mixed"


def _grouped(run: Run, text: str) -> bool:
    """Whether the digits, or what one of the separators sets apart, are grouped as North American numbers are
    written.
    """
    if len(run.digits) not in _GROUPED:
        return False
    sizes = [len(atom.digits) for atom in run.atoms]
    if sizes in _GROUPINGS:
        return True
    gaps = [text[a.end : b.start] for a, b in pairwise(run.atoms)]
    if len(sizes) > _MOST or len(set(gaps)) < 2:
        return False
    for separator in set(gaps):
        groups = [sizes[0]]
        for gap, size in zip(gaps, sizes[1:], strict=True):
            if gap == separator:
                groups.append(size)
            else:
                groups[-1] += size
        if groups in _GROUPINGS:
            return True
    return False


def _decide(run: Run, t: Tokens, reader: Reader) -> Phone | Veto:
    """Whether the whole of `run` is one phone number."""
    atoms, digits = run.atoms, run.digits
    start, end = run.start, run.end
    game = _games(run)
    if game or not _FEWEST <= len(digits) <= _MOST:
        return Veto(game or "too few or too many digits", start, end)
    if len(atoms) == 2 and t.words[run.first] in _COUNTS and len(atoms[1].digits) == _FEWEST:
        return Veto("a count", start, end)  # "hat" also is six, in Hungarian
    gap = t.gaps[run.first]
    if gap != " " and gap and _CURRENCY.search(gap):
        return Veto("a price", start, end)
    if run.plus:
        found = reader.valid("+" + digits, None)
        if found:
            return Phone(found.value, start, end, "phone_international")
    context = near(t, run.first, run.last)
    if context == "other":
        return Veto("words around it say that it is something else", start, end)
    said = context == "contact"
    if not said and priced(t, run.last):
        return Veto("a price", start, end)
    others = len(t.words) - (run.last - run.first)
    alone = others <= _ALONE
    how = _how(atoms)
    if not said and how == "digits" and digits[0] != "0" and _uneven(run, t.text):
        return Veto("a list of figures", start, end)
    known = reader.read(digits, reader.region)
    rule = f"phone_{how}"
    if known and known.valid:
        if known.national <= 8 and not said and not (alone or digits.startswith(("00", "011"))):
            return Veto("short, and nothing says that it is for calling", start, end)
        if known.toll_free and not _own(run, t):
            return Veto("a service's number", start, end)
        if not (said or alone) and known.trunk and digits[0] != "0" and len(digits) <= known.national:
            return Veto("without its trunk prefix, and nothing says that it is for calling", start, end)
        return Phone(known.value, start, end, rule)
    if known and reader.region in NANP and _grouped(run, t.text):
        return Phone(known.value, start, end, "phone_possible")
    if len(digits) >= 11 and (said or digits.startswith("00")) and _whole(atoms, t.text):
        found = reader.valid("+" + digits.removeprefix("00"), None)
        if found:
            return Phone(found.value, start, end, "phone_international_bare")
    few = others <= _SHORT_TEXT
    spelt = rule in ("phone_words", "phone_mixed")
    if len(digits) >= 8 and (said or ((few or spelt) and digits[0] == "0" and len(digits) >= 10)):
        for region in reader.abroad(english=known is None):
            found = reader.valid(digits, region)
            if found and found.toll_free and not _own(run, t):
                return Veto("a service's number", start, end)
            if found:
                return Phone(found.value, start, end, "phone_abroad")
    if known and len(digits) >= 10 and known.national >= 9 and (said or _grouped(run, t.text) or spelt):
        return Phone(known.value, start, end, "phone_possible")
    return Veto("no number of the region", start, end)


def _whole(atoms: tuple[Atom, ...], text: str) -> bool:
    """Whether nothing between the atoms sets them apart."""
    return not any(_STRONG_GAP.search(text[a.end : b.start]) for a, b in pairwise(atoms))


def _pieces(run: Run, t: Tokens) -> Sequence[tuple[int, int]]:
    """Spans of a run's atoms that are as long as a number, those of most atoms first: cut at strong gaps,
    between figures and words, around whole numbers.
    """
    atoms, text = run.atoms, t.text
    cuts = [0]
    for i in range(1, len(atoms)):
        gap = text[atoms[i - 1].end : atoms[i].start]
        sizes = len(atoms[i - 1].digits), len(atoms[i].digits)
        if (
            (gap and atoms[i - 1].how != atoms[i].how)
            or _STRONG_GAP.search(gap)
            or max(sizes) >= _FEWEST
            or (gap.isspace() and (atoms[i].end - atoms[i].start > 3 or len(atoms) <= _MOST_PIECES))
        ):
            cuts.append(i)
    cuts.append(len(atoms))
    if len(cuts) > _MOST_PIECES + 2:
        return ()
    before = [0, *accumulate([len(atom.digits) for atom in atoms])]
    spans = [
        (a, b) for i, a in enumerate(cuts) for b in cuts[i + 1 :] if _FEWEST <= before[b] - before[a] <= _MOST
    ]
    spans.sort(key=lambda span: span[0] - span[1])
    return [span for span in spans if span != (0, len(atoms))]


def _tokens_of(run: Run, t: Tokens) -> list[int]:
    """The token that each atom lies in."""
    found: list[int] = []
    at = run.first
    for atom in run.atoms:
        while t.ends[at] < atom.end:
            at += 1
        found.append(at)
    return found


def _interrupted(parts: list[Run], t: Tokens, reader: Reader) -> Phone | None:
    """Groups with words between ("it starts with 415 then 555 and ends in 0123")."""
    sizes = [len(part.digits) for part in parts]
    grouped = sizes in ([3, 3, 4], [3, 7], [6, 4])
    if not grouped and not (9 <= sum(sizes) <= 11 and min(sizes) >= 2 and parts[0].digits[0] == "0"):
        return None
    if any(part.plus for part in parts) or any(
        b.start - a.end > _LONGEST_INTERRUPTION for a, b in pairwise(parts)
    ):
        return None
    whole = Run.of([atom for part in parts for atom in part.atoms], parts[0].first, parts[-1].last)
    context = near(t, whole.first, whole.last)
    if _games(whole) or context == "other" or not (grouped or context == "contact"):
        return None
    found = reader.read(whole.digits, reader.region)
    if not found or (not found.valid and reader.region in NANP and whole.digits[0] in "01"):
        return None
    return Phone(found.value, whole.start, whole.end, "phone_interrupted")


def _local(run: Run, t: Tokens, reader: Reader) -> Phone | None:
    """A number without its area code, where the text says that it is one: its seven digits, no E.164."""
    digits = run.digits
    if reader.region not in NANP or len(digits) != 7 or digits[0] in "01" or len(run.atoms) > 7:
        return None
    if run.first and len(run.atoms) == 1 and t.words[run.first - 1] in _COUNTS:
        return None
    if _counting(run.atoms) or len(set(digits)) < 3 or near(t, run.first, run.last) != "contact":
        return None
    written = [len(atom.digits) for atom in run.atoms] in ([3, 4], [7])
    if not written and not t.all_roles & LOCAL:
        return None
    return Phone(digits, run.start, run.end, "phone_local")


def phones(t: Tokens, region: str) -> list[Phone | Veto]:
    """The phone numbers of a normalised text, in order and apart, and why others are none. Linear time."""
    if not t.all_roles & NUMBERLIKE or most_digits(t, _FEWEST) < _FEWEST:
        return []
    spans = runs(t, masked(t) if t.all_roles & (DIGITS | MIXED) else [])
    if not spans or sum([len((run.full or run).digits) for run in spans]) < _FEWEST:
        return []
    reader = Reader(region, t.words)
    found: list[Phone | Veto] = []
    backwards = t.all_roles & REVERSE
    i = 0
    while i < len(spans):
        run = spans[i]
        i += 1
        size = len(run.digits)
        if backwards and 9 <= size <= _MOST:
            turned = reader.valid(run.digits[::-1], region)
            if turned:
                found.append(Phone(turned.value, run.start, run.end, "phone_reversed"))
                continue
        if size < 9 and i < len(spans) and spans[i].start - run.end <= _LONGEST_INTERRUPTION:
            phone = None
            for width in (4, 3, 2):
                phone = _interrupted(spans[i - 1 : i - 1 + width], t, reader)
                if phone:
                    i += width - 1
                    found.append(phone)
                    break
            if phone:
                continue
        if size < _FEWEST and not (run.full and len(run.full.digits) >= _FEWEST):
            continue
        found += _read(run, t, reader)
    return found


def _read(run: Run, t: Tokens, reader: Reader) -> Sequence[Phone | Veto]:
    """What a run holds: one number as a whole, several in its pieces, or none and why."""
    verdict = _decide(run, t, reader)
    if run.full and (isinstance(verdict, Veto) or _rather_full(run, verdict)):
        full = _decide(run.full, t, reader)
        if not isinstance(full, Veto) and (isinstance(verdict, Veto) or full.rule not in DOUBTFUL):
            verdict = full
    if (
        run.fills
        and len(run.digits) <= _MOST
        and (isinstance(verdict, Veto) or verdict.rule == "phone_possible")
    ):
        verdict = next(_otherwise(run, t, reader), verdict)
    if not isinstance(verdict, Veto):
        return [verdict]
    local = _local(run, t, reader)
    if local:
        return [local]
    return (not _games(run) and _from_pieces(run, t, reader)) or [verdict]


def _rather_full(run: Run, phone: Phone) -> bool:
    """Whether a doubtful number stands among so many weak numerals that they are likely to be of it."""
    return (
        phone.rule in DOUBTFUL
        and run.full is not None
        and len(run.full.atoms) - len(run.atoms) >= _FEWEST_WEAK
    )


def _otherwise(run: Run, t: Tokens, reader: Reader) -> Iterator[Phone]:
    """What the run is when a number word that was read with the one before stands alone ("forty two")."""
    for token in run.fills[:_MOST_READINGS]:
        other = apart(t, run, token)
        phone = _decide(other, t, reader) if other else None
        if isinstance(phone, Phone) and phone.rule != "phone_possible":
            yield phone


def _from_pieces(run: Run, t: Tokens, reader: Reader) -> list[Phone]:
    taken: list[Phone] = []
    atoms = run.atoms
    if len(atoms) < 2:
        return taken
    tokens = _tokens_of(run, t)
    for a, b in _pieces(run, t):
        if not reader.looks():
            break
        start, end = atoms[a].start, atoms[b - 1].end
        if any(p.start < end and start < p.end for p in taken):
            continue
        piece = Run.of(atoms[a:b], tokens[a], tokens[b - 1] + 1, run.plus and a == 0)
        phone = _decide(piece, t, reader)
        if isinstance(phone, Veto):
            phone = _local(piece, t, reader) or phone
        if not isinstance(phone, Veto):
            taken.append(phone)
    return sorted(taken, key=lambda phone: phone.start)
