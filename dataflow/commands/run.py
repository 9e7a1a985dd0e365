"""`run`: the pipeline, from settings to exit code."""

from __future__ import annotations

import gc
import logging
import os
import socket
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

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
from connectors.redshift_access import Reason
from connectors.redshift_sink import RedshiftSink
from connectors.registry_access import RegistryAccess
from connectors.schema_gate import SchemaGate
from connectors.spool import Backlog, FileSpool, OpenWindows
from connectors.steady_clock import SteadyClock, SteadyTime
from connectors.stopping import Stop
from dataflow.commands.access import (
    Topics,
    contact_values,
    contacts_table,
    destination,
    kafka_access,
    redshift_access,
    registry_access,
    topics_of,
)
from dataflow.commands.forms import decoder_of, only_json
from dataflow.commands.staging import way_of
from dataflow.commands.watch import Watch
from dataflow.contact_rows import ContactRows
from dataflow.contract import Contract
from dataflow.detect import DETECTOR_MAJOR_VERSION, Detector, SplitMemory
from dataflow.encode import ContactEncoder, DeadLetterEncoder
from dataflow.enrich import Enricher
from dataflow.flow import Scan, Steps, contacts_by_platform, graph, rejects_by_code, waiting_rows
from dataflow.model import Checked
from dataflow.settings import Settings, SettingsError
from dataflow.settings_table import SplitContacts
from dataflow.settings_values import ByInsert
from dataflow.splits import Splits
from dataflow.validate import Validator

if TYPE_CHECKING:
    from connectors.schema_registry import SchemaRegistry

log = logging.getLogger(__name__)

UNUSABLE = 2
HUNG = 18
"""Exit codes besides those of broken promises."""
EVENTS_SHARE = 0.5
"""Of the time to drain, what the side branch may take. Rows are committed without it."""
OVERDUE = 60.0
"""Seconds beyond a window's length after which a closed window that still waits makes us unready."""
NO_SNAPSHOTS = timedelta(days=1)
"""Bytewax snapshots every stateful step each epoch, even without a recovery store: make epochs rare."""


def utc_now() -> datetime:
    """The edge's clock."""
    return datetime.now(UTC)


def run(settings: Settings, contract: Contract, stop: Stop) -> int:
    """Run until `stop` is set or a promise is broken; the exit code.

    Raises SettingsError and ContractError before anything connects.

    0: stopped and drained. A broken promise's own code, which the README lists: the log says why, and a
    restart is the way to recover. 1: anything else. 2: the spool's directory or the metrics' port
    cannot be used.
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
    metrics = metrics_of(settings, contract)
    asked = () if settings.staging is ByInsert.INSERT else ("s3",)
    health = Health(time.monotonic, ("kafka", "redshift", "commits", *asked))
    topics = topics_of(settings, contract)
    steps = steps_of(settings, contract, topics)
    if (told := only_json(settings)) is not None:
        log.warning("no_protobuf_form", extra={"detail": told})
    try:
        server = HealthServer(settings.metrics_host, settings.metrics_port, metrics.registry, health)
    except OSError as fault:
        log.error(
            "port_unusable",
            extra={
                "address": f"{settings.metrics_host}:{settings.metrics_port}",
                "code": fault.strerror,
                "fix": "set METRICS_HOST and METRICS_PORT to an address of this machine that nobody uses",
            },
        )
        return UNUSABLE
    access = registry_access(settings)
    registry = None if access is None else schema_registry(access, metrics, health)
    server.start()
    log.info("serving", extra={"port": server.port, "pid": os.getpid()})
    try:
        failure = _run(settings, contract, stop, metrics, health, topics, steps, registry)
        if not isinstance(failure, BrokenPromise):
            return 0 if failure is None else 1
        metrics.broken(type(failure).__name__)
        server.linger(settings.exit_linger.total_seconds(), stop)
        return failure.exit_code
    finally:
        server.stop()
        if registry is not None:
            registry.close()


def metrics_of(settings: Settings, contract: Contract) -> Metrics:
    """The process's metrics, with what is known of them before anything runs."""
    topics = topics_of(settings, contract)
    metrics = Metrics(
        CollectorRegistry(),
        version=version("contract-dataflow"),
        contract_version=contract.version,
        streams={topics.contacts: "contacts", topics.dead_letters: "dead_letters"},
    )
    metrics.agreed(
        freshness_seconds=contract.freshness.total_seconds(),
        daily_messages=contract.daily_volume,
        partitions=contract.partitions,
        backlog_limit=settings.spool_limit,
    )
    kinds: list[type[BrokenPromise]] = [BrokenPromise, *BrokenPromise.__subclasses__()]
    metrics.foreseen(
        promises=[kind.__name__ for kind in kinds], warehouse_reasons=[reason.value for reason in Reason]
    )
    return metrics


