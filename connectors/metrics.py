"""Every metric, in one place. Labels are bounded; nothing personal is ever a label."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

PREFIX = "dataflow"
MAX_FIELD_NAMES = 50
"""Names of unknown fields that become labels of their own; what comes later is counted as `other`."""
_FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z_0-9]{0,39}")


class Metrics:
    """The process's metrics. Counts of what was read include what a restart or a rewind reads again;
    counts of what was committed do not."""

    def __init__(self, registry: CollectorRegistry, *, version: str, contract_version: str) -> None:
        """Registers every metric with `registry`."""
        self.registry = registry
        self._field_names: set[str] = set()
        self._ends: dict[int, int] = {}
        self._events: dict[int, int] = {}
        self._rows: dict[int, int] = {}

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"{PREFIX}_{name}", text, labels, registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"{PREFIX}_{name}", text, labels, registry=registry)

        def histogram(name: str, text: str, buckets: tuple[float, ...]) -> Histogram:
            return Histogram(f"{PREFIX}_{name}", text, buckets=buckets, registry=registry)

        self._build = gauge("build_info", "1, with the versions as labels.", "version", "contract_version")
        self._build.labels(version, contract_version).set(1)
        self._read = counter("messages_total", "Messages read from the topic.", "partition")
        self._rejects = counter(
            "rejects_total",
            "Violations of the contract found, by code. A message may have several.",
            "code",
        )
        self._rejected = counter("rejected_messages_total", "Messages that broke the contract.")
        self._warnings = counter("warnings_total", "Oddities that the contract tolerates, by code.", "code")
        self._unknown = counter(
            "unknown_fields_total", "Messages carrying a field that the contract does not know.", "field"
        )
        self._contacts = counter("contacts_total", "Contacts found in texts.", "kind", "platform")
        self._produced = counter(
            "events_committed_total",
            "Messages committed to the side topic and the dead letters.",
            "topic",
        )
        self._event_commit = histogram(
            "event_commit_seconds",
            "Duration of a Kafka transaction's commit.",
            (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15),
        )
        self._event_aborts = counter(
            "event_aborts_total", "Kafka transactions that the broker refused, by its reason.", "code"
        )
        self._delivery_failures = counter(
            "delivery_failures_total", "Messages whose delivery report was a failure.", "topic", "code"
        )
        self._rows_committed = counter(
            "rows_committed_total", "Rows staged by commits that the warehouse has confirmed."
        )
        self._commit = histogram(
            "commit_seconds",
            "Duration of a warehouse commit, from the lock to the answer.",
            (0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300),
        )
        self._last_commit = gauge(
            "last_commit_timestamp_seconds", "When the warehouse last confirmed a commit, Unix time."
        )
        self._event_lag = gauge(
            "events_lag_messages", "End of the partition less progress E, the group's offset.", "partition"
        )
        self._row_lag = gauge(
            "rows_lag_messages", "End of the partition less progress W, the ledger's position.", "partition"
        )
        self._held = gauge("partition_held", "1 while this process holds the partition.", "partition")
        self._paused = counter(
            "paused_seconds_total", "Time for which the source was paused by back-pressure."
        )
        self._retries = counter(
            "retries_total", "Passing troubles met with another try, by system.", "system", "reason"
        )
        self._backlog = gauge("backlog_bytes", "Bytes of rows that wait for the warehouse.")
        self._waiting = gauge(
            "commit_waiting_seconds", "For how long the oldest closed window has waited for its commit."
        )
        self._broken = counter(
            "broken_promises_total", "Promises whose breach ended the process, by kind.", "promise"
        )

    # -- what was read -----------------------------------------------------------------------------

    def read(self, partition: int, messages: int) -> None:
        """Messages came from a partition."""
        self._read.labels(partition).inc(messages)

    def checked(
        self,
        *,
        rejected: int,
        rejects: Mapping[str, int],
        warnings: Mapping[str, int],
        unknown_fields: Mapping[str, int],
        contacts: Mapping[tuple[str, str], int],
    ) -> None:
        """A batch went through the contract. `contacts` counts by (kind, platform)."""
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

    def transaction_committed(self, messages: Mapping[str, int], seconds: float) -> None:
        """The broker has confirmed a transaction; `messages` by topic."""
        for topic, count in messages.items():
            self._produced.labels(topic).inc(count)
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

    def committed(self, rows: int, positions: Mapping[int, int], seconds: float, at: float) -> None:
        """The warehouse has confirmed a commit at Unix time `at`; `positions` is progress W."""
        self._rows_committed.inc(rows)
        self._commit.observe(seconds)
        self._last_commit.set(at)
        self.ledger_read(positions)

    def ledger_read(self, positions: Mapping[int, int]) -> None:
        """Progress W of some partitions."""
        for partition, position in positions.items():
            self._rows[partition] = position
            self._show_lag(partition)

    def backlog(self, held: int, waiting_seconds: float) -> None:
        """Bytes that wait for the warehouse, and for how long the oldest closed window has waited."""
        self._backlog.set(held)
        self._waiting.set(waiting_seconds)

    # -- partitions --------------------------------------------------------------------------------

    def assigned(self, partition: int, events: int, rows: int | None) -> None:
        """A partition is ours, with both progresses."""
        self._held.labels(partition).set(1)
        self._events[partition] = events
        if rows is not None:
            self._rows[partition] = rows
        self._show_lag(partition)

    def unassigned(self, partition: int) -> None:
        """A partition is no longer ours: whoever holds it shows its lag."""
        self._held.labels(partition).set(0)
        for known in (self._ends, self._events, self._rows):
            known.pop(partition, None)
        for lag in (self._event_lag, self._row_lag):
            if (str(partition),) in lag._metrics:
                lag.remove(partition)

    def end_offset(self, partition: int, end: int) -> None:
        """Where a partition ends now."""
        self._ends[partition] = end
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

    # -- trouble -----------------------------------------------------------------------------------

    def promises(self, names: Sequence[str]) -> None:
        """The promises that may break: each is told as 0 from the start."""
        for name in names:
            self._broken.labels(name)

    def broken(self, promise: str) -> None:
        """A promise is broken: the process is about to end."""
        self._broken.labels(promise).inc()

    def paused(self, seconds: float) -> None:
        """The source has been paused for some more seconds."""
        self._paused.inc(seconds)

    def retried(self, system: str, reason: str) -> None:
        """A passing trouble of `kafka` or `redshift`."""
        self._retries.labels(system, reason).inc()
