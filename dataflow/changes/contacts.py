"""Changes of the contacts' table: producers have nothing to do with it, readers may."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from connectors.items import ContactsTable
from dataflow.changes.columns import added, described, filled_changes, removed
from dataflow.changes.values import Aspect, Change, Impact
from dataflow.contract import Contract
from dataflow.terms import ContactsTerms, Property

COMPATIBLE, BREAKING = Impact.COMPATIBLE, Impact.BREAKING
_NOTHING = ContactsTerms(())


def contacts_changes(old: Contract, new: Contract) -> Iterator[Change]:
    """Every change of the table, its view and its columns."""
    if old.contacts is None or new.contacts is None:
        if old.contacts is not new.contacts:
            yield _there(old.contacts, new.contacts)
        return
    for aspect, was, now in _facts(old.contacts, new.contacts):
        if was != now:
            reason = "queries that were written for the old one fail, or read more than they did"
            yield Change(aspect, "contacts", was, now, COMPATIBLE, BREAKING, reason)
    before, after = old.terms.contacts or _NOTHING, new.terms.contacts or _NOTHING
    for change in _columns(before.properties, after.properties):
        yield replace(change, subject=f"contacts, {change.subject}", producers=COMPATIBLE)
    if replace(before, properties=()) != replace(after, properties=()):
        reason = "it says something to people; no message, row or query is judged by it"
        yield Change(Aspect.WORDING, "contacts", "", "", COMPATIBLE, COMPATIBLE, reason)


def _there(was: ContactsTable | None, now: ContactsTable | None) -> Change:
    told = ("" if was is None else was.qualified, "" if now is None else now.qualified)
    if now is None:
        reason = "who reads the table and its view finds nothing new in them"
        return Change(Aspect.TABLE, "contacts", *told, COMPATIBLE, BREAKING, reason)
    return Change(Aspect.TABLE, "contacts", *told, COMPATIBLE, COMPATIBLE, "it is a table more")


def _facts(was: ContactsTable, now: ContactsTable) -> Iterator[tuple[Aspect, str, str]]:
    yield Aspect.TABLE, was.name, now.name
    yield Aspect.TABLE, _view(was), _view(now)
    yield Aspect.SORT_KEY, was.sort_key, now.sort_key
    yield Aspect.DISTRIBUTION_KEY, was.distribution_key, now.distribution_key


def _view(table: ContactsTable) -> str:
    view = table.view
    # Kinds and time are columns of the table, and told with them.
    return "" if view is None else f"{view.name} of {view.sender}, {view.recipient}"


def _columns(old: tuple[Property, ...], new: tuple[Property, ...]) -> Iterator[Change]:
    before, after = {each.name: each for each in old}, {each.name: each for each in new}
    for name, was in before.items():
        now = after.get(name)
        if now is None:
            yield removed(was)
            continue
        told = (_filled(was), _filled(now))
        if told[0] != told[1]:
            reason = "the column holds something else"
            yield Change(Aspect.FILL, name, *told, COMPATIBLE, BREAKING, reason)
        yield from filled_changes(was, now)
        if was.key_position != now.key_position:
            reason = "contacts are told apart in another way"
            yield Change(Aspect.IDENTITY, name, _key(was), _key(now), COMPATIBLE, BREAKING, reason)
        words = [word.value for word in was.words], [word.value for word in now.words]
        if set(words[0]) != set(words[1]):
            come = set(words[1]) - set(words[0])
            impact = BREAKING if come or not words[1] else COMPATIBLE
            reason = "readers that know all words meet others" if impact is BREAKING else "fewer are met"
            told = (", ".join(words[0]), ", ".join(words[1]))
            yield Change(Aspect.ENUMERATION, name, *told, COMPATIBLE, impact, reason)
        yield from described(was, now)
    for name, now in after.items():
        if name not in before:
            yield replace(added(now), reason="queries that don't name it answer as before")
    kept = [[name for name in order if name in before and name in after] for order in (before, after)]
    if kept[0] != kept[1]:
        reason = "SELECT * is read by position by some"
        told = (", ".join(kept[0]), ", ".join(kept[1]))
        yield Change(Aspect.ORDER, "order", *told, COMPATIBLE, BREAKING, reason)


def _filled(column: Property) -> str:
    return column.fill.value if column.part is None else column.part.value


def _key(column: Property) -> str:
    return "" if column.key_position is None else "key"
