"""`check`: is everything as the contract says?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TextIO

from connectors import kafka_check, redshift_check
from connectors.items import Finding, Verdict
from connectors.kafka_start import BrokerFacts
from connectors.progress import Assumed, LedgerTail, Start, Wait, decide_owner, decide_start
from connectors.redshift_access import WarehouseTrouble, connect
from connectors.redshift_commit import read_tails
from dataflow.commands.access import Topics, destination, kafka_access, redshift_access, topics_of
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
    if kafka.facts is None:
        return
    ledger = _ledger(settings, contract, topics)
    stranger = decide_owner(ledger or {}, settings.group, settings.accepted_group)
    if stranger is not None:
        yield Finding("ledger's owner", Verdict.WRONG, stranger.told_of(settings.pipeline, settings.group))
    for partition in kafka.facts.bounds:
        yield _start(settings, topics.source, partition, kafka.facts, ledger)


def _ledger(settings: Settings, contract: Contract, topics: Topics) -> Mapping[int, LedgerTail] | None:
    """Progress W; None when it cannot be read, which a line before has told."""
    try:
        with connect(redshift_access(settings)) as session:
            tails = read_tails(session, destination(settings, contract, topics))
            session.rollback()
            return tails
    except WarehouseTrouble:
        return None


def _start(
    settings: Settings,
    topic: str,
    partition: int,
    facts: BrokerFacts,
    ledger: Mapping[int, LedgerTail] | None,
) -> Finding:
    subject = f"partition {partition}"
    tail = None if ledger is None else ledger.get(partition)
    oldest, end = facts.bounds[partition]
    decision = decide_start(
        partition=partition,
        topic_id=facts.topic_id,
        events=facts.events.get(partition),
        rows=None if tail is None else tail.progress,
        rows_known=ledger is not None,
        ledger_empty=not ledger,
        oldest=oldest,
        end=end,
        policy=settings.start,
        accepted=settings.accepted_losses,
    )
    holds = f"the topic holds {oldest} to {end}"
    if isinstance(decision, Wait):
        return Finding(subject, Verdict.UNKNOWN, f"waits for the ledger; {holds}")
    if isinstance(decision, Start):
        lost = f", {decision.lost} offsets accepted as lost" if decision.lost else ""
        behind = f"events from {decision.events_from}"
        if decision.rows_from is not None:
            behind += f", rows from {decision.rows_from}"
        assumed = "" if decision.assumed is Assumed.NOTHING else f"; {decision.assumed.value}"
        return Finding(
            subject, Verdict.RIGHT, f"would start at {decision.offset} ({behind}{lost}); {holds}{assumed}"
        )
    return Finding(subject, Verdict.WRONG, decision.told_of(topic, partition))
