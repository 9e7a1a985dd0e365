"""What was produced against what arrived: the six counts that must all be zero, and no I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple


class Place(NamedTuple):
    """Where a message is in the topic."""

    partition: int
    offset: int


class Identity(NamedTuple):
    """What makes two messages versions of one row."""

    user: str
    subject: str
    created_at: str


class Version(NamedTuple):
    """What distinguishes them."""

    updated_at: str
    status: str


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that the broker has taken, and what is to come of it."""

    place: Place
    identity: Identity | None
    """None: it breaks the contract, and is to be one dead letter."""
    version: Version
    contacts: int = 0
    """Events that it is to give."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """What the warehouse and the side topics hold, as read by readers of committed messages."""

    rows: Sequence[tuple[Identity, Version]]
    events: Sequence[Place]
    """The origin of every contact event."""
    dead_letters: Sequence[Place]
    """The origin of every dead letter."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Counts of what went wrong."""

    rows_lost: int
    rows_duplicated: int
    rows_stale: int
    rows_invented: int
    events_lost: int
    events_duplicated: int
    dead_letters_lost: int
    dead_letters_duplicated: int

    @property
    def kept(self) -> bool:
        """True when every promise held."""
        return not any(asdict(self).values())


def judge(sent: Iterable[Sent], arrived: Arrived) -> Verdict:
    """Compare. Of several versions the latest `updated_at` is the row's, on a tie the later offset's."""
    winners: dict[Identity, tuple[str, Place, Version]] = {}
    events: Counter[Place] = Counter()
    dead_letters: Counter[Place] = Counter()
    for message in sent:
        if message.identity is None:
            dead_letters[message.place] += 1
            continue
        events[message.place] += message.contacts
        challenger = (message.version.updated_at, message.place, message.version)
        winners[message.identity] = max(winners.get(message.identity, challenger), challenger)
    rows = Counter(identity for identity, _ in arrived.rows)
    versions = dict(arrived.rows)
    events_lost, events_duplicated = _difference(events, Counter(arrived.events))
    letters_lost, letters_duplicated = _difference(dead_letters, Counter(arrived.dead_letters))
    return Verdict(
        rows_lost=len(winners.keys() - rows.keys()),
        rows_duplicated=rows.total() - len(rows),
        rows_stale=sum(
            1 for identity, (_, _, version) in winners.items() if versions.get(identity, version) != version
        ),
        rows_invented=len(rows.keys() - winners.keys()),
        events_lost=events_lost,
        events_duplicated=events_duplicated,
        dead_letters_lost=letters_lost,
        dead_letters_duplicated=letters_duplicated,
    )


def _difference(expected: Counter[Place], found: Counter[Place]) -> tuple[int, int]:
    """How many are missing, and how many are there too often or should not be there."""
    return (expected - found).total(), (found - expected).total()
