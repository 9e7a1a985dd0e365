"""The reconciliation: everything that was produced against everything that was written. No I/O."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from tests.contents import Event, keyed
from tests.demo.evidence import Evidence, Letter, Place, Version, sha256
from tests.standins.traffic import DeadLetterOutcome, Planned, RowOutcome, Traffic


@dataclass(frozen=True, slots=True)
class Line:
    """One figure of the account. It holds when `found` is `expected` and nothing differs in detail."""

    subject: str
    expected: int
    found: int
    differing: int = 0
    """Items that are missing, too many, or other than expected, though the totals may agree."""

    @property
    def holds(self) -> bool:
        """True when this figure is right in every detail."""
        return self.expected == self.found and not self.differing


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The account of a run."""

    lines: tuple[Line, ...]

    @property
    def holds(self) -> bool:
        """True when every message is accounted for exactly once."""
        return all(line.holds for line in self.lines)


def reconcile(traffic: Traffic, evidence: Evidence, hmac_key: str) -> Reconciliation:
    """Compare, message by message, in all that is written: no text and no value of a contact is told.

    The topic was empty before, so a message's offset is its turn. `hmac_key` is the program's.
    """
    return Reconciliation(tuple(_lines(traffic, evidence, hmac_key)))


def _lines(traffic: Traffic, evidence: Evidence, hmac_key: str) -> Iterator[Line]:
    expected = traffic.expected()
    places = dict(placed(traffic))
    contacts = Counter(
        (place, event) for place, message in places.items() for event in events_of(message, hmac_key)
    )
    ends = traffic.ends()
    covered, holes = _coverage(evidence, ends)
    yield Line("messages read and committed", len(traffic.messages), covered, holes)
    versions = sum(span.rows for span in evidence.spans)
    yield Line("of them row versions", expected.versions, versions)
    stored = sum(len(found) for found in evidence.rows.values())
    yield Line("  that are a row now", len(expected.rows), stored, _wrong_rows(traffic, evidence))
    yield Line("  superseded or repeated", expected.superseded, versions - stored)
    yield Line(
        "and dead letters",
        expected.dead_letter_messages,
        len(evidence.dead_letters),
        _wrong_letters(places, evidence.dead_letters),
    )
    yield Line(
        "contact events", contacts.total(), evidence.contacts.total(), _apart(contacts, evidence.contacts)
    )
    kept = Counter(event for row in expected.rows.values() for event in given_by(row, hmac_key))
    yield Line(
        "  of rows there now, in the contacts' table",
        kept.total(),
        evidence.kept_contacts.total(),
        _apart(kept, evidence.kept_contacts),
    )
    warnings = expected.warnings
    yield Line("warnings", warnings.total(), evidence.warnings.total(), _apart(warnings, evidence.warnings))


def placed(traffic: Traffic) -> Iterator[tuple[Place, Planned]]:
    """Every message with its place."""
    turns: defaultdict[int, int] = defaultdict(int)
    for message in traffic.messages:
        yield Place(message.partition, turns[message.partition]), message
        turns[message.partition] += 1


def events_of(message: Planned, hmac_key: str) -> Iterator[Event]:
    """The events that must come of a message."""
    if isinstance(message.outcome, RowOutcome):
        yield from given_by(message.outcome, hmac_key)


def given_by(row: RowOutcome, hmac_key: str) -> Iterator[Event]:
    """What must be told of the contacts that a version of a row gives away."""
    who = row.identity
    for given in row.contacts:
        value = keyed(hmac_key, given.value)
        span = given.start, given.end
        yield Event(given.kind, given.platform, *span, value, who.user_id, who.subject_id, who.created_at)


def _wrong_letters(places: Mapping[Place, Planned], found: Sequence[Letter]) -> int:
    """Dead letters that are missing, too many, for other reasons or with other bytes than was produced."""
    wanted = Counter(
        place for place, message in places.items() if isinstance(message.outcome, DeadLetterOutcome)
    )
    wrong = _apart(wanted, Counter(letter.place for letter in found))
    for letter in found:
        message = places.get(letter.place)
        if message is not None and isinstance(message.outcome, DeadLetterOutcome):
            wrong += not _is_carried_over(letter, message, message.outcome.codes)
    return wrong


def _is_carried_over(letter: Letter, message: Planned, codes: Sequence[str]) -> bool:
    if letter.codes != tuple(sorted(codes)) or letter.key != message.key:
        return False
    if letter.cut is None:
        return letter.value == message.value
    whole = message.value or b""
    return whole.startswith(letter.value or b"") and sha256(whole) == letter.cut


def _coverage(evidence: Evidence, ends: dict[int, int]) -> tuple[int, int]:
    """Offsets that the ledger covers, and places where its entries do not meet."""
    reached = dict.fromkeys(ends, 0)
    holes = 0
    for span in evidence.spans:
        holes += span.first != reached.get(span.partition)
        reached[span.partition] = span.next
    return sum(reached.values()), holes


def _wrong_rows(traffic: Traffic, evidence: Evidence) -> int:
    wanted = {
        identity: [Version(row.updated_at, row.content)] for identity, row in traffic.expected().rows.items()
    }
    found = {identity: list(versions) for identity, versions in evidence.rows.items()}
    return sum(wanted.get(identity) != found.get(identity) for identity in wanted.keys() | found.keys())


T = TypeVar("T")


def _apart(expected: Counter[T], found: Counter[T]) -> int:
    return ((expected - found) + (found - expected)).total()
