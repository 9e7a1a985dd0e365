"""A contract day of traffic from a seed, every message with the outcome that the contract demands.

Text and voice messages of many users, status updates (the same message with another `updated_at`, sometimes
out of order), exact duplicates, planted contacts, texts that only look like one, and each way of breaking the
contract. What is expected is derived from how a message was made, never from the program's own rules.
"""

from __future__ import annotations

import random
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

import orjson
from confluent_kafka import KafkaError, Message, Producer

from tests.contents import instant, row_digest
from tests.standins import traffic_faults, traffic_protobuf
from tests.standins.traffic_faults import BrokenFields, BrokenValues, oversized
from tests.standins.traffic_texts import (
    PlantedContact,
    caption,
    gives_a_handle,
    gives_a_phone,
    looks_like_a_contact,
    small_talk,
)

PARTITIONS = 4
USERS_PER_MESSAGE = 0.1

BROKEN_SHARE = 0.02
DUPLICATE_SHARE = 0.02
UPDATE_SHARE = 0.15
"""Shares of all messages; the rest is new."""
VOICE_SHARE = 0.1
PHONE_SHARE = 0.02
HANDLE_SHARE = 0.02
HARD_NEGATIVE_SHARE = 0.06
ODD_SHARE = 0.01
"""Shares of the new messages. Odd: kept, with a warning."""
UNKNOWN_FIELD_SHARE = 0.005
TOLD_EVERY = 250
RECENT = 2000
"""New messages of which a duplicate or an update may still come."""

_STATUSES = ("unread", "opened", "archived")
_HALF_A_VOICE = "voice_pair_incomplete"
_TOO_EARLY = "updated_before_created"
_ODD_UPDATES = {_TOO_EARLY: timedelta(minutes=-5), "timestamp_in_future": timedelta(days=365_000)}
"""Warnings by how far from its creation the update of such a message lies."""


class Form(Enum):
    """What the messages are written in."""

    JSON = "json"
    PROTOBUF = "protobuf"
    MIXED = "mixed"
    """Each message in either."""


@dataclass(frozen=True, slots=True)
class _Writing:
    """How to write a message in a format, and how to break it."""

    encode: Callable[[Mapping[str, Any]], bytes]
    broken_fields: BrokenFields
    broken_values: BrokenValues


_WRITINGS = {
    Form.JSON: _Writing(orjson.dumps, traffic_faults.BROKEN_FIELDS, traffic_faults.BROKEN_VALUES),
    Form.PROTOBUF: _Writing(
        traffic_protobuf.encode, traffic_protobuf.BROKEN_FIELDS, traffic_protobuf.BROKEN_VALUES
    ),
}


@dataclass(frozen=True, slots=True)
class Identity:
    """What makes two messages versions of one row; the instant as the warehouse tells it."""

    user_id: str
    subject_id: str
    created_at: str


@dataclass(frozen=True, slots=True)
class RowOutcome:
    """The message is a version of a row."""

    identity: Identity
    updated_at: str
    status: str
    contacts: tuple[PlantedContact, ...]
    warnings: tuple[str, ...]
    content: str = ""
    """Digest of the row that it makes, see `tests.contents.row_digest`."""


@dataclass(frozen=True, slots=True)
class DeadLetterOutcome:
    """The message breaks the contract in these ways."""

    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Planned:
    """One message, in the order in which its partition gets them."""

    partition: int
    key: bytes
    value: bytes | None
    outcome: RowOutcome | DeadLetterOutcome


@dataclass(frozen=True, slots=True)
class Expected:
    """What must be found at the end, counted from the outcomes."""

    rows: Mapping[Identity, RowOutcome]
    """The version that wins: the latest `updated_at`, on a tie the later message."""
    versions: int
    """Messages that keep the contract."""
    contacts: Counter[tuple[str, str | None]]
    """Contacts by kind and platform, one for every version that gives one away."""
    dead_letters: Counter[str]
    """Violations by code."""
    dead_letter_messages: int
    warnings: Counter[str]

    @property
    def superseded(self) -> int:
        """Versions, exact duplicates among them, that are not a row in the end."""
        return self.versions - len(self.rows)


