"""`dead-letters`: what broke the contract, looked at and produced again."""

from __future__ import annotations

import hashlib
import heapq
import itertools
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

import orjson

from connectors.kafka_access import KafkaAccess
from connectors.kafka_read import TopicReader
from connectors.kafka_replay import (
    Outgoing,
    ReplayProducer,
    ensure_marker_topic,
    read_markers,
    topic_exists,
)
from connectors.stopping import Stop
from dataflow.commands.access import Topics, kafka_access, topics_of
from dataflow.commands.show import Form, json_line, moment, table
from dataflow.contract import Contract
from dataflow.dead_letters import (
    Done,
    HeldBack,
    Letter,
    Place,
    Replay,
    Selection,
    decide_replay,
    letters_in,
    marker_of,
    record_of,
)
from dataflow.selection import check_partitions
from dataflow.settings import Settings

CHUNK = 500
"""Messages in one transaction at most; a second's worth when the rate is lower."""
CHUNK_BYTES = 8 << 20
SHOWN_PLACES = 5


def _letters(
    access: KafkaAccess, topic: str, selection: Selection, spans: Mapping[int, tuple[int, int]] | None = None
) -> Iterator[Letter]:
    """The selected letters, as the topic's partitions bring them. Raises KafkaTrouble."""
    with TopicReader(access, topic) as reader:
        for polled in reader.read(reader.bounds() if spans is None else spans):
            yield from filter(selection.takes, letters_in(polled))


def _check(access: KafkaAccess, topics: Topics, selection: Selection) -> None:
    """Raises NotKnown for a partition that the source does not have, and KafkaTrouble."""
    if selection.partitions:
        with TopicReader(access, topics.source) as reader:
            known = reader.partitions()
        option = f"--partition {','.join(str(each) for each in sorted(selection.partitions))}"
        check_partitions(option, topics.source, selection.partitions, known)


@dataclass(frozen=True, slots=True)
class Origins:
    """Which messages of the source are dead letters."""

    times: Counter[tuple[int, int]]
    """(partition, offset) to how often it is there."""
    since: datetime | None
    """The oldest letter's time, when older ones may have been removed; None: all are there."""


def origins(access: KafkaAccess, topics: Topics, now: datetime) -> Origins:
    """Read the whole topic. Raises KafkaTrouble."""
    times: Counter[tuple[int, int]] = Counter()
    oldest = now
    with TopicReader(access, topics.dead_letters) as reader:
        bounds = reader.bounds()
        for polled in reader.read(bounds):
            for letter in letters_in(polled):
                oldest = min(oldest, letter.at or oldest)
                if letter.origin is not None and letter.origin_topic == topics.source:
                    times[letter.origin.partition, letter.origin.offset] += 1
    return Origins(times, oldest if any(first > 0 for first, _ in bounds.values()) else None)


def ls(
    settings: Settings, contract: Contract, selection: Selection, limit: int, form: Form, out: TextIO
) -> int:
    """The newest of the selected letters, oldest first, without their bytes. 0.

    Raises KafkaTrouble, NotKnown.
    """
    topics = topics_of(settings, contract)
    access = kafka_access(settings, topics)
    _check(access, topics, selection)
    counted = itertools.count()
    letters = _letters(access, topics.dead_letters, selection)
    newest = heapq.nlargest(limit, (letter for letter, _ in zip(letters, counted, strict=False)), key=_age)
    shown = newest[::-1]
    if form is Form.JSON:
        for letter in shown:
            json_line(_told(letter), out)
        return 0
    headings = ("place", "since", "origin", "attempt", "bytes", "codes")
    rows = [
        (
            letter.place,
            letter.at,
            _origin(letter),
            letter.attempt,
            len(letter.value or b""),
            ",".join(letter.codes) or "(none: not this pipeline's)",
        )
        for letter in shown
    ]
    table(headings, rows, out)
    older = next(counted) - len(shown)
    print(
        f"\n{len(shown)} dead letters" + (f", {older} older ones not shown (--limit)" if older else ""),
        file=out,
    )
    return 0


def _age(letter: Letter) -> tuple[datetime, int, int]:
    at = letter.at or datetime.min.replace(tzinfo=UTC)
    return at, letter.place.partition, letter.place.offset


