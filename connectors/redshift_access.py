"""How to reach Redshift, and one database session with its errors made typed.

The driver, redshift-connector, is used unmodified. Its errors carry an SQLSTATE, but XX000 is a catch-all
there, so that a serialization failure is known by its text. After any error answers may lie unread in the
connection: it is thrown away, never used again.
"""

from __future__ import annotations

import logging
import os
import re
import socket
import ssl
import struct
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

import redshift_connector
from redshift_connector.core import Connection
from redshift_connector.error import Error, InterfaceError, OperationalError

# At DEBUG the driver writes every statement's parameters, people's messages among them.
logging.getLogger("redshift_connector").setLevel(logging.WARNING)

CONNECT_TIMEOUT = 10
"""Seconds for each step of connecting."""
STATEMENT_TIMEOUT = 600
"""Seconds one statement may run in the warehouse."""
ANSWER_MARGIN = 15
"""Seconds after the statement's own timeout by which its answer must have come."""


class SslMode(Enum):
    """How the connection is secured. Always explicit: left to the driver, a wrong host name only warns."""

    DISABLE = "disable"
    VERIFY_CA = "verify-ca"
    VERIFY_FULL = "verify-full"


@dataclass(frozen=True, slots=True)
class Password:
    """A database user's own password."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ProvisionedIam:
    """Temporary credentials for a provisioned cluster, from the AWS identity that the process has."""

    cluster_identifier: str
    db_user: str
    region: str
    profile: str | None = None


@dataclass(frozen=True, slots=True)
class ServerlessIam:
    """Temporary credentials for a Serverless workgroup, from the AWS identity that the process has."""

    workgroup: str
    region: str
    profile: str | None = None


@dataclass(frozen=True, slots=True)
class RedshiftAccess:
    """Where the warehouse is and how to log in. Timeouts in seconds.

    Raises ValueError for IAM without TLS, which the driver refuses.
    """

    host: str
    port: int
    database: str
    sslmode: SslMode
    credentials: Password | ProvisionedIam | ServerlessIam
    connect_timeout: int = CONNECT_TIMEOUT
    statement_timeout: int = STATEMENT_TIMEOUT

    def __post_init__(self) -> None:
        """Check what the driver would refuse later."""
        if self.sslmode is SslMode.DISABLE and not isinstance(self.credentials, Password):
            raise ValueError("IAM credentials need TLS: choose the sslmode verify-full or verify-ca")

    def arguments(self) -> dict[str, Any]:
        """The keyword arguments of `redshift_connector.connect`; they hold the secret."""
        arguments: dict[str, Any] = {
            "host": self.host,
            "port": self.port,
            "database": self.database,
            "timeout": self.connect_timeout,
            "application_name": "contract-dataflow",
            # A peer that is gone without a word is noticed after about a minute.
            "tcp_keepalive": True,
            "tcp_keepalive_idle": 30,
            "tcp_keepalive_interval": 10,
            "tcp_keepalive_count": 3,
        }
        if self.sslmode is SslMode.DISABLE:
            arguments["ssl"] = False
        else:
            arguments |= {"ssl": True, "sslmode": self.sslmode.value}
        match self.credentials:
            case Password(user, password):
                arguments |= {"user": user, "password": password}
            case ProvisionedIam(cluster, db_user, region, profile):
                arguments |= {"iam": True, "cluster_identifier": cluster, "db_user": db_user}
                arguments |= {"region": region, "profile": profile}
            case ServerlessIam(workgroup, region, profile):
                arguments |= {"iam": True, "is_serverless": True, "serverless_work_group": workgroup}
                arguments |= {"region": region, "profile": profile}
        return arguments


class Reason(Enum):
    """Why the warehouse did not do what it was asked. A closed set: it becomes a metric's label."""

    CONNECTION = "connection"
    TIMEOUT = "timeout"
    RESOURCES = "resources"
    SERIALIZATION = "serialization"
    TLS = "tls"
    LOGIN = "login"
    PERMISSION = "permission"
    MISSING = "missing"
    DATA = "data"
    OTHER = "other"


