"""Values to messages: contacts as CloudEvents, broken records as dead letters."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field

import orjson

from connectors.items import Batch, OutgoingMessage, arrival_of
from dataflow.contract import Contract
from dataflow.enrich import Enricher
from dataflow.model import Contact, DeadLetter, Sighting

MIN_KEY_BYTES = 16
"""Shortest HMAC key that is accepted."""

Header = tuple[str, bytes | None]


@dataclass(frozen=True, slots=True)
class Hashed:
    """A contact's value leaves as an HMAC and a masked form: who knows it can find it, nobody can read it.

    Raises ValueError when the key has fewer than `MIN_KEY_BYTES` bytes: a short one can be guessed.
    """

    key: bytes = field(repr=False)
    key_id: str
    """Name of the key, so that consumers can tell values under an old key from those under a new one."""

    def __post_init__(self) -> None:
        """Refuse a short key."""
        _check_key(self.key)


@dataclass(frozen=True, slots=True)
class Omitted:
    """Nothing that derives from a contact's value leaves."""


@dataclass(frozen=True, slots=True)
class Raw:
    """A contact's value leaves as it is, beside its HMAC and masked form. For an operator who has chosen so.

    Raises ValueError when the key has fewer than `MIN_KEY_BYTES` bytes.
    """

    key: bytes = field(repr=False)
    key_id: str

    def __post_init__(self) -> None:
        """Refuse a short key."""
        _check_key(self.key)


ContactValues = Hashed | Omitted | Raw
"""How a contact's value leaves."""


def _check_key(key: bytes) -> None:
    if len(key) < MIN_KEY_BYTES:
        raise ValueError(f"an HMAC key needs at least {MIN_KEY_BYTES} bytes; this one has {len(key)}")


