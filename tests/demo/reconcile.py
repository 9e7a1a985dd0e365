"""The reconciliation: everything that was produced against everything that was written. No I/O."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

from tests.demo.evidence import Evidence, Place, Version
from tests.standins.traffic import DeadLetterOutcome, RowOutcome, Traffic


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


def reconcile(traffic: Traffic, evidence: Evidence) -> Reconciliation:
    """Compare, message by message. The topic was empty before, so a message's offset is its turn."""
    return Reconciliation(tuple(_lines(traffic, evidence)))


def _lines(traffic: Traffic, evidence: Evidence) -> Iterator[Line]:
    expected = traffic.expected()
    contacts, letters = _by_place(traffic)
    ends = traffic.ends()
    covered, holes = _coverage(evidence, ends)
    yield Line("messages read and committed", len(traffic.messages), covered, holes)
    versions = sum(span.rows for span in evidence.spans)
    yield Line("of them row versions", expected.versions, versions)
    stored = sum(len(found) for found in evidence.rows.values())
    yield Line("  that are a row now", len(expected.rows), stored, _wrong_rows(traffic, evidence))
    yield Line("  superseded or repeated", expected.superseded, versions - stored)
    found_letters = evidence.dead_letters.total()
    yield Line(
        "and dead letters",
        expected.dead_letter_messages,
        found_letters,
        _apart(letters, evidence.dead_letters),
    )
    yield Line(
        "contact events", contacts.total(), evidence.contacts.total(), _apart(contacts, evidence.contacts)
    )


def _by_place(
    traffic: Traffic,
) -> tuple[Counter[tuple[Place, str, str | None]], Counter[tuple[Place, tuple[str, ...]]]]:
    contacts: Counter[tuple[Place, str, str | None]] = Counter()
    letters: Counter[tuple[Place, tuple[str, ...]]] = Counter()
    turns: defaultdict[int, int] = defaultdict(int)
    for message in traffic.messages:
        place = Place(message.partition, turns[message.partition])
        turns[message.partition] += 1
        match message.outcome:
            case RowOutcome(contacts=given):
                contacts.update((place, contact.kind, contact.platform) for contact in given)
            case DeadLetterOutcome(codes):
                letters[place, tuple(sorted(codes))] += 1
    return contacts, letters


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
        identity: [Version(row.updated_at, row.status)] for identity, row in traffic.expected().rows.items()
    }
    found = {identity: list(versions) for identity, versions in evidence.rows.items()}
    return sum(wanted.get(identity) != found.get(identity) for identity in wanted.keys() | found.keys())


T = TypeVar("T")


def _apart(expected: Counter[T], found: Counter[T]) -> int:
    return ((expected - found) + (found - expected)).total()
