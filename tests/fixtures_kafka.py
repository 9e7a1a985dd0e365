"""Fixtures that give a Kafka: librdkafka's mock cluster, or a real broker for what the mock only plays.

The real broker is a child process, one per run, or the one that TEST_KAFKA_BOOTSTRAP names. Where neither is
to be had its tests are skipped with the reason; with REQUIRE_REAL_KAFKA=1 they fail.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests.standins.kafka_mock import MockCluster
from tests.standins.kafka_real import KafkaBroker, KafkaUnavailable, RealKafka, named_broker

PARTITIONS = 4
_TIMEOUT = 30.0
"""Seconds that an order to the broker may take."""


@dataclass(frozen=True, slots=True)
class Topics:
    """Names of topics that exist and are empty, and of a group that nobody has joined."""

    source: str
    contacts: str
    dead_letters: str
    group: str


@pytest.fixture
def mock_kafka() -> Iterator[MockCluster]:
    """A mock cluster of one broker."""
    with MockCluster() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def real_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """A real broker, the same for the whole run: tests leave it running and use topics of their own."""
    named = named_broker()
    if named is not None:
        yield named
        return
    with child_kafka(tmp_path_factory) as broker:
        yield broker


@pytest.fixture
def own_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealKafka]:
    """A real broker for one test, which may stop, kill and start it. Costs about six seconds."""
    with child_kafka(tmp_path_factory) as broker:
        yield broker


@pytest.fixture
def topics(real_kafka: KafkaBroker) -> Iterator[Topics]:
    """New topics of 4 partitions on the real broker, gone after the test."""
    run = uuid.uuid4().hex[:12]
    fresh = Topics(f"messages-{run}", f"contacts-{run}", f"dead-letters-{run}", f"group-{run}")
    names = (fresh.source, fresh.contacts, fresh.dead_letters)
    create_topics(real_kafka.bootstrap, dict.fromkeys(names, PARTITIONS))
    yield fresh
    administration = AdminClient({"bootstrap.servers": real_kafka.bootstrap})
    for deleted in administration.delete_topics(list(names)).values():
        deleted.result(_TIMEOUT)


def create_topics(bootstrap: str, partitions: Mapping[str, int]) -> None:
    """Create topics, given by name with their number of partitions. Raises KafkaException when one exists."""
    wanted = [NewTopic(name, number) for name, number in partitions.items()]
    # The answers never come once the client is gone: it needs a name.
    administration = AdminClient({"bootstrap.servers": bootstrap})
    for created in administration.create_topics(wanted).values():
        created.result(_TIMEOUT)


def child_kafka(paths: pytest.TempPathFactory) -> RealKafka:
    """A broker, not yet started. Skips or fails the test where there is no way to run one."""
    try:
        return RealKafka(paths.mktemp("kafka"))
    except KafkaUnavailable as reason:
        if os.environ.get("REQUIRE_REAL_KAFKA") == "1":
            pytest.fail(f"REQUIRE_REAL_KAFKA=1, but: {reason}", pytrace=False)
        pytest.skip(f"no real Kafka: {reason}")
