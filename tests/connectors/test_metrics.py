"""What the metrics say of time: how old what waits is, what came late, how long contacts took."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry

from connectors.arrivals import GRAIN, Arrival, Arrivals
from connectors.histogram import WeightedHistogram
from connectors.metrics import COMMIT_ALLOWANCE, Metrics

HOUR = 3600.0


@pytest.fixture
def metrics() -> Metrics:
    streams = {"contacts-topic": "contacts", "letters-topic": "dead_letters"}
    made = Metrics(CollectorRegistry(), version="1", contract_version="2", streams=streams)
    made.agreed(freshness_seconds=HOUR, daily_messages=30_000, partitions=4, backlog_limit=1 << 30)
    return made


def told(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"dataflow_{name}", labels)


def wait(metrics: Metrics, *, next: int, rows: int, arrived_at: float, partition: int = 0) -> None:
    metrics.rows_wait(partition, next=next, rows=rows, arrived_at=arrived_at, polled_at=arrived_at + 1)


def test_the_oldest_row_that_waits_is_told_until_it_is_committed(metrics: Metrics) -> None:
    wait(metrics, next=10, rows=9, arrived_at=100)
    wait(metrics, next=20, rows=10, arrived_at=200)
    assert told(metrics, "oldest_waiting_timestamp_seconds", partition="0") == 100
    metrics.committed(9, {0: 10}, {"commit": 2.0}, at=300)
    assert told(metrics, "oldest_waiting_timestamp_seconds", partition="0") == 200
    metrics.committed(10, {0: 20}, {"commit": 2.0}, at=400)
    assert told(metrics, "oldest_waiting_timestamp_seconds", partition="0") is None


def test_rows_are_late_beyond_the_contracts_freshness_and_the_allowance(metrics: Metrics) -> None:
    wait(metrics, next=10, rows=7, arrived_at=0)
    wait(metrics, next=20, rows=5, arrived_at=20)
    metrics.committed(12, {0: 20}, {"commit": 2.0}, at=HOUR + COMMIT_ALLOWANCE + 10)
    assert told(metrics, "rows_late_total") == 7
    assert told(metrics, "row_delay_seconds_count") == 12
    assert told(metrics, "row_delay_seconds_bucket", le="3900.0") == 5


def test_rows_that_another_process_committed_wait_no_longer(metrics: Metrics) -> None:
    wait(metrics, next=10, rows=7, arrived_at=0)
    metrics.ledger_read({0: 10}, at=50)
    assert told(metrics, "oldest_waiting_timestamp_seconds", partition="0") is None
    assert told(metrics, "row_delay_seconds_count") == 7


def test_a_partition_that_left_tells_nothing(metrics: Metrics) -> None:
    metrics.assigned(0, events=5, rows=5)
    metrics.bounds(0, 1, 9)
    wait(metrics, next=10, rows=7, arrived_at=0)
    metrics.unassigned(0)
    for name in ("oldest_waiting_timestamp_seconds", "end_offset", "log_start_offset", "rows_lag_messages"):
        assert told(metrics, name, partition="0") is None
    assert told(metrics, "partition_held", partition="0") == 0
    metrics.committed(7, {0: 10}, {"commit": 1.0}, at=50)
    assert told(metrics, "row_delay_seconds_count") == 0


def test_a_commit_is_told_step_by_step(metrics: Metrics) -> None:
    for _ in range(2):
        metrics.committed(1, {0: 1}, {"connect": 0.5, "merge": 2.0}, at=50)
    assert told(metrics, "commit_phase_seconds_total", phase="merge") == 4
    assert told(metrics, "commit_seconds_sum") == 5
    assert told(metrics, "last_commit_timestamp_seconds") == 50


def test_contacts_are_timed_from_their_messages_arrival(metrics: Metrics) -> None:
    assert told(metrics, "event_delay_seconds_count", stream="contacts") == 0
    arrivals: dict[str, list[float | None]] = {
        "contacts-topic": [100.0, 95.0, None],
        "letters-topic": [101.0],
    }
    metrics.transaction_committed(arrivals, 0.02, at=102)
    assert told(metrics, "events_committed_total", topic="contacts-topic", stream="contacts") == 3
    assert told(metrics, "event_delay_seconds_count", stream="contacts") == 2
    assert told(metrics, "event_delay_seconds_sum", stream="contacts") == 9
    assert told(metrics, "event_delay_seconds_bucket", stream="dead_letters", le="1.0") == 1


def test_what_a_rewind_reads_again_is_not_counted_twice() -> None:
    arrivals = Arrivals()
    for first_read in (Arrival(10, 5, 0, 0), Arrival(20, 5, 100, 100)):
        arrivals.add(0, first_read)
    arrivals.add(0, Arrival(15, 2, 50, 200))
    assert sum(arrival.rows for arrival in arrivals.take(0, 20)) == 10


def test_polls_of_a_moment_are_remembered_as_one_and_others_are_not() -> None:
    arrivals = Arrivals()
    for number in range(1000):
        arrivals.add(0, Arrival(number + 1, 1, number / 100, number / 100))
    arrivals.add(0, Arrival(2000, 1, GRAIN, GRAIN))
    # What was read from a backlog at one moment had arrived at many.
    arrivals.add(0, Arrival(3000, 1, GRAIN + HOUR, GRAIN))
    assert [arrival.rows for arrival in arrivals.take(0, 3000)] == [1000, 1, 1]


def test_a_partly_committed_moment_waits_on() -> None:
    arrivals = Arrivals()
    arrivals.add(0, Arrival(10, 5, 7, 7))
    arrivals.add(0, Arrival(20, 5, 8, 8))
    assert arrivals.take(0, 15) == []
    assert arrivals.oldest(0) == 7


def test_a_weight_counts_as_many_observations() -> None:
    registry = CollectorRegistry()
    histogram = WeightedHistogram("delay_seconds", "Delay.", ("of",), (1, 10), registry)
    histogram.observe(1.0, 3, "rows")
    histogram.observe(5.0, 2, "rows")
    histogram.observe(50.0, 1, "rows")
    bounds = [
        registry.get_sample_value("delay_seconds_bucket", {"of": "rows", "le": le})
        for le in ("1.0", "10.0", "+Inf")
    ]
    assert bounds == [3, 5, 6]
    assert registry.get_sample_value("delay_seconds_sum", {"of": "rows"}) == 63
