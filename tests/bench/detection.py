"""Contact detection: quality on the labelled sets, and CPU time.

Quality needs no machine; time is CPU time of one thread.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from dataflow.detect import Detector, Piece, SplitMemory
from dataflow.detect.prefilter import suspects
from tests.bench.figures import Cell, Figure, Report, Table
from tests.bench.occasion import Occasion, Size
from tests.detect.scoring import Message, Score, read, score

SETS = Path(__file__).parents[1] / "detect" / "sets"
UNSEEN = "unseen"
LABELLED = ("written", "adversarial", UNSEEN)
BATCH, POSITIVE = 1000, 0.03
BATCHES = {Size.QUICK: 1, Size.USUAL: 30, Size.LONG: 90}
LONGEST = 2056
"""Bytes that the contract allows a text."""
REPEATED = (
    "5 ",
    "five ",
    "insta ",
    "my ig ab_c1 ",
    "@a",
    "a.b ",
    "x.co/",
    "4155550123 ",
    "415 555 01 23 ",
    "1/2/",
    "onetwo",
    "👻 ",
    "инста ",
    "my number is 415-555-",
    "my snap is ",
    "$1 ",
    "luna at gmail ",
    "i n s t a ",
    "s.n.a.p.",
    "12:30 ",
)


@dataclass(frozen=True, slots=True)
class Quality:
    """How well one set is read, with and without the messages' regions."""

    name: str
    messages: int
    with_region: Score
    without_region: Score


@dataclass(frozen=True, slots=True)
class Speed:
    """CPU times in microseconds."""

    batches: Figure
    """A message, in batches of 1,000 of which 3% hold a contact."""
    prefilter: Figure
    """Of it, the prefilter."""
    single_p99: float
    single_worst: float
    """One text alone, over every labelled message."""
    longest: float
    longest_text: str
    """The slowest text of 2,056 bytes: what it repeats, or all labelled messages in turn, cut so long."""


@dataclass(frozen=True, slots=True)
class Prefilter:
    """What the prefilter lets through."""

    positives: tuple[int, int]
    benign: tuple[int, int]
    hard_negatives: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Split:
    """The memory of contacts split over messages."""

    found: tuple[int, int]
    """Contacts of the labelled sets, cut in two or three messages: found, of how many."""
    found_without: int
    alarms: tuple[int, int]
    """Messages of ordinary chat, all of one pair in ten minutes: with a contact, of how many."""
    microseconds: float
    """CPU time a message that the memory adds, in the batches of `Speed`, of 300 pairs."""


@dataclass(frozen=True, slots=True)
class Result:
    """All figures."""

    quality: tuple[Quality, ...]
    prefilter: Prefilter
    speed: Speed
    split: Split


def run(occasion: Occasion) -> Report:
    """Measure everything; a minute or so."""
    sets = {name: read(SETS / f"{name}.jsonl") for name in (*LABELLED, "chat")}
    everything = [message for name in LABELLED for message in sets[name]]
    positives = [message.text for message in everything if message.kind == "positive"]
    benign = [message.text for messages in sets.values() for message in messages if message.kind == "benign"]
    hard = [message.text for message in everything if message.kind == "hard_negative"]
    occasion.tell("quality")
    quality = tuple(_quality(name, sets[name]) for name in (*LABELLED, "chat"))
    prefilter = Prefilter(_passed(positives), _passed(benign), _passed(hard))
    occasion.tell("speed")
    # Alone and repeated, texts are many: a quick run takes every fiftieth.
    every = [message.text for message in everything][:: 50 if occasion.size is Size.QUICK else 1]
    speed = _speed(positives, benign, every, BATCHES[occasion.size])
    occasion.tell("contacts split over messages")
    split = _split(everything, [message.text for message in sets["chat"]], positives, benign)
    return _report(Result(quality, prefilter, speed, split))


def _quality(name: str, messages: list[Message]) -> Quality:
    detector = Detector()
    texts = [message.text for message in messages]
    with_region = score(messages, detector.detect(texts, [message.region for message in messages]))
    return Quality(name, len(messages), with_region, score(messages, detector.detect(texts)))


