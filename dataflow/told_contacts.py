"""Contact events read back: which message gave it away? What they hold is written in `dataflow.encode`."""

from __future__ import annotations

import re

import orjson

from connectors.items import Record, ToldContact

_ID = re.compile(r"[0-9a-f]{32}")


def read_told(record: Record, source: str) -> ToldContact | None:
    """The event that a record of the side topic carries; None: it is not one of `source`. Never raises."""
    ids = [value for name, value in record.headers() or () if name == "ce_id" and value]
    try:
        event_id = ids[-1].decode("ascii")
        origin = orjson.loads(record.value() or b"")["origin"]
        topic, partition, offset = origin["topic"], origin["partition"], origin["offset"]
    except (IndexError, KeyError, TypeError, ValueError):
        return None
    ours = topic == source and type(partition) is int and type(offset) is int
    return ToldContact(partition, offset, event_id) if ours and _ID.fullmatch(event_id) else None
