"""The broker that a benchmark reads from: a real one where there is one, else the mock cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Protocol

from tests.bench.occasion import Occasion, Size, Unavailable
from tests.fixtures_kafka import create_topics
from tests.standins.kafka_mock import MockCluster
from tests.standins.kafka_real import KafkaUnavailable, RealKafka, named_broker
from tests.standins.traffic import PARTITIONS

MOCK_PROPERTIES = {"fetch.wait.max.ms": "10"}
"""The mock cluster parks an empty fetch for the whole of it."""


class Broker(Protocol):
    """Somewhere to read from and to write to."""

    @property
    def bootstrap(self) -> str:
        """`host:port`, for `bootstrap.servers`."""
        ...

    @property
    def description(self) -> str:
        """What it is, for the results."""
        ...

    @property
    def properties(self) -> Mapping[str, str]:
        """librdkafka's settings that it needs."""
        ...

    @property
    def sharing(self) -> Mapping[str, str]:
        """The program's settings that it needs for two processes to share a topic."""
        ...

    def create(self, topics: Sequence[str], partitions: int = PARTITIONS) -> None:
        """Create empty topics."""
        ...


class Mock:
    """The mock cluster as a broker."""

    description = "librdkafka's mock cluster"
    properties: Mapping[str, str] = MOCK_PROPERTIES
    sharing: Mapping[str, str] = {"KAFKA_GROUP_PROTOCOL": "consumer"}

    def __init__(self, cluster: MockCluster) -> None:
        self._cluster = cluster
        self.bootstrap = cluster.bootstrap

    def create(self, topics: Sequence[str], partitions: int = PARTITIONS) -> None:
        """Create empty topics."""
        for topic in topics:
            self._cluster.create_topic(topic, partitions)


class Real:
    """Apache Kafka as a broker."""

    properties: Mapping[str, str] = {}
    sharing: Mapping[str, str] = {}

    def __init__(self, bootstrap: str, description: str) -> None:
        self.bootstrap = bootstrap
        self.description = description

    def create(self, topics: Sequence[str], partitions: int = PARTITIONS) -> None:
        """Create empty topics."""
        create_topics(self.bootstrap, dict.fromkeys(topics, partitions))


@contextmanager
def a_broker(occasion: Occasion) -> Iterator[Broker]:
    """A real one, or the mock cluster on a quick occasion and where no broker can be run."""
    with ExitStack() as ends:
        broker: Broker | None = None
        if occasion.size is not Size.QUICK:
            try:
                broker = ends.enter_context(a_real_broker(occasion))
            except Unavailable as reason:
                occasion.tell(f"the mock cluster: {reason}")
        yield broker or Mock(ends.enter_context(MockCluster()))


@contextmanager
def a_real_broker(occasion: Occasion) -> Iterator[Broker]:
    """The one that TEST_KAFKA_BOOTSTRAP names, else a child process. Raises Unavailable."""
    named = named_broker()
    if named is not None:
        yield Real(named.bootstrap, "the Apache Kafka that TEST_KAFKA_BOOTSTRAP names")
        return
    try:
        child = RealKafka(occasion.directory / "kafka")
    except KafkaUnavailable as reason:
        raise Unavailable(f"no real Kafka: {reason}") from reason
    with child:
        yield Real(child.bootstrap, f"Apache Kafka {child.version}, one node on the same machine")


def client_setting(name: str) -> str:
    """librdkafka's property as the program's setting."""
    return "KAFKA_CONFIG_" + name.upper().replace(".", "_")