def _passed(texts: Sequence[str]) -> tuple[int, int]:
    return len(suspects(texts)), len(texts)


_DETECTOR = Detector()


def _microseconds(texts: Sequence[str], what: Callable[[Sequence[str]], object] = _DETECTOR.detect) -> float:
    begun = time.process_time_ns()
    what(texts)
    return (time.process_time_ns() - begun) / 1000


def _speed(positives: Sequence[str], benign: Sequence[str], every: Sequence[str], number: int) -> Speed:
    dice = random.Random(7)
    batches = [_batch(dice, positives, benign) for _ in range(number)]
    for batch in batches:
        _DETECTOR.detect(batch)
    times = [min(_microseconds(batch) for _ in range(3)) / BATCH for batch in batches]
    prefilter = [min(_microseconds(batch, suspects) for _ in range(3)) / BATCH for batch in batches]
    single = sorted(min(_microseconds([text]) for _ in range(3)) for text in every)
    long = {unit: min(_microseconds([_filled(unit)]) for _ in range(5)) for unit in REPEATED}
    long["every labelled message in turn"] = max(
        min(_microseconds([piece]) for _ in range(5)) for piece in _cut(" ".join(every))
    )
    slowest = max(long, key=lambda unit: long[unit])
    return Speed(
        Figure(tuple(times)),
        Figure(tuple(prefilter)),
        single[int(0.99 * len(single))],
        single[-1],
        long[slowest],
        slowest,
    )


def _split(
    everything: Sequence[Message], chat: Sequence[str], positives: Sequence[str], benign: Sequence[str]
) -> Split:
    dice = random.Random(7)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    found = without = of = 0
    for number, message in enumerate(everything):
        words = message.text.split()
        if len(message.labels) != 1 or not 3 <= len(words) <= 12:
            continue
        cuts = sorted(dice.sample(range(1, len(words)), k=min(2, len(words) - 1)))
        texts = [" ".join(words[a:b]) for a, b in pairwise([0, *cuts, len(words)])]
        pieces = [
            Piece((str(number),), start + timedelta(seconds=20 * i), text) for i, text in enumerate(texts)
        ]
        alone = _DETECTOR.detect(texts)
        joined = SplitMemory(_DETECTOR).detect(pieces, alone)
        of += 1
        found += any(message.labels[0].same_value(c) for contacts in joined for c in contacts)
        without += any(message.labels[0].same_value(c) for contacts in alone for c in contacts)
    talk = [Piece(("1", "2"), start + timedelta(seconds=2 * i), text) for i, text in enumerate(chat)]
    alarms = sum(map(bool, SplitMemory(_DETECTOR).detect(talk, _DETECTOR.detect(chat))))
    batch = _batch(dice, positives, benign)
    pieces = [
        Piece((str(dice.randrange(300)),), start + timedelta(seconds=i), text) for i, text in enumerate(batch)
    ]
    alone = _DETECTOR.detect(batch)
    memory = SplitMemory(_DETECTOR)
    times = []
    for _ in range(10):
        begun = time.process_time_ns()
        memory.detect(pieces, alone)
        times.append((time.process_time_ns() - begun) / 1000 / BATCH)
    return Split((found, of), without, (alarms, len(chat)), min(times))


def _batch(dice: random.Random, positives: Sequence[str], benign: Sequence[str]) -> list[str]:
    given = round(BATCH * POSITIVE)
    batch = dice.choices(benign, k=BATCH - given) + dice.choices(positives, k=given)
    dice.shuffle(batch)
    return batch


