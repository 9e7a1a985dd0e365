"""The job on quixstreams, a message at a time."""

from __future__ import annotations

from typing import Any

from quixstreams import Application, message_context
from quixstreams.models.serializers import Serializer

from connectors.items import OutgoingMessage
from tests.bench.peers.job import CLIENT, PRODUCER, Job, Task


class _ValueOf(Serializer):  # type: ignore[misc]  # not installed where types are checked
    def __call__(self, out: OutgoingMessage, ctx: Any) -> Any:
        return out.value


def main() -> None:
    """At least once, its default."""
    task = Task.told()
    job = Job(task)
    app = Application(
        task.bootstrap,
        consumer_group=task.group,
        auto_offset_reset="earliest",
        commit_interval=1.0,
        consumer_extra_config=dict(CLIENT),
        producer_extra_config=dict(PRODUCER),
        auto_create_topics=False,
        use_changelog_topics=False,
        loglevel="ERROR",
    )

    def plain(name: str) -> Any:
        return app.topic(
            name, key_serializer="bytes", value_deserializer="bytes", value_serializer=_ValueOf()
        )

    def do(value: bytes | None, key: bytes | None, _: int, headers: Any) -> list[OutgoingMessage]:
        context = message_context()
        produced = job.one((context.partition, context.offset, key, value, headers))
        if job.done:
            app.stop()
        return produced

    source = plain(task.source)
    side = {name: plain(name) for name in (task.contacts, task.dead_letters)}
    events = app.dataframe(source).apply(do, metadata=True, expand=True)
    events = events.set_headers(lambda out, *_: list(out.headers))
    events.to_topic(lambda out, *_: side[out.topic], key=lambda out: out.key)
    app.run()
    job.finish()


if __name__ == "__main__":
    main()