def _run(
    settings: Settings,
    contract: Contract,
    stop: Stop,
    metrics: Metrics,
    health: Health,
    topics: Topics,
    steps: Steps,
    registry: SchemaRegistry | None,
) -> BaseException | None:
    """Run and drain; what ended it, None for `stop`. It has been logged."""
    access = kafka_access(settings, topics)
    backlog = Backlog(settings.spool_limit, lambda code: metrics.retried("spool", code))
    watch = Watch(metrics, health)
    way = way_of(settings, contract, topics, watch)
    committer = Committer(
        redshift_access(settings),
        destination(settings, contract, topics),
        way.staging,
        clock=utc_now,
        backoff=Backoff(0.2, 30.0),
        observer=watch,
    )
    way.start()
    committer.start()

    def waiting() -> None:
        health.beat()
        health.report("kafka", "unreachable")

    # Readiness shows the warehouse even while no partition is ours.
    committer.read_ledger()
    transactional_id = f"{access.transactional_prefix}{socket.gethostname()}-{uuid.uuid4().hex}"
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
        gate=None if registry is None else SchemaGate(registry),
    )
    windows = OpenWindows(lambda: FileSpool(backlog, settings.spool_dir), full=way.full, on_full=way.on_full)
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

    leave = _after(2, membership.leave)
    drain_seconds = settings.drain_timeout.total_seconds()
    transaction = EventTransaction(
        membership,
        producer,
        metrics,
        interval=settings.event_commit_interval.total_seconds(),
        transaction_timeout=access.transaction_timeout,
        drain_seconds=drain_seconds * EVENTS_SHARE,
        now=utc_now,
        stop=stop,
        on_wait=waiting,
        on_hang=_end_at_once,
        on_closed=leave,
    )
    flow = graph(
        KafkaSource(membership, stop, beat),
        steps,
        EventSink(membership, transaction),
        RedshiftSink(
            committer,
            stop=stop,
            drain_seconds=drain_seconds,
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


def schema_registry(access: RegistryAccess, metrics: Metrics, health: Health) -> SchemaRegistry:
    """The registry, ready to answer. Raises SettingsError."""
    # Its client takes half a second to import, which only those pay who have a registry.
    from connectors.schema_registry import SYSTEM, SchemaRegistry, ask, connect

    try:
        client = connect(access)
    except OSError as trouble:
        raise SettingsError(
            (f"SCHEMA_REGISTRY_CA: the file cannot be read: {trouble.strerror}",)
        ) from trouble

    def retried(reason: str) -> None:
        metrics.retried(SYSTEM, reason)
        health.report(SYSTEM, reason)

    registry = SchemaRegistry(
        lambda reference: ask(client, reference),
        clock=time.monotonic,
        on_retry=retried,
        on_answer=lambda: health.report(SYSTEM, "ok"),
    )
    registry.start()
    return registry


def steps_of(settings: Settings, contract: Contract, topics: Topics) -> Steps:
    """What happens to a batch under these settings."""
    steps = judging_steps(settings, contract, topics)
    return replace(steps, scan=_scan(settings, contract, topics)) if contract.scanned_field else steps


def judging_steps(settings: Settings, contract: Contract, topics: Topics) -> Steps:
    """The steps without contacts, which need no key: what is a row, and what a dead letter?"""
    decoder = decoder_of(settings, contract)
    return Steps(
        decode=decoder,
        validate=Validator(contract, decoder.message_rows),
        enrich=Enricher(contract),
        scan=None,
        dead_letters=DeadLetterEncoder(topics.dead_letters, contract.version),
        window=settings.window,
    )


def _scan(settings: Settings, contract: Contract, topics: Topics) -> Scan:
    detector = Detector(settings.default_region)
    values = contact_values(settings)
    kept = contacts_table(settings, contract) is not None
    split = settings.split_contacts is SplitContacts.ON
    return Scan(
        detector=detector,
        splits=Splits(contract, SplitMemory(detector)) if split else None,
        contacts=ContactEncoder(contract, topics.contacts, values, DETECTOR_MAJOR_VERSION),
        rows=ContactRows(contract, values, DETECTOR_MAJOR_VERSION) if kept else None,
    )


def observe(metrics: Metrics, checked: Checked) -> None:
    """Count what a batch held, and remember what of it waits for the warehouse."""
    metrics.checked(
        rejected=len(checked.dead_letters),
        rejects=rejects_by_code(checked),
        warnings=checked.warnings,
        unknown_fields=checked.unknown_fields,
        contacts=contacts_by_platform(checked),
        forms=checked.forms,
    )
    batch, wait = checked.batch, waiting_rows(checked)
    if wait:
        polled_at = batch.polled_at.timestamp()
        arrived_at = batch.arrival(wait[0].offset)
        metrics.rows_wait(
            batch.partition,
            next=batch.next,
            rows=len(wait),
            arrived_at=polled_at if arrived_at is None else arrived_at,
            polled_at=polled_at,
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
