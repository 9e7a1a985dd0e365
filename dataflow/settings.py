"""Environment to typed settings. Every fault is reported at once, with the nearest known name.

An empty value counts as absent, as users of Kubernetes expect of optional ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from difflib import get_close_matches
from enum import Enum
from pathlib import Path
from typing import Any, Protocol

from connectors.progress import AcceptedLoss, StartPolicy
from dataflow.model import MessageFormat, MessageFraming
from dataflow.settings_rules import across
from dataflow.settings_table import (
    ALL_GROUPS,
    KNOWN,
    SETTINGS,
    ContactsTable,
    ContactValues,
    GroupProtocol,
    LogForm,
    LogLevel,
    RedshiftAuth,
    Setting,
    SplitContacts,
    SslMode,
)
from dataflow.settings_values import ByInsert, ByS3, FixedRole, NamedRole, WrongValue


class SettingsError(Exception):
    """The environment is not fit to run with; the text lists every fault, one a line."""

    def __init__(self, faults: tuple[str, ...]) -> None:
        """`faults`: one line each, naming the setting, what is wrong and the fix."""
        super().__init__("\n".join(faults))
        self.faults = faults


class Origin(Enum):
    """Where a value came from."""

    DEFAULT = "default"
    ENVIRONMENT = "environment"
    DOTENV = ".env"
    CONTRACT = "contract"
    DERIVED = "derived"
    FILE = "file"


SECRET_FILE = "_FILE"
"""A secret NAME may be given as NAME_FILE, the path of a file that holds it."""
CLIENT_PREFIX = "KAFKA_CONFIG_"
"""Any librdkafka property `some.name` as KAFKA_CONFIG_SOME_NAME."""
SECRET_PROPERTIES = re.compile(r"password|secret|\.pem$|oauthbearer\.config")
OWNED_PROPERTIES = {
    "bootstrap.servers": "set KAFKA_BOOTSTRAP_SERVERS",
    "metadata.broker.list": "set KAFKA_BOOTSTRAP_SERVERS",
    "group.id": "set KAFKA_GROUP",
    "group.protocol": "set KAFKA_GROUP_PROTOCOL",
    "transaction.timeout.ms": "set TRANSACTION_TIMEOUT",
    **dict.fromkeys(
        (
            "enable.auto.commit",
            "enable.auto.offset.store",
            "auto.offset.reset",
            "isolation.level",
            "partition.assignment.strategy",
            "transactional.id",
            "enable.idempotence",
        ),
        "leave it out: exactly-once delivery rests on the program's own value",
    ),
}
NAMESPACES = (
    "KAFKA_",
    "MESSAGE_",
    "SCHEMA_REGISTRY_",
    "REDSHIFT_",
    "CONTACT_",
    "SPOOL_",
    "METRICS_",
    "STAGING_",
    "S3_",
)
_SERVICE_LINK = re.compile(r".*(_SERVICE_HOST|_SERVICE_PORT(_.*)?|_PORT_\d+_(TCP|UDP)(_.*)?)")
_SERVICE_URL = re.compile(r"(tcp|udp|sctp)://.*")
"""Kubernetes tells every pod of every service, in names such as KAFKA_PORT."""
_INNOCENT = frozenset({"WINDOWID", "WINDOWS", "PIPELINES"})


@dataclass(frozen=True, slots=True)
class Effective:
    """One setting as it is in force, fit to be shown."""

    name: str
    shown: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that `run` needs, checked. Secrets do not show in its repr."""

    bootstrap: str
    topic: str | None
    contacts_topic: str | None
    dead_letters_topic: str | None
    group: str
    group_protocol: GroupProtocol
    transaction_timeout: timedelta
    event_commit_interval: timedelta
    client_properties: Mapping[str, str] = field(repr=False)
    message_format: MessageFormat
    message_framing: MessageFraming
    registry_url: str | None
    registry_user_info: str | None = field(repr=False)
    registry_ca: Path | None
    registry_timeout: timedelta
    token_provider: str | None
    redshift_host: str
    redshift_port: int
    redshift_database: str
    redshift_auth: RedshiftAuth
    redshift_user: str | None
    redshift_password: str | None = field(repr=False)
    redshift_cluster: str | None
    redshift_workgroup: str | None
    redshift_region: str | None
    redshift_profile: str | None
    redshift_sslmode: SslMode
    redshift_ca_file: Path | None
    redshift_connect_timeout: timedelta
    redshift_statement_timeout: timedelta
    staging: ByInsert | ByS3
    staging_role: FixedRole | NamedRole
    staging_segment: int
    s3_region: str | None
    s3_endpoint: str | None
    contact_values: ContactValues
    contact_key: bytes | None = field(repr=False)
    contact_key_id: str
    default_region: str
    split_contacts: SplitContacts
    contacts_table: ContactsTable
    contract: Path | None
    pipeline: str
    source_id: str | None
    window: timedelta
    start: StartPolicy
    accepted_losses: tuple[AcceptedLoss, ...]
    accepted_group: str | None
    accepted_pipeline: str | None
    spool_dir: Path | None
    spool_limit: int
    drain_timeout: timedelta
    metrics_host: str
    metrics_port: int
    exit_linger: timedelta
    log_level: LogLevel
    log_form: LogForm
    effective: tuple[Effective, ...] = field(repr=False)
    """Every setting, and where it came from, for `config`."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where settings come from; the first that has a name wins."""

    environment: Mapping[str, str]
    dotenv: Mapping[str, str]
    read_file: Callable[[Path], str]
    """A file's text. Raises OSError or UnicodeDecodeError."""

    def names(self) -> set[str]:
        """Every name that is given."""
        return {*self.environment, *self.dotenv}

    def find(self, name: str) -> tuple[str, Origin] | None:
        """The value of a name, unless it is absent or empty."""
        for values, origin in ((self.environment, Origin.ENVIRONMENT), (self.dotenv, Origin.DOTENV)):
            if value := values.get(name, "").strip():
                return value, origin
        return None