class WarehouseTrouble(Exception):
    """The warehouse did not do it. Nothing is lost; the text holds no row's values."""

    system: ClassVar[str] = "redshift"
    """Who did not do it, as metrics and readiness call it."""

    def __init__(self, reason: Reason, detail: str, fix: str | None = None) -> None:
        """`detail` is for a person, `fix` what that person can do, where the detail makes it plain."""
        super().__init__(detail)
        self.reason = reason
        self.fix = fix

    @property
    def told(self) -> str:
        """Detail and fix as one text."""
        return str(self) if self.fix is None else f"{self}. {self.fix}"


class WarehouseUnavailable(WarehouseTrouble):
    """An outage, a timeout, or a conflict with another transaction: it passes by itself."""


class WarehouseRefused(WarehouseTrouble):
    """It stays so until a person acts: login, permission, a missing table, values it will not take.

    It is retried all the same, because leaving would lose nothing and mend nothing, but told as an error.
    """


class LoadRefused(WarehouseRefused):
    """A COPY met a row that it does not take: `sys_load_error_detail` says which."""


_PASSING_CLASSES = {
    "08": Reason.CONNECTION,
    "40": Reason.SERIALIZATION,
    "53": Reason.RESOURCES,
    "57": Reason.CONNECTION,
    "58": Reason.RESOURCES,
}
_LASTING_CLASSES = {
    "28": Reason.LOGIN,
    "3D": Reason.MISSING,
    "3F": Reason.MISSING,
    "22": Reason.DATA,
    "23": Reason.DATA,
}
_LASTING_STATES = {
    "42501": Reason.PERMISSION,
    "42P01": Reason.MISSING,
    "42703": Reason.MISSING,
    "42704": Reason.MISSING,
    "42883": Reason.MISSING,
}
_TELLABLE = ("08", "28", "3D", "3F", "42", "53", "57", "58")
"""Classes whose message names objects and never a value."""
_CONFLICT = re.compile(r"\b1023\b|serializable isolation violation|could not serialize", re.IGNORECASE)
_LOAD_ERROR = re.compile(r"sys_load_error_detail|stl_load_errors")
_AWS_PASSING = re.compile(
    r"timeout|could not connect|endpoint url|throttl|serviceunavailable|internal", re.IGNORECASE
)


def trouble_of(fault: Exception) -> WarehouseTrouble:
    """The typed error for what the driver raised."""
    fields = fault.args[0] if fault.args and isinstance(fault.args[0], dict) else None
    if fields is not None:
        return _server_trouble(str(fields.get("C", "")), str(fields.get("M", "")))
    for each in (fault, *fault.args):
        # The driver wraps what the handshake raised.
        if isinstance(each, ssl.SSLError):
            return _tls_trouble(each)
    if "refuses SSL" in str(fault):
        return WarehouseRefused(Reason.TLS, "the server speaks no TLS", _NO_TLS)
    if type(fault).__module__.startswith(("botocore", "boto3")) or _wraps_aws(fault):
        passing = _AWS_PASSING.search(f"{type(fault).__name__} {fault}")
        detail = f"AWS gave no credentials: {' '.join(str(fault).split())}"
        if passing:
            return WarehouseUnavailable(Reason.CONNECTION, detail)
        return WarehouseRefused(Reason.LOGIN, detail)
    if isinstance(fault, TimeoutError) or "time out" in str(fault) or "timed out" in str(fault):
        return WarehouseUnavailable(Reason.TIMEOUT, "no answer in time")
    if isinstance(fault, OSError | InterfaceError | OperationalError):
        return WarehouseUnavailable(Reason.CONNECTION, _why_not_connected(fault))
    # What the driver stumbles over when the connection ends in the middle of an answer. It may quote values.
    return WarehouseUnavailable(Reason.CONNECTION, f"broken answer ({type(fault).__name__})")


