"""`run`: the pipeline, from settings to exit code."""

from __future__ import annotations

import gc
import logging
import os
import random
import socket
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from threading import Event

from bytewax.errors import BytewaxRuntimeError
from bytewax.run import cli_main
from confluent_kafka import KafkaException
from prometheus_client import CollectorRegistry, disable_created_metrics

from connectors.event_sink import EventSink, connect_producer
from connectors.health import Health, HealthServer
from connectors.kafka import Membership
from connectors.kafka_source import KafkaSource
from connectors.metrics import Metrics
from connectors.progress import BrokenPromise
from connectors.redshift import Backoff, Committer
from connectors.redshift_commit import Destination
from connectors.redshift_sink import RedshiftSink
from connectors.staging import Backlog, FileSpool, InsertStaging, WindowSegments
from dataflow.commands.access import Topics, contact_values, kafka_access, redshift_access, topics_of
from dataflow.contract import Contract
from dataflow.detect import DETECTOR_MAJOR_VERSION, Detector, SplitMemory
from dataflow.encode import ContactEncoder, DeadLetterEncoder
from dataflow.enrich import Enricher
from dataflow.flow import Steps, contacts_by_platform, graph, rejects_by_code
from dataflow.model import Checked
from dataflow.settings import Settings
from dataflow.settings_table import SplitContacts
from dataflow.splits import Splits
from dataflow.validate import Validator

log = logging.getLogger(__name__)

NO_SNAPSHOTS = timedelta(days=1)
"""Bytewax snapshots every stateful step each epoch, even without a recovery store: make epochs rare."""


def utc_now() -> datetime:
    """The edge's clock."""
    return datetime.now(UTC)


def run(settings: Settings, contract: Contract, stop: Event) -> int:
    """Run until `stop` is set or a promise is broken; the exit code.

    0: stopped and drained. 1: the process had to end; the log says why, and a restart is the way to recover.
    """
    disable_created_metrics()  # type: ignore[no-untyped-call]  # has no annotations
    metrics = Metrics(
        CollectorRegistry(), version=version("contract-dataflow"), contract_version=contract.version
    )
    health = Health(time.monotonic, ("kafka", "redshift"))
    server = HealthServer(settings.metrics_host, settings.metrics_port, metrics.registry, health)
    server.start()
    log.info("serving", extra={"port": server.port, "pid": os.getpid()})
    try:
        return _run(settings, contract, stop, metrics, health)
    finally:
        server.stop()


def _run(settings: Settings, contract: Contract, stop: Event, metrics: Metrics, health: Health) -> int:
    topics = topics_of(settings, contract)
    access = kafka_access(settings, topics)
    backlog = Backlog(settings.spool_limit)
    committer = Committer(
        redshift_access(settings),
        Destination(contract.table, settings.pipeline, access.topic, access.topic),
        InsertStaging(),
        clock=utc_now,
        backoff=Backoff(0.2, 30.0, random.random),
        observer=_Watch(metrics, health),
    )
    committer.start()

    def waiting() -> None:
        health.beat()
        health.report("kafka", "unreachable")

    # Readiness shows the warehouse even while no partition is ours.
    committer.positions(frozenset())
    try:
        transactional_id = f"{access.group}-{socket.gethostname()}-{uuid.uuid4().hex}"
        producer = connect_producer(access, transactional_id, stop, metrics, waiting)
        if producer is None:
            log.info("stopped", extra={"before": "Kafka was reached"})
            return 0
    except KafkaException as refusal:
        log.error("kafka_refused", extra={"detail": str(refusal.args[0].str())})
        return 1
    membership = Membership(
        access,
        ledger=committer,
        paused=lambda: backlog.full,
        metrics=metrics,
        now=utc_now,
        start=settings.start,
        accepted=settings.accepted_losses,
    )
    leave = _after(2, membership.leave)

    def beat() -> None:
        health.beat()
        health.report("kafka", "ok" if membership.joined else "joining the group")
        metrics.backlog(backlog.held)

    flow = graph(
        KafkaSource(membership, stop, beat),
        steps_of(settings, contract, topics),
        EventSink(
            membership,
            producer,
            metrics,
            interval=settings.event_commit_interval.total_seconds(),
            transaction_timeout=access.transaction_timeout,
            stop=stop,
            on_wait=waiting,
            on_hang=_end_at_once,
            on_closed=leave,
        ),
        RedshiftSink(
            committer,
            drain_seconds=settings.drain_timeout.total_seconds(),
            ended=lambda: membership.ended,
            on_closed=leave,
        ),
        lambda: WindowSegments(lambda: FileSpool(backlog, settings.spool_dir)),
        lambda checked: observe(metrics, checked),
    )
    gc.freeze()
    try:
        cli_main(flow, epoch_interval=NO_SNAPSHOTS)  # type: ignore[no-untyped-call]  # built in Rust
    except BytewaxRuntimeError as wrapped:
        log.error("ended", exc_info=_root_of(wrapped))
        return 1
    if committer.failure() is not None:
        return 1
    log.info("stopped")
    return 0


def _end_at_once() -> None:
    """The main thread is stuck in a call that never ends; the group must get its partitions back."""
    log.error("kafka_call_hung", extra={"fix": "none needed: a restart resumes where the broker left off"})
    os._exit(1)


class _Watch:
    """What the committer tells, for metrics and for readiness."""

    def __init__(self, metrics: Metrics, health: Health) -> None:
        self._metrics = metrics
        self._health = health

    def committed(self, rows: int, positions: Mapping[int, int], seconds: float, at: float) -> None:
        self._metrics.committed(rows, positions, seconds, at)
        self._health.report("redshift", "ok")

    def ledger_read(self, positions: Mapping[int, int]) -> None:
        self._metrics.ledger_read(positions)
        self._health.report("redshift", "ok")

    def retried(self, system: str, reason: str) -> None:
        self._metrics.retried(system, reason)
        self._health.report(system, reason)


def steps_of(settings: Settings, contract: Contract, topics: Topics) -> Steps:
    """What happens to a batch under these settings."""
    detector = Detector(settings.default_region)
    split = settings.split_contacts is SplitContacts.ON
    return Steps(
        validate=Validator(contract),
        enrich=Enricher(contract),
        detector=detector,
        splits=Splits(contract, SplitMemory(detector)) if split else None,
        scanned=contract.position(contract.scanned_field),
        contacts=ContactEncoder(contract, topics.contacts, contact_values(settings), DETECTOR_MAJOR_VERSION),
        dead_letters=DeadLetterEncoder(topics.dead_letters, contract.version),
        window=settings.window,
    )


def observe(metrics: Metrics, checked: Checked) -> None:
    """Count what a batch held."""
    metrics.checked(
        rejected=len(checked.dead_letters),
        rejects=rejects_by_code(checked),
        warnings=checked.warnings,
        unknown_fields=checked.unknown_fields,
        contacts=contacts_by_platform(checked),
    )


def _after(calls: int, action: Callable[[], None]) -> Callable[[], None]:
    """Does `action` at the call with this number: Bytewax closes sinks in no order that it promises."""
    left = calls

    def call() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            action()

    return call


def _root_of(wrapped: BaseException) -> BaseException:
    """What a step raised, beneath what Bytewax wrapped around it: a broken promise, else the innermost."""
    while wrapped.__cause__ is not None and not isinstance(wrapped, BrokenPromise):
        wrapped = wrapped.__cause__
    return wrapped