def _filled(unit: str) -> str:
    """`unit` over and over, as many bytes as a text may have."""
    text = unit * (LONGEST // len(unit.encode()) + 1)
    return text.encode()[:LONGEST].decode("utf-8", "ignore")


def _cut(text: str) -> Iterator[str]:
    """A long text in pieces of as many bytes as a text may have."""
    said = text.encode()
    for start in range(0, len(said), LONGEST):
        yield said[start : start + LONGEST].decode("utf-8", "ignore")


def _report(result: Result) -> Report:
    found: Counter[str] = Counter()
    of: Counter[str] = Counter()
    for each in result.quality:
        found.update(each.with_region.found)
        of.update(each.with_region.of)
    short = [f"{category} {found[category]} of {of[category]}" for category in sorted(of - found)]
    split = result.split
    return Report(
        measured=(
            "The detector on every set in `tests/detect/sets`. F1 and precision: of whether a message gives "
            "a contact of the kind away; value: share of the labelled contacts whose value is exact; alarms: "
            f"messages without a contact in which one was found. CPU time: batches of {BATCH:,} messages of "
            f"the sets, 97% of them benign (n = {len(result.speed.batches.values)}, each the least of "
            "three), and texts alone."
        ),
        tables=(
            Table(
                (
                    *("set", "messages", "phone F1", "precision", "value", "handle F1", "precision", "value"),
                    *("platform", "any F1", "alarms: hard negatives", "benign", "phone F1, no regions"),
                ),
                tuple(map(_quality_row, result.quality)),
            ),
            Table(("prefilter", "let through", "of"), _prefilter_rows(result.prefilter)),
            Table(("CPU time", "µs"), _speed_rows(result.speed)),
            Table(("category", "found, all sets", "of", "found, unseen", "of"), _recall_rows(result.quality)),
        ),
        observations=(
            f"Every message is found in {len(of) - len(short)} of {len(of)} categories, all sets together; "
            f"short of it: {', '.join(short) or 'none'}.",
            f"Split over messages (`SPLIT_CONTACTS=on`): of {split.found[1]} labelled contacts cut into "
            f"pieces {split.found[0]} are found (without: {split.found_without}); {split.alarms[0]} of "
            f"{split.alarms[1]} messages of ordinary chat raise an alarm; it adds {split.microseconds:.1f} "
            "µs a message.",
        ),
    )


def _quality_row(quality: Quality) -> tuple[Cell, ...]:
    score = quality.with_region
    alarms = [f"{score.alarms[kind]} of {score.negatives[kind]}" for kind in ("hard_negative", "benign")]
    if not score.of:
        return (quality.name, quality.messages, *[None] * 8, *alarms, None)
    phone, handle = (score.messages[kind] for kind in ("phone", "handle"))
    shares = (
        *(phone.f1, phone.precision, score.values["phone"].recall),
        *(handle.f1, handle.precision, score.values["handle"].recall, score.platforms.recall),
        score.messages["any"].f1,
    )
    without = quality.without_region.messages["phone"].f1
    return (quality.name, quality.messages, *map(_share, shares), *alarms, _share(without))


def _recall_rows(qualities: Sequence[Quality]) -> tuple[tuple[Cell, ...], ...]:
    """By category, messages in which every contact's kind was found, in all sets and in the unseen one."""
    scores = {each.name: each.with_region for each in qualities}
    of = sum((score.of for score in scores.values()), Counter[str]())
    found = sum((score.found for score in scores.values()), Counter[str]())
    unseen = scores[UNSEEN].recalls()
    return tuple(
        (category, found[category], of[category], *unseen.get(category, (None, None)))
        for category in sorted(of)
    )


def _prefilter_rows(prefilter: Prefilter) -> tuple[tuple[Cell, ...], ...]:
    return (
        ("positives", *prefilter.positives),
        ("benign", *prefilter.benign),
        ("hard negatives", *prefilter.hard_negatives),
    )


def _speed_rows(speed: Speed) -> tuple[tuple[Cell, ...], ...]:
    return (
        ("a message, in batches", speed.batches),
        ("of it the prefilter", speed.prefilter),
        ("one labelled message alone, 99th percentile", Figure((speed.single_p99,))),
        ("the slowest labelled message", Figure((speed.single_worst,))),
        (
            f"the slowest text of {LONGEST:,} bytes (`{speed.longest_text}` repeated)",
            Figure((speed.longest,)),
        ),
        ("for comparison: 1,000 turns of an empty loop", Figure((_reference(),))),
    )


def _share(value: float) -> str:
    return f"{value:.3f}"


def _reference() -> float:
    """CPU time of 1,000 turns of an empty loop in microseconds, the least of many."""
    least = float("inf")
    for _ in range(300):
        begun = time.process_time_ns()
        for _ in range(1000):
            pass
        least = min(least, (time.process_time_ns() - begun) / 1000)
    return least
