"""Every setting, declared once: its name, how to read it, its default and what to tell about it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Any

from connectors.progress import AcceptedLoss, StartPolicy
from dataflow.model import MessageFormat, MessageFraming


class ContactValues(Enum):
    """How contact values leave in the events of the side topic."""

    HMAC = "hmac"
    RAW = "raw"
    OMITTED = "omitted"


class SplitContacts(Enum):
    """Whether contacts are looked for that are split over messages."""

    OFF = "off"
    ON = "on"


class ContactsTable(Enum):
    """Whether contacts are kept in the warehouse, beside the messages."""

    OFF = "off"
    ON = "on"


class RedshiftAuth(Enum):
    """How to log in to the warehouse."""

    PASSWORD = "password"
    IAM = "iam"
    IAM_SERVERLESS = "iam-serverless"


class GroupProtocol(Enum):
    """Kafka's consumer group protocol."""

    CLASSIC = "classic"
    CONSUMER = "consumer"


class SslMode(Enum):
    """How the connection to the warehouse is secured."""

    VERIFY_FULL = "verify-full"
    VERIFY_CA = "verify-ca"
    DISABLE = "disable"


class LogLevel(Enum):
    """The least urgent lines that are logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogForm(Enum):
    """How log lines look."""

    JSON = "json"
    TEXT = "text"


class WrongValue(Exception):
    """A value that its parser refuses; the text says what would be right, and never quotes the value."""


Parser = Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its name in the environment, how to read it, and what to tell about it."""

    name: str
    group: str
    text: str
    parse: Parser
    default: str | None = None
    """As it would be written; None: absent unless given."""
    required: bool = False
    secret: bool = False


def _text(value: str) -> str:
    return value


def _one_of(kind: type[Enum]) -> Parser:
    def parse(value: str) -> Enum:
        for member in kind:
            if member.value == value.lower():
                return member
        raise WrongValue(f"must be one of {', '.join(member.value for member in kind)}")

    return parse


_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}


def _duration(value: str) -> timedelta:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h)", value)
    if not found:
        raise WrongValue("must be a duration such as 500ms, 15s, 30m or 1h")
    seconds = float(found[1]) * _UNITS[found[2]]
    if not 0 < seconds <= 86_400:
        raise WrongValue("must be longer than nothing and at most 24h")
    return timedelta(seconds=seconds)


def _window(value: str) -> timedelta:
    length = _duration(value)
    if length < timedelta(seconds=1) or timedelta(days=1) % length:
        raise WrongValue(
            "must be 1s or longer and divide the day, such as 1h, 30m or 5s: windows keep to the clock"
        )
    return length


