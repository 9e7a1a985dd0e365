"""Reading what a contract file says to people: team, support, roles, price, links, service levels."""

from __future__ import annotations

import re
from datetime import timedelta

from dataflow.odcs import Node, shown
from dataflow.terms import Description, Link, Member, Price, Role, Scalar, ServiceLevel, Support, Team

_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S{1,2000}")


def read_links(node: Node) -> tuple[Link, ...]:
    """The authoritative definitions of any object."""
    return tuple(
        Link(link.text("url"), link.text("type"), link.words("description")) for link in node.links()
    )


def read_description(root: Node) -> Description:
    """The root's description."""
    node = root.mapping("description")
    if node is None:
        return Description()
    node.only(frozenset({"purpose", "usage", "limitations", "authoritativeDefinitions", "customProperties"}))
    node.custom()
    return Description(
        node.words("purpose"), node.words("usage"), node.words("limitations"), read_links(node)
    )


_MEMBER = frozenset(
    {
        *("id", "username", "name", "description", "role", "dateIn", "dateOut", "replacedByUsername"),
        *("tags", "customProperties", "authoritativeDefinitions"),
    }
)


def read_team(root: Node) -> Team:
    """The team; a list of members, as before v3.1 of the standard, is a problem."""
    if isinstance(root.at("team").value, list):
        root.at("team").problem("a list is the form of v3.0; write a mapping with the key members")
        return Team()
    node = root.mapping("team")
    if node is None:
        return Team()
    team = {"id", "name", "description", "members", "tags", "customProperties", "authoritativeDefinitions"}
    node.only(frozenset(team))
    node.listed("tags")
    node.custom()
    read_links(node)
    return Team(
        node.words("name"),
        node.words("description"),
        tuple(_read_member(each) for each in node.items("members")),
    )


def _read_member(node: Node) -> Member:
    node.only(_MEMBER)
    node.listed("tags")
    node.custom()
    read_links(node)
    return Member(
        username=node.text("username"),
        name=node.words("name"),
        role=node.words("role"),
        description=node.words("description"),
        since=node.text("dateIn", _DATE, "a day, as 2024-01-30") if node.has("dateIn") else "",
        until=node.text("dateOut", _DATE, "a day, as 2024-01-30") if node.has("dateOut") else "",
        replaced_by=node.words("replacedByUsername"),
    )


_SUPPORT = frozenset(
    {"id", "channel", "url", "description", "tool", "scope", "invitationUrl", "customProperties"}
)
TOOLS = ("email", "slack", "teams", "discord", "ticket", "googlechat", "other")
SCOPES = ("interactive", "announcements", "issues", "notifications")


def read_support(root: Node) -> tuple[Support, ...]:
    """The channels, in the file's order."""
    found: list[Support] = []
    for node in root.items("support"):
        node.only(_SUPPORT)
        node.custom()
        found.append(
            Support(
                channel=node.text("channel"),
                url=node.text("url", _URL, "an address with its scheme, as https://example.org")
                if node.has("url")
                else "",
                tool=node.choice("tool", TOOLS) if node.has("tool") else "",
                scope=node.choice("scope", SCOPES) if node.has("scope") else "",
                description=node.words("description"),
                invitation_url=node.text(
                    "invitationUrl", _URL, "an address with its scheme, as https://example.org"
                )
                if node.has("invitationUrl")
                else "",
            )
        )
    return tuple(found)


_ROLE = frozenset(
    {
        *("id", "role", "description", "access", "firstLevelApprovers", "secondLevelApprovers"),
        "customProperties",
    }
)


def read_roles(node: Node) -> tuple[Role, ...]:
    """The roles of the contract or of a server."""
    found: list[Role] = []
    for each in node.items("roles"):
        each.only(_ROLE)
        each.custom()
        found.append(
            Role(
                each.text("role"),
                each.words("access"),
                each.words("description"),
                each.words("firstLevelApprovers"),
                each.words("secondLevelApprovers"),
            )
        )
    return tuple(found)


def read_price(root: Node) -> Price | None:
    """The price, if the data has one."""
    node = root.mapping("price")
    if node is None:
        return None
    node.only(frozenset({"id", "priceAmount", "priceCurrency", "priceUnit"}))
    amount = node.number("priceAmount")
    return Price(str(amount or 0), node.words("priceCurrency"), node.words("priceUnit"))


