"""A table of contacts beside the letters: what a letter gives away is a function of its body."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from connectors import redshift_contacts_sql as contacts_sql
from connectors import redshift_sql as sql
from connectors.items import (
    ContactColumn,
    ContactPart,
    ContactsTable,
    ExchangesView,
    Fill,
    Segment,
    Spool,
    Table,
)
from connectors.redshift_access import RedshiftAccess
from connectors.redshift_check import apply_ddl
from connectors.spool import Backlog, FileSpool
from tests.redshift.warehouse import DESTINATION, TABLE, TO_HISTORY, Letter, access_to, stored
from tests.standins.redshift_client import RedshiftServer

CONTACTS = ContactsTable(
    schema="post",
    name="given",
    columns=(
        ContactColumn("sender", "varchar(16)", True),
        ContactColumn("written", "timestamp", True),
        ContactColumn("receiver", "varchar(16)", False, part=ContactPart.PLATFORM),
        ContactColumn("kind", "varchar(16)", True, part=ContactPart.KIND),
        ContactColumn("place", "integer", True, part=ContactPart.START),
        ContactColumn("mask", "varchar(64)", False, part=ContactPart.MASKED),
        ContactColumn("loaded", "timestamp", True, Fill.COMMIT_TIME),
        ContactColumn("load_id", "varchar(32)", True, Fill.COMMIT_ID),
        ContactColumn("origin", "varchar(32)", True, Fill.SOURCE_NAME),
    ),
    distribution_key="sender",
    sort_key="written",
    view=ExchangesView("exchanges", "sender", "receiver", "written", "kind", ("phone", "handle")),
)
KEEPING = replace(DESTINATION, contacts=CONTACTS)
KEEPING_VERSIONS = replace(TO_HISTORY, contacts=CONTACTS)
"""The same beside a history of the letters."""


def with_contacts(server: RedshiftServer, table: Table = TABLE) -> RedshiftAccess:
    """Access to the server, where the letters, their contacts and the ledger now exist."""
    access = access_to(server)
    apply_ddl(access, (*sql.definitions(table), *contacts_sql.definitions(CONTACTS)))
    return access


def given_by(body: str | None) -> list[list[Any]]:
    """The contacts of a letter, each as it is staged: none to two of them, told by the body's number."""
    if body is None or not body.isdigit():
        return []
    kinds = ("phone", "handle")
    return [[None if at else "ben", kinds[at], at, f"{body}*"] for at in range(int(body) % 3)]


def giving(letter: Letter) -> bytes:
    """A letter's line with its contacts behind."""
    contacts = given_by(letter.body)
    line = letter.line()
    return line[:-1] + b", " + json.dumps(contacts).encode() + b"]" if contacts else line


def giving_span(first: int, next: int, letters: Iterable[Letter], partition: int = 0) -> Segment:
    lines = [giving(letter) for letter in letters]
    spool: Spool = FileSpool(Backlog(1 << 30))
    spool.append(lines)
    return Segment(partition, first, next, len(lines), spool)


def kept(server: RedshiftServer) -> list[tuple[Any, ...]]:
    """Every contact with its commit, in order."""
    return stored(
        server,
        "SELECT sender, written::varchar, receiver, kind, place, mask, loaded::varchar, load_id, origin "
        f"FROM {CONTACTS.qualified} ORDER BY sender, written, place",
    )


def owed(server: RedshiftServer, which: str = "TRUE") -> list[tuple[Any, ...]]:
    """The contacts that stored letters of a condition give away, with their letters' commits, in order."""
    letters = stored(
        server,
        "SELECT sender, written::varchar, body, loaded::varchar, load_id, origin "
        f"FROM {TABLE.qualified} WHERE {which} ORDER BY sender, written",
    )
    return [
        (sender, written, *contact, *commit)
        for sender, written, body, *commit in letters
        for contact in given_by(body)
    ]
