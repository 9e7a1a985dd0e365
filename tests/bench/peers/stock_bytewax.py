"""The job on Bytewax with its own Kafka connectors, a message at a time."""

from __future__ import annotations

from typing import Any

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.run import cli_main

from tests.bench.peers.job import CLIENT, PRODUCER, Job, Task


def main() -> None:
    """At least once with a recovery store; without one, as here, it starts over."""
    task = Task.told()
    job = Job(task)

    def do(message: Any) -> list[KafkaSinkMessage[bytes | None, bytes | None]]:
        produced = job.one((message.partition, message.offset, message.key, message.value, message.headers))
        if job.done:
            job.finish()
        return [
            KafkaSinkMessage(out.key, out.value, topic=out.topic, headers=list(out.headers))  # type: ignore[arg-type]  # headers may be null
            for out in produced
        ]

    flow = Dataflow("peer")
    source = KafkaSource(
        [task.bootstrap], [task.source], tail=False, add_config={k: str(v) for k, v in CLIENT.items()}
    )
    messages = op.input("kafka", flow, source)
    events = op.flat_map("job", messages, do)
    sink = KafkaSink([task.bootstrap], task.contacts, add_config={k: str(v) for k, v in PRODUCER.items()})
    op.output("events", events, sink)
    cli_main(flow)  # type: ignore[no-untyped-call]  # built in Rust


if __name__ == "__main__":
    main()