@dataclass(frozen=True, slots=True)
class Traffic:
    """Everything that is produced."""

    messages: tuple[Planned, ...]

    def ends(self) -> dict[int, int]:
        """How many messages each partition gets."""
        return dict(Counter(message.partition for message in self.messages))

    def expected(self) -> Expected:
        """What must come of it in a topic that was empty before."""
        rows: dict[Identity, RowOutcome] = {}
        contacts: Counter[tuple[str, str | None]] = Counter()
        codes: Counter[str] = Counter()
        warnings: Counter[str] = Counter()
        broken = 0
        for message in self.messages:
            outcome = message.outcome
            if isinstance(outcome, DeadLetterOutcome):
                broken += 1
                codes.update(outcome.codes)
                continue
            contacts.update((contact.kind, contact.platform) for contact in outcome.contacts)
            warnings.update(outcome.warnings)
            stored = rows.get(outcome.identity)
            if stored is None or outcome.updated_at >= stored.updated_at:
                rows[outcome.identity] = outcome
        return Expected(rows, len(self.messages) - broken, contacts, codes, broken, warnings)


def generate(messages: int, seed: int, day: datetime, form: Form = Form.JSON) -> Traffic:
    """So many messages of the day that begins at `day` (aware, UTC). Same arguments, same messages."""
    return Traffic(tuple(_Day(messages, seed, day, form).messages()))


@dataclass(frozen=True, slots=True)
class _Draft:
    """A message's fields and what to expect of them."""

    fields: Mapping[str, Any]
    outcome: RowOutcome


class _Day:
    def __init__(self, messages: int, seed: int, day: datetime, form: Form) -> None:
        self._dice = random.Random(seed)
        self._form = form
        # Dice of its own: what the messages say does not hang on what they are written in.
        self._coin = random.Random(seed)
        self._count = messages
        self._day = day
        self._users = max(2, int(messages * USERS_PER_MESSAGE))
        self._recent: list[_Draft] = []
        self._broken: Counter[Form] = Counter()

    def messages(self) -> Iterator[Planned]:
        for number in range(self._count):
            at = self._day + timedelta(days=1) * number / self._count
            luck = self._dice.random()
            if luck < BROKEN_SHARE:
                yield self._break(self._new(number, at))
                continue
            luck -= BROKEN_SHARE
            if self._recent and luck < DUPLICATE_SHARE:
                draft = self._dice.choice(self._recent)
            elif self._recent and luck < DUPLICATE_SHARE + UPDATE_SHARE:
                draft = self._update(self._dice.choice(self._recent), at)
            else:
                draft = self._new(number, at)
                self._recent = [*self._recent[-RECENT + 1 :], draft] if number % 8 == 0 else self._recent
            yield _planned(draft, draft.outcome, self._writing())

    def _new(self, number: int, at: datetime) -> _Draft:
        dice = self._dice
        user, subject = dice.sample(range(self._users), 2)
        # Half of the producers send numbers, and the number makes each instant one of its own.
        created = at + timedelta(microseconds=number % 1000)
        fields: dict[str, Any] = {
            "user_id": 100_000 + user if user % 2 else f"u-{user}",
            "subject_id": 100_000 + subject if subject % 2 else f"u-{subject}",
            "status": "unread",
            "created_at": _rfc(created, dice.choice(("Z", "+00:00"))),
            "updated_at": _rfc(created, "Z"),
        }
        contacts: tuple[PlantedContact, ...] = ()
        kind = dice.random()
        if kind < VOICE_SHARE:
            fields |= {"cloudinary_url": f"https://cdn.example.com/{number:08x}.ogg", "length_seconds": 30}
            if dice.random() < 0.3:
                fields["message_text"] = caption(dice)
        elif kind < VOICE_SHARE + PHONE_SHARE + HANDLE_SHARE:
            give = gives_a_phone if kind < VOICE_SHARE + PHONE_SHARE else gives_a_handle
            text = give(dice)
            fields["message_text"], contacts = text.text, text.contacts
        elif kind < VOICE_SHARE + PHONE_SHARE + HANDLE_SHARE + HARD_NEGATIVE_SHARE:
            fields["message_text"] = looks_like_a_contact(dice)
        else:
            fields["message_text"] = small_talk(dice)
        identity = Identity(str(fields["user_id"]), str(fields["subject_id"]), instant(created))
        outcome = RowOutcome(identity, instant(created), "unread", contacts, ())
        draft = _Draft(fields, outcome)
        if dice.random() < ODD_SHARE:
            draft = self._odd(draft, created)
        if dice.random() < UNKNOWN_FIELD_SHARE:
            draft = replace(draft, fields={**draft.fields, "client_version": "7.1"})
        return draft

    def _odd(self, draft: _Draft, created: datetime) -> _Draft:
        """Kept, but warned of."""
        warning = self._dice.choice((_HALF_A_VOICE, *_ODD_UPDATES))
        if warning == _HALF_A_VOICE:
            half = {} if "length_seconds" in draft.fields else {"length_seconds": 12}
            whole = {name: value for name, value in draft.fields.items() if name != "length_seconds"}
            return _Draft({**whole, **half}, replace(draft.outcome, warnings=(warning,)))
        updated = created + _ODD_UPDATES[warning]
        return _Draft(
            {**draft.fields, "updated_at": _rfc(updated, "Z")},
            replace(draft.outcome, updated_at=instant(updated), warnings=(warning,)),
        )

    def _update(self, draft: _Draft, at: datetime) -> _Draft:
        """The same message, later; one in five was overtaken by a later one and comes after it."""
        dice = self._dice
        updated = at + timedelta(seconds=dice.randrange(1, 60))
        if dice.random() < 0.2:
            updated -= timedelta(minutes=dice.randrange(1, 30))
        status = dice.choice(_STATUSES)
        fields = {**draft.fields, "status": status, "updated_at": _rfc(updated, "Z")}
        warnings = tuple(code for code in draft.outcome.warnings if code not in _ODD_UPDATES)
        if instant(updated) < draft.outcome.identity.created_at:
            warnings = (*warnings, _TOO_EARLY)
        return _Draft(
            fields,
            replace(draft.outcome, updated_at=instant(updated), status=status, warnings=warnings),
        )

    def _break(self, draft: _Draft) -> Planned:
        """Each way of breaking the contract in turn; after the first round, once, by size."""
        form = self._chosen()
        writing = _WRITINGS[form]
        fields_broken = len(writing.broken_fields)
        ways = fields_broken + len(writing.broken_values)
        turn = self._broken[form] % ways
        self._broken[form] += 1
        if self._broken[form] == ways + 1:
            planned = _planned(draft, DeadLetterOutcome(("too_large",)), writing)
            return replace(planned, value=oversized(planned.value or b""))
        if turn < fields_broken:
            change, codes = writing.broken_fields[turn]
            fields = {name: value for name, value in {**draft.fields, **change}.items() if value is not ...}
            return _planned(replace(draft, fields=fields), DeadLetterOutcome(codes), writing)
        made, codes = writing.broken_values[turn - fields_broken]
        planned = _planned(draft, DeadLetterOutcome(codes), writing)
        return replace(planned, value=made(planned.value or b""))

    def _chosen(self) -> Form:
        if self._form is not Form.MIXED:
            return self._form
        return Form.PROTOBUF if self._coin.random() < 0.5 else Form.JSON

    def _writing(self) -> _Writing:
        return _WRITINGS[self._chosen()]


