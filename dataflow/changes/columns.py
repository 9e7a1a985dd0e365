"""Changes of the columns: what a message may carry, and what a row may hold.

A *wider* field takes all that the old one took and more; a *narrower* one no longer takes some of it. To a
producer only what is narrower breaks anything; to a consumer what is wider may.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from connectors.items import Fill
from dataflow.changes.values import Aspect, Change, Impact
from dataflow.contract import Contract
from dataflow.fields import DecimalField, Field, IntegerField, TextField, TimestampField
from dataflow.properties import CLASSIFICATIONS
from dataflow.terms import Property

COMPATIBLE, BREAKING = Impact.COMPATIBLE, Impact.BREAKING
_INTEGERS = ("smallint", "integer", "bigint")
_VARCHAR = re.compile(r"varchar\((\d+)\)", re.ASCII)


def column_changes(old: Contract, new: Contract) -> Iterator[Change]:
    """Every change of a column, in the old table's order, then the added ones."""
    before = {each.name: each for each in old.terms.properties}
    after = {each.name: each for each in new.terms.properties}
    sent_before = {field.name: field for field in old.fields}
    sent_after = {field.name: field for field in new.fields}
    for name, was in before.items():
        if name not in after:
            yield removed(was)
            continue
        now = after[name]
        if was.fill is not now.fill:
            yield Change(
                *(Aspect.FILL, name, was.fill.value, now.fill.value, BREAKING, BREAKING),
                "the value comes from elsewhere: what was sent is ignored, or what was not sent is needed",
            )
        elif name in sent_before:
            yield from _field_changes(sent_before[name], sent_after[name], was, now)
        else:
            yield from filled_changes(was, now)
        yield from described(was, now)
    for name, now in after.items():
        if name not in before:
            yield added(now)
    yield from _order(list(before), list(after))


def removed(was: Property) -> Change:
    """A column that is no longer there."""
    reason = "queries that name the column fail"
    if was.fill is Fill.MESSAGE:
        reason += "; producers may go on sending it, it is ignored"
    return Change(Aspect.FIELD, was.name, _told(was), "", COMPATIBLE, BREAKING, reason)


def added(now: Property) -> Change:
    """A column that was not there."""
    told = ("", _told(now))
    if now.fill is not Fill.MESSAGE:
        reason = "the commit fills it; queries that don't name it answer as before"
        return Change(Aspect.FIELD, now.name, *told, COMPATIBLE, COMPATIBLE, reason)
    if now.required:
        reason = "a message without it becomes a dead letter"
        return Change(Aspect.FIELD, now.name, *told, BREAKING, COMPATIBLE, reason)
    reason = "it may be left out; queries that don't name it answer as before"
    return Change(Aspect.FIELD, now.name, *told, COMPATIBLE, COMPATIBLE, reason)


def _told(column: Property) -> str:
    return f"{column.physical_type}, {'required' if column.required else 'optional'}"


def _order(before: list[str], after: list[str]) -> Iterator[Change]:
    kept = [name for name in before if name in after]
    moved = [name for name in after if name in before]
    if kept != moved:
        yield Change(
            *(Aspect.ORDER, "table", ", ".join(kept), ", ".join(moved), COMPATIBLE, BREAKING),
            "a table that is made anew has them in this order, and SELECT * is read by position by some",
        )