def masked(value: str) -> str:
    """A value with its middle starred out: at most two characters shown at each end, and no more than half.

    >>> masked("+14155550164")
    '+14*******64'
    """
    plus, body = ("+", value[1:]) if value.startswith("+") else ("", value)
    shown = min(2, len(body) // 4)
    hidden = "*" * (len(body) - 2 * shown)
    return f"{plus}{body[:shown]}{hidden}{body[len(body) - shown :]}"


class ContactEncoder:
    """Contacts as CloudEvents 1.0 in Kafka's binary mode: attributes in `ce_*` headers, data as JSON value.

    The event's id is a pure function of the message's identity, the contact's kind and span, and the
    detector's major version: consumers can dedupe by it for ever. The data, with the contract's own field
    names for the message's identity:

    `{"kind", "platform", "rule", "span": [start, end], <identity fields>, "origin": {"topic", "partition",
    "offset"}, "value_hmac", "key_id", "masked", "value"}`

    `value_hmac` (HMAC-SHA256, hex), `key_id` and `masked` are there unless values are `Omitted`; `value` only
    when they are `Raw`. The span is in code points, half open.
    """

    def __init__(self, contract: Contract, topic: str, values: ContactValues, detector_version: int) -> None:
        """Events go to `topic`; `detector_version` is the detector's major version.

        Raises KeyError when the contract has no contact events.
        """
        self._topic = topic
        self._values = values
        self._version = detector_version
        self._message_id = Enricher(contract).message_id
        self._identity = tuple((name, contract.position(name)) for name in contract.identity)
        self._key = contract.position(contract.event_key)
        self._time = contract.position(contract.event_time)
        self._type = f"{contract.table.qualified}.contact.v1"

    def encode(self, sighting: Sighting, batch: Batch) -> OutgoingMessage:
        """The event of one contact, keyed by the contract's event key."""
        row, contact = sighting.row, sighting.contact
        values = row.values
        message_id = self._message_id(values)
        time = str(values[self._time]).removesuffix("+00").replace(" ", "T") + "Z"
        data: dict[str, object] = {
            "kind": contact.kind,
            "platform": contact.platform,
            "rule": contact.rule,
            "span": [contact.start, contact.end],
            **{name: values[at] for name, at in self._identity},
            "origin": {"topic": batch.topic, "partition": batch.partition, "offset": row.offset},
            **self._value(contact),
        }
        headers: tuple[Header, ...] = (
            ("ce_specversion", b"1.0"),
            ("ce_id", event_id(message_id, contact, self._version).encode()),
            ("ce_source", f"/topics/{batch.topic}".encode()),
            ("ce_type", self._type.encode()),
            ("ce_subject", message_id.encode()),
            ("ce_time", time.encode()),
            ("content-type", b"application/json"),
        )
        key = str(values[self._key]).encode()
        arrived_at = batch.arrival(row.offset)
        return OutgoingMessage(self._topic, key, orjson.dumps(data), headers, row.offset, arrived_at)

    def _value(self, contact: Contact) -> dict[str, object]:
        told = hidden(contact, self._values)
        if told is None:
            return {}
        fields: dict[str, object] = {"value_hmac": told.hmac, "key_id": told.key_id, "masked": told.masked}
        return {**fields, "value": contact.value} if isinstance(self._values, Raw) else fields


def event_id(message_id: str, contact: Contact, detector_version: int) -> str:
    """32 hex digits that name a contact's event, see `ContactEncoder`."""
    parts = [message_id, contact.kind, contact.start, contact.end, detector_version]
    return hashlib.blake2b(orjson.dumps(parts), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class Hidden:
    """A contact's value as it may leave: told apart from others, not read."""

    hmac: str
    """HMAC-SHA256, hex."""
    key_id: str
    masked: str


def hidden(contact: Contact, values: ContactValues) -> Hidden | None:
    """What may be told of a contact's value; None when nothing may."""
    if isinstance(values, Omitted):
        return None
    digest = hmac.new(values.key, contact.value.encode(), hashlib.sha256).hexdigest()
    return Hidden(digest, values.key_id, masked(contact.value))


ATTEMPT = "dead_letter.attempt"
CODES = "dead_letter.codes"
VIOLATIONS = "dead_letter.violations"
CONTRACT_VERSION = "dead_letter.contract_version"
TIMESTAMP = "dead_letter.timestamp"
CUT = "dead_letter.cut"
LARGEST_DEAD_LETTER = 1_000_000
"""Bytes that Kafka's clients and brokers take in their defaults (librdkafka's `message.max.bytes`; a
broker's is 1,048,588). A record that just fitted its topic no longer fits with the reasons added: refused, it
would be read and refused again for ever."""
_FRAMING = 100
"""Bytes of a message beside key, value and headers, generously."""
_HEADER_FRAMING = 10
_CONNECT = "__connect.errors."
_DECODE = ("VALUE_CONVERTER", "dataflow.decode")
"""Kafka Connect's name of the stage, and our module."""
_VALIDATE = ("TRANSFORMATION", "dataflow.validate")
ORIGIN_TOPIC, ORIGIN_PARTITION, ORIGIN_OFFSET = (
    f"{_CONNECT}{name}" for name in ("topic", "partition", "offset")
)
OURS = frozenset(
    {
        *(ATTEMPT, CODES, VIOLATIONS, CONTRACT_VERSION, TIMESTAMP, CUT),
        *(ORIGIN_TOPIC, ORIGIN_PARTITION, ORIGIN_OFFSET),
        *(f"{_CONNECT}{name}" for name in ("stage", "class.name")),
        *(f"{_CONNECT}exception.{name}" for name in ("class.name", "message")),
    }
)
"""Headers of a dead letter that are not the record's own."""


@dataclass(frozen=True, slots=True)
class DeadLetterEncoder:
    """Dead letters for one topic under one version of the contract."""

    topic: str
    contract_version: str

    def encode(self, letter: DeadLetter, batch: Batch) -> OutgoingMessage:
        """The dead letter of one record of `batch`."""
        return encode_dead_letter(letter, self.topic, batch.topic, batch.partition, self.contract_version)


def encode_dead_letter(
    letter: DeadLetter, topic: str, origin_topic: str, partition: int, contract_version: str
) -> OutgoingMessage:
    """A record that breaks the contract, key, value and headers byte-exact, with the reasons in more headers.

    `dead_letter.codes` (all, separated by commas), `dead_letter.violations` (JSON: field, code, message),
    `dead_letter.contract_version`, `dead_letter.attempt` (1, or one more than the record already bears),
    `dead_letter.timestamp` (the record's, milliseconds since the epoch, if it has one), and the
    `__connect.errors.*` names of Kafka Connect. A record that was replayed and fails again bears each of
    these once, with its latest origin.

    Beyond `LARGEST_DEAD_LETTER` bytes what does not fit is left out, value first, then the record's own
    headers, then key, and `dead_letter.cut` tells what was (JSON: `value_bytes` and `value_sha256`,
    `headers`, `key_bytes`, as they were). The whole record is at its origin for as long as the source topic
    keeps it.
    """
    record = letter.record
    carried = record.headers() or []
    attempt = 1 + max((_attempt(value) for name, value in carried if name == ATTEMPT), default=0)
    codes = list(dict.fromkeys(violation.code for violation in letter.violations))
    # What concerns no single field was found before there were fields.
    stage, module = _VALIDATE if all(each.field for each in letter.violations) else _DECODE
    violations = [
        {"field": violation.field, "code": violation.code, "message": violation.message}
        for violation in letter.violations
    ]
    summary = "; ".join(f"{each['field'] or 'message'}: {each['code']}" for each in violations)
    added = {
        CODES: ",".join(codes),
        VIOLATIONS: orjson.dumps(violations).decode(),
        CONTRACT_VERSION: contract_version,
        ATTEMPT: str(attempt),
        ORIGIN_TOPIC: origin_topic,
        ORIGIN_PARTITION: str(partition),
        ORIGIN_OFFSET: str(record.offset()),
        f"{_CONNECT}stage": stage,
        f"{_CONNECT}class.name": module,
        f"{_CONNECT}exception.class.name": "ContractViolation",
        f"{_CONNECT}exception.message": summary,
    }
    kind, milliseconds = record.timestamp()
    if kind:
        added[TIMESTAMP] = str(milliseconds)
    own = [(name, value) for name, value in carried if name not in OURS]
    ours: list[Header] = [(name, value.encode()) for name, value in added.items()]
    key, value = record.key(), record.value()
    excess = _size(key, value, own + ours) - LARGEST_DEAD_LETTER
    if excess > 0:
        key, value, own, cut = _cut(key, value, own, excess + LARGEST_CUT)
        ours.append((CUT, orjson.dumps(cut)))
    return OutgoingMessage(topic, key, value, (*own, *ours), record.offset(), arrival_of(record))


LARGEST_CUT = 256
"""Bytes that the header `dead_letter.cut` may take, its name included."""


def _size(key: bytes | None, value: bytes | None, headers: Sequence[Header]) -> int:
    framed = sum(len(name.encode()) + len(told or b"") + _HEADER_FRAMING for name, told in headers)
    return _FRAMING + len(key or b"") + len(value or b"") + framed


def _cut(
    key: bytes | None, value: bytes | None, own: list[Header], excess: int
) -> tuple[bytes | None, bytes | None, list[Header], dict[str, object]]:
    """Key, value and headers made `excess` bytes shorter, and what was cut of them."""
    cut: dict[str, object] = {}
    if value:
        cut |= {"value_bytes": len(value), "value_sha256": hashlib.sha256(value).hexdigest()}
        value, excess = value[: max(0, len(value) - excess)], excess - len(value)
    if excess > 0 and own:
        cut["headers"] = len(own)
        excess -= _size(None, None, own)
        own = []
    if excess > 0 and key:
        cut["key_bytes"] = len(key)
        key = key[: max(0, len(key) - excess)]
    return key, value, own, cut


def _attempt(value: bytes | None) -> int:
    """The attempt that a header tells of; 0 when it is no number of at most nine digits."""
    return int(value) if value is not None and value.isdigit() and len(value) <= 9 else 0
