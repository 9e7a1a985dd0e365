"""Phone numbers: digit runs in, decisions out. libphonenumber decides what is a number.

`rphonenumbers` binds the Rust port of libphonenumber: 3.4 µs to parse and check, against 22 to 35 µs with
the pure-Python `phonenumbers`, with the same answers; its calls share no mutable state, so threads may
call it at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import rphonenumbers

from dataflow.detect.data import table
from dataflow.detect.digits import Atom, Run, runs
from dataflow.detect.masks import masked
from dataflow.detect.normalise import Normal, fold

_CONTEXT = table("phone_context.toml")
_CONTACT = frozenset(map(fold, _CONTEXT["contact"]))
_OTHER = frozenset(map(fold, _CONTEXT["other"]))
_REVERSE = frozenset(map(fold, _CONTEXT["reverse"]))
_LOCAL = tuple(map(fold, _CONTEXT["local"]))
_FICTION: dict[str, int] = _CONTEXT["fiction"]
_CONTACT_IN_SCRIPT = tuple(word for word in _CONTACT if not word.isascii())
_WORD = re.compile(r"[^\W\d_]+")
_STRONG_GAP = re.compile(r"[,;:!?()\n]|\s-\s|.{3}", re.DOTALL)
_FEWEST, _MOST = 7, 15
_LONGEST_INTERRUPTION = 28
_REACH = 48
_MOST_PIECES = 12


@dataclass(frozen=True, slots=True)
class Phone:
    """A phone number in a normalised text, `[start, end)`; `value` is E.164, or what `_local` says."""

    value: str
    start: int
    end: int
    rule: str


def _valid(number: str, region: str | None) -> tuple[str, int] | None:
    """E.164 and the length of the national number, when libphonenumber or a fiction range knows it."""
    try:
        parsed = rphonenumbers.parse(number, region)
    except rphonenumbers.NumberParseException:
        return None
    value: str = rphonenumbers.format_number(parsed, rphonenumbers.PhoneNumberFormat.E164)
    if rphonenumbers.is_valid_number(parsed) or _fictitious(value):
        return value, len(str(parsed.national_number))
    return None


def _fictitious(value: str) -> bool:
    digits = value[1:]
    return any(_FICTION.get(digits[:length]) == len(digits) for length in range(7, 10))


def _counting(atoms: tuple[Atom, ...]) -> bool:
    """Whether the atoms count, double or list years: number games, not numbers."""
    values = [int(atom.digits[:9]) for atom in atoms]
    if len(values) >= 3 and all(
        len(a.digits) == 4 and 1900 <= v <= 2099 for a, v in zip(atoms, values, strict=True)
    ):
        return True
    if len(values) < 5:
        return False
    pairs = list(pairwise(values))
    steps = {b - a for a, b in pairs}
    if len(steps) == 1 and steps != {0}:
        return True
    return len(values) >= 7 and (all(a <= b for a, b in pairs) or all(a >= b for a, b in pairs))


def _card(atoms: tuple[Atom, ...]) -> bool:
    return [len(atom.digits) for atom in atoms][:3] == [4, 4, 4] and len(atoms) >= 4


def _social_security(atoms: tuple[Atom, ...]) -> bool:
    return [len(atom.digits) for atom in atoms] == [3, 2, 4]


def _context(text: str, start: int, end: int) -> str:
    """`contact`, `other` or `none`: the nearest telling word, before the number rather than after."""
    before = text[max(0, start - _REACH) : start]
    for word in reversed(_WORD.findall(before)):
        if word in _CONTACT:
            return "contact"
        if word in _OTHER:
            return "other"
    after = text[end : end + _REACH]
    for word in _WORD.findall(after):
        if word in _CONTACT:
            return "contact"
        if word in _OTHER:
            return "other"
    if not (before.isascii() and after.isascii()) and any(
        w in before or w in after for w in _CONTACT_IN_SCRIPT
    ):
        return "contact"
    return "none"


def _how(atoms: tuple[Atom, ...]) -> str:
    kinds = {atom.how for atom in atoms}
    return kinds.pop() if len(kinds) == 1 else "mixed"


def _decide(run: Run, text: str, region: str) -> Phone | None:
    """Whether the whole of `run` is one phone number."""
    atoms, digits = run.atoms, run.digits
    if not _FEWEST <= len(digits) <= _MOST or len(set(digits)) < 2:
        return None
    if _counting(atoms) or _card(atoms):
        return None
    context = _context(text, run.start, run.end)
    if run.plus:
        found = _valid("+" + digits, None)
        if found:
            return Phone(found[0], run.start, run.end, "phone_international")
    if context == "other" or (_social_security(atoms) and context != "contact"):
        return None
    found = _valid(digits, region)
    rule = f"phone_{_how(atoms)}"
    if (
        not found
        and len(digits) >= 11
        and not _cut(atoms, text)
        and (context == "contact" or digits.startswith("00"))
    ):
        found = _valid("+" + digits.removeprefix("00"), None)
        rule = "phone_international_bare"
    if not found:
        return None
    if found[1] <= 8 and context != "contact":
        return None
    return Phone(found[0], run.start, run.end, rule)


def _cut(atoms: tuple[Atom, ...], text: str) -> bool:
    return any(_STRONG_GAP.search(text[a.end : b.start]) for a, b in pairwise(atoms))


def _pieces(run: Run, text: str) -> Iterator[Run]:
    """Contiguous parts of a run, cut at strong gaps and between figures and words, longest first."""
    atoms = run.atoms
    cuts = [0]
    for i in range(1, len(atoms)):
        gap = text[atoms[i - 1].end : atoms[i].start]
        if (gap and atoms[i - 1].how != atoms[i].how) or _STRONG_GAP.search(gap):
            cuts.append(i)
    cuts.append(len(atoms))
    if len(cuts) > _MOST_PIECES:
        return
    spans = [(a, b) for i, a in enumerate(cuts) for b in cuts[i + 1 :]]
    for a, b in sorted(spans, key=lambda span: span[0] - span[1]):
        yield Run(atoms[a:b], run.plus and a == 0)


def _interrupted(parts: list[Run], text: str, region: str) -> Phone | None:
    """Groups with words between ("it starts with 415 then 555 and ends in 0123"): area, exchange, line."""
    if any(p.plus for p in parts) or [len(p.digits) for p in parts] not in ([3, 3, 4], [3, 7], [6, 4]):
        return None
    atoms = tuple(atom for part in parts for atom in part.atoms)
    if any(b.start - a.end > _LONGEST_INTERRUPTION for a, b in pairwise(atoms)):
        return None
    phone = _decide(Run(atoms), text, region)
    return phone and Phone(phone.value, phone.start, phone.end, "phone_interrupted")


def _local(run: Run, text: str, region: str) -> Phone | None:
    """A number without its area code, where the text says that it is one: its seven digits, no E.164."""
    digits = run.digits
    if region not in ("US", "CA") or len(digits) != 7 or digits[0] in "01" or len(run.atoms) > 7:
        return None
    if _counting(run.atoms) or len(set(digits)) < 3:
        return None
    near = text[max(0, run.start - _REACH) : run.end + _REACH]
    if not any(phrase in near for phrase in _LOCAL) or _context(text, run.start, run.end) != "contact":
        return None
    return Phone(digits, run.start, run.end, "phone_local")


def phones(normal: Normal, region: str) -> list[Phone]:
    """The phone numbers of a normalised text, in order and apart. Linear time."""
    text = normal.text
    spans = runs(text, masked(text))
    if not spans or sum(len(run.digits) for run in spans) < _FEWEST:
        return []
    found: list[Phone] = []
    backwards = not _REVERSE.isdisjoint(_WORD.findall(text))
    i = 0
    while i < len(spans):
        run = spans[i]
        if backwards and len(run.digits) >= 9:
            turned = _valid(run.digits[::-1], region)
            if turned:
                found.append(Phone(turned[0], run.start, run.end, "phone_reversed"))
                i += 1
                continue
        phone = None
        for width in (3, 2):
            phone = phone or _interrupted(spans[i : i + width], text, region)
            if phone:
                i += width - 1
                break
        phone = phone or _decide(run, text, region)
        if phone:
            found.append(phone)
        elif len(run.digits) >= _FEWEST:
            found += _from_pieces(run, text, region)
        i += 1
    return found


def _from_pieces(run: Run, text: str, region: str) -> list[Phone]:
    taken: list[Phone] = []
    for piece in _pieces(run, text):
        if len(piece.digits) < _FEWEST or any(p.start < piece.end and piece.start < p.end for p in taken):
            continue
        phone = _decide(piece, text, region) or _local(piece, text, region)
        if phone:
            taken.append(phone)
    return sorted(taken, key=lambda phone: phone.start)


def international(digits: str) -> str | None:
    """E.164 of digits that begin with the country code, or None when they are no number."""
    found = _valid("+" + digits, None)
    return found[0] if found else None
