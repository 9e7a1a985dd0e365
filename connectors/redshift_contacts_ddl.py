"""The contacts' table that is there against the contract's: its view binds the columns that it reads."""

from __future__ import annotations

from collections.abc import Sequence

from connectors import redshift_contacts_sql as contacts_sql
from connectors.items import ContactsTable
from connectors.redshift_evolution import Alteration, Difference


def around_exchanges(contacts: ContactsTable, found: Sequence[Difference]) -> tuple[Difference, ...]:
    """Differences of a contacts' table that the view shows: a column that it reads is altered without it."""
    view = contacts.view
    if view is None:
        return tuple(found)
    bound = [f", column {name}" for name in (view.sender, view.recipient, view.given_at, view.kind)]
    if not any(isinstance(each, Alteration) and each.subject.endswith(tuple(bound)) for each in found):
        return tuple(found)
    name = f"{contacts.schema}.{view.name}"
    return (
        Alteration(f"view {name}", "dropped meanwhile: it binds the column's type", f"DROP VIEW {name}"),
        *found,
        Alteration(
            f"view {name}",
            "created again; grant its readers again what they were granted",
            contacts_sql.create_view(contacts, view),
        ),
    )
