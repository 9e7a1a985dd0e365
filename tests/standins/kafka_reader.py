"""A topic from its beginning to its end, as a reader of committed messages sees it."""

from __future__ import annotations

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition


def read_to_end(bootstrap: str, topic: str) -> list[Message]:
    """Every message up to the topic's present end; what lies behind an open transaction is not seen.

    Raises RuntimeError when the broker reports a trouble, and with none of its partitions readable.
    """
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "reader",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            # The mock cluster parks an empty fetch for the whole of it.
            "fetch.wait.max.ms": 10,
            "log_level": 0,
        }
    )
    found: list[Message] = []
    partitions = consumer.list_topics(topic, 10).topics[topic].partitions
    consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
    unfinished = set(partitions)
    while unfinished:
        for message in consumer.consume(1000, 1.0):
            error = message.error()
            if error is None:
                found.append(message)
            elif error.code() == KafkaError._PARTITION_EOF:
                unfinished.discard(message.partition() or 0)
            else:
                raise RuntimeError(f"{topic}: {error.str()}")
    consumer.close()
    return found
