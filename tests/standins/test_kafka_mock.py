"""What tests rely on when they run against librdkafka's mock cluster."""

from __future__ import annotations

import pytest
from confluent_kafka import Consumer, KafkaError, Message, Producer

from tests.standins.kafka_mock import MockCluster, MockRefused, Request


def produce(bootstrap: str, topic: str, value: bytes, timeout: float) -> KafkaError | None:
    """The broker's word on one message; None: it has it."""
    told: list[KafkaError | None] = []

    def on_delivery(error: KafkaError | None, _message: Message) -> None:
        told.append(error)

    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "message.timeout.ms": int(timeout * 1000),
            "retries": 0,
            "linger.ms": 0,
            "log_level": 0,
        }
    )
    producer.produce(topic, value, on_delivery=on_delivery)
    assert producer.flush(timeout + 10) == 0
    return told[0]


def read_one(bootstrap: str, topic: str) -> bytes | None:
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "reader",
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 10,
            "log_level": 0,
        }
    )
    consumer.subscribe([topic])
    message = consumer.poll(20)
    consumer.close()
    assert message is not None
    assert message.error() is None
    return message.value()


def test_topics_have_the_partitions_asked_for(mock_kafka: MockCluster) -> None:
    mock_kafka.create_topic("seven", 7)
    metadata = Producer({"bootstrap.servers": mock_kafka.bootstrap}).list_topics("seven", 10)
    assert len(metadata.topics["seven"].partitions) == 7


def test_a_topic_cannot_be_created_twice(mock_kafka: MockCluster) -> None:
    mock_kafka.create_topic("once", 1)
    with pytest.raises(MockRefused, match="already exists"):
        mock_kafka.create_topic("once", 1)


def test_a_group_reads_what_was_produced(mock_kafka: MockCluster) -> None:
    assert produce(mock_kafka.bootstrap, "hello", b"world", 10) is None
    assert read_one(mock_kafka.bootstrap, "hello") == b"world"


def test_a_broker_that_is_down_takes_nothing_and_has_kept_its_data_when_it_is_up_again(
    mock_kafka: MockCluster,
) -> None:
    assert produce(mock_kafka.bootstrap, "kept", b"before", 10) is None
    mock_kafka.broker_down()
    refused = produce(mock_kafka.bootstrap, "kept", b"during", 0.5)
    assert refused is not None
    assert refused.code() == KafkaError._MSG_TIMED_OUT
    mock_kafka.broker_up()
    assert read_one(mock_kafka.bootstrap, "kept") == b"before"


def test_requests_get_the_errors_pushed_for_them_and_then_succeed(mock_kafka: MockCluster) -> None:
    mock_kafka.request_errors(Request.PRODUCE, KafkaError.TOPIC_AUTHORIZATION_FAILED)
    refused = produce(mock_kafka.bootstrap, "guarded", b"1", 10)
    assert refused is not None
    assert refused.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
    assert produce(mock_kafka.bootstrap, "guarded", b"2", 10) is None


def test_pushed_errors_can_be_taken_back(mock_kafka: MockCluster) -> None:
    mock_kafka.request_errors(Request.PRODUCE, KafkaError.TOPIC_AUTHORIZATION_FAILED)
    mock_kafka.clear_request_errors(Request.PRODUCE)
    assert produce(mock_kafka.bootstrap, "free", b"1", 10) is None


def test_answers_can_be_delayed_beyond_a_clients_patience(mock_kafka: MockCluster) -> None:
    assert produce(mock_kafka.bootstrap, "slow", b"1", 10) is None
    mock_kafka.rtt(3000)
    refused = produce(mock_kafka.bootstrap, "slow", b"2", 0.3)
    assert refused is not None
    assert refused.code() == KafkaError._MSG_TIMED_OUT


def test_leaders_move_between_brokers() -> None:
    with MockCluster(brokers=2) as cluster:
        cluster.create_topic("moving", 1)
        for broker in (1, 2, 1):
            cluster.move_leader("moving", 0, broker)
            metadata = Producer({"bootstrap.servers": cluster.bootstrap}).list_topics("moving", 10)
            assert metadata.topics["moving"].partitions[0].leader == broker


def test_a_closed_cluster_refuses_orders_and_may_be_closed_again() -> None:
    cluster = MockCluster()
    cluster.close()
    cluster.close()
    with pytest.raises(MockRefused, match="closed"):
        cluster.create_topic("late", 1)
