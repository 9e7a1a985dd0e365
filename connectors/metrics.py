"""Every metric, in one place. Labels are bounded; nothing personal is ever a label."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from connectors.arrivals import Arrival, Arrivals
from connectors.histogram import WeightedHistogram

PREFIX = "dataflow"
MAX_FIELD_NAMES = 50
"""Names of unknown fields that become labels of their own; what comes later is counted as `other`."""
_FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z_0-9]{0,39}")
COMMIT_ALLOWANCE = 300.0
"""Seconds beyond the contract's freshness in which a commit must be done: a hundred times what one takes."""

LABELS: Mapping[str, str] = {
    "partition": "the topic's partitions",
    "version": "one a process",
    "contract_version": "one a process",
    "code": "a closed set: the contract's violations and warnings, librdkafka's error names",
    "field": f"unknown field names as they come, at most {MAX_FIELD_NAMES}, then `other`",
    "kind": "`phone` or `handle`",
    "platform": "the detector's platforms, or `none`",
    "stream": "`contacts` or `dead_letters`",
    "topic": "the topics that are produced to",
    "phase": "the steps of a commit: `prepare`, `connect`, `lock`, `stage`, `merge`, `ledger`, `commit`",
    "format": "`json`, `protobuf` or what tells that neither was found",
    "framing": "how the message was framed: a closed set",
    "system": "`kafka`, `redshift`, `s3`, `registry` or `spool`",
    "reason": "a closed set: the warehouse's troubles, librdkafka's error names, `errno` names, `hole`",
    "promise": "the kinds of broken promise, as the README lists them",
}
"""What each label may hold: how many series there can be."""


@dataclass(frozen=True, slots=True)
class Described:
    """One metric, as `k8s/METRICS.md` lists it."""

    section: str
    name: str
    kind: str
    text: str
    labels: tuple[str, ...]


