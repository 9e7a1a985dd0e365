"""The schemas of messages that a command reads again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from connectors.framing import SchemaReference
from connectors.items import Record, WriterSchema
from dataflow.commands.access import registry_access
from dataflow.settings import Settings

SchemasOf = Callable[[Sequence[Record]], Mapping[SchemaReference, WriterSchema | None] | None]
"""From records to the schemas that they name, as `Batch.schemas` holds them. Raises RegistryAway."""


def schemas_of(settings: Settings) -> SchemasOf:
    """Who tells the schemas: the registry that `run` asks; without one, nobody.

    Raises OSError when the registry's CA can't be read.
    """
    access = registry_access(settings)
    if access is None:
        return lambda _records: None
    # Its client takes half a second to import, which only those pay who have a registry.
    from connectors.schema_answers import SchemaAnswers

    return SchemaAnswers(access).of
