"""Two contracts to every change from the one to the other: nothing that changes is passed over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from datetime import timedelta

from dataflow.changes.columns import column_changes
from dataflow.changes.contacts import contacts_changes
from dataflow.changes.values import Aspect, Change, Comparison, Impact
from dataflow.contract import Contract
from dataflow.fields import PresentUnless
from dataflow.read_terms import TOPIC
from dataflow.terms import Quality, Role, ServiceLevel

COMPATIBLE, BREAKING = Impact.COMPATIBLE, Impact.BREAKING


def compare(old: Contract, new: Contract) -> Comparison:
    """Every change from `old` to `new`, judged for producers and for consumers.

    There is none if, and only if, the two are equal but for their version.
    """
    changes = (
        *column_changes(old, new),
        *_table_changes(old, new),
        *contacts_changes(old, new),
        *_rule_changes(old, new),
        *_topic_changes(old, new),
        *_level_changes(old, new),
        *_term_changes(old, new),
    )
    return Comparison(old.version, new.version, changes)


def _both(aspect: Aspect, subject: str, old: str, new: str, reason: str) -> Iterator[Change]:
    """A change that breaks something for both sides."""
    if old != new:
        yield Change(aspect, subject, old, new, BREAKING, BREAKING, reason)


def _consumers(aspect: Aspect, subject: str, old: str, new: str, reason: str) -> Iterator[Change]:
    if old != new:
        yield Change(aspect, subject, old, new, COMPATIBLE, BREAKING, reason)


def _producers(aspect: Aspect, subject: str, old: str, new: str, reason: str) -> Iterator[Change]:
    if old != new:
        yield Change(aspect, subject, old, new, BREAKING, COMPATIBLE, reason)


def _table_changes(old: Contract, new: Contract) -> Iterator[Change]:
    was, now = old.table, new.table
    yield from _consumers(
        *(Aspect.TABLE, "table", was.qualified, now.qualified),
        "queries that name the table fail",
    )
    yield from _consumers(
        *(Aspect.TABLE, "database", old.terms.redshift.database, new.terms.redshift.database),
        "readers log in to a database where the table no longer is",
    )
    yield from _both(
        *(Aspect.IDENTITY, "table", ", ".join(old.identity), ", ".join(new.identity)),
        "messages that were one become several, or several one: producers must know, and counts change",
    )
    yield from _both(
        *(Aspect.VERSION_FIELD, "table", old.version_field, new.version_field),
        "another field says which version of a message wins; it must grow with each, and other rows remain",
    )
    yield from _consumers(
        *(Aspect.HISTORY, "table", _history(old), _history(new)),
        "queries of the table count each version of a message, or no longer find the older ones",
    )
    yield from _consumers(
        *(Aspect.SORT_KEY, "table", was.sort_key, now.sort_key),
        "queries that were written for the old key read the whole table",
    )
    yield from _consumers(
        *(Aspect.DISTRIBUTION_KEY, "table", was.distribution_key, now.distribution_key),
        "joins that were written for the old key move rows between nodes",
    )


def _history(contract: Contract) -> str:
    return "every version" if contract.table.keeps_history else "latest version"


def _rule_changes(old: Contract, new: Contract) -> Iterator[Change]:
    before = {(rule.field, rule.name): rule for rule in old.terms.quality}
    after = {(rule.field, rule.name): rule for rule in new.terms.quality}
    for key in [*before, *(key for key in after if key not in before)]:
        was, now = before.get(key), after.get(key)
        if was == now:
            continue
        # A rule that is only told in other words is the same rule.
        if was and now and _promise(was) == _promise(now):
            yield _worded(f"rule {now.name}")
            continue
        told = _rules_told(was, now)
        yield _rule(f"rule {key[1]}", told, was, now)
    if list(before) != list(after) and before.keys() == after.keys():
        yield _worded("order of the rules")


def _promise(rule: Quality) -> Quality:
    return replace(rule, description="", dimension="", business_impact="")


_OF_RULE = ("kind", "severity", "metric", "arguments", "query", "operator", "operand", "unit", "rule")


def _rules_told(was: Quality | None, now: Quality | None) -> tuple[str, str]:
    """What differs of two rules; the kind of one that came or went."""
    if was is None or now is None:
        return "" if was is None else was.kind, "" if now is None else now.kind
    differing = [name for name in _OF_RULE if getattr(was, name) != getattr(now, name)]
    return _parts_told(was, differing), _parts_told(now, differing)


def _parts_told(rule: Quality, names: Sequence[str]) -> str:
    told: list[str] = []
    for name in names:
        value = getattr(rule, name)
        if name == "rule" and value is not None:
            parts = (f"{each.name}: {_plain(getattr(value, each.name))}" for each in fields(value))
            told.append(f"{type(value).__name__} {', '.join(parts)}")
        elif name == "arguments":
            told += [f"{key}: {', '.join(words)}" for key, words in value]
        else:
            told.append(f"{name}: {_plain(value) or 'none'}")
    return "; ".join(told)


def _plain(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def _rule(subject: str, told: tuple[str, str], was: Quality | None, now: Quality | None) -> Change:
    strict_before = was is not None and isinstance(was.rule, PresentUnless)
    strict_after = now is not None and isinstance(now.rule, PresentUnless)
    withdrawn = was is not None and was.severity == "error"
    producers = BREAKING if strict_after else COMPATIBLE
    consumers = BREAKING if withdrawn else COMPATIBLE
    reasons = []
    if strict_after:
        reasons.append("a message that was a row may become a dead letter")
    if withdrawn:
        reasons.append("readers could rely on the old rule")
    if strict_before or not reasons:
        reasons.append(
            "no message that was a row is refused for it" if not strict_after else "the rule differs"
        )
    return Change(Aspect.RULE, subject, *told, producers, consumers, "; ".join(reasons))


def _topic_changes(old: Contract, new: Contract) -> Iterator[Change]:
    was, now = old.terms.kafka, new.terms.kafka
    yield from _producers(
        *(Aspect.TOPIC, "messages", old.topic, new.topic),
        "messages must go to another topic; rows name it in the column of their source",
    )
    yield from _producers(
        *(Aspect.TOPIC, "dead letters", old.dead_letters_topic, new.dead_letters_topic),
        "who looks after refused messages finds them elsewhere",
    )
    if old.contacts_topic != new.contacts_topic:
        impact = BREAKING if old.contacts_topic else COMPATIBLE
        reason = (
            "subscribers wait on a topic to which nothing comes" if old.contacts_topic else "nobody read it"
        )
        told = (old.contacts_topic, new.contacts_topic)
        yield Change(Aspect.TOPIC, "contact events", *told, COMPATIBLE, impact, reason)
    for subject, before, after in (
        ("scanned field", old.scanned_field, new.scanned_field),
        ("event key", old.event_key, new.event_key),
        ("event time", old.event_time, new.event_time),
    ):
        if before != after:
            impact = BREAKING if before else COMPATIBLE
            reason = "events come of another text, or in another order" if before else "there were no events"
            yield Change(Aspect.CONTACT_EVENTS, subject, before, after, COMPATIBLE, impact, reason)
    yield from _partitions(old.partitions, new.partitions)
    yield from _message_key(was.message_key, now.message_key)
    yield from _producers(
        *(Aspect.FORMAT, "messages", was.format, now.format), "messages in the old format are refused"
    )


def _partitions(was: int, now: int) -> Iterator[Change]:
    if was == now:
        return
    told = (str(was), str(now))
    if now < was:
        reason = "Kafka takes no partition away: the topic must be made anew, and its offsets begin again"
        yield Change(Aspect.PARTITIONS, "messages", *told, BREAKING, BREAKING, reason)
        return
    reason = "partitions are added in place; a key's messages go to another one from then on"
    yield Change(Aspect.PARTITIONS, "messages", *told, COMPATIBLE, COMPATIBLE, reason)


def _message_key(was: str, now: str) -> Iterator[Change]:
    if was == now:
        return
    if not was:
        reason = "messages must be keyed by it"
        yield Change(Aspect.MESSAGE_KEY, "messages", was, now, BREAKING, COMPATIBLE, reason)
    elif not now:
        reason = "messages of one key may lie in several partitions: their order is no longer kept"
        yield Change(Aspect.MESSAGE_KEY, "messages", was, now, COMPATIBLE, BREAKING, reason)
    else:
        reason = "messages must be keyed by another field, and keep another order"
        yield Change(Aspect.MESSAGE_KEY, "messages", was, now, BREAKING, BREAKING, reason)


_MORE_IS_BETTER = frozenset({"availability", "retention", "endOfSupport", "endOfLife"})
_LESS_IS_BETTER = frozenset(
    {
        *("latency", "freshness", "frequency", "timeToDetect", "timeToNotify", "timeToRepair"),
        *("errorRate", "generalAvailability"),
    }
)


def _level_changes(old: Contract, new: Contract) -> Iterator[Change]:
    table = (old.table.name, new.table.name)
    before = {_place(level, table[0]): level for level in old.terms.service_levels}
    after = {_place(level, table[1]): level for level in new.terms.service_levels}
    for key in [*before, *(key for key in after if key not in before)]:
        was, now = before.get(key), after.get(key)
        if was == now:
            continue
        if was and now and _measure(was) == _measure(now):
            yield _worded(f"service level {now.name}")
        else:
            yield _level(key[0], was, now)
    repeated = len(before) < len(old.terms.service_levels) or len(after) < len(new.terms.service_levels)
    if (repeated or list(before) != list(after)) and not _same_levels(old, new):
        yield _worded("order of the service levels")


def _same_levels(old: Contract, new: Contract) -> bool:
    return old.terms.service_levels == new.terms.service_levels


def _place(level: ServiceLevel, table: str) -> tuple[str, tuple[str, ...]]:
    """What is promised, and of what; the table under one name, however it is called."""
    renamed = (element.removeprefix(f"{table}.") if element != table else "" for element in level.elements)
    return level.name, tuple(renamed) or ("",)


def _measure(level: ServiceLevel) -> object:
    return level.duration if level.duration is not None else (level.value, level.unit)


def _level(name: str, was: ServiceLevel | None, now: ServiceLevel | None) -> Change:
    told = (_told(was), _told(now))
    if name == "throughput":
        reason = "it is an expectation to watch and not a limit; the alert on volume follows it"
        return Change(Aspect.VOLUME, name, *told, COMPATIBLE, COMPATIBLE, reason)
    aspect = Aspect.RETENTION if name == "retention" else Aspect.SERVICE_LEVEL
    of = TOPIC if aspect is Aspect.RETENTION and TOPIC in (now or was or _NONE).elements else "table"
    subject = f"{name} of the {of}"
    if now is None:
        reason = "readers could rely on the promise"
        return Change(aspect, subject, *told, COMPATIBLE, BREAKING, reason)
    if name == "backfill":
        if now.value:
            reason = "the source must be able to send old data again"
            return Change(aspect, subject, *told, BREAKING, COMPATIBLE, reason)
        impact = BREAKING if was is not None else COMPATIBLE
        reason = "old data can't be had again" if was is not None else "it was not promised before"
        return Change(aspect, subject, *told, COMPATIBLE, impact, reason)
    if was is None:
        return Change(aspect, subject, *told, COMPATIBLE, COMPATIBLE, "it is a promise more")
    if _is_better(name, was, now):
        return Change(aspect, subject, *told, COMPATIBLE, COMPATIBLE, "the new promise keeps the old one")
    reason = "the new promise does not keep the old one"
    return Change(aspect, subject, *told, COMPATIBLE, BREAKING, reason)


_NONE = ServiceLevel("", None)


def _told(level: ServiceLevel | None) -> str:
    if level is None:
        return ""
    value = str(level.value).lower() if isinstance(level.value, bool) else level.value
    return f"{value} {level.unit}".strip()


def _is_better(name: str, was: ServiceLevel, now: ServiceLevel) -> bool:
    before, after = _size(was), _size(now)
    if before is None or after is None or (was.unit != now.unit and was.duration is None):
        return False
    if type(before) is not type(after):
        return False
    if name in _MORE_IS_BETTER:
        return after > before  # type: ignore[operator] # of one type, see above
    return name in _LESS_IS_BETTER and after < before  # type: ignore[operator]


def _size(level: ServiceLevel) -> timedelta | float | str | None:
    """What can be compared: a duration, a number, or a day as ISO 8601 writes it."""
    if level.duration is not None:
        return level.duration
    if isinstance(level.value, bool) or level.value is None:
        return None
    return level.value if isinstance(level.value, str) else float(level.value)


def _term_changes(old: Contract, new: Contract) -> Iterator[Change]:
    yield from _both(
        *(Aspect.CONTRACT, "id", old.terms.id, new.terms.id),
        "it is another contract; who refers to the old one by its id no longer finds it",
    )
    if old.terms.status != new.terms.status:
        gone = new.terms.status == "retired"
        impact = BREAKING if gone else COMPATIBLE
        reason = "nobody keeps the contract any more" if gone else "it is kept as before"
        yield Change(Aspect.STATUS, "status", old.terms.status, new.terms.status, impact, impact, reason)
    yield from _right_changes(old.terms.roles, new.terms.roles)
    before, after = _words_of(old), _words_of(new)
    for key, value in before.items():
        if value != after[key]:
            yield _worded(key)


def _right_changes(old: tuple[Role, ...], new: tuple[Role, ...]) -> Iterator[Change]:
    before, after = {each.role: each for each in old}, {each.role: each for each in new}
    for name in [*before, *(name for name in after if name not in before)]:
        was, now = before.get(name), after.get(name)
        told = ("" if was is None else was.access, "" if now is None else now.access)
        if was is None:
            yield Change(Aspect.RIGHT, name, *told, COMPATIBLE, COMPATIBLE, "it is a right more")
        elif now is None or was.access != now.access:
            yield Change(Aspect.RIGHT, name, *told, COMPATIBLE, BREAKING, "who had the right loses it")
        elif was != now:
            yield _worded(f"role {name}")
    if old != new and before == after:
        yield _worded("order of the roles")


def _worded(subject: str) -> Change:
    reason = "it says something to people; no message, row or query is judged by it"
    return Change(Aspect.WORDING, subject, "", "", COMPATIBLE, COMPATIBLE, reason)


def _words_of(contract: Contract) -> dict[str, object]:
    """What is said to people, and addresses that are only the defaults of settings."""
    terms = contract.terms
    return {
        "name": contract.name,
        "version of the standard": terms.api_version,
        "domain": terms.domain,
        "tenant": terms.tenant,
        "date": terms.created,
        "tags": terms.tags,
        "description": terms.description,
        "description of the table": (terms.table_description, terms.granularity),
        "team": terms.team,
        "support": terms.support,
        "price": terms.price,
        "links": terms.links,
        "address of the Kafka server": (
            *(terms.kafka.name, terms.kafka.host, terms.kafka.encoding),
            *(terms.kafka.environment, terms.kafka.description),
        ),
        "address of the warehouse": (
            *(terms.redshift.name, terms.redshift.host, terms.redshift.region, terms.redshift.account),
            *(terms.redshift.environment, terms.redshift.description),
        ),
    }
