"""The ledger, read whole: for `ledger`, `rerun` and `verify`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from connectors import redshift_sql as sql
from connectors.items import Table
from connectors.ledger import Entry
from connectors.redshift_access import Session


def read_entries_sql(table: Table) -> str:
    """Every entry of one pipeline and topic. Parameters: pipeline, topic."""
    return (
        "SELECT process_id, kafka_partition, topic_id, first_offset, next_offset, row_count, lost_offsets, "
        f"window_start, window_end, committed_at FROM {sql.ledger_name(table)} "
        "WHERE pipeline = %s AND topic = %s ORDER BY kafka_partition, first_offset, committed_at"
    )


def read_entries(session: Session, table: Table, pipeline: str, topic: str) -> tuple[Entry, ...]:
    """Every entry of one pipeline and topic, by partition and offset. Raises WarehouseTrouble."""
    rows = session.rows(read_entries_sql(table), (pipeline, topic))
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
