"""Dead letters read back: what one says of itself, which are selected, and which may be replayed.

Every decision, no I/O. What the headers mean is written in `dataflow.encode`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from connectors.items import OutgoingMessage, Record
from dataflow import encode

Header = tuple[str, bytes | None]


@dataclass(frozen=True, slots=True)
class Place:
    """A message's partition and offset."""

    partition: int
    offset: int

    def __str__(self) -> str:
        """`2:1041`."""
        return f"{self.partition}:{self.offset}"


@dataclass(frozen=True, slots=True)
class Fault:
    """One violation as a dead letter tells it. Never holds the offending text."""

    field: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter. `place` is its own, `origin` that of the record it was."""

    place: Place
    at: datetime | None
    """When it became a dead letter, aware, UTC."""
    codes: tuple[str, ...]
    faults: tuple[Fault, ...]
    attempt: int
    contract_version: str
    origin_topic: str
    origin: Place | None
    cut: bool
    """Bytes of the record were left out because it was too large."""
    key: bytes | None
    value: bytes | None
    own_headers: tuple[Header, ...]
    """The record's own headers, byte-exact."""

    @property
    def ours(self) -> bool:
        """Whether this pipeline wrote it: another producer's message says nothing that we know of."""
        return bool(self.codes) and self.origin is not None


def read_letter(record: Record, partition: int) -> Letter:
    """A dead letter from the message that carries it. Never raises."""
    carried = list(record.headers() or ())
    told = {name: (value or b"").decode("utf-8", "replace") for name, value in carried if name in encode.OURS}
    kind, milliseconds = record.timestamp()
    codes = told.get(encode.CODES, "")
    origin = _numbers(told.get(encode.ORIGIN_PARTITION), told.get(encode.ORIGIN_OFFSET))
    return Letter(
        Place(partition, record.offset()),
        datetime.fromtimestamp(milliseconds / 1000, UTC) if kind else None,
        tuple(code for code in codes.split(",") if code),
        _faults(told.get(encode.VIOLATIONS, "")),
        _attempt(told.get(encode.ATTEMPT)),
        told.get(encode.CONTRACT_VERSION, ""),
        told.get(encode.ORIGIN_TOPIC, ""),
        origin,
        encode.CUT in told,
        record.key(),
        record.value(),
        tuple((name, value) for name, value in carried if name not in encode.OURS),
    )


def letters_in(polled: Mapping[int, Sequence[Record]]) -> Iterator[Letter]:
    """The dead letters of records by partition."""
    for partition, records in polled.items():
        for record in records:
            yield read_letter(record, partition)


def _numbers(partition: str | None, offset: str | None) -> Place | None:
    if partition and offset and partition.isdigit() and offset.isdigit():
        return Place(int(partition), int(offset))
    return None


def _attempt(text: str | None) -> int:
    return int(text) if text and text.isdigit() and len(text) <= 9 else 1


def _faults(text: str) -> tuple[Fault, ...]:
    try:
        told = json.loads(text) if text else []
        return tuple(Fault(str(each["field"]), str(each["code"]), str(each["message"])) for each in told)
    except (ValueError, TypeError, KeyError):
        return ()


@dataclass(frozen=True, slots=True)
class Selection:
    """Which dead letters are meant. What is empty or None selects nothing out."""

    codes: frozenset[str] = frozenset()
    """Letters that have any of these."""
    since: datetime | None = None
    until: datetime | None = None
    """When they became dead letters: from `since` on, before `until`."""
    partitions: frozenset[int] = frozenset()
    """Partitions of the source topic."""

    def takes(self, letter: Letter) -> bool:
        """Whether a letter is meant."""
        if self.codes and self.codes.isdisjoint(letter.codes):
            return False
        if self.since is not None and (letter.at is None or letter.at < self.since):
            return False
        if self.until is not None and (letter.at is None or letter.at >= self.until):
            return False
        return not self.partitions or (
            letter.origin is not None and letter.origin.partition in self.partitions
        )


@dataclass(frozen=True, slots=True)
class Replay:
    """Produce it again."""


@dataclass(frozen=True, slots=True)
class Done:
    """A marker says that it was replayed to this destination."""


@dataclass(frozen=True, slots=True)
class HeldBack:
    """It stays where it is; `reason` is of a closed set."""

    reason: str
    remedy: str


TOO_MANY_ATTEMPTS = HeldBack(
    "too many attempts", "it came back each time; mend the cause, then raise --max-attempts"
)
CUT = HeldBack(
    "bytes missing", "it was too large to be kept whole; its record is at its origin while that holds it"
)
NOT_OURS = HeldBack("not a dead letter of this pipeline", "it names no reason or no origin")


def decide_replay(
    letter: Letter, marker: bytes, markers: Collection[bytes], max_attempts: int
) -> Replay | Done | HeldBack:
    """Whether a selected letter is produced again."""
    if not letter.ours:
        return NOT_OURS
    if marker in markers:
        return Done()
    if letter.cut:
        return CUT
    if letter.attempt >= max_attempts:
        return TOO_MANY_ATTEMPTS
    return Replay()


def marker_of(letter: Letter, topic_id: str | None, destination: str) -> bytes:
    """What names one replay for ever: the letter's place in its topic's incarnation, and where it went."""
    return f"{topic_id or '-'}/{letter.place}/{destination}".encode()


def record_of(letter: Letter, destination: str) -> OutgoingMessage:
    """The record that the letter was, byte-exact, and the number of attempts so far among its headers."""
    headers: Sequence[Header] = (*letter.own_headers, (encode.ATTEMPT, str(letter.attempt).encode()))
    return OutgoingMessage(destination, letter.key, letter.value, tuple(headers), letter.place.offset)
