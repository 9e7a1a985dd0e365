"""The job as a plain loop over confluent-kafka: consume, do each, produce, commit once a second."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

from confluent_kafka import Consumer, Producer

from connectors.items import OutgoingMessage
from tests.bench.peers.job import CLIENT, PRODUCER, Job, Read, Task

Work = Callable[[Job, Sequence[Read]], Iterable[OutgoingMessage]]


def message_by_message(job: Job, read: Sequence[Read]) -> Iterable[OutgoingMessage]:
    """As one writes it first."""
    for each in read:
        yield from job.one(each)


def loop(work: Work) -> None:
    """At least once."""
    task = Task.told()
    job = Job(task)
    consumer = Consumer(
        {
            **CLIENT,
            "bootstrap.servers": task.bootstrap,
            "group.id": task.group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
        }
    )
    producer = Producer({**PRODUCER, "bootstrap.servers": task.bootstrap})
    consumer.subscribe([task.source])
    committed = time.monotonic()
    while not job.done:
        read: list[Read] = []
        for message in consumer.consume(1000, 0.1):
            if message.error() is not None:
                raise RuntimeError(message.error())
            read.append(
                (
                    message.partition() or 0,
                    message.offset() or 0,
                    message.key(),
                    message.value(),
                    message.headers(),
                )
            )
        for out in work(job, read):
            producer.produce(out.topic, out.value, out.key, headers=list(out.headers))
        producer.poll(0)
        if job.done:
            job.finish()
        if job.done or time.monotonic() - committed > 1:
            producer.flush()
            consumer.commit(asynchronous=False)
            committed = time.monotonic()
    consumer.close()


if __name__ == "__main__":
    loop(message_by_message)
