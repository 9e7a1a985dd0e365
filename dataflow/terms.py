"""What a contract says to people: who keeps it, what it promises, and what each column means.

Values only, as the file states them. Nothing here decides about a message; documents, alerts and comparisons
of two contracts are made from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from connectors.items import ContactPart, Fill
from dataflow.fields import Rule

Scalar = str | int | float | bool | None
"""A plain value of the file."""


@dataclass(frozen=True, slots=True)
class Link:
    """Where something is defined with authority. `kind` is the standard's `type`."""

    url: str
    kind: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class Description:
    """What the data is for, how to use it, and what it is not good for."""

    purpose: str = ""
    usage: str = ""
    limitations: str = ""
    links: tuple[Link, ...] = ()


@dataclass(frozen=True, slots=True)
class Member:
    """One who keeps the contract. Dates as the file writes them."""

    username: str
    name: str = ""
    role: str = ""
    description: str = ""
    since: str = ""
    until: str = ""
    replaced_by: str = ""


@dataclass(frozen=True, slots=True)
class Team:
    """Who keeps the contract."""

    name: str = ""
    description: str = ""
    members: tuple[Member, ...] = ()


@dataclass(frozen=True, slots=True)
class Support:
    """Where to ask, and where news are told."""

    channel: str
    url: str = ""
    tool: str = ""
    scope: str = ""
    description: str = ""
    invitation_url: str = ""


@dataclass(frozen=True, slots=True)
class Role:
    """A right that is granted, and by whom."""

    role: str
    access: str = ""
    description: str = ""
    first_level_approvers: str = ""
    second_level_approvers: str = ""


@dataclass(frozen=True, slots=True)
class Price:
    """What the data costs."""

    amount: str
    """The number as the file writes it."""
    currency: str = ""
    unit: str = ""


@dataclass(frozen=True, slots=True)
class ServiceLevel:
    """One promise about the data."""

    name: str
    """The standard's `property`, e.g. `latency`."""
    value: Scalar
    unit: str = ""
    elements: tuple[str, ...] = ()
    """What it is promised of: `topic`, the table, or `table.column`."""
    driver: str = ""
    description: str = ""
    scheduler: str = ""
    schedule: str = ""
    duration: timedelta | None = None
    """Value and unit together, where the promise is about time."""


@dataclass(frozen=True, slots=True)
class Word:
    """One allowed value of an enumeration."""

    value: str
    label: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Quality:
    """One rule about the data: ours to keep while messages pass, or for a tool that looks at the table."""

    name: str
    kind: str
    """`custom` (ours: see `rule`), `library` (see `metric`), `sql` (see `query`) or `text`."""
    field: str = ""
    """The column it is about; empty: the table."""
    description: str = ""
    dimension: str = ""
    severity: str = ""
    business_impact: str = ""
    metric: str = ""
    arguments: tuple[tuple[str, tuple[str, ...]], ...] = ()
    query: str = ""
    operator: str = ""
    """E.g. `mustBe`, the standard's word."""
    operand: tuple[Scalar, ...] = ()
    """One value, two for a range."""
    unit: str = ""
    rule: Rule | None = None


@dataclass(frozen=True, slots=True)
class Property:
    """One column as the file describes it."""

    name: str
    logical_type: str
    physical_type: str
    required: bool
    fill: Fill
    key_position: int | None = None
    """Place in the identity, from 1; None: not part of it."""
    description: str = ""
    business_name: str = ""
    classification: str = ""
    critical: bool = False
    deprecated: bool = False
    tags: tuple[str, ...] = ()
    examples: tuple[Scalar, ...] = ()
    words: tuple[Word, ...] = ()
    """The enumeration, in the file's order; empty: any value."""
    links: tuple[Link, ...] = ()
    part: ContactPart | None = None
    """In the contacts' table: what of a contact it holds."""

    @property
    def personal(self) -> bool:
        """Whether it is classified as personal data."""
        return self.classification == "personal"


@dataclass(frozen=True, slots=True)
class KafkaServer:
    """Where the messages come from. Address and topics are defaults of settings."""

    name: str
    host: str
    format: str
    topic: str
    dead_letters_topic: str
    contacts_topic: str
    """Empty when no field is scanned."""
    partitions: int
    message_key: str = ""
    """The field that messages are keyed by; empty: not agreed."""
    encoding: str = ""
    environment: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class RedshiftServer:
    """Where the rows go."""

    name: str
    database: str
    schema: str
    host: str = ""
    region: str = ""
    account: str = ""
    environment: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class ContactsTerms:
    """What the file says of the contacts' table besides what is compiled."""

    properties: tuple[Property, ...]
    """Every column, in the table's order."""
    description: str = ""
    granularity: str = ""
    links: tuple[Link, ...] = ()


@dataclass(frozen=True, slots=True)
class Terms:
    """Everything that the file says besides what is compiled."""

    id: str
    api_version: str
    status: str
    kafka: KafkaServer
    redshift: RedshiftServer
    properties: tuple[Property, ...]
    """Every column, in the table's order."""
    quality: tuple[Quality, ...]
    """Every rule, the table's first, then each column's."""
    service_levels: tuple[ServiceLevel, ...]
    domain: str = ""
    tenant: str = ""
    created: str = ""
    tags: tuple[str, ...] = ()
    description: Description = Description()
    table_description: str = ""
    granularity: str = ""
    team: Team = Team()
    support: tuple[Support, ...] = ()
    roles: tuple[Role, ...] = ()
    price: Price | None = None
    links: tuple[Link, ...] = ()
    contacts: ContactsTerms | None = None
    """None: the contract has no table of contacts."""