def _origin(letter: Letter) -> str:
    return "-" if letter.origin is None else f"{letter.origin_topic}:{letter.origin}"


def _told(letter: Letter) -> dict[str, Any]:
    """A letter as JSON, with nothing in it that a person wrote."""
    return {
        "place": str(letter.place),
        "since": moment(letter.at),
        "origin": _origin(letter),
        "attempt": letter.attempt,
        "contract_version": letter.contract_version,
        "codes": letter.codes,
        "violations": [
            {"field": fault.field, "code": fault.code, "message": fault.message} for fault in letter.faults
        ],
        "key_bytes": None if letter.key is None else len(letter.key),
        "value_bytes": None if letter.value is None else len(letter.value),
        "value_sha256": None if letter.value is None else hashlib.sha256(letter.value).hexdigest(),
        "cut": letter.cut,
        "headers": [
            {"name": name, "bytes": None if value is None else len(value)}
            for name, value in letter.own_headers
        ],
    }


def show(
    settings: Settings,
    contract: Contract,
    place: Place,
    value_to: Path | None,
    out: TextIO,
    err: TextIO,
) -> int:
    """All about one letter but its bytes; these, exactly, go to the file `value_to`. 1: there is none.

    Raises KafkaTrouble, NotKnown, and OSError when the file cannot be written or exists.
    """
    topics = topics_of(settings, contract)
    access = kafka_access(settings, topics)
    with TopicReader(access, topics.dead_letters) as reader:
        bounds = reader.bounds()
    check_partitions(str(place), topics.dead_letters, (place.partition,), bounds)
    oldest, end = bounds[place.partition]
    found: list[Letter] = []
    if oldest <= place.offset < end:
        spans = {place.partition: (place.offset, place.offset + 1)}
        found = list(_letters(access, topics.dead_letters, Selection(), spans))
    if not found:
        print(
            f"{topics.dead_letters} has no message at {place}: partition {place.partition} holds "
            f"{oldest} to {end - 1}, with gaps"
            if end > oldest
            else f"{topics.dead_letters} holds nothing in partition {place.partition}",
            file=err,
        )
        return 1
    (letter,) = found
    out.write(orjson.dumps(_told(letter), option=orjson.OPT_INDENT_2).decode() + "\n")
    if value_to is not None:
        # For this user only: it is personal data.
        descriptor = os.open(value_to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(letter.value or b"")
        print(f"value written to {value_to}: personal data, delete it when you are done", file=err)
    return 0


def stats(settings: Settings, contract: Contract, selection: Selection, form: Form, out: TextIO) -> int:
    """The selected letters counted by code, field, attempt, day and partition. 0.

    Raises KafkaTrouble, NotKnown.
    """
    topics = topics_of(settings, contract)
    access = kafka_access(settings, topics)
    _check(access, topics, selection)
    counts: dict[str, Counter[str]] = {
        name: Counter() for name in ("code", "field and code", "attempt", "day", "source partition")
    }
    total = 0
    for letter in _letters(access, topics.dead_letters, selection):
        total += 1
        counts["code"].update(letter.codes or ("(none)",))
        counts["field and code"].update(
            {f"{fault.field or '(message)'}: {fault.code}" for fault in letter.faults}
        )
        counts["attempt"][str(letter.attempt)] += 1
        counts["day"][moment(letter.at)[:10]] += 1
        counts["source partition"]["-" if letter.origin is None else str(letter.origin.partition)] += 1
    if form is Form.JSON:
        json_line({"dead_letters": total, **{f"by {name}": dict(each) for name, each in counts.items()}}, out)
        return 0
    print(f"{total} dead letters in {topics.dead_letters}", file=out)
    for name, each in counts.items():
        ordered = each.most_common() if "code" in name else sorted(each.items())
        print(file=out)
        table((f"by {name}", "letters"), ordered, out)
    return 0


@dataclass(frozen=True, slots=True)
class ReplayOrder:
    """What to replay, where to, and how."""

    selection: Selection
    destination: str | None
    """None: the source topic."""
    max_attempts: int
    rate: int
    """Messages a second at most."""
    preview: bool
    """Say what would be done."""


def replay(
    settings: Settings, contract: Contract, order: ReplayOrder, stop: Stop, form: Form, out: TextIO
) -> int:
    """Produce the selected letters' records again, each once. Raises KafkaTrouble, NotKnown.

    0: all that were selected have been replayed, now or earlier. 1: some were held back, or it was stopped.
    """
    topics = topics_of(settings, contract)
    access = kafka_access(settings, topics)
    _check(access, topics, order.selection)
    destination = order.destination or topics.source
    run = _Run(access, topics, order, destination)
    if order.preview:
        run.markers = (
            read_markers(access, run.marker_topic) if topic_exists(access, run.marker_topic) else set()
        )
    else:
        ensure_marker_topic(access, run.marker_topic)
        run.producer = ReplayProducer(access, access.replay_id, run.marker_topic)
        run.markers = read_markers(access, run.marker_topic)
    run.go(stop)
    run.tell(form, out)
    return int(bool(run.held_back) or run.stopped)


class _Run:
    """One run of `replay`."""

    def __init__(self, access: KafkaAccess, topics: Topics, order: ReplayOrder, destination: str) -> None:
        self._access = access
        self._topics = topics
        self._order = order
        self._destination = destination
        self.marker_topic = topics.replayed
        self.producer: ReplayProducer | None = None
        self.markers: set[bytes] = set()
        self.replayed = 0
        self.done = 0
        self.held_back: Counter[HeldBack] = Counter()
        self.places: dict[HeldBack, list[Place]] = {}
        self.stopped = False

    def go(self, stop: Stop) -> None:
        """Read to the end that the topic has now: what comes back meanwhile is for another run."""
        with TopicReader(self._access, self._topics.dead_letters) as reader:
            topic_id = reader.topic_id()
            bounds = reader.bounds()
        with TopicReader(self._access, self._destination) as reader:
            partitions = frozenset(reader.partitions())
        chunk: list[Outgoing] = []
        size = 0
        most = min(CHUNK, self._order.rate)
        for letter in _letters(self._access, self._topics.dead_letters, self._order.selection, bounds):
            marker = marker_of(letter, topic_id, self._destination)
            match decide_replay(letter, marker, self.markers, self._order.max_attempts):
                case Done():
                    self.done += 1
                case HeldBack() as held:
                    self.held_back[held] += 1
                    self.places.setdefault(held, []).append(letter.place)
                case Replay():
                    chunk.append(self._outgoing(letter, marker, partitions))
                    size += len(letter.value or b"")
            if len(chunk) >= most or size >= CHUNK_BYTES:
                self._send(chunk, stop)
                chunk, size = [], 0
            if stop.is_set():
                self.stopped = True
                return
        if chunk:
            self._send(chunk, stop)

    def _outgoing(self, letter: Letter, marker: bytes, partitions: frozenset[int]) -> Outgoing:
        at = letter.origin.partition if letter.origin is not None else None
        note = orjson.dumps({"codes": letter.codes, "attempt": letter.attempt, "origin": _origin(letter)})
        message = record_of(letter, self._destination)
        return Outgoing(message, at if at in partitions else None, marker, note)

    def _send(self, chunk: list[Outgoing], stop: Stop) -> None:
        if self.producer is not None:
            self.producer.produce(chunk)
            stop.wait(len(chunk) / self._order.rate)
        self.replayed += len(chunk)

    def tell(self, form: Form, out: TextIO) -> None:
        """What was done, or would be."""
        if form is Form.JSON:
            json_line(
                {
                    "destination": self._destination,
                    "dry_run": self._order.preview,
                    "replayed": self.replayed,
                    "replayed_earlier": self.done,
                    "held_back": {held.reason: count for held, count in self.held_back.items()},
                    "stopped": self.stopped,
                },
                out,
            )
            return
        verb = "would be replayed" if self._order.preview else "replayed"
        print(f"{self.replayed:>8}  {verb} to {self._destination}", file=out)
        print(f"{self.done:>8}  replayed there earlier, left alone", file=out)
        for held, count in self.held_back.items():
            places = ", ".join(str(place) for place in self.places[held][:SHOWN_PLACES])
            more = ", ..." if count > SHOWN_PLACES else ""
            print(f"{count:>8}  held back: {held.reason} ({places}{more}); {held.remedy}", file=out)
        if self.stopped:
            print("stopped before the end; the same command goes on where this one ended", file=out)
