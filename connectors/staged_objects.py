"""Objects that hold the rows of a segment on their way to a COPY: names, layout, and which to take up again.

Pure: nothing is read or written here. An object is lines of JSON under gzip; a line is a row of the spool
with its partition in front, `[partition,offset,value,…]`, and behind the values of a message that gave
contacts away an element more, which COPY never looks at. A raw line feed stands between rows only, because
inside JSON texts it is always escaped: that is why the partition can be put in, and taken out, by a replace.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import orjson

from connectors.items import Table

LAYOUT = 1
"""Raised when a program that knows this number could not read what the next one writes."""
ENDING = ".json.gz"
_NAME = re.compile(r"(\d{20})-(\d{20})-([0-9a-f]{16})\.json\.gz")
_PLAIN = re.compile(r"[A-Za-z0-9_.-]")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a pipeline's objects of one topic lie."""

    bucket: str
    prefix: str
    """As configured; may be empty."""
    pipeline: str
    topic: str

    @property
    def folder(self) -> str:
        """Below it lies what this pipeline stages of this topic, and nothing else."""
        parts = (self.prefix, safe(self.pipeline), safe(self.topic))
        return "/".join(part for part in parts if part)

    def partition_folder(self, topic_id: str | None, partition: int) -> str:
        """Below it lie the objects of one partition of one incarnation of the topic, in order of offsets."""
        return f"{self.folder}/{safe(topic_id or '-')}/{partition:05d}/"

    def uri(self, key: str) -> str:
        """A key as COPY names it."""
        return f"s3://{self.bucket}/{key}"


def safe(part: str) -> str:
    """One part of a key, of characters that need no care anywhere: others become `!` and two hex digits."""
    spelt = "".join(chr(code) if _PLAIN.match(chr(code)) else f"!{code:02x}" for code in part.encode())
    # At the head, a dot begins what are folders to some: `.` and `..`.
    return f"!2e{spelt[1:]}" if spelt.startswith(".") else spelt


def key_of(place: Place, topic_id: str | None, partition: int, first: int, next: int, unique: str) -> str:
    """An object's key. `unique`: 16 hex digits, so that no two processes ever share a name."""
    return f"{place.partition_folder(topic_id, partition)}{first:020d}-{next:020d}-{unique}{ENDING}"


def span_of(key: str) -> tuple[int, int] | None:
    """First and next offset as an object's key tells them; None when it is none of ours."""
    found = _NAME.fullmatch(key.rsplit("/", 1)[-1])
    if found is None:
        return None
    first, next = int(found[1]), int(found[2])
    return (first, next) if first < next else None


@dataclass(frozen=True, slots=True)
class StagedObject:
    """One uploaded object: the rows of `[first, next)` of a partition, and what tells whether it is whole."""

    key: str
    partition: int
    first: int
    next: int
    topic_id: str | None
    rows: int
    lost: int
    size: int
    """Bytes of the object."""
    raw_size: int
    """Bytes of the rows as they lay in the spool."""
    sha256: str
    """Of the object's bytes, hex."""
    fingerprint: str
    """What the rows were made by: see `fingerprint` in the program's settings."""

    def metadata(self) -> dict[str, str]:
        """What is kept with the object besides its name. ASCII."""
        return {
            "layout": str(LAYOUT),
            "partition": str(self.partition),
            "first": str(self.first),
            "next": str(self.next),
            "topic-id": self.topic_id or "",
            "rows": str(self.rows),
            "lost": str(self.lost),
            "raw-size": str(self.raw_size),
            "sha256": self.sha256,
            "fingerprint": self.fingerprint,
        }


def described(key: str, size: int, metadata: Mapping[str, str]) -> StagedObject | None:
    """An object by its key, its size and its metadata; None when they are not what `metadata` writes."""
    numbers = {
        name: int(metadata[name])
        for name in ("layout", "partition", "first", "next", "rows", "lost", "raw-size")
        if metadata.get(name, "").isdecimal()
    }
    if len(numbers) < 7 or numbers["layout"] != LAYOUT or "sha256" not in metadata:
        return None
    if span_of(key) != (numbers["first"], numbers["next"]):
        return None
    return StagedObject(
        key,
        numbers["partition"],
        numbers["first"],
        numbers["next"],
        metadata.get("topic-id") or None,
        numbers["rows"],
        numbers["lost"],
        size,
        numbers["raw-size"],
        metadata["sha256"],
        metadata.get("fingerprint", ""),
    )


def longest_chain(
    position: int, objects: Iterable[StagedObject], *, topic_id: str, fingerprint: str
) -> tuple[StagedObject, ...]:
    """The objects that continue the ledger at `position` without a gap, as far as any choice of them reaches.

    Only those count that this program would have written of this incarnation of the topic. Each begins at or
    below the end of the one before and goes beyond it: what two of them share is trimmed when it is staged.
    """
    fit = [each for each in objects if each.topic_id == topic_id and each.fingerprint == fingerprint]
    chain: list[StagedObject] = []
    while True:
        onward = [each for each in fit if each.first <= position < each.next]
        if not onward:
            return tuple(chain)
        # Where several reach as far, the one that begins last has the least to trim.
        chosen = max(onward, key=lambda each: (each.next, each.first, each.key))
        chain.append(chosen)
        position = chosen.next


def with_partition(chunks: Iterable[bytes], partition: int) -> Iterator[bytes]:
    """The rows of a spool, in chunks cut anywhere, with the partition in front of each."""
    head = b"[%d," % partition
    after = b"\n" + head
    at_head = True
    for chunk in chunks:
        if not chunk:
            continue
        if at_head:
            # The bracket that begins this chunk begins a row.
            chunk = head + chunk[1:]
        at_head = chunk.endswith(b"\n")
        yield chunk.replace(b"\n[", after)


def without_partition(line: bytes) -> bytes:
    """A line of an object as it lay in the spool."""
    return b"[" + line[line.index(b",") + 1 :]


def jsonpaths(table: Table) -> bytes:
    """Which elements of a line fill the columns of the staging table, in the order of `copied_columns`."""
    values = [f"$[{place}]" for place in range(2, 2 + len(table.message_columns))]
    return orjson.dumps({"jsonpaths": [*values, "$[0]", "$[1]"]})


def manifest(place: Place, objects: Sequence[StagedObject]) -> bytes:
    """What a COPY is to read: each object must be there, or it fails."""
    return orjson.dumps(
        {
            "entries": [
                {
                    "url": place.uri(each.key),
                    "mandatory": True,
                    "meta": {"content_length": each.size},
                }
                for each in objects
            ]
        }
    )