_DAY = 86_400
_SECONDS = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1),
    **dict.fromkeys(("min", "minute", "minutes"), 60),
    **dict.fromkeys(("h", "hr", "hour", "hours"), 3600),
    **dict.fromkeys(("d", "day", "days"), _DAY),
    **dict.fromkeys(("y", "yr", "year", "years"), 365 * _DAY),
}
_DURATIONS = (
    *("latency", "freshness", "frequency", "retention"),
    *("timeToDetect", "timeToNotify", "timeToRepair"),
)
_OTHERS = (
    *("throughput", "backfill", "availability", "errorRate"),
    *("generalAvailability", "endOfSupport", "endOfLife", "timeOfAvailability"),
)
SERVICE_LEVELS = (*_DURATIONS, *_OTHERS)
"""What may be promised: the standard's own words and `backfill`."""
REQUIRED_LEVELS = ("latency", "throughput")
"""What operators watch, so that no contract goes without it."""
MESSAGES_A_DAY = "messages/d"
TOPIC = "topic"
"""What an SLA property is about when it is not about the table."""

_LEVEL = frozenset(
    {
        *("id", "property", "value", "valueExt", "unit", "element", "driver", "description"),
        *("scheduler", "schedule", "customProperties", "authoritativeDefinitions"),
    }
)


def read_service_levels(root: Node, table: str, columns: frozenset[str]) -> tuple[ServiceLevel, ...]:
    """The SLA, in the file's order; `table` and `columns` are what its elements may name."""
    found: list[ServiceLevel] = []
    for node in root.items("slaProperties"):
        node.only(_LEVEL, instead={"valueExt": "a value and a unit say it"})
        node.custom()
        read_links(node)
        level = _read_level(node, table, columns)
        if any((level.name, level.elements) == (other.name, other.elements) for other in found):
            node.problem(f"{level.name} is given twice")
        found.append(level)
    for name in REQUIRED_LEVELS:
        if not any(level.name == name for level in found):
            root.problem(f"slaProperties lacks {name}")
    return tuple(found)


def _read_level(node: Node, table: str, columns: frozenset[str]) -> ServiceLevel:
    name = node.choice("property", SERVICE_LEVELS)
    value, unit, duration = _read_promise(node, name)
    return ServiceLevel(
        name=name,
        value=value,
        unit=unit,
        elements=_read_elements(node, table, columns),
        driver=node.choice("driver", ("regulatory", "analytics", "operational"))
        if node.has("driver")
        else "",
        description=node.words("description"),
        scheduler=node.words("scheduler"),
        schedule=node.words("schedule"),
        duration=duration,
    )


def _read_promise(node: Node, name: str) -> tuple[Scalar, str, timedelta | None]:
    if name in _DURATIONS:
        value = node.whole("value", 1, 10**6)
        unit = node.text("unit")
        if unit and unit not in _SECONDS:
            minutes = "; write min for minutes" if unit == "m" else ""
            node.at("unit").problem(f"{shown(unit)} is unknown; known: {', '.join(_SECONDS)}{minutes}")
            return value, unit, None
        return value, unit, timedelta(seconds=value * _SECONDS.get(unit, 1))
    if name == "throughput":
        return node.whole("value", 1, 10**12), node.choice("unit", (MESSAGES_A_DAY,)), None
    if name == "backfill":
        if not node.has("value"):
            node.child("value")
        return node.flag("value"), node.words("unit"), None
    if name in ("availability", "errorRate"):
        share = node.number("value")
        if share is not None and not 0 <= share <= 100:
            node.at("value").problem("must be a percentage, 0 to 100")
        return None if share is None else float(share), node.choice("unit", ("percent",)), None
    return (node.text("value") if name else None), node.words("unit"), None


def _read_elements(node: Node, table: str, columns: frozenset[str]) -> tuple[str, ...]:
    if not node.has("element"):
        return ()
    found = tuple(each.strip() for each in node.text("element").split(","))
    for each in found:
        if each and each not in {TOPIC, table} and each not in columns:
            node.at("element").problem(
                f"{shown(each)} is nothing of this contract; write {TOPIC}, {table} or {table}.column"
            )
    return found
