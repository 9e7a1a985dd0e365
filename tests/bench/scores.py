"""The detector on the labelled sets: what it finds, what it makes up, and whether the value is right."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dataflow.detect import Detector
from dataflow.model import Contact
from tests.bench.figures import Cell, Figure, Report, Table
from tests.bench.occasion import Occasion, Size
from tests.pipeline import ROOT

SETS = ROOT / "tests" / "detect" / "sets"
KINDS = ("phone", "handle")
_REPETITIONS = {Size.QUICK: 1, Size.USUAL: 7, Size.LONG: 15}


@dataclass(frozen=True, slots=True)
class _Score:
    """Of one kind in one set. A message is positive when it holds at least one contact of the kind."""

    positives: int
    precision: float
    recall: float
    values: float
    """Share of the labelled contacts whose value was given exactly."""

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


def run(occasion: Occasion) -> Report:
    """Every set, scored by message, and timed."""
    rows: list[tuple[Cell, ...]] = []
    for path in sorted(SETS.glob("*.jsonl")):
        occasion.tell(path.name)
        labelled = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        texts = [message["text"] for message in labelled]
        regions = [message["region_hint"] for message in labelled]
        detector = Detector()
        spent: list[float] = []
        found: list[tuple[Contact, ...]] = []
        for _ in range(_REPETITIONS[occasion.size]):
            began = time.thread_time()
            found = detector.detect(texts, regions)
            spent.append((time.thread_time() - began) / len(texts) * 1e6)
        for kind in KINDS:
            score = _score(labelled, found, kind)
            rows.append(
                (
                    f"{path.stem}, {len(labelled)} messages",
                    kind,
                    score.positives,
                    *(Figure((share,)) for share in (score.f1, score.precision, score.recall, score.values)),
                    Figure(tuple(spent)),
                )
            )
    return Report(
        measured=(
            "The detector on every set in `tests/detect/sets`: F1, precision and recall of whether a message "
            "gives a contact of the kind away; the share of labelled contacts whose value is exact; CPU per "
            "message of the whole set, which holds far more contacts than traffic does."
        ),
        tables=(
            Table(
                ("set", "kind", "positive", "F1", "precision", "recall", "value exact", "CPU µs per message"),
                tuple(rows),
            ),
        ),
        observations=(),
    )


def _score(labelled: Sequence[dict[str, Any]], found: Sequence[tuple[Contact, ...]], kind: str) -> _Score:
    outcomes: Counter[tuple[bool, bool]] = Counter()
    labels = exact = 0
    for message, contacts in zip(labelled, found, strict=True):
        wanted = [label for label in message["labels"] if label["type"] == kind]
        given = Counter(_plain(contact.value) for contact in contacts if contact.kind == kind)
        outcomes[bool(wanted), bool(given)] += 1
        labels += len(wanted)
        for label in wanted:
            for value in (label["value_normalized"], *label["value_alts"]):
                if given[_plain(value)]:
                    given[_plain(value)] -= 1
                    exact += 1
                    break
    hits, missed, invented = outcomes[True, True], outcomes[True, False], outcomes[False, True]
    return _Score(
        positives=hits + missed,
        precision=_share(hits, hits + invented),
        recall=_share(hits, hits + missed),
        values=_share(exact, labels),
    )


def _plain(value: str) -> str:
    return value.strip().lstrip("@+").rstrip("/").lower()


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
