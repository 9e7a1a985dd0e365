"""From settings to what the connectors take."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.kafka_access import KafkaAccess
from connectors.redshift_access import Password, ProvisionedIam, RedshiftAccess, ServerlessIam, SslMode
from connectors.redshift_commit import Destination
from connectors.spans import Accepted
from dataflow import encode
from dataflow.contract import Contract
from dataflow.settings import Settings
from dataflow.settings_table import ContactValues, RedshiftAuth


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of a pipeline."""

    source: str
    contacts: str
    """Empty when the contract has no field to scan."""
    dead_letters: str


def topics_of(settings: Settings, contract: Contract) -> Topics:
    """As set, else derived from the source topic when that is set, else the contract's."""
    if settings.topic is None:
        derived = Topics(contract.topic, contract.contacts_topic, contract.dead_letters_topic)
    else:
        source = settings.topic
        derived = Topics(source, f"{source}.contacts", f"{source}.dead-letters")
    return Topics(
        derived.source,
        (settings.contacts_topic or derived.contacts) if contract.scanned_field else "",
        settings.dead_letters_topic or derived.dead_letters,
    )


def kafka_access(settings: Settings, topics: Topics) -> KafkaAccess:
    """How to reach the brokers."""
    return KafkaAccess(
        bootstrap=settings.bootstrap,
        topic=topics.source,
        group=settings.group,
        protocol=settings.group_protocol.value,
        transaction_timeout=settings.transaction_timeout.total_seconds(),
        properties=settings.client_properties,
    )


def destination(settings: Settings, contract: Contract, topics: Topics) -> Destination:
    """Whose rows go where."""
    return Destination(
        contract.table,
        settings.pipeline,
        topics.source,
        topics.source,
        settings.group,
        Accepted(settings.accepted_group, settings.accepted_pipeline),
    )


def redshift_access(settings: Settings) -> RedshiftAccess:
    """How to reach the warehouse."""
    return RedshiftAccess(
        host=settings.redshift_host,
        port=settings.redshift_port,
        database=settings.redshift_database,
        sslmode=SslMode(settings.redshift_sslmode.value),
        credentials=_credentials(settings),
        connect_timeout=max(1, round(settings.redshift_connect_timeout.total_seconds())),
        statement_timeout=max(1, round(settings.redshift_statement_timeout.total_seconds())),
    )


def _credentials(settings: Settings) -> Password | ProvisionedIam | ServerlessIam:
    user, region = settings.redshift_user or "", settings.redshift_region or ""
    match settings.redshift_auth:
        case RedshiftAuth.PASSWORD:
            return Password(user, settings.redshift_password or "")
        case RedshiftAuth.IAM:
            return ProvisionedIam(settings.redshift_cluster or "", user, region, settings.redshift_profile)
        case RedshiftAuth.IAM_SERVERLESS:
            return ServerlessIam(settings.redshift_workgroup or "", region, settings.redshift_profile)


def contact_values(settings: Settings) -> encode.ContactValues:
    """How contact values leave. A key is there unless they are omitted: settings are checked."""
    key = settings.contact_key or b""
    match settings.contact_values:
        case ContactValues.OMITTED:
            return encode.Omitted()
        case ContactValues.RAW:
            return encode.Raw(key, settings.contact_key_id)
        case ContactValues.HMAC:
            return encode.Hashed(key, settings.contact_key_id)
