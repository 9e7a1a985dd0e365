"""The manifests' pods as real processes: command, environment, mounts, probes, SIGTERM, rolling update."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from urllib.parse import urlsplit

import pytest

from connectors.items import Table
from connectors.verify_metrics import JOB
from dataflow.contract import load
from tests.faults.steady import SteadyTraffic, Writer
from tests.faults.verdict import judge
from tests.faults.world import arrived
from tests.fixtures_kafka import child_kafka, create_topics
from tests.integration.test_exactly_once import assert_exactly_once
from tests.integration.wiring import PARTITIONS, Wiring, group_offsets, produce_numbered
from tests.k8s.conftest import needed
from tests.k8s.image import Image
from tests.k8s.manifests import Manifests, PodTemplate, with_components
from tests.k8s.pods import Liveness, Node, Pod, quantity
from tests.pipeline import eventually
from tests.standins.kafka_real import RealKafka
from tests.standins.prometheus import Pushgateway, prometheus_programs
from tests.standins.redshift_process import RedshiftProcess
from tests.standins.trouble import TroubleProxy

PIPELINE, VERIFY = "contract-dataflow", "contract-dataflow-verify"
TOOLBOX = "contract-dataflow-toolbox"
MORE = ("components/verify",)
OUTAGE_ATTEMPTS = 60
"""Readiness is asked for longer than usual after an outage: the waits between tries have grown by then."""


@dataclass
class Cluster:
    """The dev overlay's Kafka and Redshift under the names that its pods know, and a node for the pods."""

    manifests: Manifests
    node: Node
    kafka: RealKafka
    redshift: TroubleProxy
    wiring: Wiring
    ends: ExitStack
    pods: int = 0

    def pod(self, owner: str) -> Pod:
        """One more pod of the workload, with a name and an address of its own. Not started."""
        self.pods += 1
        template = self.manifests.pod(owner)
        name, address = f"{owner}-{self.pods}", _address(10 + self.pods)
        return self.ends.enter_context(Pod(self.node, self.manifests, template, name, address))

    def started(self, owner: str) -> Pod:
        """The same, started."""
        pod = self.pod(owner)
        pod.start()
        return pod

    def run(self, owner: str) -> None:
        """A Job, to its end: as many pods as it may take until one succeeds."""
        tries = self.manifests.one("Job", owner)["spec"]["backoffLimit"] + 1
        pods = (self.started(owner) for _ in range(tries))
        assert any(pod.wait(120) == 0 for pod in pods), self.node.logs(owner)

    @property
    def pipeline(self) -> PodTemplate:
        """The Deployment's pod."""
        return self.manifests.pod("contract-dataflow")


def _address(number: int) -> str:
    """An address of loopback that this process alone uses, so that ports are as in a pod: free."""
    mine = os.getpid()
    return f"127.{64 + mine % 128}.{mine // 128 % 256}.{number}"


@pytest.fixture(scope="module")
def with_more(kustomize: Path, tmp_path_factory: pytest.TempPathFactory) -> Manifests:
    """The dev overlay, and what production has besides for people to look with."""
    directory = tmp_path_factory.mktemp("overlay") / "dev-with-more"
    return Manifests.build(kustomize, with_components(directory, "dev", MORE))


@pytest.fixture
def cluster(
    image: Image,
    with_more: Manifests,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Cluster]:
    dev, contract = with_more, load()
    environment = dev.environment(dev.pod("contract-dataflow"))
    kafka_name, _, kafka_port = environment["KAFKA_BOOTSTRAP_SERVERS"].partition(":")
    with ExitStack() as ends:
        kafka = ends.enter_context(child_kafka(tmp_path_factory))
        server = ends.enter_context(RedshiftProcess()).server
        ends.enter_context(TroubleProxy(("127.0.0.1", kafka.fronted_port), int(kafka_port), _address(1)))
        port = int(environment.get("REDSHIFT_PORT", "5439"))
        redshift = ends.enter_context(TroubleProxy((server.host, server.port), port, _address(2)))
        names = (contract.topic, contract.contacts_topic, contract.dead_letters_topic)
        create_topics(kafka.bootstrap, dict.fromkeys(names, PARTITIONS))
        gateway_name = str(urlsplit(dev.arguments(dev.pod(VERIFY))[-1]).hostname)
        names_of_hosts = {
            kafka_name: _address(1),
            environment["REDSHIFT_HOST"]: _address(2),
            gateway_name: _address(3),
        }
        node = Node(image, tmp_path, names_of_hosts)
        wiring = Wiring(kafka.bootstrap, *names, "messages", server)
        yield Cluster(dev, node, kafka, redshift, wiring, ends)


@pytest.fixture
def table(cluster: Cluster) -> Table:
    """Created by the Job, and found right by the other."""
    cluster.run("contract-dataflow-ddl")
    cluster.run("contract-dataflow-check")
    return load().table