def _server_trouble(state: str, message: str) -> WarehouseTrouble:
    kind = state[:2]
    detail = f"SQLSTATE {state}: {message}" if kind in _TELLABLE else f"SQLSTATE {state}"
    if _CONFLICT.search(message):
        return WarehouseUnavailable(
            Reason.SERIALIZATION, f"SQLSTATE {state}: conflict with another transaction"
        )
    if _LOAD_ERROR.search(message):
        return LoadRefused(Reason.DATA, f"SQLSTATE {state}: a COPY met a row that it does not take")
    if state == "XX000" and (of_s3 := _trouble_with_s3(message)) is not None:
        return of_s3
    if state == "57014":
        return WarehouseUnavailable(Reason.TIMEOUT, detail)
    if kind in _PASSING_CLASSES:
        return WarehouseUnavailable(_PASSING_CLASSES[kind], detail)
    reason = _LASTING_STATES.get(state) or _LASTING_CLASSES.get(kind)
    return WarehouseRefused(reason or Reason.OTHER, detail)


_S3_ANSWER = re.compile(r"S3ServiceException:.*?,Status (\d+),Error (\w+)", re.DOTALL)
_READ_S3 = (
    "STAGING_ROLE must be a role that is attached to the warehouse and may read the bucket, and S3_REGION "
    "the bucket's region when it is not the warehouse's: docs/s3-staging.md"
)


def _trouble_with_s3(message: str) -> WarehouseTrouble | None:
    """Why the warehouse could not read what a COPY names; None: the message is about something else."""
    if (answer := _S3_ANSWER.search(message)) is not None:
        http_code, code = int(answer[1]), answer[2]
        detail = f"COPY: S3 answered the warehouse with {code}"
        if code == "NoSuchKey":
            return WarehouseUnavailable(Reason.MISSING, detail)
        if http_code >= 500:
            return WarehouseUnavailable(Reason.RESOURCES, detail)
        return WarehouseRefused(Reason.PERMISSION, detail, _READ_S3)
    if "Mandatory url is not present" in message:
        return WarehouseUnavailable(Reason.MISSING, "COPY: an object of the manifest is gone")
    if "S3CurlException" in message:
        return WarehouseUnavailable(Reason.CONNECTION, "COPY: the warehouse does not reach S3")
    if "not authorized to assume" in message or "not authorized to get credentials" in message:
        return WarehouseRefused(Reason.PERMISSION, "COPY: the warehouse may not take the role", _READ_S3)
    return None


_NO_TLS = (
    "REDSHIFT_HOST and REDSHIFT_PORT must name the warehouse itself: Redshift speaks TLS; "
    "REDSHIFT_SSLMODE=disable is for a tunnel or a test only, since it sends the password unencrypted"
)
_MISMATCH = re.compile(r"hostname mismatch|ip address mismatch|not valid for", re.IGNORECASE)


def _tls_trouble(fault: ssl.SSLError) -> WarehouseTrouble:
    """A certificate that is not believed stays so until someone acts; a connection that breaks does not."""
    if isinstance(fault, ssl.SSLCertVerificationError):
        why = fault.verify_message
        if _MISMATCH.search(why):
            fix = (
                "REDSHIFT_HOST must be a name that stands in the server's certificate, such as the endpoint "
                "of the cluster or workgroup; REDSHIFT_SSLMODE=verify-ca does without that check"
            )
        elif "expired" in why or "not yet valid" in why:
            fix = "the server's certificate must be renewed, or a clock is wrong"
        else:
            fix = (
                "REDSHIFT_CA_FILE must name the certificate of the authority that signed the server's, "
                "unless Amazon did; REDSHIFT_HOST and REDSHIFT_PORT, the warehouse itself"
            )
        return WarehouseRefused(Reason.TLS, f"the server's certificate is not believed: {why}", fix)
    return WarehouseUnavailable(Reason.CONNECTION, _why_not_connected(fault))


def _why_not_connected(fault: Exception) -> str:
    """The system's own words, where the driver wraps them: "Connection refused"."""
    system = next((each for each in (fault, *fault.args) if isinstance(each, OSError)), None)
    return f"{type(fault).__name__}: {fault}" if system is None else (system.strerror or str(system))


def trust(ca_file: Path) -> None:
    """Believe what these certificates signed, besides Amazon's that come with the driver.

    To be called before anything connects, and once. The driver takes no file; what it does take is OpenSSL's
    place of trusted certificates, which this names instead of the system's.
    """
    os.environ["SSL_CERT_FILE"] = str(ca_file)


