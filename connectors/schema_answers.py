"""The schema registry, asked by a command that reads and ends: it waits for answers, though not for ever."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from connectors.framing import SchemaReference
from connectors.items import Record, WriterSchema
from connectors.registry_access import RegistryAccess, RegistryAway
from connectors.registry_check import told_of
from connectors.schema_gate import references_of
from connectors.schema_registry import BACKOFF, RegistryTrouble, ask, connect

PATIENCE = 10.0
"""Seconds after which a registry that has not answered a question counts as away."""


class SchemaAnswers:
    """Each schema that records name, asked for once. `run` has a thread for that, and waits for ever."""

    def __init__(self, access: RegistryAccess) -> None:
        """Connects nothing yet. Raises OSError when the CA can't be read."""
        self._access = access
        self._client = connect(access)
        self._known: dict[SchemaReference, WriterSchema | None] = {}

    def of(self, records: Sequence[Record]) -> Mapping[SchemaReference, WriterSchema | None]:
        """The schemas that these name, None for one that the registry does not know. Raises RegistryAway."""
        wanted = references_of(records)
        for reference in wanted - self._known.keys():
            self._known[reference] = self._ask(reference)
        return {reference: self._known[reference] for reference in wanted}

    def _ask(self, reference: SchemaReference) -> WriterSchema | None:
        until, attempt = time.monotonic() + PATIENCE, 0
        while True:
            try:
                return ask(self._client, reference)
            except RegistryTrouble as trouble:
                attempt += 1
                wait = BACKOFF.wait(attempt)
                if time.monotonic() + wait > until:
                    raise RegistryAway(f"schema registry, {self._access.url}: {told_of(trouble)}") from None
                time.sleep(wait)
