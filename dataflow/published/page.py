"""A contract as one HTML page for those who read the data: light and dark, nothing to load."""

from __future__ import annotations

from html import escape

import orjson

from connectors.items import HISTORY_FILLS, Fill
from dataflow.contract import Contract
from dataflow.published.contacts_section import contacts_section
from dataflow.published.lineage import lineage
from dataflow.published.markup import code, wide_table
from dataflow.published.message_schema import example_message
from dataflow.published.reasons import reasons
from dataflow.published.style import STYLE
from dataflow.published.tables import takes
from dataflow.terms import Property, ServiceLevel


def page(contract: Contract, proto: str | None = None) -> str:
    """The page's text, UTF-8. Every text of the contract is escaped.

    `proto` is the `.proto` of messages that are sent in Protobuf, which the page shows.
    """
    sections = {
        "Ask it": _query(contract),
        "How fresh": _levels(contract),
        "Columns": _columns(contract),
        "Contacts given away": contacts_section(contract),
        "Where it comes from": lineage(contract),
        "A message": _message(contract, proto),
        "Quality": _quality(contract),
        "What becomes a dead letter": _dead_letters(contract),
        "Who to ask": _people(contract),
    }
    ids = {heading: heading.lower().replace(" ", "-") for heading in sections}
    links = "".join(f'<li><a href="#{ids[each]}">{each}</a></li>' for each in sections if sections[each])
    body = "".join(
        f'<section aria-labelledby="{ids[each]}"><h2 id="{ids[each]}">{each}</h2>{text}</section>\n'
        for each, text in sections.items()
        if text
    )
    title = f"{contract.table.qualified}, data contract {contract.version}"
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="color-scheme" content="light dark">\n<title>{escape(title)}</title>\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n"
        f'<a class="skip" href="#main">To the content</a>\n<header>{_head(contract)}\n'
        f'<nav aria-label="On this page"><ul>{links}</ul></nav></header>\n'
        f'<main id="main">\n{body}</main>\n'
        "<footer><p>Made from the contract file by <code>contract docs</code>; change that.</p></footer>\n"
        f"</body>\n</html>\n"
    )


def _head(contract: Contract) -> str:
    terms = contract.terms
    standing = f" · {escape(terms.status)}" if terms.status else ""
    told = [terms.description.purpose, terms.table_description]
    return (
        f"<h1>{escape(contract.table.qualified)}</h1><p>Contract {contract.version}{standing}</p>"
        + "".join(f"<p>{escape(text.strip())}</p>" for text in told if text)
    )


def _query(contract: Contract) -> str:
    description = contract.terms.description
    parts = []
    if description.usage:
        parts.append(code(description.usage.strip()))
    parts.append(
        f"<p>Filter by <code>{contract.table.sort_key}</code>, the sort key: other filters read the whole "
        f"table. Join "
        f"on <code>{contract.table.distribution_key}</code>, the distribution key. {_rows(contract)}</p>"
    )
    if description.limitations:
        parts.append(f"<p>{escape(description.limitations.strip())}</p>")
    return "".join(parts)


def _rows(contract: Contract) -> str:
    identity = f"({', '.join(f'<code>{name}</code>' for name in contract.identity)})"
    version = f"<code>{contract.version_field}</code>"
    if not contract.table.keeps_history:
        return f"There is one row per {identity}, the one with the latest {version} (type 1)."
    table = contract.table
    since, until, current = (table.filled_with(each) for each in HISTORY_FILLS)
    view = f"{table.schema}.{table.current_view}"
    return (
        f"There is one row per {identity} and {version}: every version of a message (type 2). The view "
        f"<code>{view}</code> shows the latest of each, the rows <code>WHERE {current}</code>. For what a "
        f"message was at a time: <code>WHERE {since} &lt;= time AND ({until} IS NULL OR {until} &gt; time)"
        "</code>."
    )


def _levels(contract: Contract) -> str:
    rows = [
        f'<tr><th scope="row">{escape(level.name)}</th><td>{escape(_amount(level))}</td>'
        f"<td>{escape(', '.join(level.elements))}</td><td>{escape(level.description.strip())}</td></tr>"
        for level in contract.terms.service_levels
    ]
    hours = contract.freshness.total_seconds() / 3600
    return (
        f"<p>A message that reached the topic is a row at most <strong>{hours:g} h</strong> later, plus the "
        f"duration of a commit. About {contract.daily_volume:,} messages a day are expected. The newest "
        "insertion time tells how fresh the table is now.</p>"
        + wide_table("Promises", ("promise", "value", "of", "meaning"), rows)
    )


