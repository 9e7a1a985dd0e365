"""A real Prometheus that watches a real run: two processes, bad messages, an outage, a crash, `verify`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread

import yaml
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from tests.integration.wiring import PARTITIONS, Wiring
from tests.monitoring.rules import write_plain
from tests.operate.calling import operate
from tests.pipeline import Pipeline, eventually
from tests.standins.prometheus import DATA, Prometheus, PrometheusPrograms, Pushgateway
from tests.standins.redshift_process import RedshiftProcess
from tests.standins.traffic import generate, produce

SCRAPE = 1
"""Seconds between two scrapes, and between two evaluations of the rules."""
MINUTE, HOUR, DAY = 60, 3600, 86_400
MESSAGES = 9_000
SEED = 20240101
NAMESPACE = "contract-dataflow"
"""As the manifests have it."""
TOLD_EVERY = 250
"""Messages after which the producer says how far it is."""


@dataclass(frozen=True, slots=True)
class Acts:
    """Seconds of each act of the run, and the length of a window."""

    calm: float = 14.0
    outage: float = 12.0
    after: float = 10.0
    window: str = "2s"

    @property
    def seconds(self) -> float:
        """All acts together."""
        return self.calm + self.outage + self.after


@dataclass(frozen=True, slots=True)
class Observed:
    """What there is to ask when the run is over; its processes and Prometheus still run."""

    prometheus: Prometheus
    pipelines: tuple[Pipeline, ...]
    wiring: Wiring
    began: float
    ended: float
    """Unix times between which the run was watched."""

    @property
    def seconds(self) -> float:
        """How long it was watched."""
        return self.ended - self.began


@contextmanager
def observed(
    programs: PrometheusPrograms,
    wiring: Wiring,
    redshift: RedshiftProcess,
    directory: Path,
    acts: Acts,
) -> Iterator[Observed]:
    """The run on `wiring`'s broker and the warehouse `redshift`, whose data survives its end."""
    wiring = replace(wiring, database=redshift.server)
    wiring.create_tables()
    with ExitStack() as ends:
        started: list[Pipeline] = []
        for number in range(2):
            environment = wiring.environment(SPOOL_LIMIT="96KiB", WINDOW=acts.window)
            started.append(Pipeline.start(environment, directory / f"pipeline-{number}.log"))
            ends.callback(started[-1].kill)
        for pipeline in started:
            pipeline.wait_until_ready(60)
        eventually(lambda: _held(started) == PARTITIONS, 60, "every partition is held")
        write_plain(_made(directory / "prometheus") / "rules.yaml", interval=f"{SCRAPE}s")
        _remember_yesterday(programs, directory / "prometheus")
        gateway = ends.enter_context(Pushgateway(programs, directory))
        configuration = _configuration([pipeline.address for pipeline in started], gateway.address)
        prometheus = ends.enter_context(Prometheus(programs, directory / "prometheus", configuration))
        eventually(lambda: len(prometheus.query("up == 1")) == len(started) + 1, 30, "all are scraped")
        began = time.time()
        with _traffic(wiring, acts.seconds):
            _pass(prometheus, acts.calm)
            redshift.kill()
            _pass(prometheus, acts.outage)
            redshift.start()
            _let_retention_remove(wiring)
            started[1].kill()
            _pass(prometheus, acts.after)
        eventually(lambda: _held(started[:1]) == PARTITIONS, 60, "the other has taken over")
        eventually(lambda: started[0].metric("dataflow_rows_lag_messages") == 0, 60, "all rows are there")
        called = operate(wiring, "verify", "--push-gateway", f"{gateway.address}/{KEY}")
        assert any("dataflow_verify_ok" in series for series in gateway.samples()), (
            called.stdout + called.stderr
        )
        _pass(prometheus, 3)
        yield Observed(prometheus, (started[0],), wiring, began, time.time())


KEY = f"metrics/job/dataflow-verify/namespace/{NAMESPACE}"
"""The end of the Pushgateway's address, as the CronJob gives it."""


def _held(pipelines: list[Pipeline]) -> float:
    return sum(pipeline.metric("dataflow_partition_held") for pipeline in pipelines)


def _made(directory: Path) -> Path:
    directory.mkdir(parents=True)
    return directory


def _remember_yesterday(programs: PrometheusPrograms, directory: Path) -> None:
    """What Prometheus would know of the hour before this moment of yesterday: where each partition ended."""
    yesterday = int(time.time()) - DAY
    name = "partition:dataflow_end_offset:max"
    samples = [
        f'{name}{{namespace="{NAMESPACE}",pipeline="messages",partition="{partition}"}} 0 {at}'
        for partition in range(PARTITIONS)
        for at in range(yesterday - HOUR, yesterday + HOUR, MINUTE)
    ]
    file = directory / "yesterday.txt"
    file.write_text("\n".join([f"# TYPE {name} gauge", *samples, "# EOF", ""]), encoding="utf-8")
    programs.check("tsdb", "create-blocks-from", "openmetrics", str(file), str(directory / DATA))


def _configuration(addresses: list[str], gateway: str) -> str:
    labels = {"namespace": NAMESPACE, "pipeline": "messages"}
    targets = [
        {"targets": [address], "labels": {**labels, "pod": f"messages-{number}"}}
        for number, address in enumerate(addresses)
    ]
    return yaml.safe_dump(
        {
            "global": {"scrape_interval": f"{SCRAPE}s", "scrape_timeout": f"{SCRAPE}s"},
            "rule_files": ["rules.yaml"],
            "scrape_configs": [
                {"job_name": "contract-dataflow", "static_configs": targets},
                {
                    "job_name": "pushgateway",
                    # What was pushed says itself whose it is.
                    "honor_labels": True,
                    "static_configs": [{"targets": [gateway.removeprefix("http://")]}],
                },
            ],
        }
    )


@contextmanager
def _traffic(wiring: Wiring, seconds: float) -> Iterator[None]:
    """A day's messages with everything that they may hold, spread over the run."""
    traffic = generate(MESSAGES, SEED, datetime(2024, 1, 1, tzinfo=UTC))
    pace, began = Event(), time.monotonic()

    def told(handed_over: int) -> None:
        ahead = began + seconds * handed_over / MESSAGES - time.monotonic()
        pace.wait(max(0.0, ahead))

    producer = Thread(target=produce, args=(traffic, wiring.bootstrap, wiring.source, told), name="producer")
    producer.start()
    try:
        yield
    finally:
        pace.set()
        producer.join()


def _pass(prometheus: Prometheus, seconds: float) -> None:
    """Until Prometheus has watched for so long."""
    until = time.time() + seconds
    eventually(lambda: time.time() >= until and prometheus.query("vector(1)"), seconds + 30, "time passes")


def _let_retention_remove(wiring: Wiring) -> None:
    """What was committed long ago goes, as retention does it."""
    administration = AdminClient({"bootstrap.servers": wiring.bootstrap})
    gone = [TopicPartition(wiring.source, partition, 50) for partition in range(PARTITIONS)]
    for removed in administration.delete_records(gone).values():
        removed.result(30)
