"""How contacts get from the spools of their messages into the warehouse, beside the rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import orjson

from connectors import redshift_contacts_sql as sql
from connectors.items import ContactsTable, Table
from connectors.progress import CommitMismatch
from connectors.redshift_access import Session
from connectors.spans import Take
from connectors.staging import bears_contacts, text


def replace_contacts(session: Session, contacts: ContactsTable, table: Table, takes: Sequence[Take]) -> None:
    """In a commit's transaction, once it is known which rows are written: their contacts take the place of
    those that their messages had.

    Raises WarehouseTrouble, SpoolLost, CommitMismatch.
    """
    staged = _stage(session, contacts, takes)
    session.execute(sql.delete_replaced(contacts, table))
    if staged:
        session.execute(sql.insert_current(contacts, table))


def _stage(session: Session, contacts: ContactsTable, takes: Sequence[Take]) -> int:
    """Fill the staging table of contacts; how many. Without any there is no table."""
    size = sql.statement_rows(contacts)
    rows = staged_contacts(takes)
    sent = 0
    while batch := list(islice(rows, size)):
        if not sent:
            session.execute(sql.create_staged(contacts))
        parameters = [value for row in batch for value in row]
        session.execute(sql.insert_staged(contacts, len(batch)), parameters)
        sent += len(batch)
    if sent:
        ((held,),) = session.rows(sql.count_staged())
        if held != sent:
            raise CommitMismatch(f"{sent} contacts were staged but the warehouse holds {held}")
    return sent


def staged_contacts(takes: Sequence[Take]) -> Iterator[list[str | None]]:
    """The contacts to stage as text: the contact columns in order, then partition and offset."""
    for take in takes:
        partition = str(take.segment.partition)
        for line in take.segment.spool.lines():
            if not bears_contacts(line):
                continue
            offset, *_, contacts = orjson.loads(line)
            if offset < take.at:
                continue
            for contact in contacts:
                yield [*map(text, contact), partition, str(offset)]
