"""Why a connection to Kafka does not come about: what librdkafka says of it besides, and what to do.

The answer to a question is only that no broker could be reached. The reason is in the client's log lines.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass

_TELLING = ("FAIL ", "OIDC ")
"""Beginnings of the lines that tell of a connection or a token endpoint."""
NO_TOKEN = "no token: call the function that KAFKA_TOKEN_PROVIDER names by itself, to see why it gives none"
_AGE = re.compile(r" \(after \d+ms in state ([A-Z_0-9]+)\)")


@dataclass(frozen=True, slots=True)
class Complaint:
    """What a client said last of its connections, and what an operator can do; None: wait."""

    text: str
    fix: str | None


class Complaints(logging.Handler):
    """Listens to a client's log lines, and remembers the last that tells why there is no connection."""

    def __init__(self, properties: Mapping[str, str]) -> None:
        """`properties`: the client's, which the advice refers to."""
        super().__init__()
        self._properties = properties
        self._heard = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Remember the line."""
        text = record.getMessage()
        if text.startswith(_TELLING):
            self._heard = text.partition("]: ")[2]

    @property
    def last(self) -> Complaint | None:
        """The last one; None while the client has not complained."""
        if not self._heard:
            return None
        return Complaint(_AGE.sub("", self._heard), fix_of(self._heard, self._properties))


def silent_logger(listener: logging.Handler) -> logging.Logger:
    """A logger for a client whose lines go to the listener alone."""
    logger = logging.Logger("librdkafka.asked")
    logger.addHandler(listener)
    return logger


def fix_of(text: str, properties: Mapping[str, str]) -> str | None:
    """The settings to look at, for what librdkafka said of a connection; None: it may pass."""
    for told, fix in _FIXES:
        if re.search(told, text):
            mechanism = properties.get("sasl.mechanism") or properties.get("sasl.mechanisms") or "GSSAPI"
            return fix.format(
                protocol=properties.get("security.protocol", "plaintext"),
                mechanism=mechanism,
                credentials=_TOKEN if mechanism.upper() == "OAUTHBEARER" else _PASSWORD,
            )
    return None


_TOKEN = (
    "the broker does not believe the token: look at its issuer and audience, "
    "and at KAFKA_TOKEN_PROVIDER or KAFKA_CONFIG_SASL_OAUTHBEARER_*"
)
_PASSWORD = "check KAFKA_CONFIG_SASL_USERNAME and KAFKA_CONFIG_SASL_PASSWORD"
_FIXES = (
    (
        r"Unsupported SASL mechanism",
        "set KAFKA_CONFIG_SASL_MECHANISM, now {mechanism}, to one that the broker supports",
    ),
    (r"SASL authentication error|Authentication failed", "{credentials}"),
    (
        r"Failed to retrieve OIDC token",
        "the token endpoint gave none: check KAFKA_CONFIG_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL, "
        "KAFKA_CONFIG_SASL_OAUTHBEARER_CLIENT_ID and _CLIENT_SECRET, and KAFKA_CONFIG_HTTPS_CA_LOCATION",
    ),
    (
        r"certificate verify failed",
        "KAFKA_CONFIG_SSL_CA_LOCATION must name the certificate of the authority that signed the broker's, "
        "and KAFKA_BOOTSTRAP_SERVERS (and the broker's advertised.listeners) a host that the broker's is for",
    ),
    (
        r"alert (bad certificate|certificate required|handshake failure)",
        "the broker wants a certificate of ours: set KAFKA_CONFIG_SSL_CERTIFICATE_LOCATION and "
        "KAFKA_CONFIG_SSL_KEY_LOCATION",
    ),
    (
        r"PLAINTEXT broker listener|wrong version number",
        "the broker speaks no TLS at this port: name its port for TLS in KAFKA_BOOTSTRAP_SERVERS",
    ),
    (
        # One that lived for long was lost, not refused.
        r"SSL listener|Disconnected.*\(after \d{1,3}ms in state (UP|APIVERSION_QUERY|AUTH_\w+)",
        "the broker hangs up at once: KAFKA_CONFIG_SECURITY_PROTOCOL, now {protocol}, must suit this port "
        "(ssl or sasl_ssl for TLS, sasl_ssl for a login)",
    ),
    (r"Failed to resolve", "KAFKA_BOOTSTRAP_SERVERS names a host that is not known here"),
)
"""What librdkafka 2.16 says, and what it means in terms of our settings."""
