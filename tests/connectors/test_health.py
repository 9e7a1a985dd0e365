"""What probes and Prometheus are answered."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric

from connectors.health import LINGER_STEP, STALL, Health, HealthServer
from connectors.metrics import Metrics
from connectors.stopping import Stop


class Clock:
    """Monotonic seconds that a test moves."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> Health:
    return Health(clock, ("kafka", "redshift"))


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(CollectorRegistry(), version="1", contract_version="2")


@pytest.fixture
def server(health: Health, metrics: Metrics) -> Iterator[HealthServer]:
    served = HealthServer("127.0.0.1", 0, metrics.registry, health)
    served.start()
    yield served
    served.stop()


def get(server: HealthServer, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


def test_liveness_is_the_heartbeat_alone(server: HealthServer, health: Health, clock: Clock) -> None:
    health.report("redshift", "connection")
    assert get(server, "/livez") == (200, "ok\n")
    clock.seconds = STALL
    assert get(server, "/livez") == (503, "stalled\n")
    health.beat()
    assert get(server, "/livez") == (200, "ok\n")


def test_readiness_names_what_is_waited_for(server: HealthServer, health: Health) -> None:
    health.report("kafka", "ok")
    status, body = get(server, "/readyz")
    assert status == 503
    assert json.loads(body) == {"ready": False, "kafka": "ok", "redshift": "connecting"}
    health.report("redshift", "ok")
    assert get(server, "/readyz")[0] == 200


def test_an_unknown_path_lists_the_known_ones(server: HealthServer) -> None:
    assert get(server, "/") == (404, "/metrics /livez /readyz\n")


def test_a_taken_port_is_an_error(server: HealthServer, health: Health) -> None:
    with pytest.raises(OSError, match="in use"):
        HealthServer("127.0.0.1", server.port, CollectorRegistry(), health)


def test_lag_is_told_against_both_progresses(server: HealthServer, metrics: Metrics) -> None:
    metrics.assigned(2, events=100, rows=None)
    metrics.bounds(2, 0, 150)
    metrics.ledger_read({2: 40}, 0)
    body = get(server, "/metrics")[1]
    assert 'dataflow_events_lag_messages{partition="2"} 50.0' in body
    assert 'dataflow_rows_lag_messages{partition="2"} 110.0' in body


def test_a_partition_that_left_shows_no_lag(server: HealthServer, metrics: Metrics) -> None:
    metrics.assigned(2, events=100, rows=40)
    metrics.bounds(2, 0, 150)
    metrics.unassigned(2)
    body = get(server, "/metrics")[1]
    assert 'lag_messages{partition="2"}' not in body
    assert 'dataflow_partition_held{partition="2"} 0.0' in body


def test_names_of_unknown_fields_are_bounded(server: HealthServer, metrics: Metrics) -> None:
    for number in range(200):
        unknown = {f"f{number}": 1}
        metrics.checked(rejected=0, rejects={}, warnings={}, unknown_fields=unknown, contacts={}, forms={})
    body = get(server, "/metrics")[1]
    assert body.count("dataflow_unknown_fields_total{") == 51
    assert 'dataflow_unknown_fields_total{field="other"} 150.0' in body


class Halting:
    """A collector that lets the first reader wait amid its answer."""

    def __init__(self) -> None:
        self.reached, self.go_on = Event(), Event()

    def describe(self) -> Iterator[Metric]:
        return iter(())

    def collect(self) -> Iterator[Metric]:
        self.reached.set()
        assert self.go_on.wait(30)
        return iter(())


class AskedStop(Stop):
    """Tells that it was asked: that the lingering has begun."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = Event()

    def is_set(self) -> bool:
        self.asked.set()
        return super().is_set()


def test_lingering_does_not_end_with_an_answer_that_was_begun_before_it(
    health: Health, metrics: Metrics
) -> None:
    halting, stop = Halting(), AskedStop()
    server = HealthServer("127.0.0.1", 0, metrics.registry, health)
    metrics.registry.register(halting)
    server.start()
    with ThreadPoolExecutor(2) as pool:
        early = pool.submit(get, server, "/metrics")
        assert halting.reached.wait(30)
        metrics.broken("DataLoss")
        lingering = pool.submit(server.linger, 60, stop)
        assert stop.asked.wait(30)
        halting.go_on.set()
        assert early.result(30)[0] == 200
        with pytest.raises(TimeoutError):
            lingering.result(5 * LINGER_STEP)
        assert 'promise="DataLoss"} 1.0' in get(server, "/metrics")[1]
        lingering.result(30)
    server.stop()
