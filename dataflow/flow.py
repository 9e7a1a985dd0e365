"""The program on one screen: the graph, and the parts that it joins.

An item is a whole batch: what Bytewax costs, it costs per item. Unit of parallelism: one process, one
worker; scale by processes, the consumer group spreads the partitions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.inputs import DynamicSource
from bytewax.operators.windowing import Clock, TumblingWindower, fold_window
from bytewax.outputs import DynamicSink

from connectors.items import Batch, ClosedWindow, EventBatch, RowBatch, Segment
from connectors.spool import WindowSegments
from dataflow.contact_rows import ContactRows
from dataflow.decoder import Decoder
from dataflow.detect import Detector
from dataflow.encode import ContactEncoder, DeadLetterEncoder
from dataflow.enrich import Enricher
from dataflow.model import Checked, Row, Sighting
from dataflow.splits import Splits
from dataflow.validate import Validator

MIDNIGHT = datetime(2020, 1, 1, tzinfo=UTC)
"""Windows are aligned to the clock: a window length divides the day."""

READ_IN_PART = "text_read_in_part"
"""The warning of a text so crowded that contacts are looked for in its first part only."""

Windowed = tuple[str, tuple[int, WindowSegments]]


@dataclass(frozen=True, slots=True)
class Scan:
    """How contacts are found in one field, and told."""

    detector: Detector
    splits: Splits | None
    """The memory of contacts split over messages; None: they are not looked for."""
    contacts: ContactEncoder
    rows: ContactRows | None = None
    """How contacts go to the warehouse, beside their messages' rows; None: they don't."""


@dataclass(frozen=True, slots=True)
class Steps:
    """What happens to a batch, each step a pure function of what the step before made.

    But for the scan's `splits`, which remembers earlier messages, and `decode`, which remembers what it
    thinks of a schema.
    """

    decode: Decoder
    validate: Validator
    enrich: Enricher
    scan: Scan | None
    """None: the contract has no field to scan."""
    dead_letters: DeadLetterEncoder
    window: timedelta

    def detect(self, checked: Checked) -> Checked:
        """Find the contacts in the scanned field of every row."""
        scan = self.scan
        if scan is None:
            return checked
        examined = scan.detector.examine([row.text for row in checked.rows])
        found, warnings = examined.contacts, checked.warnings
        if examined.in_part:
            warnings = {**warnings, READ_IN_PART: examined.in_part}
        if scan.splits:
            found = [*scan.splits.complete(checked.rows, found)]
        sightings = tuple(
            Sighting(row, contact)
            for row, contacts in zip(checked.rows, found, strict=True)
            for contact in contacts
        )
        return replace(checked, sightings=sightings, warnings=warnings)

    def events(self, checked: Checked) -> EventBatch:
        """The side branch: contacts and dead letters, in the order of their offsets."""
        batch = checked.batch
        messages = []
        if self.scan is not None:
            messages += [self.scan.contacts.encode(sighting, batch) for sighting in checked.sightings]
        messages += [self.dead_letters.encode(letter, batch) for letter in checked.dead_letters]
        messages.sort(key=lambda message: message.source_offset)
        return EventBatch(
            batch.topic,
            batch.partition,
            batch.assignment,
            batch.first,
            batch.next,
            tuple(messages),
            batch.last,
            batch.topic_id,
        )

    def rows(self, checked: Checked) -> tuple[str, RowBatch] | None:
        """The main branch: rows that the warehouse lacks, keyed by partition; None while W is unknown.

        A batch without such rows passes all the same: with it comes the time by which windows close.
        """
        batch = checked.batch
        if batch.rows_from is None:
            return None
        first = min(max(batch.first, batch.rows_from), batch.next)
        lines = self.lines(checked, first)
        return str(batch.partition), RowBatch(
            batch.partition, first, batch.next, lines, batch.lost, batch.topic_id
        )

    def lines(self, checked: Checked, first: int) -> tuple[bytes, ...]:
        """The lines of rows at or above the offset `first`, with their contacts behind them."""
        lines = tuple([row.line for row in checked.rows if row.offset >= first])
        if self.scan is None or self.scan.rows is None or not checked.sightings:
            return lines
        return self.scan.rows.behind(lines, checked.rows, checked.sightings)

    def closed(self, windowed: Windowed) -> ClosedWindow:
        """A window's number and segments as the committer takes them."""
        number, segments = windowed[1]
        return self._window(number, segments.segments)

    def early(self, segments: Sequence[Segment], now: datetime) -> ClosedWindow:
        """What open windows hold at the aware time `now`, for a commit before they close."""
        return self._window((now - MIDNIGHT) // self.window, segments)

    def _window(self, number: int, segments: Sequence[Segment]) -> ClosedWindow:
        opens = MIDNIGHT + number * self.window
        return ClosedWindow(opens, opens + self.window, tuple(segments))


def graph(
    source: DynamicSource[Batch],
    steps: Steps,
    events: DynamicSink[EventBatch],
    warehouse: DynamicSink[ClosedWindow],
    segments: Callable[[], WindowSegments],
    clock: Clock[RowBatch, None],
    observe: Callable[[Checked], None],
) -> Dataflow:
    """Kafka → decode → validate → enrich → detect, then two branches that never meet again."""
    flow = Dataflow("contract")
    batches = op.input("kafka", flow, source)
    decoded = op.map("decode", batches, steps.decode.decode)
    valid = op.map("validate", decoded, steps.validate.validate)
    enriched = op.map("enrich", valid, steps.enrich.enrich)
    detected = op.map("detect", enriched, steps.detect)
    observed = op.inspect("observe", detected, lambda _step, checked: observe(checked))

    side = op.map("events", observed, steps.events)
    op.output("contacts_and_dead_letters", side, events)

    rows = op.filter_map("rows", observed, steps.rows)
    windows = fold_window(
        "window",
        rows,
        clock,
        TumblingWindower(length=steps.window, align_to=MIDNIGHT),
        segments,
        WindowSegments.add,
        WindowSegments.merge,
        ordered=False,
    )
    # ("2", (59871, WindowSegments)): partition 2's window number 59871 has closed
    closed = op.map("closed", windows.down, steps.closed)
    op.output("redshift", closed, warehouse)
    return flow


def contacts_by_platform(checked: Checked) -> Mapping[tuple[str, str], int]:
    """Contacts of a batch, counted by (kind, platform)."""
    return Counter(
        (sighting.contact.kind, sighting.contact.platform or "none") for sighting in checked.sightings
    )


def rejects_by_code(checked: Checked) -> Mapping[str, int]:
    """Violations of a batch, counted by code."""
    return Counter(violation.code for letter in checked.dead_letters for violation in letter.violations)


def waiting_rows(checked: Checked) -> Sequence[Row]:
    """The rows of a batch that the warehouse lacks; none while it is not known which those are."""
    rows_from = checked.batch.rows_from
    if rows_from is None:
        return ()
    if rows_from <= checked.batch.first:
        return checked.rows
    return [row for row in checked.rows if row.offset >= rows_from]
