"""Which contacts that were told on the side topic the contacts' table lacks. Only reads, but for a temporary
table that ends with the transaction."""

from __future__ import annotations

from collections.abc import Sequence

from connectors import redshift_told_sql as sql
from connectors.items import ToldContact
from connectors.redshift_access import Session
from connectors.redshift_commit import Destination


def count_missing_contacts(
    session: Session, destination: Destination, told: Sequence[ToldContact], commits: Sequence[str]
) -> int:
    """Contacts told of messages that are today's rows of these commits, and not in the contacts' table.

    To be asked after `redshift_verify.compare`, whose incoming rows it looks at, in the same transaction.
    Raises WarehouseTrouble, and ValueError without a contacts' table.
    """
    contacts = destination.contacts
    if contacts is None:
        raise ValueError("no contacts are kept")
    if not told or not commits:
        return 0
    session.execute(sql.create_told())
    for at in range(0, len(told), sql.STATEMENT_ROWS):
        part = told[at : at + sql.STATEMENT_ROWS]
        session.execute(
            sql.insert_told(len(part)),
            [value for each in part for value in (str(each.partition), str(each.offset), each.event_id)],
        )
    ((count,),) = session.rows(sql.count_missing(contacts, destination.table, len(commits)), commits)
    return int(count)