class Metrics:
    """The process's metrics. Counts of what was read include what a restart or a rewind reads again;
    counts of what was committed do not."""

    def __init__(
        self,
        registry: CollectorRegistry,
        *,
        version: str,
        contract_version: str,
        streams: Mapping[str, str] | None = None,
    ) -> None:
        """Registers every metric with `registry`. `streams`: what each topic that is produced to holds."""
        self.registry = registry
        self.described: list[Described] = []
        self._section = ""
        self._streams = dict(streams or {})
        self._field_names: set[str] = set()
        self._ends: dict[int, int] = {}
        self._events: dict[int, int] = {}
        self._rows: dict[int, int] = {}
        self._arrivals = Arrivals()
        self._late_after_seconds = float("inf")
        self._declare_contract(version, contract_version)
        self._declare_flow()
        self._declare_side_branch()
        self._declare_warehouse()
        self._declare_runtime()

    def _declare_contract(self, version: str, contract_version: str) -> None:
        self._section = "contract"
        self._freshness = self._gauge(
            "contract_freshness_seconds",
            "The contract's freshness: a row's way to the table, less its commit.",
        )
        self._late_after = self._gauge(
            "rows_late_after_seconds",
            "Age at which a row that is not in the table is late: the contract's freshness and an allowance "
            f"of {COMMIT_ALLOWANCE:.0f} s for the commit.",
        )
        self._daily = self._gauge("contract_daily_messages", "Messages a day that the contract expects.")
        self._partitions = self._gauge("contract_partitions", "Partitions that the contract states.")
        self._oldest = self._gauge(
            "oldest_waiting_timestamp_seconds",
            "When the oldest row that was read and is not in the table reached the topic, Unix time. "
            "Not told while none waits.",
            "partition",
        )
        self._last_commit = self._gauge(
            "last_commit_timestamp_seconds", "When the warehouse last confirmed a commit, Unix time."
        )
        self._delay = self._weighted(
            "row_delay_seconds",
            "From a row's arrival in the topic to the answer to its commit, each poll's rows by the oldest.",
            (10, 60, 300, 900, 1800, 2700, 3600, 3900, 5400, 7200, 14400, 43200, 86400),
        )
        self._delay.begin()
        self._late = self._counter(
            "rows_late_total", "Rows that reached the table later than `rows_late_after_seconds`."
        )
        self._rejected = self._counter("rejected_messages_total", "Messages that broke the contract.")
        self._rejects = self._counter(
            "rejects_total",
            "Violations of the contract found, by code. A message may have several.",
            "code",
        )
        self._warnings = self._counter(
            "warnings_total", "Oddities that the contract tolerates, by code.", "code"
        )
        self._unknown = self._counter(
            "unknown_fields_total", "Messages carrying a field that the contract does not know.", "field"
        )
        build = self._gauge("build_info", "1, with the versions as labels.", "version", "contract_version")
        build.labels(version, contract_version).set(1)

    def _declare_flow(self) -> None:
        self._section = "flow"
        self._read = self._counter("messages_total", "Messages read from the topic.", "partition")
        self._forms = self._counter(
            "decoded_messages_total",
            "Messages by the format and the framing that they came in.",
            "format",
            "framing",
        )
        self._held = self._gauge("partition_held", "1 while this process holds the partition.", "partition")
        self._event_lag = self._gauge(
            "events_lag_messages", "End of the partition less progress E, the group's offset.", "partition"
        )
        self._row_lag = self._gauge(
            "rows_lag_messages", "End of the partition less progress W, the ledger's position.", "partition"
        )
        self._end = self._gauge("end_offset", "Offset at which the partition ends.", "partition")
        self._start = self._gauge(
            "log_start_offset", "Oldest offset that the partition still holds: retention's edge.", "partition"
        )

    def _declare_side_branch(self) -> None:
        self._section = "side topic and dead letters"
        self._contacts = self._counter("contacts_total", "Contacts found in texts.", "kind", "platform")
        self._produced = self._counter(
            "events_committed_total",
            "Messages committed to the side topic and the dead letters.",
            "topic",
            "stream",
        )
        self._event_delay = self._weighted(
            "event_delay_seconds",
            "From a message's arrival in the topic to the commit of what it led to.",
            (0.25, 0.5, 1, 1.5, 2, 3, 5, 10, 15, 30, 60, 300, 900, 3600),
            "stream",
        )
        for topic, stream in self._streams.items():
            self._produced.labels(topic, stream)
            self._event_delay.begin(stream)
        self._event_commit = self._histogram(
            "event_commit_seconds",
            "Duration of a Kafka transaction's commit.",
            (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15),
        )
        self._event_aborts = self._counter(
            "event_aborts_total", "Kafka transactions that the broker refused, by its reason.", "code"
        )
        self._delivery_failures = self._counter(
            "delivery_failures_total", "Messages whose delivery report was a failure.", "topic", "code"
        )

    def _declare_warehouse(self) -> None:
        self._section = "warehouse"
        self._rows_committed = self._counter(
            "rows_committed_total", "Rows staged by commits that the warehouse has confirmed."
        )
        self._commit = self._histogram(
            "commit_seconds",
            "Duration of a warehouse commit, from connecting to the answer.",
            (0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300),
        )
        self._phase = self._counter(
            "commit_phase_seconds_total", "Time that confirmed commits spent in each step.", "phase"
        )
        self._backlog = self._gauge("backlog_bytes", "Bytes of rows that wait for the warehouse, the spool.")
        self._backlog_limit = self._gauge(
            "backlog_limit_bytes", "Bytes that may wait: then the source is paused."
        )
        self._waiting = self._gauge(
            "commit_waiting_seconds", "For how long the oldest closed window has waited for its commit."
        )
        self._paused = self._counter(
            "paused_seconds_total", "Time for which the source was paused by back-pressure."
        )
        self._uploaded = self._counter(
            "staged_objects_total", "Objects uploaded for a COPY, with STAGING=s3://…."
        )
        self._uploaded_bytes = self._counter("staged_bytes_total", "Bytes of these objects, compressed.")
        self._upload = self._histogram(
            "staging_upload_seconds",
            "Time to compress and upload one of these objects.",
            (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
        )
        self._upload_waits = self._gauge(
            "staging_waiting_bytes", "Bytes of full segments that are not uploaded yet."
        )
        self._left_behind = self._counter(
            "staged_objects_left_total",
            "Objects that could not be removed when nobody needed them any more, at each try.",
        )
        self._adopted = self._counter(
            "adopted_objects_total", "Objects of an earlier process that were taken up instead of read again."
        )
        self._adopted_rows = self._counter("adopted_rows_total", "Rows in these objects.")
        self._retries = self._counter(
            "retries_total", "Passing troubles met with another try, by system.", "system", "reason"
        )

    def _declare_runtime(self) -> None:
        self._section = "runtime"
        self._broken = self._counter(
            "broken_promises_total", "Promises whose breach ended the process, by kind.", "promise"
        )
        for metric in ProcessCollector(namespace=PREFIX, registry=self.registry).collect():
            name = f"{metric.name}_total" if metric.type == "counter" else metric.name
            self.described.append(Described(self._section, name, metric.type, metric.documentation, ()))

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(self._describe(name, "counter", text, labels), text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(self._describe(name, "gauge", text, labels), text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...]) -> Histogram:
        full = self._describe(name, "histogram", text, ())
        return Histogram(full, text, buckets=buckets, registry=self.registry)

    def _weighted(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> WeightedHistogram:
        full = self._describe(name, "histogram", text, labels)
        return WeightedHistogram(full, text, labels, buckets, self.registry)

    def _describe(self, name: str, kind: str, text: str, labels: tuple[str, ...]) -> str:
        full = f"{PREFIX}_{name}"
        self.described.append(Described(self._section, full, kind, text, labels))
        return full

    # -- what was agreed ---------------------------------------------------------------------------

    def agreed(
        self,
        *,
        freshness_seconds: float,
        daily_messages: int,
        partitions: int,
        backlog_limit: int,
    ) -> None:
        """The contract's figures and a limit: what alerts compare with, so that none repeats them."""
        self._freshness.set(freshness_seconds)
        self._late_after_seconds = freshness_seconds + COMMIT_ALLOWANCE
        self._late_after.set(self._late_after_seconds)
        self._daily.set(daily_messages)
        self._partitions.set(partitions)
        self._backlog_limit.set(backlog_limit)

    def foreseen(self, *, promises: Sequence[str], warehouse_reasons: Sequence[str]) -> None:
        """The troubles that may come: told as 0 from the start, so that a first one is an increase."""
        for name in promises:
            self._broken.labels(name)
        for reason in warehouse_reasons:
            self._retries.labels("redshift", reason)

    # -- what was read -----------------------------------------------------------------------------

    def read(self, partition: int, messages: int) -> None:
        """Messages came from a partition."""
        self._read.labels(partition).inc(messages)

    def rows_wait(self, partition: int, *, next: int, rows: int, arrived_at: float, polled_at: float) -> None:
        """Rows below `next` wait for the warehouse; the oldest reached the topic at `arrived_at`."""
        self._arrivals.add(partition, Arrival(next, rows, arrived_at, polled_at))
        self._show_oldest(partition)

    def checked(
        self,
        *,
        rejected: int,
        rejects: Mapping[str, int],
        warnings: Mapping[str, int],
        unknown_fields: Mapping[str, int],
        contacts: Mapping[tuple[str, str], int],
        forms: Mapping[tuple[str, str], int],
    ) -> None:
        """A batch went through the contract.

        `contacts` counts by (kind, platform), `forms` by (format, framing).
        """
        for (message_format, framing), count in forms.items():
            self._forms.labels(message_format, framing).inc(count)
        if rejected:
            self._rejected.inc(rejected)
        for code, count in rejects.items():
            self._rejects.labels(code).inc(count)
        for code, count in warnings.items():
            self._warnings.labels(code).inc(count)
        for name, count in unknown_fields.items():
            self._unknown.labels(self._bounded(name)).inc(count)
        for (kind, platform), count in contacts.items():
            self._contacts.labels(kind, platform).inc(count)

    def _bounded(self, name: str) -> str:
        if name not in self._field_names:
            # A name is the producer's to choose: one that looks like prose or a number may be a text.
            if len(self._field_names) >= MAX_FIELD_NAMES or not _FIELD_NAME.fullmatch(name):
                return "other"
            self._field_names.add(name)
        return name

    # -- progress E --------------------------------------------------------------------------------

    def transaction_committed(
        self, arrivals: Mapping[str, Sequence[float | None]], seconds: float, at: float
    ) -> None:
        """The broker has confirmed a transaction at Unix time `at`.

        `arrivals`: by topic, for each message when what it came from had reached its topic.
        """
        for topic, times in arrivals.items():
            stream = self._streams.get(topic, "")
            self._produced.labels(topic, stream).inc(len(times))
            for arrived_at in times:
                if arrived_at is not None:
                    self._event_delay.observe(max(0.0, at - arrived_at), 1, stream)
        self._event_commit.observe(seconds)

    def transaction_aborted(self, code: str) -> None:
        """The broker refused a transaction."""
        self._event_aborts.labels(code).inc()

    def delivery_failed(self, topic: str, code: str) -> None:
        """A delivery report was a failure."""
        self._delivery_failures.labels(topic, code).inc()

    def events_position(self, partition: int, position: int) -> None:
        """Progress E of a partition."""
        self._events[partition] = position
        self._show_lag(partition)

    # -- progress W --------------------------------------------------------------------------------

    def committed(
        self,
        rows: int,
        positions: Mapping[int, int],
        phases: Mapping[str, float],
        at: float,
    ) -> None:
        """The warehouse has confirmed a commit at Unix time `at`; `positions` is progress W.

        `phases`: the seconds that each of its steps took.
        """
        self._rows_committed.inc(rows)
        self._commit.observe(sum(phases.values()))
        for phase, seconds in phases.items():
            self._phase.labels(phase).inc(seconds)
        self._last_commit.set(at)
        self.ledger_read(positions, at)

    def ledger_read(self, positions: Mapping[int, int], at: float) -> None:
        """Progress W of some partitions, as it was at Unix time `at`."""
        for partition, position in positions.items():
            self._rows[partition] = position
            self._show_lag(partition)
            for arrival in self._arrivals.take(partition, position):
                delay = max(0.0, at - arrival.arrived_at)
                self._delay.observe(delay, arrival.rows)
                self._late.inc(arrival.rows if delay > self._late_after_seconds else 0)
            self._show_oldest(partition)

    def backlog(self, held: int, waiting_seconds: float) -> None:
        """Bytes that wait for the warehouse, and for how long the oldest closed window has waited."""
        self._backlog.set(held)
        self._waiting.set(waiting_seconds)

    # -- the way by S3 -----------------------------------------------------------------------------

    def uploaded(self, size: int, seconds: float) -> None:
        """An object of so many bytes was uploaded in so long."""
        self._uploaded.inc()
        self._uploaded_bytes.inc(size)
        self._upload.observe(seconds)

    def upload_waits(self, size: int) -> None:
        """So many bytes of full segments are not uploaded yet."""
        self._upload_waits.set(size)

    def left_behind(self, objects: int) -> None:
        """So many objects could not be removed."""
        self._left_behind.inc(objects)

    def adopted(self, objects: int, rows: int) -> None:
        """Objects of an earlier process were taken up."""
        self._adopted.inc(objects)
        self._adopted_rows.inc(rows)

    # -- partitions --------------------------------------------------------------------------------

    def assigned(self, partition: int, events: int, rows: int | None) -> None:
        """A partition is ours, with both progresses."""
        self._held.labels(partition).set(1)
        self._events[partition] = events
        if rows is not None:
            self._rows[partition] = rows
        self._show_lag(partition)

    def unassigned(self, partition: int) -> None:
        """A partition is no longer ours: whoever holds it tells of it."""
        self._held.labels(partition).set(0)
        for known in (self._ends, self._events, self._rows):
            known.pop(partition, None)
        self._arrivals.forget(partition)
        for gauge in (self._event_lag, self._row_lag, self._end, self._start, self._oldest):
            gauge.remove(partition)

    def bounds(self, partition: int, start: int | None, end: int) -> None:
        """The offsets that a partition holds now, `[start, end)`; None: not known."""
        self._ends[partition] = end
        self._end.labels(partition).set(end)
        if start is not None:
            self._start.labels(partition).set(start)
        self._show_lag(partition)

    def _show_lag(self, partition: int) -> None:
        end = self._ends.get(partition)
        if end is None:
            return
        for lag, position in (
            (self._event_lag, self._events.get(partition)),
            (self._row_lag, self._rows.get(partition)),
        ):
            if position is not None:
                lag.labels(partition).set(max(0, end - position))

    def _show_oldest(self, partition: int) -> None:
        oldest = self._arrivals.oldest(partition)
        if oldest is None:
            self._oldest.remove(partition)
        else:
            self._oldest.labels(partition).set(oldest)

    # -- trouble -----------------------------------------------------------------------------------

    def broken(self, promise: str) -> None:
        """A promise is broken: the process is about to end."""
        self._broken.labels(promise).inc()

    def paused(self, seconds: float) -> None:
        """The source has been paused for some more seconds."""
        self._paused.inc(seconds)

    def retried(self, system: str, reason: str) -> None:
        """A passing trouble of `kafka`, `redshift`, `spool` or `registry`."""
        self._retries.labels(system, reason).inc()
