"""Committed offsets, read again and put through the contract: for `rerun` and `verify`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from connectors.items import Batch, Record, RowBatch, Segment
from connectors.kafka_read import TopicReader
from connectors.ledger import Entry, Standing, reading_turns
from connectors.spool import Backlog, FileSpool
from dataflow.commands.schemas import SchemasOf
from dataflow.flow import Steps
from dataflow.model import Checked


def checked_rows(
    reader: TopicReader,
    spans: Mapping[int, tuple[int, int]],
    steps: Steps,
    schemas: SchemasOf,
    finish: Callable[[Checked], Checked],
) -> Iterator[tuple[Checked, RowBatch]]:
    """The spans' messages through the contract, by partition and poll. Raises KafkaTrouble, RegistryAway."""
    for polled in reader.read(spans):
        for partition, records in polled.items():
            first, next = records[0].offset(), records[-1].offset() + 1
            read_at = datetime.now(UTC)
            batch = Batch(
                reader.topic, partition, 0, first, next, read_at, first, records, schemas=schemas(records)
            )
            checked = finish(steps.enrich.enrich(steps.validate.validate(steps.decode.decode(batch))))
            yield checked, RowBatch(partition, first, next, steps.lines(checked, first))


class Reread:
    """Messages of commits, read again and judged; what the table is compared with."""

    def __init__(
        self,
        steps: Steps,
        schemas: SchemasOf,
        directory: Path | None,
        allowed: timedelta,
        own: Sequence[Entry],
        now: Standing,
    ) -> None:
        """Rows are spooled in `directory`; a message is late that was `allowed` or more under way.

        `own` are the pipeline's own entries, which tell when a message was committed first.
        """
        self._steps = steps
        self._schemas = schemas
        self._directory = directory
        self._backlog = Backlog(1 << 62)
        self._allowed = allowed
        self._own = own
        self._heirs = set(now.rerun_as.values())
        self.segments: list[Segment] = []
        self.messages = 0
        self.late = 0
        self.oldest: datetime | None = None
        self.broken: set[tuple[int, int]] = set()
        self.judged: set[tuple[int, int]] = set()

    def read(
        self, reader: TopicReader, taken: Sequence[Entry], letters: Mapping[tuple[int, int], int]
    ) -> None:
        """Every message of the entries. Raises KafkaTrouble, RegistryAway."""
        reruns = [entry for entry in taken if entry.process_id in self._heirs]
        for spans in reading_turns(taken):
            turn = {
                partition: Segment(partition, first, next, 0, FileSpool(self._backlog, self._directory))
                for partition, (first, next) in spans.items()
            }
            self.segments += turn.values()
            found = checked_rows(reader, spans, self._steps, self._schemas, lambda checked: checked)
            for checked, rows in found:
                partition = rows.partition
                self.messages += len(checked.batch.records)
                self._time(partition, checked.batch.records)
                broken = {(partition, letter.record.offset()) for letter in checked.dead_letters}
                self.broken |= broken
                self.judged |= broken
                kept: list[bytes] = []
                for row, line in zip(checked.rows, rows.lines, strict=True):
                    place = (partition, row.offset)
                    # A dead letter then that is a row now: its contract has changed, and it was not rerun.
                    if place in letters and not covered(reruns, place):
                        self.judged.add(place)
                    else:
                        kept.append(line)
                turn[partition].spool.append(kept)

    def _time(self, partition: int, records: Sequence[Record]) -> None:
        own = [entry for entry in self._own if entry.partition == partition]
        at = 0
        for record in records:
            kind, milliseconds = record.timestamp()
            offset = record.offset()
            if not kind:
                continue
            reached = datetime.fromtimestamp(milliseconds / 1000, UTC)
            self.oldest = reached if self.oldest is None else min(self.oldest, reached)
            while at < len(own) and own[at].next <= offset:
                at += 1
            if at < len(own) and own[at].committed_at - reached > self._allowed:
                self.late += 1

    def discard(self) -> None:
        """Give the space back."""
        for segment in self.segments:
            segment.spool.discard()


def covered(entries: Sequence[Entry], place: tuple[int, int]) -> bool:
    """Whether the entries read the message, named by partition and offset."""
    partition, offset = place
    return any(entry.partition == partition and entry.first <= offset < entry.next for entry in entries)
