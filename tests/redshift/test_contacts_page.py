"""The page for data scientists: its queries run, and it tells every column."""

from __future__ import annotations

import re

from connectors.redshift_check import apply_ddl
from connectors.redshift_ddl import objects
from dataflow.contract import load
from dataflow.published.contacts_section import VIEW_COLUMNS, join_query
from tests.pipeline import ROOT
from tests.redshift.warehouse import access_to, stored
from tests.standins.redshift_client import RedshiftServer, connect

PAGE = (ROOT / "docs" / "contacts-table.md").read_text(encoding="utf-8")
QUERIES = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
TEXT = "call me"
WRITTEN = "getdate(), 'c', 'interactions.messages'"


def given(sender: int, receiver: int, day: int, kind: str) -> tuple[str, str]:
    """A message of that day and its contact, as rows."""
    key = f"'{sender}', '{receiver}'"
    at = f"'2023-10-{day:02} 00:00:00'"
    message = f"({key}, '{TEXT}', 'opened', NULL, NULL, {at}, {at}, {WRITTEN})"
    contact = (
        f"({key}, {at}, '{sender}-{day}', '{kind}', NULL, 'h{sender}', '1', '**', 0, 2, 'r', 1, {WRITTEN})"
    )
    return message, contact


def test_the_queries_of_the_page_answer_what_they_say(redshift_database: RedshiftServer) -> None:
    contract = load()
    assert contract.contacts is not None
    apply_ddl(access_to(redshift_database), objects(contract.table, contract.contacts))
    pairs = [given(1, 2, 3, "phone"), given(2, 1, 5, "handle"), given(2, 3, 9, "phone")]
    with connect(redshift_database) as session:
        for message, contact in pairs:
            session.run(f"INSERT INTO {contract.table.qualified} VALUES {message}")
            session.run(f"INSERT INTO {contract.contacts.qualified} VALUES {contact}")
        session.raw.commit()
    join, exchanges, many = (stored(redshift_database, query) for query in QUERIES)
    assert sorted((row[0], row[4]) for row in join) == [("1", "phone"), ("2", "handle"), ("2", "phone")]
    assert [(*row[:3], f"{row[3]:%d}") for row in exchanges] == [("1", "2", "handle, phone", "05")]
    assert many == []
    assert stored(redshift_database, join_query(contract, contract.contacts)) == []


def test_the_pages_tell_every_column_of_the_table_and_of_the_view(redshift_database: RedshiftServer) -> None:
    contract = load()
    assert contract.contacts is not None
    apply_ddl(access_to(redshift_database), objects(contract.table, contract.contacts))
    columns = stored(
        redshift_database,
        "SELECT column_name FROM svv_redshift_columns WHERE schema_name = 'interactions' "
        "AND table_name = 'contact_exchanges' ORDER BY ordinal_position",
    )
    assert [name for (name,) in columns] == list(VIEW_COLUMNS)
    parts = [column.name for column in contract.contacts.contact_columns]
    assert {name for name in [*VIEW_COLUMNS, *parts] if f"`{name}`" not in PAGE} == set()
