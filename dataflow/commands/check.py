"""`check`: is everything as the contract says?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TextIO

from connectors import kafka_check, redshift_check, s3_check
from connectors.items import Finding, Verdict
from connectors.kafka_start import BrokerFacts
from connectors.progress import Assumed, LedgerTail, Start, Wait, decide_start
from connectors.redshift_access import WarehouseTrouble, connect
from connectors.redshift_commit import read_other_pipelines, read_tails
from connectors.spans import Accepted, decide_owner
from dataflow.commands.access import (
    Topics,
    contacts_table,
    destination,
    kafka_access,
    redshift_access,
    registry_access,
    topics_of,
)
from dataflow.commands.forms import only_json, protobuf_of
from dataflow.commands.staging import authorization_of, bucket_of, place_of
from dataflow.contract import Contract
from dataflow.settings import Settings
from dataflow.settings_values import ByS3


def check(settings: Settings, contract: Contract, out: TextIO) -> int:
    """One line a subject: verdict, subject, detail. 1 when anything is wrong, else 0. Changes nothing.

    Raises ProtobufMismatch before anything connects.
    """
    form = _form(settings, contract)
    verdicts: Counter[Verdict] = Counter()
    for finding in (form, *_findings(settings, contract)):
        verdicts[finding.verdict] += 1
        print(f"{finding.verdict.value:<8} {finding.subject}: {finding.detail}", file=out, flush=True)
    print(
        f"\n{verdicts[Verdict.RIGHT]} right, {verdicts[Verdict.WRONG]} wrong, "
        f"{verdicts[Verdict.UNKNOWN]} that could not be looked at",
        file=out,
    )
    return int(verdicts[Verdict.WRONG] > 0)


def _form(settings: Settings, contract: Contract) -> Finding:
    found = protobuf_of(settings, contract)
    told = only_json(settings)
    if told is None:
        there = "" if found is None else f"; Protobuf form {found.descriptor.full_name}"
        told = f"MESSAGE_FORMAT={settings.message_format.value}{there}"
    return Finding("messages", Verdict.RIGHT, told)


def _findings(settings: Settings, contract: Contract) -> Iterator[Finding]:
    topics = topics_of(settings, contract)
    kafka = kafka_check.survey(
        kafka_access(settings, topics),
        contract.partitions,
        tuple(filter(None, (topics.contacts, topics.dead_letters))),
    )
    yield from kafka.findings
    contacts = contacts_table(settings, contract)
    yield from redshift_check.survey(redshift_access(settings), contract.table, contacts)
    if isinstance(settings.staging, ByS3):
        place, bucket = place_of(settings, settings.staging, topics), bucket_of(settings, settings.staging)
        yield from s3_check.survey(bucket, place, authorization_of(settings, bucket))
    registry = registry_access(settings)
    if registry is not None:
        # Its client takes half a second to import, which only those pay who have a registry.
        from connectors import registry_check

        yield registry_check.survey(registry)
    if kafka.facts is None:
        return
    view = _ledger(settings, contract, topics)
    if view is not None:
        stranger = decide_owner(
            view.tails,
            view.others,
            pipeline=settings.pipeline,
            group=settings.group,
            accepted=Accepted(settings.accepted_group, settings.accepted_pipeline),
        )
        if stranger is not None:
            told = stranger.told_of(settings.pipeline, settings.group)
            yield Finding("ledger's owner", Verdict.WRONG, told)
    ledger = None if view is None else view.tails
    for partition in kafka.facts.bounds:
        yield _start(settings, topics.source, partition, kafka.facts, ledger)


@dataclass(frozen=True, slots=True)
class _LedgerView:
    tails: Mapping[int, LedgerTail]
    others: Sequence[str]


def _ledger(settings: Settings, contract: Contract, topics: Topics) -> _LedgerView | None:
    """What the ledger says; None when it cannot be read, which a line before has told."""
    where = destination(settings, contract, topics)
    try:
        with connect(redshift_access(settings)) as session:
            view = _LedgerView(read_tails(session, where), read_other_pipelines(session, where))
            session.rollback()
            return view
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
            subject,
            Verdict.RIGHT if ledger is not None else Verdict.UNKNOWN,
            f"would start at {decision.offset} ({behind}{lost}); {holds}{assumed}",
        )
    return Finding(subject, Verdict.WRONG, decision.told_of(topic, partition))
