"""One attempt to commit: rows and ledger entries in one warehouse transaction.

Delivery guarantee: exactly once. The ledger's entries say which offsets the table holds, and they are
appended in the rows' own transaction. Whatever happens to a connection, the next attempt asks the ledger.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from connectors import redshift_history_sql as history_sql
from connectors import redshift_sql as sql
from connectors.items import ClosedWindow, ContactsTable, Fill, Segment, Table
from connectors.progress import CommitMismatch, DataLoss, LedgerBroken, LedgerTail, Progress
from connectors.redshift_access import Session
from connectors.redshift_contacts import replace_contacts
from connectors.redshift_ddl import refuse_other_history
from connectors.spans import (
    NOTHING_ACCEPTED,
    Accepted,
    AlreadyCommitted,
    Gap,
    LedgerEntry,
    Regressed,
    RowsReplaced,
    Take,
    decide_commit,
    decide_owner,
)
from connectors.staging import Staging


@dataclass(frozen=True, slots=True)
class Destination:
    """Whose rows go where: the ledger's entries are those of `pipeline` and `topic`, written by `group`.

    Raises ValueError when a name does not fit its column, in bytes.
    """

    table: Table
    pipeline: str
    topic: str
    source: str
    """Written to the column that is filled with the source's name."""
    group: str
    accepted: Accepted = NOTHING_ACCEPTED
    contacts: ContactsTable | None = None
    """Where the contacts of the rows go; None: nowhere."""

    def __post_init__(self) -> None:
        """Check the lengths now: the warehouse would refuse every commit."""
        columns = {column.name: column for column in sql.LEDGER_COLUMNS}
        fitting = [(columns["pipeline"], self.pipeline), (columns["topic"], self.topic)]
        fitting.append((columns["consumer_group"], self.group))
        filled = (*self.table.columns, *(self.contacts.columns if self.contacts is not None else ()))
        fitting += [(column, self.source) for column in filled if column.fill is Fill.SOURCE_NAME]
        for column, value in fitting:
            limit = sql.byte_length(column.sql_type)
            if limit is not None and len(value.encode()) > limit:
                raise ValueError(f"{value!r} is longer than the {limit} bytes that {column.name} holds")


class Laps:
    """How many seconds each step took, by its name."""

    def __init__(self) -> None:
        """The first step begins now."""
        self._since = time.monotonic()
        self.seconds: dict[str, float] = {}

    def done(self, step: str) -> None:
        """A step is done; the next begins."""
        now = time.monotonic()
        self.seconds[step] = self.seconds.get(step, 0.0) + now - self._since
        self._since = now


@dataclass(frozen=True, slots=True)
class Committed:
    """The warehouse has confirmed a commit."""

    commit_id: str
    entries: tuple[LedgerEntry, ...]
    rows: int
    """Rows staged: what was read, before duplicates and older versions were dropped."""
    positions: Mapping[int, int]
    """Progress W of every partition in the ledger."""
    phases: Mapping[str, float]
    """Seconds that each step took: `lock`, `stage`, `merge`, `ledger`, `commit`."""


@dataclass(frozen=True, slots=True)
class NothingNew:
    """The ledger covers every segment already. Nothing was written."""

    positions: Mapping[int, int]


def read_tails(session: Session, destination: Destination) -> dict[int, LedgerTail]:
    """The newest entry of every partition that has one: progress W. Raises WarehouseTrouble."""
    tails: dict[int, LedgerTail] = {}
    rows = session.rows(sql.read_tails(destination.table), (destination.pipeline, destination.topic))
    for partition, topic_id, group, position, committed_at in rows:
        known = tails.get(int(partition))
        if known is None or known.progress.position < position:
            tails[int(partition)] = LedgerTail(Progress(int(position), topic_id), group, committed_at)
    return tails


def read_other_pipelines(session: Session, destination: Destination) -> list[str]:
    """Other pipelines that have entries for the same topic. Raises WarehouseTrouble."""
    names = (destination.topic, destination.pipeline)
    return [name for (name,) in session.rows(sql.read_other_pipelines(destination.table), names)]


def read_own_ledger(session: Session, destination: Destination) -> dict[int, LedgerTail]:
    """The ledger, when it is ours to write: see `read_tails`. Raises WarehouseTrouble, LedgerBroken."""
    tails = read_tails(session, destination)
    stranger = decide_owner(
        tails,
        [] if tails else read_other_pipelines(session, destination),
        pipeline=destination.pipeline,
        group=destination.group,
        accepted=destination.accepted,
    )
    if stranger is not None:
        told = stranger.told_of(destination.pipeline, destination.group)
        raise LedgerBroken(f"{sql.ledger_name(destination.table)}: {told}")
    return tails


def positions_of(ledger: Mapping[int, LedgerTail]) -> dict[int, int]:
    """The next offset of every partition."""
    return {partition: tail.progress.position for partition, tail in ledger.items()}


