"""What `verify` reads in the warehouse, as one snapshot: one transaction, which is rolled back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from connectors import redshift_contacts_sql as contacts_sql
from connectors import redshift_history_sql as history_sql
from connectors import redshift_rerun_sql as rerun_sql
from connectors import redshift_sql as table_sql
from connectors import redshift_verify_sql as sql
from connectors.items import Segment
from connectors.redshift_access import Session
from connectors.redshift_commit import Destination, fills, stage
from connectors.spans import Take
from connectors.staging import Staging


@dataclass(frozen=True, slots=True)
class TableFigures:
    """The whole table, looked through."""

    rows: int
    faulty: Mapping[sql.Fault, int]
    """Rows with each fault that was asked for."""
    repeated: int
    """Messages that are there more than once."""
    surplus: int
    """Rows too many because of that."""
    by_commit: Mapping[str | None, int]
    ledger_rows: Mapping[str, int]
    """Rows that each commit staged, of every pipeline that writes the table."""
    stray_contacts: int | None
    """Contacts that do not belong to their message's row; None: none are kept."""


@dataclass(frozen=True, slots=True)
class HistoryFigures:
    """The versions of the whole table."""

    not_one_current: int
    """Messages without a current row, or with several."""
    wrong_intervals: int
    """Rows that are not valid from their version to the next one."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Rows as the source has them against rows as the table has them."""

    versions: int
    """Messages of the source that keep the contract."""
    expected: int
    """Different messages among them: a row each."""
    missing: int
    older: int
    """Rows whose version is older than the source's."""
    altered: int
    """Rows of these commits that differ from the source."""
    stored: int
    """Rows of these commits; the other expected ones have been taken over by other commits."""
    unexplained: int
    """Rows of these commits that no message of theirs explains."""


def look_through(session: Session, destination: Destination, faults: Sequence[sql.Fault]) -> TableFigures:
    """Scan the table. Raises WarehouseTrouble."""
    table = destination.table
    ((rows, *counts),) = session.rows(*sql.count_faults(table, faults))
    ((repeated, surplus),) = session.rows(sql.count_repeated(table))
    return TableFigures(
        int(rows),
        {fault: int(count) for fault, count in zip(faults, counts, strict=True)},
        int(repeated),
        int(surplus),
        {commit: int(count) for commit, count in session.rows(sql.count_by_commit(table))},
        {commit: int(count) for commit, count in session.rows(sql.ledger_rows(table))},
        _stray_contacts(session, destination),
    )


def _stray_contacts(session: Session, destination: Destination) -> int | None:
    if destination.contacts is None:
        return None
    ((count,),) = session.rows(contacts_sql.count_strays(destination.contacts, destination.table))
    return int(count)


def look_at_history(session: Session, destination: Destination) -> HistoryFigures:
    """Scan a table that keeps a history. Raises WarehouseTrouble."""
    table = destination.table
    ((not_one_current,),) = session.rows(history_sql.count_not_one_current(table))
    ((wrong_intervals,),) = session.rows(history_sql.count_wrong_intervals(table))
    return HistoryFigures(int(not_one_current), int(wrong_intervals))


def compare(
    session: Session,
    destination: Destination,
    segments: Sequence[Segment],
    commits: Sequence[str],
    staging: Staging,
) -> Comparison:
    """What the segments hold against the table's rows; they hold all that `commits` have read.

    Raises WarehouseTrouble, BrokenPromise.
    """
    table = destination.table
    versions = stage(session, destination, [Take(each, each.first) for each in segments], staging)
    session.execute(table_sql.create_incoming(table))
    # Stamps of a commit that never is: only the values of messages are compared.
    stamps = fills(destination, "", datetime(2000, 1, 1, tzinfo=UTC))
    session.execute(table_sql.insert_incoming(table), stamps)
    ((expected,),) = session.rows(rerun_sql.count_incoming())
    ((missing, older, altered),) = session.rows(sql.compare(table, len(commits)), [*commits, *commits])
    ((stored, unexplained),) = session.rows(sql.count_of_commits(table, len(commits)), commits)
    return Comparison(
        sum(versions.values()),
        *(int(each) for each in (expected, missing, older, altered, stored, unexplained)),
    )