_SIZES = {"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


def _size(value: str) -> int:
    found = re.fullmatch(r"(\d+)\s*(B|KiB|MiB|GiB)?", value)
    if not found or int(found[1]) == 0:
        raise WrongValue("must be a size such as 512MiB or 1GiB")
    return int(found[1]) * _SIZES[found[2] or ""]


def _whole(low: int, high: int) -> Parser:
    def parse(value: str) -> int:
        if not re.fullmatch(r"\d{1,10}", value) or not low <= int(value) <= high:
            raise WrongValue(f"must be a whole number from {low} to {high}")
        return int(value)

    return parse


def _region(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z]{2}", value):
        raise WrongValue("must be an ISO 3166 code of two letters, such as US")
    return value.upper()


def _function(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", value):
        raise WrongValue("must be module:function, such as connectors.msk_iam:token")
    return value


def _topic(value: str) -> str:
    if not re.fullmatch(r"[a-zA-Z0-9._-]{1,249}", value):
        raise WrongValue("must be a Kafka topic name: letters, digits, '.', '_' and '-', at most 249")
    return value


def _name(longest: int) -> Parser:
    def parse(value: str) -> str:
        if len(value.encode()) > longest:
            raise WrongValue(f"must be at most {longest} bytes long")
        return value

    return parse


def _losses(value: str) -> tuple[AcceptedLoss, ...]:
    losses: list[AcceptedLoss] = []
    for part in value.split(","):
        found = re.fullmatch(r"\s*(\d{1,9}):(\d{1,18})-(\d{1,18})\s*", part)
        if not found or int(found[2]) >= int(found[3]):
            raise WrongValue(
                "must be partition:first-next, several with commas, as the refusal to start names it"
            )
        losses.append(AcceptedLoss(int(found[1]), int(found[2]), int(found[3])))
    return tuple(losses)


def _registry_url(value: str) -> str:
    for url in value.split(","):
        if not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#@]*)?", url.strip()):
            raise WrongValue(
                "must be http://host:port or https://host:port, several with commas; user and password are "
                "SCHEMA_REGISTRY_USER_INFO"
            )
    return value


def _user_info(value: str) -> str:
    if not re.fullmatch(r"[^:]+:.+", value):
        raise WrongValue("must be user:password")
    return value


def _key(value: str) -> bytes:
    if len(value.strip().encode()) < 16:
        raise WrongValue("must have at least 16 bytes: a shorter key can be guessed")
    return value.encode()


KAFKA, REDSHIFT, CONTACTS, PIPELINE, OPERATION = "Kafka", "Redshift", "Contacts", "Pipeline", "Operation"
ALL_GROUPS = frozenset({KAFKA, REDSHIFT, CONTACTS, PIPELINE, OPERATION})
WAREHOUSE_ONLY = frozenset({REDSHIFT, PIPELINE, OPERATION})
"""What a command needs that talks to nothing but the warehouse."""
KAFKA_ONLY = frozenset({KAFKA, PIPELINE, OPERATION})
"""What a command needs that talks to nothing but Kafka, and makes no contact events."""

SETTINGS: tuple[Setting, ...] = (
    Setting("KAFKA_BOOTSTRAP_SERVERS", KAFKA, "Brokers, host:port with commas.", _text, required=True),
    Setting(
        "KAFKA_TOKEN_PROVIDER",
        KAFKA,
        "module:function that gives OAUTHBEARER tokens, such as connectors.msk_iam:token.",
        _function,
    ),
    Setting("KAFKA_TOPIC", KAFKA, "Topic to read. Default: the contract's.", _topic),
    Setting(
        "KAFKA_CONTACTS_TOPIC", KAFKA, "Side topic of contact events. Default: KAFKA_TOPIC.contacts.", _topic
    ),
    Setting("KAFKA_DEAD_LETTERS_TOPIC", KAFKA, "Dead letters. Default: KAFKA_TOPIC.dead-letters.", _topic),
    Setting("KAFKA_GROUP", KAFKA, "Consumer group. Default: PIPELINE.", _name(249)),
    Setting(
        "KAFKA_GROUP_PROTOCOL",
        KAFKA,
        "classic (cooperative-sticky) or consumer (KIP-848).",
        _one_of(GroupProtocol),
        "classic",
    ),
    Setting(
        "TRANSACTION_TIMEOUT",
        KAFKA,
        "How long a dead process's transaction may hold up readers.",
        _duration,
        "15s",
    ),
    Setting(
        "EVENT_COMMIT_INTERVAL", KAFKA, "How often contacts and dead letters are committed.", _duration, "1s"
    ),
    Setting(
        "MESSAGE_FORMAT",
        KAFKA,
        "json, protobuf, or auto: each message is looked at.",
        _one_of(MessageFormat),
        "auto",
    ),
    Setting(
        "MESSAGE_FRAMING",
        KAFKA,
        "Confluent's schema ids: none, confluent (each message has one) or auto.",
        _one_of(MessageFraming),
        "auto",
    ),
    Setting(
        "SCHEMA_REGISTRY_URL",
        KAFKA,
        "Schema registry to ask for schemas. Default: none, frames are taken off.",
        _registry_url,
    ),
    Setting("SCHEMA_REGISTRY_USER_INFO", KAFKA, "Its user:password.", _user_info, secret=True),
    Setting("SCHEMA_REGISTRY_CA", KAFKA, "File with its certificate authority, PEM.", Path),
    Setting("SCHEMA_REGISTRY_TIMEOUT", KAFKA, "For one question to it.", _duration, "5s"),
    Setting("REDSHIFT_HOST", REDSHIFT, "Host of the cluster or workgroup.", _text, required=True),
    Setting("REDSHIFT_PORT", REDSHIFT, "Port.", _whole(1, 65_535), "5439"),
    Setting("REDSHIFT_DATABASE", REDSHIFT, "Database.", _text, required=True),
    Setting(
        "REDSHIFT_AUTH",
        REDSHIFT,
        "password, iam (provisioned) or iam-serverless.",
        _one_of(RedshiftAuth),
        "password",
    ),
    Setting("REDSHIFT_USER", REDSHIFT, "User, for password and iam.", _text),
    Setting("REDSHIFT_PASSWORD", REDSHIFT, "Password, for password.", _text, secret=True),
    Setting("REDSHIFT_CLUSTER", REDSHIFT, "Cluster identifier, for iam.", _text),
    Setting("REDSHIFT_WORKGROUP", REDSHIFT, "Workgroup, for iam-serverless.", _text),
    Setting("REDSHIFT_REGION", REDSHIFT, "AWS region, for iam and iam-serverless.", _text),
    Setting("REDSHIFT_PROFILE", REDSHIFT, "AWS profile, for iam and iam-serverless.", _text),
    Setting(
        "REDSHIFT_SSLMODE",
        REDSHIFT,
        "verify-full, verify-ca, or disable for a tunnel or a test.",
        _one_of(SslMode),
        "verify-full",
    ),
    Setting(
        "REDSHIFT_CA_FILE",
        REDSHIFT,
        "Certificates to trust besides Amazon's, PEM. Default: the system's.",
        Path,
    ),
    Setting("REDSHIFT_CONNECT_TIMEOUT", REDSHIFT, "For each step of connecting.", _duration, "10s"),
    Setting("REDSHIFT_STATEMENT_TIMEOUT", REDSHIFT, "For one statement.", _duration, "10m"),
    Setting(
        "CONTACT_VALUES",
        CONTACTS,
        "hmac (hash and mask), raw (the value too) or omitted.",
        _one_of(ContactValues),
        "hmac",
    ),
    Setting(
        "CONTACT_HMAC_KEY",
        CONTACTS,
        "Key of the hash, at least 16 bytes. Needed unless omitted.",
        _key,
        secret=True,
    ),
    Setting("CONTACT_HMAC_KEY_ID", CONTACTS, "Name of the key, told in every event.", _name(64), "1"),
    Setting("DEFAULT_REGION", CONTACTS, "Country in which national phone numbers are read.", _region, "US"),
    Setting(
        "SPLIT_CONTACTS",
        CONTACTS,
        "on: also join a contact from a pair's last messages.",
        _one_of(SplitContacts),
        "off",
    ),
    Setting(
        "CONTACTS_TABLE",
        CONTACTS,
        "on: contacts also go to the contract's table of contacts, with their messages' rows.",
        _one_of(ContactsTable),
        "off",
    ),
    Setting("CONTRACT", PIPELINE, "Contract file. Default: the messages contract of the package.", Path),
    Setting("PIPELINE", PIPELINE, "Name of this pipeline in the ledger.", _name(128), "messages"),
    Setting(
        "SOURCE_ID",
        PIPELINE,
        "Name of the source in the rows' metafields. Default: the topic.",
        _name(256),
    ),
    Setting("WINDOW", PIPELINE, "Length of a window: how often rows are committed.", _window, "1h"),
    Setting(
        "START",
        PIPELINE,
        "earliest or latest, for a partition without any progress.",
        _one_of(StartPolicy),
        "earliest",
    ),
    Setting(
        "ACCEPT_LOSS", PIPELINE, "Lost offsets to go on without: partition:first-next, at most.", _losses
    ),
    Setting("ACCEPT_GROUP", PIPELINE, "Consumer group whose place in the ledger to take.", _name(249)),
    Setting("ACCEPT_PIPELINE", PIPELINE, "New pipeline to begin beside others of its topic.", _name(128)),
    Setting("SPOOL_DIR", PIPELINE, "Where rows wait that outgrow memory. Default: the system's.", Path),
    Setting(
        "SPOOL_LIMIT",
        PIPELINE,
        "Bytes that may wait; then windows are committed early or the source pauses.",
        _size,
        "1GiB",
    ),
    Setting("DRAIN_TIMEOUT", PIPELINE, "How long a stopping process may still commit rows.", _duration, "8s"),
    Setting("METRICS_HOST", OPERATION, "Address of /metrics, /livez and /readyz.", _text, "0.0.0.0"),
    Setting(
        "EXIT_LINGER",
        OPERATION,
        "How long /metrics outlives a broken promise, unless scraped before.",
        _duration,
        "20s",
    ),
    Setting("METRICS_PORT", OPERATION, "Port of the same; 0 takes a free one.", _whole(0, 65_535), "9108"),
    Setting(
        "LOG_LEVEL",
        OPERATION,
        "debug, info, warning or error.",
        _one_of(LogLevel),
        "info",
    ),
    Setting("LOG_FORMAT", OPERATION, "json (a line an event) or text.", _one_of(LogForm), "json"),
)
KNOWN = {setting.name: setting for setting in SETTINGS}
_OF_TOPICS = ("KAFKA_TOPIC", "KAFKA_CONTACTS_TOPIC", "KAFKA_DEAD_LETTERS_TOPIC", "KAFKA_GROUP", "PIPELINE")
ACL_SETTINGS = frozenset(
    {"KAFKA_BOOTSTRAP_SERVERS", "KAFKA_TOKEN_PROVIDER", *_OF_TOPICS, "CONTRACT", "CONTACTS_TABLE"}
)
"""What `acls` looks at."""
GRANT_SETTINGS = frozenset(
    {*(each.name for each in SETTINGS if each.group == REDSHIFT), "CONTACTS_TABLE", "CONTRACT"}
)
"""What `grants` looks at."""
