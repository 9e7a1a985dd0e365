"""Every setting, declared once: its name, how to read it, its default and what to tell about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from connectors.progress import StartPolicy
from dataflow.model import MessageFormat, MessageFraming
from dataflow.settings_values import (
    Parser,
    aws_region,
    country,
    duration,
    endpoint,
    function,
    losses,
    name_of,
    one_of,
    registry_url,
    role,
    secret_key,
    segment,
    size,
    staging,
    text,
    topic,
    user_info,
    whole,
    window,
)


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


KAFKA, REDSHIFT, CONTACTS, PIPELINE, OPERATION = "Kafka", "Redshift", "Contacts", "Pipeline", "Operation"
ALL_GROUPS = frozenset({KAFKA, REDSHIFT, CONTACTS, PIPELINE, OPERATION})
WAREHOUSE_ONLY = frozenset({REDSHIFT, PIPELINE, OPERATION})
"""What a command needs that talks to nothing but the warehouse."""
KAFKA_ONLY = frozenset({KAFKA, PIPELINE, OPERATION})
"""What a command needs that talks to nothing but Kafka, and makes no contact events."""

SETTINGS: tuple[Setting, ...] = (
    Setting("KAFKA_BOOTSTRAP_SERVERS", KAFKA, "Brokers, host:port with commas.", text, required=True),
    Setting(
        "KAFKA_TOKEN_PROVIDER",
        KAFKA,
        "module:function that gives OAUTHBEARER tokens, such as connectors.msk_iam:token.",
        function,
    ),
    Setting("KAFKA_TOPIC", KAFKA, "Topic to read. Default: the contract's.", topic),
    Setting(
        "KAFKA_CONTACTS_TOPIC", KAFKA, "Side topic of contact events. Default: KAFKA_TOPIC.contacts.", topic
    ),
    Setting("KAFKA_DEAD_LETTERS_TOPIC", KAFKA, "Dead letters. Default: KAFKA_TOPIC.dead-letters.", topic),
    Setting("KAFKA_GROUP", KAFKA, "Consumer group. Default: PIPELINE.", name_of(249)),
    Setting(
        "KAFKA_GROUP_PROTOCOL",
        KAFKA,
        "classic (cooperative-sticky) or consumer (KIP-848).",
        one_of(GroupProtocol),
        "classic",
    ),
    Setting(
        "TRANSACTION_TIMEOUT",
        KAFKA,
        "How long a dead process's transaction may hold up readers.",
        duration,
        "15s",
    ),
    Setting(
        "EVENT_COMMIT_INTERVAL", KAFKA, "How often contacts and dead letters are committed.", duration, "1s"
    ),
    Setting(
        "MESSAGE_FORMAT",
        KAFKA,
        "json, protobuf, or auto: each message is looked at.",
        one_of(MessageFormat),
        "auto",
    ),
    Setting(
        "MESSAGE_FRAMING",
        KAFKA,
        "Confluent's schema ids: none, confluent (each message has one) or auto.",
        one_of(MessageFraming),
        "auto",
    ),
    Setting(
        "SCHEMA_REGISTRY_URL",
        KAFKA,
        "Schema registry to ask for schemas. Default: none, frames are taken off.",
        registry_url,
    ),
    Setting("SCHEMA_REGISTRY_USER_INFO", KAFKA, "Its user:password.", user_info, secret=True),
    Setting("SCHEMA_REGISTRY_CA", KAFKA, "File with its certificate authority, PEM.", Path),
    Setting("SCHEMA_REGISTRY_TIMEOUT", KAFKA, "For one question to it.", duration, "5s"),
    Setting("REDSHIFT_HOST", REDSHIFT, "Host of the cluster or workgroup.", text, required=True),
    Setting("REDSHIFT_PORT", REDSHIFT, "Port.", whole(1, 65_535), "5439"),
    Setting("REDSHIFT_DATABASE", REDSHIFT, "Database.", text, required=True),
    Setting(
        "REDSHIFT_AUTH",
        REDSHIFT,
        "password, iam (provisioned) or iam-serverless.",
        one_of(RedshiftAuth),
        "password",
    ),
    Setting("REDSHIFT_USER", REDSHIFT, "User, for password and iam.", text),
    Setting("REDSHIFT_PASSWORD", REDSHIFT, "Password, for password.", text, secret=True),
    Setting("REDSHIFT_CLUSTER", REDSHIFT, "Cluster identifier, for iam.", text),
    Setting("REDSHIFT_WORKGROUP", REDSHIFT, "Workgroup, for iam-serverless.", text),
    Setting("REDSHIFT_REGION", REDSHIFT, "AWS region, for iam and iam-serverless.", text),
    Setting("REDSHIFT_PROFILE", REDSHIFT, "AWS profile, for iam and iam-serverless.", text),
    Setting(
        "REDSHIFT_SSLMODE",
        REDSHIFT,
        "verify-full, verify-ca, or disable for a tunnel or a test.",
        one_of(SslMode),
        "verify-full",
    ),
    Setting(
        "REDSHIFT_CA_FILE",
        REDSHIFT,
        "Certificates to trust besides Amazon's, PEM. Default: the system's.",
        Path,
    ),
    Setting("REDSHIFT_CONNECT_TIMEOUT", REDSHIFT, "For each step of connecting.", duration, "10s"),
    Setting("REDSHIFT_STATEMENT_TIMEOUT", REDSHIFT, "For one statement.", duration, "10m"),
    Setting(
        "STAGING",
        REDSHIFT,
        "How rows get there: insert, or s3://bucket/prefix to COPY from (docs/s3-staging.md).",
        staging,
        "insert",
    ),
    Setting(
        "STAGING_ROLE",
        REDSHIFT,
        "Role that COPY reads the bucket in: default (the warehouse's), an ARN, or own (our credentials).",
        role,
        "default",
    ),
    Setting(
        "STAGING_SEGMENT",
        REDSHIFT,
        "Bytes of rows that are uploaded while their window is open, for a restart to go on from.",
        segment,
        "32MiB",
    ),
    Setting("S3_REGION", REDSHIFT, "The bucket's region. Default: as the AWS SDK finds it.", aws_region),
    Setting("S3_ENDPOINT", REDSHIFT, "Another S3, such as a VPC endpoint's address.", endpoint),
    Setting(
        "CONTACT_VALUES",
        CONTACTS,
        "hmac (hash and mask), raw (the value too) or omitted.",
        one_of(ContactValues),
        "hmac",
    ),
    Setting(
        "CONTACT_HMAC_KEY",
        CONTACTS,
        "Key of the hash, at least 16 bytes. Needed unless omitted.",
        secret_key,
        secret=True,
    ),
    Setting("CONTACT_HMAC_KEY_ID", CONTACTS, "Name of the key, told in every event.", name_of(64), "1"),
    Setting("DEFAULT_REGION", CONTACTS, "Country in which national phone numbers are read.", country, "US"),
    Setting(
        "SPLIT_CONTACTS",
        CONTACTS,
        "on: also join a contact from a pair's last messages.",
        one_of(SplitContacts),
        "off",
    ),
    Setting(
        "CONTACTS_TABLE",
        CONTACTS,
        "on: contacts also go to the contract's table of contacts, with their messages' rows.",
        one_of(ContactsTable),
        "off",
    ),
    Setting("CONTRACT", PIPELINE, "Contract file. Default: the messages contract of the package.", Path),
    Setting("PIPELINE", PIPELINE, "Name of this pipeline in the ledger.", name_of(128), "messages"),
    Setting(
        "SOURCE_ID",
        PIPELINE,
        "Name of the source in the rows' metafields. Default: the topic.",
        name_of(256),
    ),
    Setting("WINDOW", PIPELINE, "Length of a window: how often rows are committed.", window, "1h"),
    Setting(
        "START",
        PIPELINE,
        "earliest or latest, for a partition without any progress.",
        one_of(StartPolicy),
        "earliest",
    ),
    Setting("ACCEPT_LOSS", PIPELINE, "Lost offsets to go on without: partition:first-next, at most.", losses),
    Setting("ACCEPT_GROUP", PIPELINE, "Consumer group whose place in the ledger to take.", name_of(249)),
    Setting("ACCEPT_PIPELINE", PIPELINE, "New pipeline to begin beside others of its topic.", name_of(128)),
    Setting("SPOOL_DIR", PIPELINE, "Where rows wait that outgrow memory. Default: the system's.", Path),
    Setting(
        "SPOOL_LIMIT",
        PIPELINE,
        "Bytes that may wait; then windows are committed early or the source pauses.",
        size,
        "1GiB",
    ),
    Setting("DRAIN_TIMEOUT", PIPELINE, "How long a stopping process may still commit rows.", duration, "8s"),
    Setting("METRICS_HOST", OPERATION, "Address of /metrics, /livez and /readyz.", text, "0.0.0.0"),
    Setting(
        "EXIT_LINGER",
        OPERATION,
        "How long /metrics outlives a broken promise, unless scraped before.",
        duration,
        "20s",
    ),
    Setting("METRICS_PORT", OPERATION, "Port of the same; 0 takes a free one.", whole(0, 65_535), "9108"),
    Setting(
        "LOG_LEVEL",
        OPERATION,
        "debug, info, warning or error.",
        one_of(LogLevel),
        "info",
    ),
    Setting("LOG_FORMAT", OPERATION, "json (a line an event) or text.", one_of(LogForm), "json"),
)
KNOWN = {setting.name: setting for setting in SETTINGS}
_OF_TOPICS = ("KAFKA_TOPIC", "KAFKA_CONTACTS_TOPIC", "KAFKA_DEAD_LETTERS_TOPIC", "KAFKA_GROUP", "PIPELINE")
ACL_SETTINGS = frozenset(
    {"KAFKA_BOOTSTRAP_SERVERS", "KAFKA_TOKEN_PROVIDER", *_OF_TOPICS, "CONTRACT", "CONTACTS_TABLE"}
)
"""What `acls` looks at."""
GRANT_SETTINGS = frozenset(
    {*(each.name for each in SETTINGS if each.group == REDSHIFT), "CONTACTS_TABLE", "CONTRACT"}
    - {"STAGING", "STAGING_ROLE", "STAGING_SEGMENT", "S3_REGION", "S3_ENDPOINT"}
)
"""What `grants` looks at."""