def _field_changes(was: Field, now: Field, old: Property, new: Property) -> Iterator[Change]:
    name = was.name
    types = (old.physical_type, new.physical_type)
    if type(was) is not type(now):
        reason = "a value that was right is of the wrong type now, for who writes it and for who reads it"
        yield Change(Aspect.TYPE, name, *types, BREAKING, BREAKING, reason)
    elif isinstance(was, TextField) and isinstance(now, TextField):
        yield from _text(was, now)
    elif isinstance(was, IntegerField) and isinstance(now, IntegerField):
        if types[0] != types[1]:
            grows = _INTEGERS.index(types[1]) > _INTEGERS.index(types[0])
            yield _resized(name, types, grows)
        yield from _range(name, was, now)
    elif isinstance(was, DecimalField) and isinstance(now, DecimalField):
        if (was.precision, was.scale) != (now.precision, now.scale):
            grows = now.scale >= was.scale and now.precision - now.scale >= was.precision - was.scale
            yield _resized(name, types, grows)
        yield from _range(name, was, now)
        yield from _accepted(name, was.accepts, now.accepts)
    elif isinstance(was, TimestampField) and isinstance(now, TimestampField) and was.zoned is not now.zoned:
        reason = "messages stay as they are; readers get values with another meaning of their zone"
        yield Change(Aspect.TYPE, name, *types, COMPATIBLE, BREAKING, reason)
    yield from _required(old, new)


def _resized(name: str, types: tuple[str, str], grows: bool) -> Change:
    if grows:
        reason = "every number that was right still is; readers get them in a larger type"
        return Change(Aspect.TYPE, name, *types, COMPATIBLE, BREAKING, reason)
    reason = "numbers that fitted no longer do; readers get them in another type"
    return Change(Aspect.TYPE, name, *types, BREAKING, BREAKING, reason)


def _text(was: TextField, now: TextField) -> Iterator[Change]:
    name = was.name
    if was.max_bytes != now.max_bytes:
        yield _length(name, was.max_bytes, now.max_bytes)
    if was.min_bytes != now.min_bytes:
        told = (f"at least {was.min_bytes} bytes", f"at least {now.min_bytes} bytes")
        if now.min_bytes < was.min_bytes:
            reason = "an empty text, which was a dead letter, becomes a row"
            yield Change(Aspect.LENGTH, name, *told, COMPATIBLE, BREAKING, reason)
        else:
            reason = "an empty text becomes a dead letter"
            yield Change(Aspect.LENGTH, name, *told, BREAKING, COMPATIBLE, reason)
    if set(was.values) != set(now.values):
        yield _enumeration(name, was.values, now.values)
    yield from _accepted(name, was.accepts, now.accepts)


def _length(name: str, was: int, now: int) -> Change:
    told = (f"{was} bytes", f"{now} bytes")
    if now > was:
        reason = "every text that fitted still does; the column is widened in place"
        return Change(Aspect.LENGTH, name, *told, COMPATIBLE, COMPATIBLE, reason)
    reason = "a text that fitted becomes a dead letter"
    return Change(Aspect.LENGTH, name, *told, BREAKING, COMPATIBLE, reason)


def _enumeration(name: str, was: tuple[str, ...], now: tuple[str, ...]) -> Change:
    gone = [word for word in was if word not in now] if now else []
    come = [word for word in now if word not in was] if was else []
    producers, consumers, reasons = COMPATIBLE, COMPATIBLE, []
    if gone or not was:
        producers = BREAKING
        words = ", ".join(gone) if gone else "any other word"
        reasons.append(f"a message that says {words} becomes a dead letter")
    if come or not now:
        consumers = BREAKING
        words = ", ".join(come) if come else "any word"
        reasons.append(f"readers that know all words meet {words}")
    told = (", ".join(was) or "any text", ", ".join(now) or "any text")
    return Change(Aspect.ENUMERATION, name, *told, producers, consumers, "; ".join(reasons))


def _range(name: str, was: IntegerField | DecimalField, now: IntegerField | DecimalField) -> Iterator[Change]:
    if (was.minimum, was.maximum) == (now.minimum, now.maximum):
        return
    told = (f"{was.minimum} to {was.maximum}", f"{now.minimum} to {now.maximum}")
    if now.minimum <= was.minimum and now.maximum >= was.maximum:
        reason = "every number that was right still is; the column's type says what a reader must expect"
        yield Change(Aspect.RANGE, name, *told, COMPATIBLE, COMPATIBLE, reason)
    else:
        reason = "a number that was right becomes a dead letter"
        yield Change(Aspect.RANGE, name, *told, BREAKING, COMPATIBLE, reason)


