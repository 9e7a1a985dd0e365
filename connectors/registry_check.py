"""What `check` says of the schema registry."""

from __future__ import annotations

from connectors.items import Finding, Verdict
from connectors.registry_access import RegistryAccess
from connectors.schema_registry import RegistryTrouble, ask, connect

_SUBJECT = "schema registry"
_ANY = 1
"""An id to ask for: whether there is such a schema or not, a registry answers."""
_FIXES = {
    "unreachable": "nobody answers there, or its certificate is not believed: look at SCHEMA_REGISTRY_URL "
    "and SCHEMA_REGISTRY_CA",
    "timeout": "no answer within SCHEMA_REGISTRY_TIMEOUT",
    "no_registry": "what answers is no schema registry: look at SCHEMA_REGISTRY_URL",
    "http_401": "the login is refused: look at SCHEMA_REGISTRY_USER_INFO",
    "http_403": "this user may not read schemas: look at SCHEMA_REGISTRY_USER_INFO",
    "http_404": "what answers is no schema registry: look at the path in SCHEMA_REGISTRY_URL",
}


def told_of(trouble: RegistryTrouble) -> str:
    """Why it did not answer, and what to look at."""
    return f"{trouble.reason}: {_FIXES.get(trouble.reason, 'it answers with an error')}"


def survey(access: RegistryAccess) -> Finding:
    """Ask it for a schema, once. Changes nothing."""
    try:
        ask(connect(access), _ANY)
    except OSError as trouble:
        detail = f"SCHEMA_REGISTRY_CA: the file cannot be read: {trouble.strerror}"
        return Finding(_SUBJECT, Verdict.WRONG, detail)
    except RegistryTrouble as trouble:
        return Finding(_SUBJECT, Verdict.WRONG, told_of(trouble))
    return Finding(_SUBJECT, Verdict.RIGHT, f"answers at {access.url}")