class ClientJudge(Protocol):
    """Who knows librdkafka's properties. No answer quotes a value."""

    def of_property(self, name: str, value: str) -> str | None:
        """What is wrong with one property by itself; None: nothing."""
        ...

    def knows(self, name: str) -> bool:
        """Whether there is a property of this name."""
        ...

    def of_token_provider(self, name: str) -> str | None:
        """Why there is no function of this name that gives tokens; None: there is."""
        ...

    def of_combination(self, properties: Mapping[str, str], transaction_timeout: timedelta) -> str | None:
        """What is wrong with properties that are each right by themselves; None: nothing."""
        ...


class _Reader:
    """Reads one setting after the other and gathers what is wrong."""

    def __init__(self, sources: Sources, groups: frozenset[str]) -> None:
        self.sources = sources
        self.groups = groups
        self.faults: list[str] = []
        self.values: dict[str, Any] = {}
        self.effective: list[Effective] = []

    def read(self, setting: Setting) -> None:
        """Parse one setting; absent ones are None."""
        found = self._found(setting)
        self.values[setting.name] = None
        if found is None:
            if setting.required and setting.group in self.groups:
                self.faults.append(f"{setting.name}: is missing. {setting.text}")
            self.effective.append(Effective(setting.name, "", Origin.DEFAULT))
            return
        value, origin = found
        try:
            self.values[setting.name] = setting.parse(value)
        except WrongValue as wrong:
            self.faults.append(f"{setting.name}: {wrong}")
        self.effective.append(Effective(setting.name, HIDDEN if setting.secret else value, origin))

    def _found(self, setting: Setting) -> tuple[str, Origin] | None:
        direct = self.sources.find(setting.name)
        if setting.secret:
            from_file = self.secret_file(setting.name)
            if direct is not None and from_file is not None:
                self.faults.append(f"{setting.name}: is given twice; keep it or {setting.name}{SECRET_FILE}")
            direct = direct or from_file
        if direct is None and setting.default is not None:
            return setting.default, Origin.DEFAULT
        return direct

    def secret_file(self, name: str) -> tuple[str, Origin] | None:
        """The content of the file that NAME_FILE names."""
        found = self.sources.find(name + SECRET_FILE)
        if found is None:
            return None
        try:
            value = self.sources.read_file(Path(found[0])).rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as trouble:
            reason = trouble.strerror if isinstance(trouble, OSError) else "it is not text"
            self.faults.append(f"{name}{SECRET_FILE}: the file cannot be read: {reason}")
            return None
        if not value:
            self.faults.append(f"{name}{SECRET_FILE}: the file is empty")
            return None
        return value, Origin.FILE

    def client_properties(self, judge: ClientJudge) -> dict[str, str]:
        """librdkafka's own settings."""
        properties: dict[str, str] = {}
        for name in sorted(self.sources.names()):
            if not name.startswith(CLIENT_PREFIX):
                continue
            from_file = name.endswith(SECRET_FILE) and not judge.knows(_property(name))
            bare = name.removesuffix(SECRET_FILE) if from_file else name
            found = self.secret_file(bare) if from_file else self.sources.find(name)
            if found is None:
                continue
            value, origin = found
            key = _property(bare)
            if key in OWNED_PROPERTIES:
                self.faults.append(f"{bare}: {key} is not yours to set; {OWNED_PROPERTIES[key]}")
            elif key in properties:
                self.faults.append(f"{bare}: is given twice; keep it or {bare}{SECRET_FILE}")
            elif (fault := judge.of_property(key, value)) is not None:
                self.faults.append(f"{bare}: librdkafka refuses {key}: {fault}")
            else:
                properties[key] = value
                hidden = origin is Origin.FILE or SECRET_PROPERTIES.search(key)
                self.effective.append(Effective(bare, HIDDEN if hidden else value, origin))
        self._tokens(properties, judge)
        timeout = self.values["TRANSACTION_TIMEOUT"]
        if timeout is not None and (fault := judge.of_combination(properties, timeout)) is not None:
            self.faults.append(f"{CLIENT_PREFIX}*: librdkafka refuses these properties together: {fault}")
        return properties

    def _tokens(self, properties: Mapping[str, str], judge: ClientJudge) -> None:
        """A login by token needs somebody who gives tokens, and only such a login does."""
        provider = self.values["KAFKA_TOKEN_PROVIDER"]
        mechanism = properties.get("sasl.mechanism") or properties.get("sasl.mechanisms") or ""
        method = properties.get("sasl.oauthbearer.method", "default")
        if provider is None:
            unsecured = properties.get("enable.sasl.oauthbearer.unsecure.jwt") == "true"
            if mechanism.upper() == "OAUTHBEARER" and method == "default" and not unsecured:
                self.faults.append(
                    "KAFKA_TOKEN_PROVIDER: is missing; OAUTHBEARER needs it, "
                    f"or {CLIENT_PREFIX}SASL_OAUTHBEARER_METHOD=oidc"
                )
        elif mechanism.upper() != "OAUTHBEARER" or method != "default":
            self.faults.append(
                f"KAFKA_TOKEN_PROVIDER: needs {CLIENT_PREFIX}SASL_MECHANISM=OAUTHBEARER "
                f"and no {CLIENT_PREFIX}SASL_OAUTHBEARER_METHOD"
            )
        elif (fault := judge.of_token_provider(provider)) is not None:
            self.faults.append(f"KAFKA_TOKEN_PROVIDER: {fault}")

    def unknown_names(self) -> None:
        """Names that look as if they were meant for us."""
        secret_files = {setting.name + SECRET_FILE for setting in SETTINGS if setting.secret}
        for name in sorted(self.sources.names()):
            if name in KNOWN or name in secret_files or name.startswith(CLIENT_PREFIX):
                continue
            if _SERVICE_LINK.fullmatch(name) or name in _INNOCENT:
                continue
            if name.endswith("_PORT") and (found := self.sources.find(name)) and _SERVICE_URL.match(found[0]):
                continue
            near = get_close_matches(name, [*KNOWN, *secret_files], 1, 0.6)
            ours = name.startswith(NAMESPACES) or name in self.sources.dotenv
            misspelt = len(name) > 4 and get_close_matches(name, list(KNOWN), 1, 0.85)
            if ours or misspelt:
                hint = f"did you mean {near[0]}?" if near else "`run --help` lists the known ones"
                self.faults.append(f"{name}: is not a setting; {hint}")