def test_a_pod_outlives_an_outage_of_the_warehouse_and_drains_within_its_grace(
    cluster: Cluster, table: Table, record_property: Callable[[str, object], None]
) -> None:
    """From its start on the warehouse is away, for longer than liveness would forgive; then it comes back.

    At the end the hourly `verify` and a person in the toolbox look at what it left.
    """
    cluster.redshift.refuse()
    pod = cluster.started("contract-dataflow")
    record_property("seconds to start", pod.await_probe("startupProbe"))
    liveness = Liveness(pod)
    liveness.start()
    probe = pod.probe("livenessProbe")
    eventually(lambda: liveness.asked > probe.failures, probe.period * 10, "liveness was asked often enough")
    assert not pod.probe("readinessProbe").succeeds(), "ready, though the warehouse is away"
    cluster.redshift.flow()
    record_property("seconds to ready", pod.await_probe("readinessProbe", OUTAGE_ATTEMPTS))
    # What a window of an hour holds at the contract's 30,000 messages a day.
    produce_numbered(cluster.wiring, 0, 1250)
    eventually(lambda: sum(group_offsets(cluster.wiring).values()) == 1250, 60, "all events are committed")
    pod.watch()
    liveness.stop()
    code, seconds = pod.terminate()
    record_property("seconds to drain", seconds)
    record_property("peak memory", pod.peak_memory)
    assert code == 0, pod.tail()
    assert liveness.kept
    assert_exactly_once(cluster.wiring, table, 1250)
    assert pod.peak_memory < quantity(cluster.pipeline.container["resources"]["limits"]["memory"])
    assert_verified(cluster, 1250)
    assert_toolbox_looks(cluster)


def assert_verified(cluster: Cluster, messages: int) -> None:
    """The pod of `verify` accounts for every message, finds nothing wrong, and tells the Pushgateway so."""
    verify = cluster.manifests.pod(VERIFY)
    address = urlsplit(cluster.manifests.arguments(verify)[-1])
    programs = needed(prometheus_programs)
    with Pushgateway(programs, cluster.node.directory, f"{_address(3)}:{address.port}") as gateway:
        assert cluster.started(VERIFY).wait(120) == 0, cluster.node.logs(VERIFY)
        told = gateway.samples()
    whose = f'instance="",job="{JOB}",namespace="{cluster.manifests.namespace}",pipeline="messages"'
    fates = ("row", "superseded", "dead_letter", "unaccounted")
    counted = {fate: told[f'dataflow_verify_window_messages{{fate="{fate}",{whose}}}'] for fate in fates}
    assert sum(counted.values()) == messages
    assert counted["unaccounted"] == 0
    assert told[f"dataflow_verify_ok{{{whose}}}"] == 1


def assert_toolbox_looks(cluster: Cluster) -> None:
    """While no pod of the pipeline is up, people find out in the toolbox what is there."""
    toolbox = cluster.started(TOOLBOX)
    told = toolbox.execute("contract-dataflow", "ledger")
    assert told.returncode == 0, told.stdout + told.stderr
    assert "no gaps" in told.stdout
    checked = toolbox.execute("contract-dataflow", "check")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    toolbox.watch()


def test_a_pod_ends_within_its_grace_when_neither_kafka_nor_the_warehouse_answers(
    cluster: Cluster, table: Table, record_property: Callable[[str, object], None]
) -> None:
    """The next pod reads again what this one could not commit."""
    pod = cluster.started("contract-dataflow")
    pod.await_probe("startupProbe")
    pod.await_probe("readinessProbe", OUTAGE_ATTEMPTS)
    produce_numbered(cluster.wiring, 0, 200)
    eventually(lambda: pod.metric("dataflow_messages_total") >= 200, 60, "all messages are read")
    cluster.redshift.stall()
    cluster.kafka.stop()
    code, seconds = pod.terminate()
    record_property("seconds to drain", seconds)
    assert code == 0, pod.tail()
    cluster.redshift.flow()
    cluster.kafka.start()
    heir = cluster.started("contract-dataflow")
    heir.await_probe("startupProbe")
    eventually(lambda: sum(group_offsets(cluster.wiring).values()) == 200, 60, "all events are committed")
    assert heir.terminate()[0] == 0, heir.tail()
    assert_exactly_once(cluster.wiring, table, 200)


def test_a_rolling_update_of_three_pods_under_traffic_loses_and_repeats_nothing(
    cluster: Cluster, table: Table, record_property: Callable[[str, object], None]
) -> None:
    """As the Deployment says: the old one first, one at a time, the next once the new one stays ready."""
    deployment = cluster.manifests.one("Deployment", "contract-dataflow")["spec"]
    assert deployment["strategy"]["rollingUpdate"] == {"maxUnavailable": 1, "maxSurge": 0}
    old = [cluster.started("contract-dataflow") for _ in range(3)]
    for pod in old:
        pod.await_probe("startupProbe")
        pod.await_probe("readinessProbe", OUTAGE_ATTEMPTS)
    new: list[Pod] = []
    drains: list[float] = []
    pace = Event()
    with SteadyTraffic(Writer(7), cluster.kafka.bootstrap, cluster.wiring.source, burst=10) as traffic:
        eventually(lambda: len(traffic.sent) > 1000, 60, "traffic flows")
        for pod in old:
            code, seconds = pod.terminate()
            drains.append(seconds)
            assert code == 0, pod.tail()
            successor = cluster.started("contract-dataflow")
            new.append(successor)
            successor.await_probe("startupProbe")
            successor.await_probe("readinessProbe", OUTAGE_ATTEMPTS)
            pace.wait(deployment["minReadySeconds"])
            assert successor.probe("readinessProbe").succeeds(), successor.tail()
        eventually(lambda: held(new) == PARTITIONS, 60, "the new pods hold all partitions")
    sent = len(traffic.sent)
    eventually(lambda: sum(group_offsets(cluster.wiring).values()) >= sent, 60, "all events are committed")
    for pod in new:
        code, seconds = pod.terminate()
        drains.append(seconds)
        assert code == 0, pod.tail()
    verdict = judge(traffic.sent, arrived(cluster.wiring, table))
    record_property("messages", sent)
    record_property("seconds to drain", drains)
    record_property("verdict", str(verdict))
    assert verdict.kept, verdict


def held(pods: list[Pod]) -> float:
    return sum(pod.metric("dataflow_partition_held") for pod in pods)
