"""The contacts' table and its view on the page: what a reader joins, and what the view answers."""

from __future__ import annotations

from html import escape

from connectors.items import ContactPart, ContactsTable, ExchangesView, Fill
from dataflow.contract import Contract
from dataflow.published.markup import code, wide_table
from dataflow.published.tables import holds
from dataflow.terms import Property

VIEW_COLUMNS = {
    "user_a": "One of the two: the one whose id comes first in the order of bytes.",
    "user_b": "The other.",
    "contacts": "How many contacts they gave each other, a number given twice counted twice.",
    "kinds": "Of which kinds, in alphabetical order with commas.",
    "first_at": "When the first one was given.",
    "a_kinds": "The kinds that user_a gave; null for none.",
    "a_first_at": "When user_a gave the first; null for never.",
    "b_kinds": "The same of user_b.",
    "b_first_at": "The same of user_b.",
    "both_gave": "Whether each gave one.",
    "exchanged_at": "When the second of the two had given the first of theirs; null unless both gave.",
}
"""The columns of `connectors.redshift_contacts_sql.create_view`, in its order."""


_HEADINGS = ("column", "type", "null", "holds", "meaning")


def contacts_section(contract: Contract) -> str:
    """The section's text; empty when the contract has no table of contacts."""
    table, terms = contract.contacts, contract.terms.contacts
    if table is None or terms is None:
        return ""
    return (
        f"<p><code>{escape(table.qualified)}</code>: {escape(terms.description.strip())}</p>"
        + code(join_query(contract, table))
        + wide_table("Columns of the contacts", _HEADINGS, _rows(terms.properties))
        + ("" if table.view is None else _view(table, table.view))
    )


def join_query(contract: Contract, table: ContactsTable) -> str:
    """What messages gave away, as one join."""
    same = " AND ".join(f"c.{name} = m.{name}" for name in contract.table.key)
    if contract.table.keeps_history:
        same += f" AND m.{contract.table.filled_with(Fill.IS_CURRENT)}"
    kind = next(each.name for each in table.columns if each.part is ContactPart.KIND)
    return (
        f"SELECT m.*, c.{kind}\nFROM {contract.table.qualified} m\n"
        f"JOIN {table.qualified} c ON {same}\n"
        f"WHERE m.{contract.table.sort_key} >= '2024-01-01' AND c.{table.sort_key} >= '2024-01-01'"
    )


def _view(table: ContactsTable, view: ExchangesView) -> str:
    name = f"{table.schema}.{view.name}"
    rows = [
        f'<tr><th scope="row"><code>{column}</code></th><td>{escape(meaning)}</td></tr>'
        for column, meaning in VIEW_COLUMNS.items()
    ]
    return (
        f"<p>Who exchanged contacts with whom: the view <code>{escape(name)}</code>, a row for each two "
        "users of whom one gave the other a contact.</p>"
        + code(f"SELECT user_a, user_b, exchanged_at, kinds\nFROM {name}\nWHERE both_gave")
        + wide_table("Columns of the view", ("column", "meaning"), rows)
    )


def _rows(properties: tuple[Property, ...]) -> list[str]:
    return [
        f'<tr><th scope="row"><code>{each.name}</code></th>'
        f"<td><code>{escape(each.physical_type)}</code></td><td>{'no' if each.required else 'yes'}</td>"
        f"<td>{escape(holds(each))}</td><td>{escape(each.description.strip())}</td></tr>"
        for each in properties
    ]