def _planned(draft: _Draft, outcome: RowOutcome | DeadLetterOutcome, writing: _Writing) -> Planned:
    key = draft.outcome.identity.user_id.encode()
    if isinstance(outcome, RowOutcome):
        outcome = replace(outcome, content=_content(draft.fields, outcome))
    return Planned(zlib.crc32(key) % PARTITIONS, key, writing.encode(draft.fields), outcome)


def _content(fields: Mapping[str, Any], outcome: RowOutcome) -> str:
    identity = outcome.identity
    ids = {"user_id": identity.user_id, "subject_id": identity.subject_id}
    return row_digest({**fields, **ids, "created_at": identity.created_at, "updated_at": outcome.updated_at})


def _rfc(moment: datetime, zone: str) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f") + zone


def produce(traffic: Traffic, bootstrap: str, topic: str, told: Callable[[int], None]) -> None:
    """Produce everything, in order; `told` hears now and then how many messages were handed over.

    Raises RuntimeError when the broker has not taken all.
    """
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "linger.ms": 20,
            "compression.type": "zstd",
            "acks": "all",
            # One message is larger than what producers may send by default.
            "message.max.bytes": 4_000_000,
            # Unlimited: everything may be handed over before a slow broker takes the first.
            "queue.buffering.max.messages": 0,
            "log_level": 0,
        }
    )
    refused: list[str] = []

    def on_delivery(error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            refused.append(error.name())

    for number, message in enumerate(traffic.messages, start=1):
        producer.produce(
            topic, message.value, message.key, partition=message.partition, on_delivery=on_delivery
        )
        if number % TOLD_EVERY == 0:
            producer.poll(0)
            told(number)
    unsent = producer.flush(60)
    told(len(traffic.messages))
    if unsent or refused:
        raise RuntimeError(f"the broker did not take {unsent + len(refused)} messages: {set(refused)}")
