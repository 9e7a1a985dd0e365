"""Where partitions start: what broker and ledger know of each, and the patience to wait for both.

A partition that the group has given us is pending until its beginning is known. Asking never blocks for long:
the loop asks again at its next turn.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient

from connectors.backoff import Backoff
from connectors.holding import Holding, LedgerAnswer
from connectors.kafka_access import SILENT, KafkaAccess, KafkaRefused, passes, position_of
from connectors.metrics import Metrics
from connectors.progress import (
    AcceptedLoss,
    BeyondEnd,
    DataLoss,
    Progress,
    RetentionLoss,
    Start,
    StartPolicy,
    TopicReplaced,
    Wait,
    decide_rewind,
    decide_start,
)

log = logging.getLogger(__name__)

QUESTION_TIMEOUT = 1.0
"""Seconds one question to the broker may take."""
WAIT_INTERVAL = 1.0
"""Seconds before a partition that waits for the ledger is looked at again."""
WATCH_INTERVAL = 10.0
"""Seconds between two looks at whether the topic is still the same."""
_UNTOLD = "AAAAAAAAAAAAAAAAAAAAAA"
"""The id of nothing, from brokers before 2.8."""


@dataclass(frozen=True, slots=True)
class BrokerFacts:
    """What the broker told of some partitions."""

    topic_id: str | None
    events: Mapping[int, Progress]
    """Progress E of each partition that has one."""
    bounds: Mapping[int, tuple[int, int]]
    """The offsets that each partition holds, `[oldest, end)`."""


class BrokerQuestions:
    """What there is to ask before partitions are read. Everything here raises KafkaException."""

    def __init__(self, access: KafkaAccess, consumer: Consumer, timeout: float = QUESTION_TIMEOUT) -> None:
        """Connects nothing yet. `timeout`: seconds for each question."""
        self._access = access
        self._consumer = consumer
        self._timeout = timeout
        self._administration: AdminClient | None = None

    def ask(self, partitions: Sequence[int]) -> BrokerFacts:
        """All facts at once. While a transaction that carries E is undecided, this raises."""
        return BrokerFacts(
            self.topic_id(),
            self._events(partitions),
            {partition: self._bounds(partition) for partition in partitions},
        )

    def establish(self, positions: Mapping[int, int], topic_id: str | None) -> None:
        """Commit a first progress E for partitions that have none."""
        topic = self._access.topic
        wanted = [position_of(topic, partition, at, topic_id) for partition, at in positions.items()]
        for answer in self._consumer.commit(offsets=wanted, asynchronous=False) or ():
            if answer.error is not None:
                raise KafkaException(answer.error)

    def _events(self, partitions: Sequence[int]) -> dict[int, Progress]:
        questions = [TopicPartition(self._access.topic, partition) for partition in partitions]
        found: dict[int, Progress] = {}
        for answer in self._consumer.committed(questions, timeout=self._timeout):
            if answer.error is not None:
                raise KafkaException(answer.error)
            if answer.offset >= 0:
                found[answer.partition] = Progress(answer.offset, answer.metadata or None)
        return found

    def _bounds(self, partition: int) -> tuple[int, int]:
        where = TopicPartition(self._access.topic, partition)
        bounds = self._consumer.get_watermark_offsets(where, timeout=self._timeout)
        if bounds is None:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "no answer to a question for watermarks"))
        return bounds

    def topic_id(self) -> str | None:
        """The topic's incarnation; None where nobody can be asked: librdkafka's mock has no controller."""
        if self._administration is None:
            cluster = self._consumer.list_topics(self._access.topic, self._timeout)
            if cluster.controller_id not in cluster.brokers:
                return None
            self._administration = AdminClient({**self._access.client_config()}, logger=SILENT)
        answer = self.ask_incarnation()
        return None if answer is None else incarnation_in(answer)

    def ask_incarnation(self) -> Future[Any] | None:
        """Ask for the incarnation without waiting, see `incarnation_in`; None where nobody can be asked."""
        if self._administration is None:
            return None
        topic = self._access.topic
        # The first question includes connecting.
        timeout = 5 * self._timeout
        answers = self._administration.describe_topics(TopicCollection([topic]), request_timeout=timeout)
        return answers[topic]


def incarnation_in(answer: Future[Any]) -> str | None:
    """The incarnation in an answer; None when the broker does not know any. Raises KafkaException."""
    found = str(answer.result().topic_id)
    return None if found == _UNTOLD else found


class TopicWatch:
    """Looks now and then whether the topic is still the one that is read.

    Nothing else would tell: the client goes on at its old position, and skips what comes before that in the
    new topic.
    """

    def __init__(self, questions: BrokerQuestions) -> None:
        """The first look is after `WATCH_INTERVAL`."""
        self._questions = questions
        self._looked_at = time.monotonic()
        self._answer: Future[Any] | None = None

    def replaced(self, topic_id: str | None) -> TopicReplaced | None:
        """Whether the topic was found to be another than `topic_id`. Never waits."""
        if self._answer is None:
            if time.monotonic() - self._looked_at >= WATCH_INTERVAL:
                self._looked_at = time.monotonic()
                self._answer = self._questions.ask_incarnation()
            return None
        if not self._answer.done():
            return None
        answer, self._answer = self._answer, None
        if answer.exception() is not None:
            # The broker is away, or the topic is for the moment: the next look tells.
            return None
        found = incarnation_in(answer)
        return TopicReplaced(topic_id, found) if topic_id and found and topic_id != found else None


@dataclass(frozen=True, slots=True)
class Pending:
    """A partition that is ours and is not read before it is known where to start."""

    ledger: LedgerAnswer
    since: float
    """Monotonic seconds."""


@dataclass(frozen=True, slots=True)
class Rewinding:
    """A partition whose side branch goes back to E. What it held of the rows stays: they are spooled."""

    holding: Holding


@dataclass(frozen=True, slots=True)
class Beginning:
    """A partition may be read now."""

    partition: int
    topic_id: str | None
    start: Start


class Beginnings:
    """The partitions that wait for their beginning."""

    def __init__(
        self,
        questions: BrokerQuestions,
        topic: str,
        metrics: Metrics,
        *,
        policy: StartPolicy,
        accepted: Sequence[AcceptedLoss],
        ledger_patience: float,
        backoff: Backoff,
    ) -> None:
        """`ledger_patience`: seconds to wait for progress W before the side branch starts alone."""
        self._questions = questions
        self._topic = topic
        self._metrics = metrics
        self._policy = policy
        self._accepted = tuple(accepted)
        self._ledger_patience = ledger_patience
        self._backoff = backoff
        self._waiting: dict[int, Pending | Rewinding] = {}
        self._without_rows: dict[int, LedgerAnswer] = {}
        self._unanswered = 0
        self._ask_again_at = 0.0

    @property
    def waiting(self) -> Sequence[int]:
        """Partitions that are ours and not read yet."""
        return sorted(self._waiting)

    def expect(self, partition: int, ledger: LedgerAnswer) -> None:
        """A partition has become ours."""
        self._waiting[partition] = Pending(ledger, time.monotonic())
        self._ask_again_at = 0.0

    def rewind(self, partition: int, holding: Holding) -> None:
        """A partition's side branch goes back to E, as the broker tells it."""
        self._waiting[partition] = Rewinding(holding)
        self._ask_again_at = 0.0

    def forget(self, partition: int) -> None:
        """A partition is no longer ours."""
        self._waiting.pop(partition, None)
        self._without_rows.pop(partition, None)

    def late_ledgers(self) -> Mapping[int, LedgerAnswer]:
        """Partitions that began without W, and of which the warehouse has told it since. Told once."""
        told = {partition: answer for partition, answer in self._without_rows.items() if answer.done()}
        for partition in told:
            del self._without_rows[partition]
        return told

    def known(self) -> Sequence[Beginning]:
        """Ask, and say which partitions may begin; each of them waits until `begun` says that it does.

        A partition without E gets one committed first: see `decide_start`. Raises BrokenPromise for what must
        not begin, KafkaRefused among them.
        """
        if time.monotonic() < self._ask_again_at:
            return ()
        asked = [partition for partition, state in self._waiting.items() if self._ripe(state)]
        if not asked:
            return ()
        try:
            facts = self._questions.ask(asked)
            starts = {p: start for p in asked if isinstance(start := self._decide(p, facts), Start)}
            first = {p: start.events_from for p, start in starts.items() if p not in facts.events}
            if first:
                self._questions.establish(first, facts.topic_id)
        except KafkaException as trouble:
            self.not_yet(trouble)
            return ()
        self._unanswered = 0
        if len(starts) < len(asked):
            self._ask_again_at = time.monotonic() + WAIT_INTERVAL
        return [Beginning(partition, facts.topic_id, start) for partition, start in starts.items()]

    def begun(self, beginning: Beginning) -> None:
        """A partition is read from now on."""
        state = self._waiting.pop(beginning.partition)
        if isinstance(state, Pending) and beginning.start.rows_from is None:
            self._without_rows[beginning.partition] = state.ledger

    def not_yet(self, trouble: KafkaException) -> None:
        """Ask again later, when the trouble passes; else raise it."""
        error: KafkaError = trouble.args[0]
        if not passes(error):
            raise KafkaRefused(error) from trouble
        self._unanswered += 1
        wait = self._backoff.wait(self._unanswered)
        self._ask_again_at = time.monotonic() + wait
        self._metrics.retried("kafka", error.name())
        log.warning(
            "progress_unknown",
            extra={"code": error.name(), "partitions": self.waiting, "next_try_seconds": round(wait, 2)},
        )

    def _ripe(self, state: Pending | Rewinding) -> bool:
        if isinstance(state, Rewinding) or state.ledger.done():
            return True
        return time.monotonic() - state.since >= self._ledger_patience

    def _decide(self, partition: int, facts: BrokerFacts) -> Start | Wait:
        state = self._waiting[partition]
        events = facts.events.get(partition)
        if isinstance(state, Rewinding):
            held = state.holding
            rewound = decide_rewind(
                held=Progress(held.position, held.topic_id),
                remembered=held.events,
                found=events,
                topic_id=facts.topic_id,
                rows_from=held.rows,
                lost=held.lost,
            )
            return self._accept(partition, rewound)
        ledger = state.ledger.result() if state.ledger.done() else None
        tail = None if ledger is None else ledger.get(partition)
        oldest, end = facts.bounds[partition]
        decision = decide_start(
            partition=partition,
            topic_id=facts.topic_id,
            events=events,
            rows=None if tail is None else tail.progress,
            rows_known=ledger is not None,
            ledger_empty=not ledger,
            oldest=oldest,
            end=end,
            policy=self._policy,
            accepted=self._accepted,
        )
        return self._accept(partition, decision)

    def _accept(
        self, partition: int, decision: Start | Wait | RetentionLoss | BeyondEnd | TopicReplaced
    ) -> Start | Wait:
        if isinstance(decision, Start | Wait):
            return decision
        raise DataLoss(decision.told_of(self._topic, partition))
