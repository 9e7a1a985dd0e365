"""`rerun`: offsets that were committed are read again, and their rows put in the place of the old ones."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from typing import TextIO

from connectors.items import EventBatch, Segment
from connectors.kafka_access import KafkaAccess
from connectors.kafka_read import TopicReader
from connectors.kafka_replay import Outgoing, ReplayProducer
from connectors.ledger import (
    ByCommit,
    ByOffsets,
    Gone,
    NeverCommitted,
    NoSuchCommit,
    Rerun,
    RerunAlready,
    decide_rerun,
)
from connectors.progress import TopicReplaced
from connectors.redshift_access import connect
from connectors.redshift_ledger import read_entries
from connectors.redshift_rerun import (
    Changes,
    Consent,
    Moved,
    Purpose,
    Rewritten,
    WouldTakeAway,
    rerun_once,
)
from connectors.spool import Backlog, FileSpool
from connectors.staging import InsertStaging
from dataflow.arguments import TopicSpan
from dataflow.commands.access import Topics, destination, kafka_access, redshift_access, topics_of
from dataflow.commands.dead_letters import origins
from dataflow.commands.reread import checked_rows
from dataflow.commands.schemas import schemas_of
from dataflow.commands.show import Form, json_line
from dataflow.contract import Contract
from dataflow.flow import Steps
from dataflow.model import Checked
from dataflow.selection import check_partitions
from dataflow.settings import Settings

EVENT_CHUNK = 5000
"""Events in one transaction."""


TAKEN_AWAY = (
    "Nothing was written. Where a row would be taken away or made older, these commits may have overwritten\n"
    "a version of an earlier commit, or turned away one of a later commit: rerun a wider span (--offsets),\n"
    "which reads those again too; or accept what the figures say with --accept-removal"
)


class Events(Enum):
    """Whether events of what is read again are produced: contacts once more, under the ids that they had, and
    dead letters of messages that have none yet."""

    LEFT = "left"
    REPEATED = "repeated"


@dataclass(frozen=True, slots=True)
class RerunOrder:
    """What to rerun, and how."""

    wanted: str | TopicSpan
    """A commit's id, or offsets of the source topic."""
    purpose: Purpose
    consent: Consent
    events: Events


class Refused(Exception):
    """The rerun can't be done as asked; the text says why and what would do."""


def rerun(
    settings: Settings, contract: Contract, steps: Steps, order: RerunOrder, form: Form, out: TextIO
) -> int:
    """Read again, take back, write, and say what changed; 0 when it is done or previewed, 1 when refused.

    Raises Refused, KafkaTrouble, WarehouseTrouble, RegistryAway, BrokenPromise, NotKnown.
    """
    topics = topics_of(settings, contract)
    access = kafka_access(settings, topics)
    where = destination(settings, contract, topics)
    database = redshift_access(settings)
    with connect(database) as session:
        entries = read_entries(session, where.table, where.pipeline, where.topic)
        session.rollback()
    with TopicReader(access, topics.source) as reader:
        facts = reader.facts()
        wanted = _wanted(order.wanted, topics.source)
        if isinstance(wanted, ByOffsets):
            option = f"--offsets {topics.source}:{wanted.partition}:{wanted.first}-{wanted.next}"
            check_partitions(option, topics.source, (wanted.partition,), facts.bounds)
        decision = decide_rerun(entries, wanted, facts.bounds, facts.topic_id)
        planned = _accept(decision, wanted, topics.source, settings.pipeline)
        known = _dead_already(access, topics, order.events)
        reading = _Reading(settings, steps, order.events, known)
        reading.read(reader, planned, facts.topic_id)
    commit_id = uuid.uuid4().hex
    with connect(database) as session:
        outcome = rerun_once(
            session,
            where,
            planned,
            reading.segments(),
            InsertStaging(),
            commit_id,
            datetime.now(UTC),
            order.purpose,
            order.consent,
        )
    match outcome:
        case Moved():
            raise Refused("another rerun has taken the place of these commits meanwhile; see `ledger`")
        case WouldTakeAway(changes) | Rewritten(changes):
            refused = isinstance(outcome, WouldTakeAway)
    if order.events is Events.REPEATED and not refused and order.purpose is Purpose.WRITE:
        reading.produce(access)
    _tell(planned, reading, changes, commit_id, order, refused, form, out)
    return int(refused)


def _dead_already(access: KafkaAccess, topics: Topics, events: Events) -> Mapping[tuple[int, int], int]:
    return origins(access, topics, datetime.now(UTC)).times if events is Events.REPEATED else {}


def _wanted(wanted: str | TopicSpan, source: str) -> ByCommit | ByOffsets:
    if isinstance(wanted, str):
        return ByCommit(wanted)
    if wanted.topic != source:
        raise Refused(f"--offsets {wanted.topic}: is not the topic of this pipeline, which reads {source}")
    return ByOffsets(wanted.partition, wanted.first, wanted.next)