def _amount(level: ServiceLevel) -> str:
    value = f"{level.value:,}" if type(level.value) is int else f"{level.value}"
    if isinstance(level.value, bool):
        value = "yes" if level.value else "no"
    return f"{value} {level.unit}".strip()


def _columns(contract: Contract) -> str:
    headings = ("column", "type", "null", "sensitivity", "takes", "meaning", "example")
    rows = [_column(contract, each) for each in contract.terms.properties]
    personal = [each.name for each in contract.terms.properties if each.personal]
    told = ""
    if personal:
        names = ", ".join(f"<code>{name}</code>" for name in personal)
        told = f"<p>Personal data, not to be copied into tickets, logs or notebooks: {names}.</p>"
    return told + wide_table("Columns of the table", headings, rows)


def _column(contract: Contract, column: Property) -> str:
    marks = []
    if column.key_position:
        marks.append("identity")
    marks += [name for name, key in _keys(contract) if key == column.name]
    marks += ["deprecated"] if column.deprecated else []
    badges = "".join(f' <span class="mark">{mark}</span>' for mark in marks)
    meaning = escape(column.description.strip())
    for word in column.words:
        meaning += f"<br><code>{escape(word.value)}</code> {escape(word.description)}"
    examples = ", ".join(f"<code>{escape(str(each))}</code>" for each in column.examples)
    cells = (
        *(f"<code>{escape(column.physical_type)}</code>", "no" if column.required else "yes"),
        f'<span class="{escape(column.classification)}">{escape(column.classification)}</span>',
        *(escape(takes(contract, column)), meaning, examples),
    )
    filled = "" if column.fill is Fill.MESSAGE else ' class="filled"'
    return (
        f'<tr{filled}><th scope="row"><code>{column.name}</code>{badges}</th>'
        + "".join(f"<td>{cell}</td>" for cell in cells)
        + "</tr>"
    )


def _keys(contract: Contract) -> tuple[tuple[str, str], ...]:
    return (
        ("version", contract.version_field),
        ("sort key", contract.table.sort_key),
        ("distribution key", contract.table.distribution_key),
        ("scanned for contacts", contract.scanned_field),
    )


def _message(contract: Contract, proto: str | None) -> str:
    example = example_message(contract)
    shown = code(orjson.dumps(example, option=orjson.OPT_INDENT_2).decode()) if example else ""
    if proto is None:
        return shown
    told = f"<p>For example, its fields written as JSON:</p>{shown}" if shown else ""
    return f"<p>Messages are sent in Protobuf. A tag is given to one field for ever.</p>{code(proto)}{told}"


def _quality(contract: Contract) -> str:
    rows = [
        f'<tr><th scope="row">{escape(rule.name)}</th><td>{escape(rule.severity or "-")}</td>'
        f"<td>{escape((rule.description or rule.query).strip())}</td></tr>"
        for rule in contract.terms.quality
    ]
    if not rows:
        return ""
    return (
        "<p>An error refuses the message; a warning is counted and the row is kept. Rules about the table "
        "are looked at from outside.</p>" + wide_table("Rules", ("rule", "severity", "meaning"), rows)
    )


_OTHERS = {
    "json": "Messages in Protobuf or in a schema registry's frame have reasons of their own.",
    "protobuf": "Messages in a schema registry's frame have reasons of their own.",
}


def _dead_letters(contract: Contract) -> str:
    rows = [
        f'<tr><th scope="row"><code>{code}</code></th><td>{escape(text)}</td></tr>'
        for code, text in reasons(contract).items()
    ]
    return (
        f"<p>A message that breaks the contract is not in the table. It goes to "
        f"<code>{escape(contract.dead_letters_topic)}</code>, byte for byte, with every reason; nothing is "
        f"cut, defaulted or guessed. {_OTHERS[contract.terms.kafka.format]}</p>"
        + wide_table("Reasons", ("code", "a message that"), rows)
    )


def _people(contract: Contract) -> str:
    terms = contract.terms
    support = "".join(
        f"<dt>{escape(each.channel)}{f' ({escape(each.tool)})' if each.tool else ''}</dt>"
        f"<dd>{escape(each.description or each.url)}</dd>"
        for each in terms.support
    )
    team = "".join(
        f"<dt>{escape(each.name or each.username)}</dt>"
        f"<dd>{escape(': '.join(filter(None, (each.role, each.description))))}</dd>"
        for each in terms.team.members
    )
    parts = [f"<h3>Ask</h3><dl>{support}</dl>"] if support else []
    parts += [f"<h3>Who keeps it</h3><dl>{team}</dl>"] if team else []
    return "".join(parts)