def commit_once(
    session: Session,
    destination: Destination,
    windows: Sequence[ClosedWindow],
    seen: Mapping[int, int],
    staging: Staging,
    commit_id: str,
    now: datetime,
) -> Committed | NothingNew:
    """One attempt to commit what the windows hold, as one transaction on a session of its own.

    `seen` is the highest position this process knows per partition, `commit_id` 32 hex digits, `now` aware.
    Raises WarehouseTrouble: nothing was written, or, when the answer to COMMIT was lost, all of it; another
    attempt on another session finds out. Raises BrokenPromise: nothing was written, and must not be.
    """
    table = destination.table
    laps = Laps()
    session.execute(sql.lock_ledger(table))
    refuse_other_history(session, table)
    ledger = read_own_ledger(session, destination)
    decision = decide_commit(ledger, seen, [segment for window in windows for segment in window.segments])
    match decision:
        case Gap(partition, position, first):
            raise LedgerBroken(
                f"{destination.topic} partition {partition}: offsets {position} to {first - 1} were never "
                f"committed to {sql.ledger_name(table)}, and a commit from {first} on would hide that. "
                "A restart reads them again"
            )
        case Regressed(partition, known, lower):
            raise LedgerBroken(
                f"{destination.topic} partition {partition}: {sql.ledger_name(table)} stands at {lower} but "
                f"stood at {known} before: entries were removed. Restore them before a restart"
            )
        case RowsReplaced(partition, replaced):
            raise DataLoss(replaced.told_of(destination.topic, partition))
        case AlreadyCommitted():
            session.rollback()
            return NothingNew(positions_of(ledger))
    laps.done("lock")
    rows = _write_rows(session, destination, decision.takes, staging, commit_id, now, laps)
    for entry in decision.entries:
        taken = [take.segment for take in decision.takes if take.segment.partition == entry.partition]
        sources = [window for window in windows if any(_holds(window, segment) for segment in taken)]
        opens, closes = min(each.opens for each in sources), max(each.closes for each in sources)
        append_to_ledger(
            session, destination, entry, rows.get(entry.partition, 0), commit_id, now, opens, closes
        )
    laps.done("ledger")
    session.commit()
    laps.done("commit")
    positions = {**positions_of(ledger), **{entry.partition: entry.next for entry in decision.entries}}
    return Committed(commit_id, decision.entries, sum(rows.values()), positions, laps.seconds)


def _write_rows(
    session: Session,
    destination: Destination,
    takes: Sequence[Take],
    staging: Staging,
    commit_id: str,
    now: datetime,
    laps: Laps,
) -> dict[int, int]:
    """Stage, dedupe, merge; the rows staged per partition.

    Type 1: of each message the latest version is kept. Type 2: each version is a row. Either way, of two
    messages of one version the later offset's is it: what comes in, unless the same commit brings both.
    """
    table = destination.table
    if not any(take.segment.rows for take in takes):
        return {}
    staged = stage(session, destination, takes, staging)
    laps.done("stage")
    session.execute(sql.create_incoming(table))
    session.execute(sql.insert_incoming(table), fills(destination, commit_id, now))
    if table.keeps_history:
        link_versions(session, table, (sql.INCOMING,))
    else:
        session.execute(sql.delete_older(table))
    session.execute(sql.merge_incoming(table))
    if destination.contacts is not None:
        replace_contacts(session, destination.contacts, table, takes)
    laps.done("merge")
    return staged


def link_versions(session: Session, table: Table, touched: Sequence[str]) -> None:
    """Before incoming rows are merged: give the versions of the messages in `touched` their intervals."""
    session.execute(history_sql.create_links(table))
    session.execute(history_sql.insert_links(table, touched))
    session.execute(history_sql.link_incoming(table))
    session.execute(history_sql.link_stored(table))


def stage(
    session: Session, destination: Destination, takes: Sequence[Take], staging: Staging
) -> dict[int, int]:
    """Fill the staging table; the rows in it per partition. Raises CommitMismatch."""
    session.execute(sql.create_staged(destination.table))
    sent = staging.stage(session, takes, destination.table)
    staged = {int(partition): int(rows) for partition, rows in session.rows(sql.count_staged())}
    if sum(staged.values()) != sent:
        raise CommitMismatch(f"{sent} rows were staged but the warehouse holds {sum(staged.values())}")
    return staged


def fills(destination: Destination, commit_id: str, now: datetime) -> list[str]:
    """What fills the columns that no message fills, in the table's order."""
    values = {
        Fill.COMMIT_TIME: timestamp(now),
        Fill.COMMIT_ID: commit_id,
        Fill.SOURCE_NAME: destination.source,
    }
    return [values[fill] for fill in sql.fills(destination.table)]


def append_to_ledger(
    session: Session,
    destination: Destination,
    entry: LedgerEntry,
    rows: int,
    commit_id: str,
    now: datetime,
    opens: datetime,
    closes: datetime,
) -> None:
    """Append an entry for what came from the windows `[opens, closes)`. Raises CommitMismatch."""
    of_partition = (destination.pipeline, destination.topic, str(entry.partition))
    parameters = [
        commit_id,
        destination.pipeline,
        destination.topic,
        entry.topic_id,
        destination.group,
        str(entry.partition),
        str(entry.first),
        str(entry.next),
        str(rows),
        str(entry.lost),
        timestamp(opens),
        timestamp(closes),
        timestamp(now),
        *of_partition,
    ]
    expected = sql.Expected.NO_ENTRY
    if entry.expected is not None:
        expected = sql.Expected.POSITION
        parameters.append(str(entry.expected))
    appended = session.execute(sql.append_entry(destination.table, expected), parameters)
    if appended != 1:
        raise CommitMismatch(
            f"{destination.topic} partition {entry.partition}: the ledger moved away from {entry.expected} "
            "under our lock: someone writes to it without locking it"
        )


def _holds(window: ClosedWindow, segment: Segment) -> bool:
    return any(own is segment for own in window.segments)


def timestamp(moment: datetime) -> str:
    """A moment as a parameter of a statement."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