def _accepted(name: str, was: frozenset[str], now: frozenset[str]) -> Iterator[Change]:
    if was == now:
        return
    told = (", ".join(sorted(was)), ", ".join(sorted(now)))
    if now > was:
        reason = "all that was taken still is, and is stored in the same form"
        yield Change(Aspect.ACCEPTED_TYPES, name, *told, COMPATIBLE, COMPATIBLE, reason)
    else:
        reason = f"a message that sends {' or '.join(sorted(was - now))} becomes a dead letter"
        yield Change(Aspect.ACCEPTED_TYPES, name, *told, BREAKING, COMPATIBLE, reason)


def _required(was: Property, now: Property) -> Iterator[Change]:
    if was.required is now.required:
        return
    if now.required:
        reason = "a message without it, or with null, becomes a dead letter"
        yield Change(Aspect.NULLABILITY, was.name, "optional", "required", BREAKING, COMPATIBLE, reason)
    else:
        reason = "it may be null, which readers did not have to expect"
        yield Change(Aspect.NULLABILITY, was.name, "required", "optional", COMPATIBLE, BREAKING, reason)


def filled_changes(was: Property, now: Property) -> Iterator[Change]:
    """A column that the commit fills: producers have nothing to do with it."""
    if was.physical_type != now.physical_type:
        told = (was.physical_type, now.physical_type)
        before, after = (_VARCHAR.fullmatch(each) for each in told)
        if before and after and int(after[1]) > int(before[1]):
            reason = "every value that fitted still does; the column is widened in place"
            yield Change(Aspect.LENGTH, was.name, *told, COMPATIBLE, COMPATIBLE, reason)
        else:
            aspect = Aspect.LENGTH if before and after else Aspect.TYPE
            reason = "the table must be changed by hand, and readers get another type"
            yield Change(aspect, was.name, *told, COMPATIBLE, BREAKING, reason)
    for change in _required(was, now):
        yield replace(change, producers=COMPATIBLE, reason="the commit fills it, whatever a message says")


def described(was: Property, now: Property) -> Iterator[Change]:
    """What is said of a column: its classification, and words for people."""
    name = was.name
    if was.classification != now.classification:
        told = (was.classification, now.classification)
        if CLASSIFICATIONS.index(now.classification) > CLASSIFICATIONS.index(was.classification):
            reason = "whoever holds copies must handle them with more care than was agreed"
            yield Change(Aspect.CLASSIFICATION, name, *told, COMPATIBLE, BREAKING, reason)
        else:
            reason = "who keeps to the old one does more than is asked"
            yield Change(Aspect.CLASSIFICATION, name, *told, COMPATIBLE, COMPATIBLE, reason)
    if was.deprecated is not now.deprecated:
        told = ("deprecated" if was.deprecated else "in use", "deprecated" if now.deprecated else "in use")
        yield _worded(name, *told)
    before, after = _words_of(was), _words_of(now)
    # The words that both have, in their order: what came and went is the enumeration's change.
    kept = {word.value for word in was.words} & {word.value for word in now.words}
    before["enumeration"] = [word for word in was.words if word.value in kept]
    after["enumeration"] = [word for word in now.words if word.value in kept]
    changed = [key for key in before if before[key] != after[key]]
    if changed:
        yield _worded(f"{name}: {', '.join(changed)}", "", "")


def _worded(subject: str, old: str, new: str) -> Change:
    reason = "it says something to people; no message, row or query is judged by it"
    return Change(Aspect.WORDING, subject, old, new, COMPATIBLE, COMPATIBLE, reason)


def _words_of(column: Property) -> dict[str, object]:
    return {
        "description": column.description,
        "business name": column.business_name,
        "critical": column.critical,
        "tags": column.tags,
        "examples": column.examples,
        "links": column.links,
    }