HIDDEN = "********"


_WITH_UNDERSCORE = {"log.level": "log_level"}
"""The one property of librdkafka's that has an underscore and is worth setting."""


def _property(name: str) -> str:
    dotted = name.removeprefix(CLIENT_PREFIX).lower().replace("_", ".")
    return _WITH_UNDERSCORE.get(dotted, dotted)


def read(sources: Sources, judge: ClientJudge, groups: frozenset[str] = ALL_GROUPS) -> Settings:
    """Settings from the environment. Raises SettingsError with every fault.

    `groups`: those whose required settings must be there; of the others they may be missing, and are empty.
    """
    reader = _Reader(sources, groups)
    for setting in SETTINGS:
        reader.read(setting)
    properties = reader.client_properties(judge)
    reader.unknown_names()
    get = reader.values
    across(get, reader.faults, groups, SECRET_FILE)
    if reader.faults:
        raise SettingsError(tuple(reader.faults))
    return Settings(
        bootstrap=get["KAFKA_BOOTSTRAP_SERVERS"] or "",
        topic=get["KAFKA_TOPIC"],
        contacts_topic=get["KAFKA_CONTACTS_TOPIC"],
        dead_letters_topic=get["KAFKA_DEAD_LETTERS_TOPIC"],
        group=get["KAFKA_GROUP"] or get["PIPELINE"],
        group_protocol=get["KAFKA_GROUP_PROTOCOL"],
        transaction_timeout=get["TRANSACTION_TIMEOUT"],
        event_commit_interval=get["EVENT_COMMIT_INTERVAL"],
        client_properties=properties,
        message_format=get["MESSAGE_FORMAT"],
        message_framing=get["MESSAGE_FRAMING"],
        registry_url=get["SCHEMA_REGISTRY_URL"],
        registry_user_info=get["SCHEMA_REGISTRY_USER_INFO"],
        registry_ca=get["SCHEMA_REGISTRY_CA"],
        registry_timeout=get["SCHEMA_REGISTRY_TIMEOUT"],
        token_provider=get["KAFKA_TOKEN_PROVIDER"],
        redshift_host=get["REDSHIFT_HOST"] or "",
        redshift_port=get["REDSHIFT_PORT"],
        redshift_database=get["REDSHIFT_DATABASE"] or "",
        redshift_auth=get["REDSHIFT_AUTH"],
        redshift_user=get["REDSHIFT_USER"],
        redshift_password=get["REDSHIFT_PASSWORD"],
        redshift_cluster=get["REDSHIFT_CLUSTER"],
        redshift_workgroup=get["REDSHIFT_WORKGROUP"],
        redshift_region=get["REDSHIFT_REGION"],
        redshift_profile=get["REDSHIFT_PROFILE"],
        redshift_sslmode=get["REDSHIFT_SSLMODE"],
        redshift_ca_file=get["REDSHIFT_CA_FILE"],
        redshift_connect_timeout=get["REDSHIFT_CONNECT_TIMEOUT"],
        redshift_statement_timeout=get["REDSHIFT_STATEMENT_TIMEOUT"],
        staging=get["STAGING"],
        staging_role=get["STAGING_ROLE"],
        staging_segment=get["STAGING_SEGMENT"],
        s3_region=get["S3_REGION"],
        s3_endpoint=get["S3_ENDPOINT"],
        contact_values=get["CONTACT_VALUES"],
        contact_key=get["CONTACT_HMAC_KEY"],
        contact_key_id=get["CONTACT_HMAC_KEY_ID"],
        default_region=get["DEFAULT_REGION"],
        split_contacts=get["SPLIT_CONTACTS"],
        contacts_table=get["CONTACTS_TABLE"],
        contract=get["CONTRACT"],
        pipeline=get["PIPELINE"],
        source_id=get["SOURCE_ID"],
        window=get["WINDOW"],
        start=get["START"],
        accepted_losses=get["ACCEPT_LOSS"] or (),
        accepted_group=get["ACCEPT_GROUP"],
        accepted_pipeline=get["ACCEPT_PIPELINE"],
        spool_dir=get["SPOOL_DIR"],
        spool_limit=get["SPOOL_LIMIT"],
        drain_timeout=get["DRAIN_TIMEOUT"],
        metrics_host=get["METRICS_HOST"],
        metrics_port=get["METRICS_PORT"],
        exit_linger=get["EXIT_LINGER"],
        log_level=get["LOG_LEVEL"],
        log_form=get["LOG_FORMAT"],
        effective=tuple(sorted(reader.effective, key=lambda each: each.name)),
    )
