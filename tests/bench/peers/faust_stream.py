"""The job on faust-streaming, a message at a time."""

from __future__ import annotations

import os
from typing import Any

import faust

from tests.bench.peers.job import Job, Task


def main() -> None:
    """At least once, its default."""
    task = Task.told()
    job = Job(task)
    app = faust.App(
        task.group,
        broker=f"kafka://{task.bootstrap}",
        datadir=task.directory,
        value_serializer="raw",
        key_serializer="raw",
        topic_disable_leader=True,
        topic_allow_declare=False,
        topic_partitions=4,
        consumer_auto_offset_reset="earliest",
        producer_compression_type="lz4",
        producer_linger_ms=5,
        broker_commit_interval=1.0,
        web_enabled=False,
    )

    def plain(name: str) -> Any:
        return app.topic(name, key_type=bytes, value_type=bytes)

    side = {name: plain(name) for name in (task.contacts, task.dead_letters)}

    @app.agent(plain(task.source))  # type: ignore[untyped-decorator]  # not installed where types are checked
    async def do(stream: Any) -> None:
        async for event in stream.events():
            message = event.message
            for out in job.one(
                (message.partition, message.offset, message.key, message.value, message.headers)
            ):
                await side[out.topic].send(key=out.key, value=out.value, headers=list(out.headers))
            if job.done:
                job.finish()
                await app.producer.flush()
                os._exit(0)

    faust.Worker(app, loglevel="error").execute_from_commandline()


if __name__ == "__main__":
    main()
