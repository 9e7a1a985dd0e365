"""The commit of someone who needs no ledger, INSERT, dedupe and MERGE: what ours is measured against."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.redshift_access import Session

ROWS = 1_000
"""Rows of one INSERT."""
_COLUMNS = "user_id, subject_id, message_text, status, cloudinary_url, length_seconds, created_at, updated_at"
_STAGED = f"{_COLUMNS}, kafka_partition, kafka_offset"
_DEFINITIONS = """
    user_id varchar(128), subject_id varchar(128), message_text varchar(2056), status varchar(16),
    cloudinary_url varchar(64), length_seconds integer, created_at timestamp, updated_at timestamp,
    kafka_partition integer, kafka_offset bigint
"""
_NEWEST = f"""
    SELECT {_COLUMNS} FROM (
        SELECT {_COLUMNS}, ROW_NUMBER() OVER (
            PARTITION BY user_id, subject_id, created_at
            ORDER BY updated_at DESC, kafka_offset DESC, kafka_partition DESC
        ) AS place FROM {{staged}}
    ) ranked WHERE place = 1
"""
_MERGE = """
    MERGE INTO interactions.messages USING newest
    ON messages.user_id = newest.user_id AND messages.subject_id = newest.subject_id
        AND messages.created_at = newest.created_at
    WHEN MATCHED THEN UPDATE SET message_text = newest.message_text, status = newest.status,
        cloudinary_url = newest.cloudinary_url, length_seconds = newest.length_seconds,
        updated_at = newest.updated_at, metafield_insert_time = CAST(%s AS timestamp),
        metafield_process_id = CAST(%s AS varchar(256)), metafield_source_id = CAST(%s AS varchar(256))
    WHEN NOT MATCHED THEN INSERT VALUES (newest.user_id, newest.subject_id, newest.message_text,
        newest.status, newest.cloudinary_url, newest.length_seconds, newest.created_at, newest.updated_at,
        CAST(%s AS timestamp), CAST(%s AS varchar(256)), CAST(%s AS varchar(256)))
"""


def commit(session: Session, rows: Sequence[Sequence[str | None]], metafields: tuple[str, str, str]) -> None:
    """Commit rows of text (contract columns, partition, offset) with the three metafields' values."""
    session.execute(f"CREATE TEMP TABLE staged ({_DEFINITIONS}) DISTKEY(user_id)")
    insert(session, "staged", rows)
    session.execute(f"CREATE TEMP TABLE newest DISTKEY(user_id) AS {_NEWEST.format(staged='staged')}")
    session.execute(_MERGE, [*metafields, *metafields])
    session.commit()


def copy(session: Session, manifest: str, paths: str, metafields: tuple[str, str, str]) -> None:
    """The same of rows that lie in S3, as `paths` reads them."""
    session.execute(f"CREATE TEMP TABLE staged ({_DEFINITIONS}) DISTKEY(user_id)")
    session.execute(
        f"COPY staged ({_STAGED}) FROM '{manifest}' IAM_ROLE default MANIFEST FORMAT JSON '{paths}' GZIP "
        "TIMEFORMAT 'auto' COMPUPDATE OFF STATUPDATE OFF"
    )
    session.execute(f"CREATE TEMP TABLE newest DISTKEY(user_id) AS {_NEWEST.format(staged='staged')}")
    session.execute(_MERGE, [*metafields, *metafields])
    session.commit()


def insert(session: Session, table: str, rows: Sequence[Sequence[str | None]]) -> None:
    """Rows by INSERT of `ROWS` at a time."""
    one = "(" + ", ".join(["%s"] * len(_STAGED.split(","))) + ")"
    for first in range(0, len(rows), ROWS):
        some = rows[first : first + ROWS]
        statement = f"INSERT INTO {table} ({_STAGED}) VALUES {', '.join([one] * len(some))}"
        session.execute(statement, [value for row in some for value in row])


def stock(session: Session, rows: Sequence[Sequence[str | None]], known: int) -> None:
    """A table `stock` of as many rows: as if of the day before, but every `known`-th an older version."""
    session.execute(f"CREATE TABLE stocked ({_DEFINITIONS})")
    insert(session, "stocked", rows)
    session.execute("CREATE TABLE stock AS SELECT * FROM interactions.messages")
    before = "INTERVAL '1 day'"
    session.execute(
        "INSERT INTO stock SELECT user_id, subject_id, message_text, status, cloudinary_url, length_seconds, "
        f"CASE WHEN kafka_offset % {known} = 0 THEN created_at ELSE created_at - {before} END, "
        f"updated_at - {before}, TIMESTAMP '2026-01-01 00:00:00', 'stock', 'stock' "
        f"FROM ({_NEWEST.format(staged='stocked').replace(_COLUMNS, _STAGED)}) newest"
    )
    session.commit()
