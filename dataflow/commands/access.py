"""From settings to what the connectors take."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from connectors.items import ContactsTable
from connectors.kafka_access import KafkaAccess
from connectors.kafka_tokens import load_provider
from connectors.redshift_access import Password, ProvisionedIam, RedshiftAccess, ServerlessIam, SslMode
from connectors.redshift_commit import Destination
from connectors.registry_access import RegistryAccess
from connectors.spans import Accepted
from dataflow import encode
from dataflow.contract import Contract
from dataflow.detect import Detector
from dataflow.settings import Settings, SettingsError
from dataflow.settings_table import ContactsTable as Switch
from dataflow.settings_table import ContactValues, RedshiftAuth


class Party(Enum):
    """Who logs in to Kafka and Redshift."""

    PIPELINE = "pipeline"
    OPERATORS = "operators"
    VERIFY = "verify"
    """The hourly `verify`, which writes nothing."""


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of a pipeline."""

    source: str
    contacts: str
    """Empty when the contract has no field to scan."""
    dead_letters: str

    @property
    def replayed(self) -> str:
        """Where `dead-letters replay` remembers what it has done."""
        return f"{self.dead_letters}.replayed"


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


def judge(settings: Settings, contract: Contract) -> None:
    """What only the contract or libphonenumber can judge. Raises SettingsError with every fault."""
    topics = topics_of(settings, contract)
    faults: list[str] = []
    for name, topic in (
        ("KAFKA_CONTACTS_TOPIC", topics.contacts),
        ("KAFKA_DEAD_LETTERS_TOPIC", topics.dead_letters),
    ):
        if topic == topics.source:
            faults.append(f"{name}: is the topic that is read ({topic}); events need a topic of their own")
    if topics.contacts == topics.dead_letters:
        faults.append(f"KAFKA_DEAD_LETTERS_TOPIC: is the contacts' topic too ({topics.contacts})")
    try:
        destination(settings, contract, topics)
    except ValueError as long:
        faults.append(f"SOURCE_ID: {long}; set it to a shorter name of the source")
    if settings.contacts_table is Switch.ON and contract.contacts is None:
        faults.append("CONTACTS_TABLE: the contract has no table of contacts; leave it off")
    if not Detector.knows(settings.default_region):
        faults.append("DEFAULT_REGION: libphonenumber knows no such country; an ISO 3166 code such as US")
    if faults:
        raise SettingsError(tuple(faults))


def kafka_access(settings: Settings, topics: Topics) -> KafkaAccess:
    """How to reach the brokers."""
    return KafkaAccess(
        bootstrap=settings.bootstrap,
        topic=topics.source,
        group=settings.group,
        protocol=settings.group_protocol.value,
        transaction_timeout=settings.transaction_timeout.total_seconds(),
        properties=settings.client_properties,
        tokens=None if settings.token_provider is None else load_provider(settings.token_provider),
    )


def registry_access(settings: Settings) -> RegistryAccess | None:
    """How to reach the schema registry; None when there is none to ask."""
    if settings.registry_url is None:
        return None
    return RegistryAccess(
        settings.registry_url,
        settings.registry_user_info,
        None if settings.registry_ca is None else str(settings.registry_ca),
        settings.registry_timeout.total_seconds(),
    )


def destination(settings: Settings, contract: Contract, topics: Topics) -> Destination:
    """Whose rows go where."""
    return Destination(
        contract.table,
        settings.pipeline,
        topics.source,
        settings.source_id or topics.source,
        settings.group,
        Accepted(settings.accepted_group, settings.accepted_pipeline),
        contacts_table(settings, contract),
    )


def contacts_table(settings: Settings, contract: Contract) -> ContactsTable | None:
    """Where contacts are kept beside the messages; None when they are not."""
    return contract.contacts if settings.contacts_table is Switch.ON else None


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
