"""The ledger, read whole: for `ledger`, `rerun` and `verify`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from connectors import redshift_sql as sql
from connectors.items import Table
from connectors.ledger import Entry
from connectors.redshift_access import Session


def read_entries(session: Session, table: Table, pipeline: str, topic: str) -> tuple[Entry, ...]:
    """Every entry of one pipeline and topic, by partition and offset. Raises WarehouseTrouble."""
    rows = session.rows(sql.read_entries(table), (pipeline, topic))
    return tuple(_entry(row) for row in rows)


def _entry(row: Sequence[Any]) -> Entry:
    process_id, partition, topic_id, first, next, rows, lost, opens, closes, committed_at = row
    return Entry(
        process_id,
        int(partition),
        topic_id,
        int(first),
        int(next),
        int(rows),
        int(lost),
        _aware(opens),
        _aware(closes),
        _aware(committed_at),
    )


def _aware(stored: datetime) -> datetime:
    return stored.replace(tzinfo=UTC)
