"""The real broker as production runs it: TLS, SASL, and nothing permitted that an ACL does not allow.

`bootstrap` is the administrator's door, in plain text on loopback; the others are what clients see.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from tests.standins.certificates import Authority
from tests.standins.kafka_jars import KafkaProgram, kafka_program
from tests.standins.kafka_real import RealKafka, free_ports
from tests.standins.token_issuer import AUDIENCE, TokenKey

MECHANISM: Final = "SCRAM-SHA-512"
_JWT_HANDLER: Final = "org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler"
_JWT_VALIDATOR: Final = "org.apache.kafka.common.security.oauthbearer.BrokerJwtValidator"
_OAUTH_LOGIN: Final = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule"
_SCRAM_LOGIN: Final = "org.apache.kafka.common.security.scram.ScramLoginModule"


class SecuredKafka(RealKafka):
    """A broker with an authorizer; who comes in by `bootstrap` may do everything, others what ACLs say."""

    def __init__(
        self, directory: Path, authority: Authority, users: Mapping[str, str], tokens: TokenKey
    ) -> None:
        """`users`: SCRAM names and passwords; `tokens`: who signs tokens. Raises KafkaUnavailable."""
        directory.mkdir(parents=True, exist_ok=True)
        self._authority = authority
        self._users = users
        self._keys = directory.absolute() / "keys.json"
        tokens.write_key_set(self._keys)
        self._certificate = authority.issue("broker", ["127.0.0.1"])
        super().__init__(directory, self._with_key_set(kafka_program()))
        self._tls_port, self._sasl_port = free_ports(2)

    def _with_key_set(self, program: KafkaProgram) -> KafkaProgram:
        allowed = f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={self._keys.as_uri()}"
        return replace(program, options=(*program.options, allowed))

    @property
    def tls(self) -> str:
        """`127.0.0.1:port` of the listener with TLS; a client's certificate is asked for and names it."""
        return f"127.0.0.1:{self._tls_port}"

    @property
    def sasl(self) -> str:
        """`127.0.0.1:port` of the listener with TLS and SASL: SCRAM or a token."""
        return f"127.0.0.1:{self._sasl_port}"

    def _format_arguments(self) -> list[str]:
        told: list[str] = []
        for name, password in self._users.items():
            told += ["--add-scram", f"{MECHANISM}=[name={name},password={password}]"]
        return told

    def _listeners(self) -> list[tuple[str, str, int]]:
        return [
            *super()._listeners(),
            ("TLS", "SSL", self._tls_port),
            ("SASL", "SASL_SSL", self._sasl_port),
        ]

    def _properties(self) -> str:
        return f"""{super()._properties()}
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=false
super.users=User:ANONYMOUS
ssl.keystore.type=PEM
ssl.keystore.location={self._certificate.both}
ssl.truststore.type=PEM
ssl.truststore.location={self._authority.certificate}
listener.name.tls.ssl.client.auth=required
ssl.principal.mapping.rules=RULE:^CN=(.*?)$/$1/,DEFAULT
sasl.enabled.mechanisms={MECHANISM},OAUTHBEARER
listener.name.sasl.{MECHANISM.lower()}.sasl.jaas.config={_SCRAM_LOGIN} required;
listener.name.sasl.oauthbearer.sasl.jaas.config={_OAUTH_LOGIN} required;
listener.name.sasl.oauthbearer.sasl.server.callback.handler.class={_JWT_HANDLER}
sasl.oauthbearer.jwks.endpoint.url={self._keys.as_uri()}
# The default of 4.1.0 does not look at signatures.
sasl.oauthbearer.jwt.validator.class={_JWT_VALIDATOR}
sasl.oauthbearer.expected.audience={AUDIENCE}
# A token that expires ends the connection, unless the client brings a new one.
connections.max.reauth.ms=3600000
"""
