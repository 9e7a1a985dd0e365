"""What tests rely on when they run against a real Kafka broker, ours or another."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from tests.fixtures_kafka import PARTITIONS, Topics, child_kafka, create_topics
from tests.pipeline import ROOT, eventually
from tests.standins.kafka_jars import KafkaProgram
from tests.standins.kafka_real import KafkaBroker, KafkaFailed, RealKafka


def reader(bootstrap: str, group: str, isolation: str = "read_committed") -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "isolation.level": isolation,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "log_level": 0,
        }
    )


def values(bootstrap: str, topic: str, isolation: str = "read_committed") -> list[bytes]:
    """Everything that a reader sees in partition 0, to its present end."""
    consumer = reader(bootstrap, "values", isolation)
    consumer.assign([TopicPartition(topic, 0, 0)])
    found: list[bytes] = []
    while True:
        message = consumer.poll(20)
        assert message is not None
        error = message.error()
        if error is None:
            found.append(message.value() or b"")
        elif error.code() == KafkaError._PARTITION_EOF:
            consumer.close()
            return found
        elif not error.retriable():
            raise KafkaException(error)


def transactional(bootstrap: str, name: str) -> Producer:
    producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": name, "log_level": 0})
    producer.init_transactions(30)
    return producer


def produce(bootstrap: str, topic: str, *bodies: bytes) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "log_level": 0})
    for body in bodies:
        producer.produce(topic, body, partition=0)
    assert producer.flush(30) == 0


def test_topics_exist_with_their_partitions(real_kafka: KafkaBroker, topics: Topics) -> None:
    metadata = Producer({"bootstrap.servers": real_kafka.bootstrap}).list_topics(timeout=20)
    for name in (topics.source, topics.contacts, topics.dead_letters):
        assert len(metadata.topics[name].partitions) == PARTITIONS


def test_offsets_sent_to_a_transaction_are_the_groups_once_it_commits(
    real_kafka: KafkaBroker, topics: Topics
) -> None:
    produce(real_kafka.bootstrap, topics.source, b"1", b"2", b"3")
    consumer = reader(real_kafka.bootstrap, topics.group)
    consumer.subscribe([topics.source])
    eventually(lambda: consumer.poll(0.1) is not None and consumer.assignment(), 30, "a message is read")
    producer = transactional(real_kafka.bootstrap, f"offsets-{topics.group}")
    producer.begin_transaction()
    producer.produce(topics.contacts, b"event", partition=0)
    position = TopicPartition(topics.source, 0, 2)
    producer.send_offsets_to_transaction([position], consumer.consumer_group_metadata())
    producer.commit_transaction(30)
    assert consumer.committed([TopicPartition(topics.source, 0)], 20)[0].offset == 2
    assert values(real_kafka.bootstrap, topics.contacts) == [b"event"]
    consumer.close()


def test_offsets_of_a_generation_that_has_ended_are_refused(real_kafka: KafkaBroker, topics: Topics) -> None:
    consumer = reader(real_kafka.bootstrap, topics.group)
    consumer.subscribe([topics.source])
    eventually(lambda: consumer.poll(0.1) and consumer.assignment(), 30, "partitions are assigned")
    generation = consumer.consumer_group_metadata()
    consumer.close()
    producer = transactional(real_kafka.bootstrap, f"stale-{topics.group}")
    producer.begin_transaction()
    with pytest.raises(KafkaException) as refused:
        producer.send_offsets_to_transaction([TopicPartition(topics.source, 0, 2)], generation)
    assert refused.value.args[0].txn_requires_abort()
    producer.abort_transaction(30)


def test_aborted_messages_are_not_for_readers_of_committed_ones(
    real_kafka: KafkaBroker, topics: Topics
) -> None:
    producer = transactional(real_kafka.bootstrap, f"abort-{topics.group}")
    producer.begin_transaction()
    producer.produce(topics.contacts, b"aborted", partition=0)
    assert producer.flush(30) == 0
    producer.abort_transaction(30)
    producer.begin_transaction()
    producer.produce(topics.contacts, b"committed", partition=0)
    producer.commit_transaction(30)
    assert values(real_kafka.bootstrap, topics.contacts) == [b"committed"]
    assert values(real_kafka.bootstrap, topics.contacts, "read_uncommitted") == [b"aborted", b"committed"]


def test_the_older_of_two_producers_with_one_transactional_id_is_fenced(
    real_kafka: KafkaBroker, topics: Topics
) -> None:
    older = transactional(real_kafka.bootstrap, f"fence-{topics.group}")
    older.begin_transaction()
    older.produce(topics.contacts, b"older", partition=0)
    assert older.flush(30) == 0
    transactional(real_kafka.bootstrap, f"fence-{topics.group}")
    with pytest.raises(KafkaException) as refused:
        older.commit_transaction(30)
    assert refused.value.args[0].fatal()
    assert values(real_kafka.bootstrap, topics.contacts) == []


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_restart_keeps_data_offsets_and_port(own_kafka: RealKafka, how: signal.Signals) -> None:
    bootstrap = own_kafka.bootstrap
    create_topics(bootstrap, {"kept": 1})
    produce(bootstrap, "kept", b"1", b"2")
    before = reader(bootstrap, "group")
    before.commit(offsets=[TopicPartition("kept", 0, 1)], asynchronous=False)
    before.close()
    own_kafka.restart(how)
    assert own_kafka.bootstrap == bootstrap
    produce(bootstrap, "kept", b"3")
    assert values(bootstrap, "kept") == [b"1", b"2", b"3"]
    after = reader(bootstrap, "group")
    assert after.committed([TopicPartition("kept", 0)], 20)[0].offset == 1
    after.close()


@pytest.fixture
def stopped_kafka(tmp_path_factory: pytest.TempPathFactory) -> RealKafka:
    """A broker that has never run."""
    return child_kafka(tmp_path_factory)


@pytest.mark.usefixtures("stopped_kafka")
def test_the_broker_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from tests.standins.kafka_real import RealKafka\n"
        "broker = RealKafka(Path(sys.argv[1])); broker.start(); print(broker.bootstrap, flush=True)\n"
        "sys.stdin.read()\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "kafka")],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with parent:
        assert parent.stdout is not None
        host, _, port = parent.stdout.readline().strip().partition(":")
        socket.create_connection((host, int(port)), 10).close()
        parent.kill()

    def gone() -> bool:
        try:
            socket.create_connection((host, int(port)), 10).close()
        except ConnectionRefusedError:
            return True
        return False

    eventually(gone, 20, "the broker's port is closed")


def test_a_broker_that_does_not_start_shows_the_end_of_its_log(stopped_kafka: RealKafka) -> None:
    directory = stopped_kafka.log.parent
    (directory / "data").mkdir()
    (directory / "data" / "meta.properties").touch()
    (directory / "server.properties").write_text("process.roles=nothing\n")
    with pytest.raises(KafkaFailed, match=r"(?s)has ended; the end of .*process\.roles"):
        stopped_kafka.start()


def test_what_java_says_of_a_failed_format_is_shown(tmp_path: Path) -> None:
    java = tmp_path / "java"
    java.write_text("#!/bin/sh\necho no such class; exit 1\n")
    java.chmod(0o755)
    with pytest.raises(KafkaFailed, match="no such class"):
        RealKafka(tmp_path / "kafka", KafkaProgram(java, "0", tmp_path)).start()