def _accept(
    decision: Rerun | NoSuchCommit | RerunAlready | NeverCommitted | Gone | TopicReplaced,
    wanted: ByCommit | ByOffsets,
    topic: str,
    pipeline: str,
) -> Rerun:
    match decision:
        case Rerun():
            return decision
        case NoSuchCommit():
            assert isinstance(wanted, ByCommit)
            raise Refused(
                f"--process-id {wanted.process_id}: the ledger has no such commit of pipeline {pipeline} and "
                f"topic {topic}; `ledger` lists them"
            )
        case RerunAlready(heir):
            raise Refused(f"its rows were written again by a rerun, whose id they bear: --process-id {heir}")
        case NeverCommitted(partition, first, next):
            raise Refused(
                f"{topic} partition {partition}: offsets {first} to {next - 1} are not in the ledger: the "
                "pipeline commits them itself; `ledger` shows how far it is"
            )
        case Gone(spans):
            told = "; ".join(
                f"partition {partition}: {first} to {next - 1}" for partition, first, next in spans
            )
            raise Refused(
                f"{topic} no longer holds all that these commits read. Gone are offsets of {told}. Rows that "
                "came from them can't be written again, and were left as they are"
            )
        case TopicReplaced():
            raise Refused(decision.told_of(topic, 0))


class _Reading:
    """What was read again: rows in spools, events in memory."""

    def __init__(
        self, settings: Settings, steps: Steps, events: Events, known: Mapping[tuple[int, int], int]
    ) -> None:
        self._backlog = Backlog(1 << 62)
        self._directory = settings.spool_dir
        self._steps = steps
        self._schemas = schemas_of(settings)
        self._events = events
        self._known = known
        self._segments: dict[int, Segment] = {}
        self.messages = 0
        self.dead_letters = 0
        self.rows = 0
        self.produced: list[EventBatch] = []

    def read(self, reader: TopicReader, planned: Rerun, topic_id: str | None) -> None:
        """Every message of the spans through the contract."""
        for span in planned.spans:
            spool = FileSpool(self._backlog, self._directory)
            self._segments[span.partition] = Segment(
                span.partition, span.first, span.next, 0, spool, topic_id=topic_id
            )
        spans = {span.partition: (span.first, span.next) for span in planned.spans}
        for checked, rows in checked_rows(reader, spans, self._steps, self._schemas, self._finish):
            self.messages += len(checked.batch.records)
            self.dead_letters += len(checked.dead_letters)
            self.rows += len(rows.lines)
            self._segments[rows.partition].spool.append(rows.lines)
            if self._events is Events.REPEATED:
                self.produced.append(self._steps.events(self._untold(checked)))

    def _finish(self, checked: Checked) -> Checked:
        scan = self._steps.scan
        kept = scan is not None and scan.rows is not None
        return self._steps.detect(checked) if kept or self._events is Events.REPEATED else checked

    def _untold(self, checked: Checked) -> Checked:
        """Without the dead letters that are on their topic already."""
        partition = checked.batch.partition
        letters = tuple(
            letter
            for letter in checked.dead_letters
            if (partition, letter.record.offset()) not in self._known
        )
        return replace(checked, dead_letters=letters)

    def segments(self) -> Sequence[Segment]:
        """One a partition."""
        return tuple(self._segments.values())

    @property
    def events(self) -> int:
        """Contacts and dead letters to produce."""
        return sum(len(batch.messages) for batch in self.produced)

    def produce(self, access: KafkaAccess) -> None:
        """Produce contacts and dead letters. Raises KafkaTrouble."""
        outgoing = [
            Outgoing(message, None, b"", b"") for batch in self.produced for message in batch.messages
        ]
        producer = ReplayProducer(access, access.rerun_id, None)
        for at in range(0, len(outgoing), EVENT_CHUNK):
            producer.produce(outgoing[at : at + EVENT_CHUNK])


def _tell(
    planned: Rerun,
    reading: _Reading,
    changes: Changes,
    commit_id: str,
    order: RerunOrder,
    refused: bool,
    form: Form,
    out: TextIO,
) -> None:
    preview = order.purpose is Purpose.PREVIEW
    repeated = reading.events if order.events is Events.REPEATED and not refused and not preview else 0
    if form is Form.JSON:
        json_line(
            {
                "outcome": "refused" if refused else "preview" if preview else "done",
                "process_id": None if refused or preview else commit_id,
                "commits": planned.commits,
                "spans": {str(span.partition): [span.first, span.next] for span in planned.spans},
                "messages": reading.messages,
                "dead_letters": reading.dead_letters,
                "rows_read": changes.staged,
                "taken_back": changes.taken_back,
                "written": changes.written,
                "stayed": changes.stayed,
                "removed": changes.removed,
                "older": changes.older,
                "events_produced": repeated,
            },
            out,
        )
        return
    for span in planned.spans:
        print(f"partition {span.partition}: offsets {span.first} to {span.next - 1} read again", file=out)
    print(f"commits that this takes the place of: {', '.join(planned.commits)}\n", file=out)
    for number, text in (
        (reading.messages, "messages read"),
        (reading.dead_letters, "of them break the contract now"),
        (changes.taken_back, "rows of these commits taken back"),
        (changes.written, "rows written"),
        (changes.stayed, "rows of other commits are newer, and stay"),
        (changes.removed, "rows taken back that no message read again supports"),
        (changes.older, "rows that get an older version than they had"),
        (repeated, "contacts, and dead letters that were none before, produced"),
    ):
        print(f"{number:>8}  {text}", file=out)
    if refused:
        print(f"\n{TAKEN_AWAY}", file=out)
    elif preview:
        print("\nNothing was written: this was a dry run", file=out)
    else:
        print(f"\ndone, under process id {commit_id}", file=out)
