"""Rules across settings: what is right by itself and wrong together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dataflow.model import MessageFraming
from dataflow.settings_table import CONTACTS, KNOWN, REDSHIFT, ContactValues, RedshiftAuth, SslMode
from dataflow.settings_values import ByInsert

_NEEDED = {
    RedshiftAuth.PASSWORD: ("REDSHIFT_USER", "REDSHIFT_PASSWORD"),
    RedshiftAuth.IAM: ("REDSHIFT_CLUSTER", "REDSHIFT_USER", "REDSHIFT_REGION"),
    RedshiftAuth.IAM_SERVERLESS: ("REDSHIFT_WORKGROUP", "REDSHIFT_REGION"),
}


def across(values: Mapping[str, Any], faults: list[str], groups: frozenset[str], secret_file: str) -> None:
    """Add what is wrong to `faults`. A setting that is faulty itself is not blamed twice; a secret may be
    blamed under its name with `secret_file` behind."""
    blamed = {fault.split(":", 1)[0].removesuffix(secret_file) for fault in faults}
    auth = values["REDSHIFT_AUTH"]
    for name in _NEEDED.get(auth, ()) if REDSHIFT in groups else ():
        if values[name] is None and name not in blamed:
            faults.append(f"{name}: is missing; REDSHIFT_AUTH={auth.value} needs it. {KNOWN[name].text}")
    if (
        auth in (RedshiftAuth.IAM, RedshiftAuth.IAM_SERVERLESS)
        and values["REDSHIFT_SSLMODE"] is SslMode.DISABLE
    ):
        faults.append("REDSHIFT_SSLMODE: IAM needs TLS; choose verify-full or verify-ca")
    if values["SCHEMA_REGISTRY_URL"] is not None and values["MESSAGE_FRAMING"] is MessageFraming.NONE:
        faults.append(
            "SCHEMA_REGISTRY_URL: is never asked with MESSAGE_FRAMING=none; choose confluent or auto"
        )
    if values["SCHEMA_REGISTRY_URL"] is None and "SCHEMA_REGISTRY_URL" not in blamed:
        for name in ("SCHEMA_REGISTRY_USER_INFO", "SCHEMA_REGISTRY_CA"):
            if values[name] is not None:
                faults.append(f"{name}: is of no use without SCHEMA_REGISTRY_URL; give that too")
    if values["STAGING"] is ByInsert.INSERT:
        for name in ("S3_REGION", "S3_ENDPOINT"):
            if values[name] is not None:
                faults.append(f"{name}: is of no use with STAGING=insert; set STAGING=s3://bucket/prefix")
    timeout, interval = values["TRANSACTION_TIMEOUT"], values["EVENT_COMMIT_INTERVAL"]
    if timeout is not None and interval is not None and interval >= timeout:
        faults.append(
            "EVENT_COMMIT_INTERVAL: must be shorter than TRANSACTION_TIMEOUT, after which the broker ends it"
        )
    if CONTACTS not in groups:
        return
    values_leave = values["CONTACT_VALUES"]
    keyless = values["CONTACT_HMAC_KEY"] is None and "CONTACT_HMAC_KEY" not in blamed
    if keyless and values_leave is not None and values_leave is not ContactValues.OMITTED:
        faults.append(
            "CONTACT_HMAC_KEY: is missing. Give a secret of at least 16 bytes (or CONTACT_HMAC_KEY_FILE), "
            "or set CONTACT_VALUES=omitted to send events without values"
        )