def certificates_in(ca_file: Path) -> str | None:
    """What is wrong with a file of certificates; None: nothing."""
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(ca_file)
    except ssl.SSLError:
        return "it holds no certificate in PEM"
    except OSError as trouble:
        return f"it can't be read: {trouble.strerror}"
    return None


def _wraps_aws(fault: Exception) -> bool:
    return bool(fault.args) and type(fault.args[0]).__module__.startswith(("botocore", "boto3"))


_DRIVER_FAULTS = (
    Error,
    OSError,
    struct.error,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
)
"""What the driver raises; all but the first two when an answer ends in the middle."""


class Session:
    """One connection for one purpose, as a context manager: thrown away when anything raised inside.

    Every method raises WarehouseUnavailable or WarehouseRefused.
    """

    def __init__(self, connection: Connection) -> None:
        """`connect` makes one."""
        self._connection = connection
        self._cursor = connection.cursor()

    def execute(self, statement: str, parameters: Sequence[str | None] | None = None) -> int:
        """Run one statement; the number of rows it affected, -1 when the server does not say.

        The first one begins a transaction. Parameters are text or NULL: the server gives them their types,
        so that a statement is parsed once whatever the values are.
        """
        try:
            self._cursor.execute(statement, parameters)
        except _DRIVER_FAULTS as fault:
            raise trouble_of(fault) from None
        return int(self._cursor.rowcount)

    def rows(self, statement: str, parameters: Sequence[str | None] | None = None) -> list[tuple[Any, ...]]:
        """Run one query; its rows."""
        self.execute(statement, parameters)
        try:
            return [tuple(row) for row in self._cursor.fetchall()]
        except _DRIVER_FAULTS as fault:
            raise trouble_of(fault) from None

    def alone(self, statement: str) -> None:
        """Run one statement outside of any transaction, as some of Redshift's ALTERs demand.

        What was not committed before is rolled back.
        """
        self.rollback()
        try:
            self._connection.autocommit = True
            self._cursor.execute(statement)
            self._connection.autocommit = False
        except _DRIVER_FAULTS as fault:
            raise trouble_of(fault) from None

    def commit(self) -> None:
        """Commit. When it raises, the commit may have happened or not: only the ledger can tell."""
        try:
            self._connection.commit()
        except _DRIVER_FAULTS as fault:
            raise trouble_of(fault) from None

    def rollback(self) -> None:
        """End the transaction without its changes."""
        try:
            self._connection.rollback()
        except _DRIVER_FAULTS as fault:
            raise trouble_of(fault) from None

    def __enter__(self) -> Self:
        """The session itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close politely, or cut the connection when something raised."""
        if fault is None:
            with suppress(*_DRIVER_FAULTS):
                self._connection.close()
        else:
            self.cut()

    def cut(self) -> None:
        """Close the socket without another word: whatever was open on the server is rolled back."""
        _cut(self._connection)


def _cut(connection: Connection) -> None:
    with suppress(OSError):
        connection._usock.shutdown(socket.SHUT_RDWR)
    # The driver's own close() leaves the buffered file open when the peer is gone.
    with suppress(*_DRIVER_FAULTS):
        connection._sock.close()
    connection._usock.close()


def connect(access: RedshiftAccess) -> Session:
    """A new session. Raises WarehouseUnavailable or WarehouseRefused."""
    try:
        connection = redshift_connector.connect(**access.arguments())
    except _DRIVER_FAULTS as fault:
        raise trouble_of(fault) from None
    except Exception as fault:
        if type(fault).__module__.startswith(("botocore", "boto3")):
            raise trouble_of(fault) from None
        raise
    try:
        wire: socket.socket = connection._usock
        # Without it each statement waits for a delayed acknowledgement, 40 ms and more.
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wire.settimeout(access.statement_timeout + ANSWER_MARGIN)
        # NULL travels as text does, so that it does not make a new statement of the same text.
        connection.py_types[type(None)] = connection.py_types[str]
        connection.autocommit = True
        connection.cursor().execute(f"SET statement_timeout TO {access.statement_timeout * 1000}")
        connection.autocommit = False
    except _DRIVER_FAULTS as fault:
        _cut(connection)
        raise trouble_of(fault) from None
    return Session(connection)
