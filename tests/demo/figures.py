"""The demo's figures, the same on the terminal and in the report. No I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.demo.evidence import Evidence

TEXT_COLUMN = "message_text"
"""The column that a report leaves out: a file is kept, and sent around."""


@dataclass(frozen=True, slots=True)
class Window:
    """What one commit took of one window."""

    start: datetime
    end: datetime
    process_id: str
    partitions: int
    offsets: int
    rows: int


def windows(evidence: Evidence) -> Iterator[Window]:
    """Every commit of a window, in the order of time."""
    for start, end, process_id in sorted(
        {(span.window_start, span.window_end, span.process_id) for span in evidence.spans}
    ):
        spans = [
            span for span in evidence.spans if (span.window_start, span.process_id) == (start, process_id)
        ]
        yield Window(
            start,
            end,
            process_id,
            len({span.partition for span in spans}),
            sum(span.next - span.first for span in spans),
            sum(span.rows for span in spans),
        )


def contacts(evidence: Evidence) -> Counter[tuple[str, str]]:
    """Contact events by platform ("none named" without one) and kind."""
    counts: Counter[tuple[str, str]] = Counter()
    for (_, event), count in evidence.contacts.items():
        counts[event.platform or "none named", event.kind] += count
    return counts


def dead_letters(evidence: Evidence) -> Counter[str]:
    """Dead letters by reason; one may have several."""
    return Counter(code for letter in evidence.dead_letters for code in letter.codes)


def without_texts(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows of a query as a report may hold them."""
    return [{name: _plain(value) for name, value in row.items() if name != TEXT_COLUMN} for row in rows]


def _plain(value: Any) -> Any:
    return value.isoformat(" ") if isinstance(value, datetime) else value
