"""What was produced against what arrived: the counts that must all be zero, and no I/O."""

from __future__ import annotations

from collections import Counter, defaultdict
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
    content: str
    """Digest of all that the message says."""


Found = tuple[Place, str]
"""The origin of an event or of a dead letter, and the digest of its content."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that the broker has taken, and what is to come of it."""

    place: Place
    identity: Identity | None
    """None: it breaks the contract, and is to be one dead letter."""
    version: Version
    """Of a dead letter the content is its value's digest."""
    contacts: tuple[str, ...] = ()
    """Digests of the events that it is to give."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """What the warehouse and the side topics hold, as read by readers of committed messages."""

    rows: Sequence[tuple[Identity, Version]]
    events: Sequence[Found]
    dead_letters: Sequence[Found]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Counts of what went wrong.

    An event or a dead letter with another content is one lost and one too many.
    """

    rows_lost: int
    rows_duplicated: int
    rows_stale: int
    """Another version than the latest."""
    rows_altered: int
    """No version that was ever sent."""
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
    known: defaultdict[Identity, set[Version]] = defaultdict(set)
    events: Counter[Found] = Counter()
    dead_letters: Counter[Found] = Counter()
    for message in sent:
        if message.identity is None:
            dead_letters[message.place, message.version.content] += 1
            continue
        events.update((message.place, content) for content in message.contacts)
        known[message.identity].add(message.version)
        challenger = (message.version.updated_at, message.place, message.version)
        winners[message.identity] = max(winners.get(message.identity, challenger), challenger)
    rows = Counter(identity for identity, _ in arrived.rows)
    stale = altered = 0
    for identity, version in dict(arrived.rows).items():
        if identity in winners and version != winners[identity][2]:
            stale += version in known[identity]
            altered += version not in known[identity]
    events_lost, events_duplicated = _difference(events, Counter(arrived.events))
    letters_lost, letters_duplicated = _difference(dead_letters, Counter(arrived.dead_letters))
    return Verdict(
        rows_lost=len(winners.keys() - rows.keys()),
        rows_duplicated=rows.total() - len(rows),
        rows_stale=stale,
        rows_altered=altered,
        rows_invented=len(rows.keys() - winners.keys()),
        events_lost=events_lost,
        events_duplicated=events_duplicated,
        dead_letters_lost=letters_lost,
        dead_letters_duplicated=letters_duplicated,
    )


def _difference(expected: Counter[Found], found: Counter[Found]) -> tuple[int, int]:
    """How many are missing, and how many are there too often or should not be there."""
    return (expected - found).total(), (found - expected).total()
