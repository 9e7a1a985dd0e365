"""`check`: is everything as the contract says?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TextIO

from connectors import kafka_check, redshift_check
from connectors.items import Finding, Verdict
from connectors.kafka_check import Standing
from connectors.progress import Start, Wait, decide_start
from connectors.redshift_access import WarehouseTrouble, connect
from connectors.redshift_commit import Destination, read_positions
from dataflow.commands.access import kafka_access, redshift_access, topics_of
from dataflow.contract import Contract
from dataflow.settings import Settings


def check(settings: Settings, contract: Contract, out: TextIO) -> int:
    """One line a subject: verdict, subject, detail. 1 when anything is wrong, else 0. Changes nothing."""
    verdicts: Counter[Verdict] = Counter()
    for finding in _findings(settings, contract):
        verdicts[finding.verdict] += 1
        print(f"{finding.verdict.value:<8} {finding.subject}: {finding.detail}", file=out, flush=True)
    print(
        f"\n{verdicts[Verdict.RIGHT]} right, {verdicts[Verdict.WRONG]} wrong, "
        f"{verdicts[Verdict.UNKNOWN]} that could not be looked at",
        file=out,
    )
    return int(verdicts[Verdict.WRONG] > 0)


def _findings(settings: Settings, contract: Contract) -> Iterator[Finding]:
    topics = topics_of(settings, contract)
    kafka = kafka_check.survey(
        kafka_access(settings, topics), contract.partitions, (topics.contacts, topics.dead_letters)
    )
    yield from kafka.findings
    yield from redshift_check.survey(redshift_access(settings), contract.table)
    if kafka.standings:
        rows = _positions(settings, contract, topics.source)
        for standing in kafka.standings:
            yield _start(settings, topics.source, standing, rows)


def _positions(settings: Settings, contract: Contract, topic: str) -> Mapping[int, int] | None:
    """Progress W; None when it cannot be read, which a line before has told."""
    try:
        with connect(redshift_access(settings)) as session:
            positions = read_positions(session, Destination(contract.table, settings.pipeline, topic, topic))
            session.rollback()
            return positions
    except WarehouseTrouble:
        return None


def _start(settings: Settings, topic: str, standing: Standing, rows: Mapping[int, int] | None) -> Finding:
    subject = f"partition {standing.partition}"
    decision = decide_start(
        partition=standing.partition,
        events=standing.events,
        rows=None if rows is None else rows.get(standing.partition),
        rows_known=rows is not None,
        oldest=standing.oldest,
        end=standing.end,
        policy=settings.start,
        accepted=settings.accepted_losses,
    )
    holds = f"the topic holds {standing.oldest} to {standing.end}"
    if isinstance(decision, Wait):
        return Finding(subject, Verdict.UNKNOWN, f"waits for the ledger; {holds}")
    if isinstance(decision, Start):
        lost = f", {decision.lost} offsets accepted as lost" if decision.lost else ""
        behind = f"events from {decision.events_from}"
        if decision.rows_from is not None:
            behind += f", rows from {decision.rows_from}"
        return Finding(subject, Verdict.RIGHT, f"would start at {decision.offset} ({behind}{lost}); {holds}")
    return Finding(subject, Verdict.WRONG, decision.told_of(topic, standing.partition))
