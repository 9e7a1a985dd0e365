"""`ledger`: how far each partition is, what was committed, and whether anything is missing between."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TextIO

from connectors.kafka_read import TopicReader
from connectors.kafka_start import BrokerFacts
from connectors.ledger import Entry, Standing, faults, standing
from connectors.redshift_access import connect
from connectors.redshift_ledger import read_entries
from dataflow.commands.access import destination, kafka_access, redshift_access, topics_of
from dataflow.commands.show import Form, json_line, moment, table
from dataflow.contract import Contract
from dataflow.settings import Settings


def ledger(settings: Settings, contract: Contract, newest: int, form: Form, out: TextIO) -> int:
    """Positions, the newest commits, gaps. 1 when there is a gap or an overlap, else 0.

    Raises KafkaTrouble, WarehouseTrouble.
    """
    topics = topics_of(settings, contract)
    where = destination(settings, contract, topics)
    with TopicReader(kafka_access(settings, topics), topics.source) as reader:
        facts = reader.facts()
    with connect(redshift_access(settings)) as session:
        entries = read_entries(session, where.table, where.pipeline, where.topic)
        session.rollback()
    now = standing(entries)
    positions = [_position(partition, facts, now) for partition in sorted(facts.bounds)]
    commits = _commits(entries, now)
    wrong = faults(now.in_force)
    if form is Form.JSON:
        json_line(
            {
                "pipeline": settings.pipeline,
                "topic": topics.source,
                "topic_id": facts.topic_id,
                "positions": positions,
                "commits": [
                    {**commit, "committed_at": moment(commit["committed_at"])} for commit in commits[-newest:]
                ],
                "gaps": [
                    {
                        "partition": each.partition,
                        "first": each.first,
                        "next": each.next,
                        "entries": each.entries,
                    }
                    for each in wrong
                ],
            },
            out,
        )
        return int(bool(wrong))
    print(f"pipeline {settings.pipeline}, topic {topics.source}\n", file=out)
    headings = ("partition", "held from", "end", "events to", "lag", "rows to", "lag", "last commit")
    table(headings, [tuple(position.values()) for position in positions], out)
    print(file=out)
    rows = [
        (
            commit["committed_at"],
            commit["process_id"],
            commit["rows"],
            " ".join(f"{partition}:{first}-{next}" for partition, first, next in commit["spans"]),
            commit["note"],
        )
        for commit in commits[-newest:]
    ]
    table(("committed at", "process id", "rows read", "partition:first-next", ""), rows, out)
    older = len(commits) - len(rows)
    print(
        f"\n{len(commits)} commits" + (f", {older} older ones not shown (--commits)" if older else ""),
        file=out,
    )
    for each in wrong:
        what = "two commits claim" if each.entries else "no commit covers"
        print(f"GAP  partition {each.partition}: {what} offsets {each.first} to {each.next - 1}", file=out)
    if not wrong:
        print("no gaps", file=out)
    return int(bool(wrong))


def _position(partition: int, facts: BrokerFacts, now: Standing) -> dict[str, Any]:
    oldest, end = facts.bounds[partition]
    own = [entry for entry in now.in_force if entry.partition == partition]
    rows = max((entry.next for entry in own), default=None)
    events = facts.events.get(partition)
    reached = None if events is None else events.position
    return {
        "partition": partition,
        "held_from": oldest,
        "end": end,
        "events_to": reached,
        "events_lag": None if reached is None else max(0, end - reached),
        "rows_to": rows,
        "rows_lag": None if rows is None else max(0, end - rows),
        "last_commit": moment(max((entry.committed_at for entry in own), default=None)),
    }


def _commits(entries: Sequence[Entry], now: Standing) -> list[dict[str, Any]]:
    """One a commit, in the order of their time."""
    by_id: dict[str, list[Entry]] = {}
    for entry in entries:
        by_id.setdefault(entry.process_id, []).append(entry)
    heirs = set(now.rerun_as.values())
    commits = []
    for process_id, own in by_id.items():
        lost = sum(entry.lost for entry in own)
        notes = [f"{lost} offsets accepted as lost"] if lost else []
        notes += ["a rerun"] if process_id in heirs else []
        notes += [f"rerun as {now.rerun_as[process_id]}"] if process_id in now.rerun_as else []
        commits.append(
            {
                "process_id": process_id,
                "committed_at": max(entry.committed_at for entry in own),
                "rows": sum(entry.rows for entry in own),
                "spans": [[entry.partition, entry.first, entry.next] for entry in own],
                "lost": lost,
                "note": ", ".join(notes),
            }
        )
    return sorted(commits, key=lambda commit: (commit["committed_at"], commit["process_id"]))
