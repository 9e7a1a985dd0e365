"""`run`: the pipeline, from settings to exit code."""

from __future__ import annotations

import gc
import logging
import os
import socket
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from tempfile import TemporaryFile
from threading import Event

from bytewax.errors import BytewaxRuntimeError
from bytewax.run import cli_main
from prometheus_client import CollectorRegistry, disable_created_metrics

from connectors.backoff import Backoff
from connectors.event_sink import EventSink, EventTransaction, connect_producer
from connectors.health import Health, HealthServer
from connectors.kafka import Membership
from connectors.kafka_source import KafkaSource
from connectors.metrics import Metrics
from connectors.progress import BrokenPromise
from connectors.redshift import Committer
from connectors.redshift_sink import RedshiftSink
from connectors.spool import Backlog, FileSpool, OpenWindows
from connectors.staging import InsertStaging
from connectors.steady_clock import SteadyClock, SteadyTime
from dataflow.commands.access import (
    Topics,
    contact_values,
    destination,
    kafka_access,
    redshift_access,
    topics_of,
)
from dataflow.contract import Contract
from dataflow.detect import DETECTOR_MAJOR_VERSION, Detector, SplitMemory
from dataflow.encode import ContactEncoder, DeadLetterEncoder
from dataflow.enrich import Enricher
from dataflow.flow import Scan, Steps, contacts_by_platform, graph, rejects_by_code
from dataflow.model import Checked
from dataflow.settings import Settings
from dataflow.settings_table import SplitContacts
from dataflow.splits import Splits
from dataflow.validate import Validator

log = logging.getLogger(__name__)

UNUSABLE = 2
HUNG = 18
"""Exit codes besides those of broken promises."""
OVERDUE = 60.0
"""Seconds beyond a window's length after which a closed window that still waits makes us unready."""
NO_SNAPSHOTS = timedelta(days=1)
"""Bytewax snapshots every stateful step each epoch, even without a recovery store: make epochs rare."""


def utc_now() -> datetime:
    """The edge's clock."""
    return datetime.now(UTC)


def run(settings: Settings, contract: Contract, stop: Event) -> int:
    """Run until `stop` is set or a promise is broken; the exit code.

    0: stopped and drained. A broken promise's own code, which the README lists: the log says why, and a
    restart is the way to recover. 1: anything else. 2: the spool's directory cannot be written.
    """
    disable_created_metrics()  # type: ignore[no-untyped-call]  # has no annotations
    try:
        with TemporaryFile(dir=settings.spool_dir) as probe:
            probe.write(b"rows")
    except OSError as fault:
        log.error(
            "spool_unusable", extra={"code": fault.strerror, "fix": "set SPOOL_DIR to a place to write"}
        )
        return UNUSABLE
    metrics = Metrics(
        CollectorRegistry(), version=version("contract-dataflow"), contract_version=contract.version
    )
    kinds: list[type[BrokenPromise]] = [BrokenPromise, *BrokenPromise.__subclasses__()]
    metrics.promises([kind.__name__ for kind in kinds])
    health = Health(time.monotonic, ("kafka", "redshift", "commits"))
    server = HealthServer(settings.metrics_host, settings.metrics_port, metrics.registry, health)
    server.start()
    log.info("serving", extra={"port": server.port, "pid": os.getpid()})
    try:
        failure = _run(settings, contract, stop, metrics, health)
        if not isinstance(failure, BrokenPromise):
            return 0 if failure is None else 1
        metrics.broken(type(failure).__name__)
        server.linger(settings.exit_linger.total_seconds(), stop)
        return failure.exit_code
    finally:
        server.stop()


