"""Settings as `--help` lists them."""

from __future__ import annotations

from collections.abc import Container

from dataflow.settings_table import KAFKA, KNOWN, SETTINGS

_OF_CLIENTS = """
  Any librdkafka property some.name as KAFKA_CONFIG_SOME_NAME, a secret one also from a file:
    KAFKA_CONFIG_SECURITY_PROTOCOL=sasl_ssl      KAFKA_CONFIG_SASL_MECHANISM=SCRAM-SHA-512
    KAFKA_CONFIG_SASL_USERNAME=pipeline          KAFKA_CONFIG_SASL_PASSWORD_FILE=/run/secrets/kafka
    KAFKA_CONFIG_SSL_CA_LOCATION=/etc/ca.pem     KAFKA_CONFIG_SASL_OAUTHBEARER_METHOD=oidc"""


def settings_help(names: Container[str] = KNOWN) -> str:
    """The settings of these names, by group, each with its default; by default all."""
    lines = ["settings (environment, or .env in the working directory; the environment wins):"]
    group = ""
    for setting in SETTINGS:
        if setting.name not in names:
            continue
        if setting.group != group:
            group = setting.group
            lines += ["", f"  {group}"]
        notes = [f"Default: {setting.default}."] if setting.default is not None else []
        notes += ["Required."] if setting.required else []
        notes += [f"Secret: also as {setting.name}_FILE."] if setting.secret else []
        lines.append(f"    {setting.name:<28}{' '.join([setting.text, *notes])}")
    if any(setting.group == KAFKA and setting.name in names for setting in SETTINGS):
        lines.append(_OF_CLIENTS)
    return "\n".join(lines)
