"""One rerun: rows of commits taken back and written again from their offsets, in one warehouse transaction.

Delivery guarantee: exactly once. The same lock as a commit of new offsets is held, so that a pipeline may
run meanwhile; the ledger's entries of the rerun are appended in the rows' own transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from connectors import redshift_contacts_sql as contacts_sql
from connectors import redshift_history_sql as history_sql
from connectors import redshift_rerun_sql as rerun_sql
from connectors import redshift_sql as sql
from connectors.items import Segment
from connectors.ledger import Rerun, standing
from connectors.redshift_access import Session
from connectors.redshift_commit import (
    Destination,
    append_to_ledger,
    fills,
    link_versions,
    positions_of,
    read_own_ledger,
    stage,
)
from connectors.redshift_contacts import replace_contacts
from connectors.redshift_ddl import refuse_other_history
from connectors.redshift_ledger import read_entries
from connectors.spans import LedgerEntry, Take
from connectors.staging import Staging


class Purpose(Enum):
    """What the transaction is for."""

    WRITE = "write"
    PREVIEW = "preview"
    """Everything is done, told and rolled back."""


class Consent(Enum):
    """What to do when a row would end up without a version, or with an older one."""

    REFUSE = "refuse"
    ACCEPT = "accept"


@dataclass(frozen=True, slots=True)
class Changes:
    """What a rerun does to the table."""

    taken_back: int
    """Rows that the commits had written and that were still there."""
    removed: int
    """Of these, rows whose message keeps the contract no more: they are not written again."""
    older: int
    """Of these, rows that get a version older than the one that they had."""
    staged: int
    """Rows read again."""
    written: int
    stayed: int
    """Messages read again whose row, of another commit, is newer and stays."""


@dataclass(frozen=True, slots=True)
class Rewritten:
    """The warehouse has confirmed the rerun, or would."""

    changes: Changes


@dataclass(frozen=True, slots=True)
class WouldTakeAway:
    """Nothing was written: rows would be lost or made older, see `Changes`."""

    changes: Changes


@dataclass(frozen=True, slots=True)
class Moved:
    """Nothing was written: another rerun has taken the place of one of the commits meanwhile."""


def rerun_once(
    session: Session,
    destination: Destination,
    rerun: Rerun,
    segments: Sequence[Segment],
    staging: Staging,
    commit_id: str,
    now: datetime,
    purpose: Purpose,
    consent: Consent,
) -> Rewritten | WouldTakeAway | Moved:
    """Put what `segments` hold, one for each of the rerun's spans, in the place of its commits' rows.

    Raises WarehouseTrouble: nothing was written, or, when the answer to COMMIT was lost, all of it; the
    ledger tells whether it has entries of `commit_id`. Raises BrokenPromise: nothing was written.
    """
    table = destination.table
    session.execute(sql.lock_ledger(table))
    refuse_other_history(session, table)
    positions = positions_of(read_own_ledger(session, destination))
    entries = read_entries(session, table, destination.pipeline, destination.topic)
    in_force = {entry.process_id for entry in standing(entries).in_force}
    if not in_force.issuperset(rerun.commits):
        session.rollback()
        return Moved()
    # Which of two entries is in force is told by their times: clocks of other machines may be ahead.
    now = max(now, *(entry.committed_at + timedelta(microseconds=1) for entry in entries))
    takes = [Take(segment, segment.first) for segment in segments]
    staged = stage(session, destination, takes, staging)
    session.execute(sql.create_incoming(table))
    session.execute(sql.insert_incoming(table), fills(destination, commit_id, now))
    changes = _merge(session, destination, rerun, takes, sum(staged.values()))
    if consent is Consent.REFUSE and (changes.removed or changes.older):
        session.rollback()
        return WouldTakeAway(changes)
    for span in rerun.spans:
        entry = LedgerEntry(
            span.partition, span.topic_id, positions[span.partition], span.first, span.next, lost=0
        )
        rows = staged.get(span.partition, 0)
        append_to_ledger(session, destination, entry, rows, commit_id, now, span.opens, span.closes)
    if purpose is Purpose.PREVIEW:
        session.rollback()
    else:
        session.commit()
    return Rewritten(changes)


def _merge(
    session: Session, destination: Destination, rerun: Rerun, takes: Sequence[Take], staged: int
) -> Changes:
    table, contacts, commits = destination.table, destination.contacts, rerun.commits
    ((taken_back, removed, older),) = session.rows(rerun_sql.count_changes(table, len(commits)), commits)
    if table.keeps_history:
        session.execute(history_sql.create_taken(table))
        session.execute(history_sql.insert_taken(table, len(commits)), commits)
    session.execute(rerun_sql.delete_rows(table, len(commits)), commits)
    if contacts is not None:
        session.execute(contacts_sql.delete_of_commits(contacts, len(commits)), commits)
    session.execute(rerun_sql.create_outdone(table))
    session.execute(rerun_sql.insert_outdone(table), (destination.pipeline, destination.topic))
    ((read,),) = session.rows(rerun_sql.count_incoming())
    session.execute(rerun_sql.delete_outdone(table))
    ((written,),) = session.rows(rerun_sql.count_incoming())
    if table.keeps_history:
        link_versions(session, table, (sql.INCOMING, history_sql.TAKEN))
    session.execute(sql.merge_incoming(table))
    if contacts is not None:
        replace_contacts(session, contacts, table, takes)
    return Changes(int(taken_back), int(removed), int(older), staged, int(written), int(read) - int(written))