def _run(
    settings: Settings, contract: Contract, stop: Event, metrics: Metrics, health: Health
) -> BaseException | None:
    """Run and drain; what ended it, None for `stop`. It has been logged."""
    topics = topics_of(settings, contract)
    access = kafka_access(settings, topics)
    backlog = Backlog(settings.spool_limit, lambda code: metrics.retried("spool", code))
    committer = Committer(
        redshift_access(settings),
        destination(settings, contract, topics),
        InsertStaging(),
        clock=utc_now,
        backoff=Backoff(0.2, 30.0),
        observer=_Watch(metrics, health),
    )
    committer.start()

    def waiting() -> None:
        health.beat()
        health.report("kafka", "unreachable")

    # Readiness shows the warehouse even while no partition is ours.
    committer.read_ledger()
    transactional_id = f"{access.group}-{socket.gethostname()}-{uuid.uuid4().hex}"
    try:
        producer = connect_producer(access, transactional_id, stop, metrics, waiting)
    except BrokenPromise as refusal:
        log.error("ended", exc_info=refusal)
        return refusal
    if producer is None:
        log.info("stopped", extra={"before": "Kafka was reached"})
        return None
    membership = Membership(
        access,
        ledger=committer,
        paused=backlog.is_full,
        metrics=metrics,
        now=utc_now,
        start=settings.start,
        accepted=settings.accepted_losses,
    )
    leave = _after(2, membership.leave)
    steps = steps_of(settings, contract, topics)
    windows = OpenWindows(lambda: FileSpool(backlog, settings.spool_dir))
    time_of_windows = SteadyTime(utc_now, time.monotonic)

    def beat() -> None:
        health.beat()
        health.report("kafka", _standing_of(membership))
        waited = committer.waiting_seconds()
        health.report("commits", "overdue" if waited > settings.window.total_seconds() + OVERDUE else "ok")
        health.tell(partitions=membership.partitions, waiting_seconds=round(waited, 1))
        metrics.backlog(backlog.held, waited)
        if backlog.is_full() and not waited and (held := windows.hand_over()):
            # It is not the warehouse that is behind: the windows hold more than fits until they close.
            log.info("windows_committed_early", extra={"bytes": backlog.held})
            committer.submit([steps.early(held, time_of_windows.now())])

    flow = graph(
        KafkaSource(membership, stop, beat),
        steps,
        EventSink(
            membership,
            EventTransaction(
                membership,
                producer,
                metrics,
                interval=settings.event_commit_interval.total_seconds(),
                transaction_timeout=access.transaction_timeout,
                drain_seconds=settings.drain_timeout.total_seconds(),
                stop=stop,
                on_wait=waiting,
                on_hang=_end_at_once,
                on_closed=leave,
            ),
        ),
        RedshiftSink(
            committer,
            drain_seconds=settings.drain_timeout.total_seconds(),
            ended=lambda: membership.ended,
            on_closed=leave,
        ),
        windows.new,
        SteadyClock(time_of_windows),
        lambda checked: observe(metrics, checked),
    )
    gc.freeze()
    try:
        cli_main(flow, epoch_interval=NO_SNAPSHOTS)  # type: ignore[no-untyped-call]  # built in Rust
    except BytewaxRuntimeError as wrapped:
        failure = _root_of(wrapped)
        log.error("ended", exc_info=failure)
        return failure
    if committer.failure() is None:
        log.info("stopped")
    return committer.failure()


def _standing_of(membership: Membership) -> str:
    if not membership.joined:
        return "joining the group"
    return "finding where to start" if membership.waiting else "ok"


def _end_at_once() -> None:
    """The main thread is stuck in a call that never ends; the group must get its partitions back."""
    log.error("kafka_call_hung", extra={"fix": "none needed: a restart resumes where the broker left off"})
    os._exit(HUNG)


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
    return Steps(
        validate=Validator(contract),
        enrich=Enricher(contract),
        scan=_scan(settings, contract, topics) if contract.scanned_field else None,
        dead_letters=DeadLetterEncoder(topics.dead_letters, contract.version),
        window=settings.window,
    )


def _scan(settings: Settings, contract: Contract, topics: Topics) -> Scan:
    detector = Detector(settings.default_region)
    split = settings.split_contacts is SplitContacts.ON
    return Scan(
        field=contract.position(contract.scanned_field),
        detector=detector,
        splits=Splits(contract, SplitMemory(detector)) if split else None,
        contacts=ContactEncoder(contract, topics.contacts, contact_values(settings), DETECTOR_MAJOR_VERSION),
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
