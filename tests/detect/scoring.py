"""How well detections agree with labels: by message, by value, by platform.

A labelled message is a line `{"id", "text", "labels": [{"type", "platform", "value_normalized", "value_alts",
"start", "end"}], "category", "kind", "region_hint"}`; kind is `positive`, `hard_negative` or `benign`.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dataflow.model import Contact

KINDS = ("phone", "handle")


@dataclass(frozen=True, slots=True)
class Label:
    """A contact that a person marked."""

    kind: str
    platform: str | None
    values: frozenset[str]
    start: int
    end: int

    def same_value(self, contact: Contact) -> bool:
        """Whether the contact is this one: digits of a phone, a handle without case and "@"."""
        return contact.kind == self.kind and _plain(contact.kind, contact.value) in self.values

    def overlap(self, contact: Contact) -> float:
        """Intersection over union of the spans."""
        shared = max(0, min(self.end, contact.end) - max(self.start, contact.start))
        return shared / (max(self.end, contact.end) - min(self.start, contact.start))


@dataclass(frozen=True, slots=True)
class Message:
    """A labelled message."""

    name: str
    text: str
    labels: tuple[Label, ...]
    category: str
    kind: str
    region: str | None


def _plain(kind: str, value: str) -> str:
    if kind == "phone":
        return "".join(filter(str.isdigit, value))
    return value.strip().lstrip("@").rstrip("/").lower()


def read(path: Path) -> list[Message]:
    """A set of labelled messages."""
    return [_message(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines() if line]


def _message(said: dict[str, Any]) -> Message:
    labels = tuple(
        Label(
            each["type"],
            each["platform"],
            frozenset(
                _plain(each["type"], v) for v in [each["value_normalized"], *each.get("value_alts", [])]
            ),
            each["start"],
            each["end"],
        )
        for each in said["labels"]
    )
    return Message(
        str(said["id"]), said["text"], labels, said["category"], said["kind"], said.get("region_hint") or None
    )


@dataclass(slots=True)
class Counts:
    """Right, wrong and missed."""

    right: int = 0
    wrong: int = 0
    missed: int = 0

    def take(self, is_so: bool, said: bool) -> None:
        """Count one answer to a yes-or-no question."""
        self.right += is_so and said
        self.wrong += said and not is_so
        self.missed += is_so and not said

    @property
    def precision(self) -> float:
        """Share of what was said that is so; 1 when nothing was."""
        return self.right / (self.right + self.wrong) if self.right + self.wrong else 1.0

    @property
    def recall(self) -> float:
        """Share of what is so that was said; 1 when nothing is."""
        return self.right / (self.right + self.missed) if self.right + self.missed else 1.0

    @property
    def f1(self) -> float:
        """Harmonic mean of the two."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


@dataclass(slots=True)
class Score:
    """The figures of one set."""

    messages: dict[str, Counts] = field(default_factory=lambda: {k: Counts() for k in (*KINDS, "any")})
    """By kind: does the message hold one, was one said."""
    values: dict[str, Counts] = field(default_factory=lambda: {k: Counts() for k in KINDS})
    """By kind: labels whose value was found (right), not (missed), contacts that are no label (wrong)."""
    platforms: Counts = field(default_factory=Counts)
    """Of labels whose value was found and that have a platform."""
    spans: Counts = field(default_factory=Counts)
    """Of labels whose value was found: at least half of the span is shared."""
    alarms: Counter[str] = field(default_factory=Counter)
    """Negatives with a contact, by kind of message."""
    negatives: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    """Positives with a contact of each kind that they hold, by category."""
    of: Counter[str] = field(default_factory=Counter)
    mistakes: list[tuple[str, Message, tuple[Contact, ...]]] = field(default_factory=list)

    def alarm_rate(self, kind: str) -> float:
        """Share of the negatives of one kind in which something was found."""
        return self.alarms[kind] / self.negatives[kind] if self.negatives[kind] else 0.0

    def recalls(self) -> dict[str, tuple[int, int]]:
        """By category of positives: found, of how many."""
        return {category: (self.found[category], self.of[category]) for category in sorted(self.of)}


def score(messages: Sequence[Message], found: Sequence[tuple[Contact, ...]]) -> Score:
    """The figures of what was `found` in `messages`, in the same order."""
    total = Score()
    by_category: defaultdict[str, int] = defaultdict(int)
    for message, contacts in zip(messages, found, strict=True):
        by_category[message.category] += 1
        labelled = {label.kind for label in message.labels}
        said = {contact.kind for contact in contacts}
        for kind in KINDS:
            total.messages[kind].take(kind in labelled, kind in said)
        total.messages["any"].take(bool(labelled), bool(said))
        missed = _match(message, contacts, total)
        if not message.labels:
            total.negatives[message.kind] += 1
            total.alarms[message.kind] += bool(contacts)
            if contacts:
                total.mistakes.append(("false alarm", message, contacts))
            continue
        total.of[message.category] += 1
        total.found[message.category] += labelled <= said
        if not labelled <= said:
            total.mistakes.append(("missed", message, contacts))
        elif missed:
            total.mistakes.append(("value", message, contacts))
        elif said - labelled:
            total.mistakes.append(("one too many", message, contacts))
    return total


def _match(message: Message, contacts: tuple[Contact, ...], total: Score) -> int:
    """Pair labels with contacts of the same value; how many labels are left."""
    left = list(contacts)
    missed = 0
    for label in message.labels:
        contact = next((each for each in left if label.same_value(each)), None)
        if contact is None:
            total.values[label.kind].missed += 1
            missed += 1
            continue
        left.remove(contact)
        total.values[label.kind].right += 1
        total.spans.take(True, label.overlap(contact) >= 0.5)
        if label.platform:
            total.platforms.take(True, contact.platform == label.platform)
    for contact in left:
        total.values[contact.kind].wrong += 1
    return missed
