"""One change of a contract, what it means to either side, and what the version must do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Impact(Enum):
    """What a change means to one side."""

    COMPATIBLE = "compatible"
    """Nobody on this side has to do anything."""
    BREAKING = "breaking"
    """What kept the old contract, or relied on it, may not keep or rely on the new one."""


class Aspect(Enum):
    """What of the agreement changed."""

    FIELD = "field"
    TYPE = "type"
    LENGTH = "length"
    RANGE = "range"
    ENUMERATION = "enumeration"
    NULLABILITY = "nullability"
    ACCEPTED_TYPES = "accepted types"
    CLASSIFICATION = "classification"
    FILL = "fill"
    ORDER = "order of columns"
    IDENTITY = "identity"
    VERSION_FIELD = "version field"
    HISTORY = "history"
    """Whether the table has each version of a message, or the latest only."""
    SORT_KEY = "sort key"
    DISTRIBUTION_KEY = "distribution key"
    TABLE = "table"
    RULE = "rule"
    TOPIC = "topic"
    MESSAGE_KEY = "message key"
    PARTITIONS = "partitions"
    FORMAT = "format"
    CONTACT_EVENTS = "contact events"
    SERVICE_LEVEL = "service level"
    VOLUME = "volume"
    RETENTION = "retention"
    RIGHT = "right"
    STATUS = "status"
    CONTRACT = "contract"
    WORDING = "wording"
    """What is said to people: descriptions, labels, examples, names of teams, links, addresses."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change, judged for both sides."""

    aspect: Aspect
    subject: str
    """What it is about: a field, a topic, the table …"""
    old: str
    """Empty: it was not there."""
    new: str
    """Empty: it is no longer there."""
    producers: Impact
    consumers: Impact
    reason: str
    """One sentence: why it breaks something, or why it does not."""

    @property
    def breaking(self) -> bool:
        """Whether it breaks anything for anybody."""
        return Impact.BREAKING in (self.producers, self.consumers)


class Outcome(Enum):
    """What is to be said of a new version of a contract as a whole."""

    SAME = "same"
    COMPATIBLE = "compatible"
    ANNOUNCED = "breaking, with a major version"
    UNANNOUNCED = "breaking, without a major version"
    BACKWARDS = "a version that falls"
    """Whatever changed: who has the old version takes the new one for an older."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two versions of a contract, and every change from the one to the other."""

    old_version: str
    new_version: str
    changes: tuple[Change, ...]

    @property
    def outcome(self) -> Outcome:
        """Whether anything breaks, and if so, whether the version says it."""
        if _numbers(self.new_version) < _numbers(self.old_version):
            return Outcome.BACKWARDS
        if not self.changes:
            return Outcome.SAME
        if not any(change.breaking for change in self.changes):
            return Outcome.COMPATIBLE
        announced = _numbers(self.new_version)[0] > _numbers(self.old_version)[0]
        return Outcome.ANNOUNCED if announced else Outcome.UNANNOUNCED

    @property
    def least_version(self) -> str:
        """The lowest version that says enough: the old one when nothing changed."""
        major, minor, patch = _numbers(self.old_version)
        if not self.changes:
            return self.old_version
        if any(change.breaking for change in self.changes):
            return f"{major + 1}.0.0"
        if all(change.aspect is Aspect.WORDING for change in self.changes):
            return f"{major}.{minor}.{patch + 1}"
        return f"{major}.{minor + 1}.0"

    @property
    def version_suffices(self) -> bool:
        """Whether the new version is at least the lowest that says enough."""
        return _numbers(self.new_version) >= _numbers(self.least_version)


def _numbers(version: str) -> tuple[int, int, int]:
    major, minor, patch = (int(number) for number in version.split("."))
    return major, minor, patch
