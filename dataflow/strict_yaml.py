"""YAML read so that no two readers can differ about it: a value, or a fault with its path and line.

What YAML's versions and libraries read differently is refused with the way to write it: words such as `off`
and dates such as 2024-01-30 without quotation marks, keys given twice, tags, anchors and aliases. Text, depth
and number of values are bounded, and nothing here recurses: whatever the text is, reading it ends soon.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import yaml

MAX_BYTES = 262_144
"""Longest text read: some 1,500 columns, which is about what a Redshift table may have."""
MAX_DEPTH = 24
"""Deepest nesting read; the standard itself needs about ten."""
MAX_VALUES = 40_000
"""Most values read."""
MAX_DIGITS = 40
"""Most digits of a number: Redshift's widest has 38."""

Tree = dict[str, "Tree"] | list["Tree"] | str | int | float | bool | None
"""What a text holds. Keys are always text."""


class YamlFault(Exception):
    """The text can't be read; the message says where and how to mend it."""


_NULL = re.compile(r"~|null|Null|NULL|")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)", re.ASCII)
_FLOAT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)(?:\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?", re.ASCII)
_DISPUTED = re.compile(
    r"(?i:y|n|yes|no|on|off)"  # booleans to YAML 1.1
    r"|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?"  # base 60 to YAML 1.1
    r"|\d{4}-\d\d?-\d\d?(?:(?:[Tt]|[ \t]+)\d.*)?"  # dates to YAML 1.1
    r"|[-+]?(?:0[0-7_]+|0o[0-7_]+|0[xX][0-9a-fA-F_]+|0b[01_]+)"  # other bases
    r"|[-+]?[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]*)?|[-+]?\.[0-9][0-9_]*(?:[eE][-+]?[0-9]*)?"
    r"|[-+]?\.(?i:inf)|\.(?i:nan)|=|<<",
    re.ASCII,
)
"""Plain words that readers of YAML take for different things, after those above have been recognised."""


@dataclass(slots=True)
class _Open:
    """A mapping or a list whose end has not come yet."""

    into: dict[str, Tree] | list[Tree]
    key: str | None = None
    path: str = ""
    seen: set[str] = field(default_factory=set)

    def place(self, path: str) -> str:
        """Where the next value lies."""
        if isinstance(self.into, list):
            return f"{path}[{len(self.into)}]"
        return f"{path}.{self.key}" if path else str(self.key)


def read(text: str) -> Tree:
    """The one document that a text holds. Raises YamlFault."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError as wrong:
        raise YamlFault(f"character {wrong.start}: half a surrogate pair is no text") from None
    if size > MAX_BYTES:
        raise YamlFault(f"the file has {size} bytes; at most {MAX_BYTES} are read")
    try:
        return _build(yaml.parse(text, Loader=_LOADER))
    except yaml.MarkedYAMLError as fault:
        told = " ".join(filter(None, (fault.context, fault.problem)))
        raise YamlFault(f"not YAML: {told}{_line(fault.problem_mark)}") from None
    except (yaml.YAMLError, UnicodeError) as fault:
        raise YamlFault(f"not YAML: {' '.join(str(fault).split())}") from None


_LOADER: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Only its parser is used; libyaml's is ten times as fast."""


def _line(mark: Any) -> str:
    """The line that a mark of either parser is in."""
    return "" if mark is None else f" (line {mark.line + 1})"


def _build(events: Iterator[yaml.Event]) -> Tree:
    root: list[Tree] = []
    documents = values = 0
    opened: list[_Open] = []
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise YamlFault(
                    f"a second document begins{_line(event.start_mark)}; a file holds one contract"
                )
            continue
        if isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            opened.pop()
            continue
        if not isinstance(event, yaml.NodeEvent):
            continue
        inner = opened[-1] if opened else None
        where = "document" if inner is None else inner.place(inner.path)
        line = _line(event.start_mark)
        values += 1
        if values > MAX_VALUES:
            raise YamlFault(f"more than {MAX_VALUES} values{line}; a contract has fewer")
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise YamlFault(f"{where}: anchors and aliases are not read{line}; write the value out")
        _refuse_tag(event, where, line)
        if inner is not None and isinstance(inner.into, dict) and inner.key is None:
            inner.key = _key(event, inner, line)
            continue
        value = _value(event, where, line)
        if inner is None:
            root.append(value)
        elif isinstance(inner.into, list):
            inner.into.append(value)
        else:
            inner.into[str(inner.key)], inner.key = value, None
        if isinstance(value, dict | list):
            if len(opened) >= MAX_DEPTH:
                raise YamlFault(
                    f"{where}: nested deeper than {MAX_DEPTH} levels{line}; a contract is flatter"
                )
            opened.append(_Open(value, path="" if inner is None else where))
    if not root:
        raise YamlFault("the file holds nothing")
    return root[0]


def _refuse_tag(event: yaml.NodeEvent, where: str, line: str) -> None:
    if getattr(event, "tag", None) is not None:
        raise YamlFault(f"{where}: tags are not read{line}; leave the !… out")


def _key(event: yaml.NodeEvent, inner: _Open, line: str) -> str:
    where = inner.path or "document"
    if not isinstance(event, yaml.ScalarEvent):
        raise YamlFault(f"{where}: a key must be text{line}")
    key: str = event.value
    if event.implicit[0] and not isinstance(_plain(key, where, line), str):
        raise YamlFault(f"{where}: the key {_shown(key)} must be text{line}; quote it")
    if key in inner.seen:
        raise YamlFault(f"{where}: the key {_shown(key)} is given twice{line}; remove one")
    inner.seen.add(key)
    return key


def _value(event: yaml.NodeEvent, where: str, line: str) -> Tree:
    if isinstance(event, yaml.MappingStartEvent):
        return {}
    if isinstance(event, yaml.SequenceStartEvent):
        return []
    assert isinstance(event, yaml.ScalarEvent)
    return _plain(event.value, where, line) if event.implicit[0] else str(event.value)


def _plain(word: str, where: str, line: str) -> Tree:
    """The value of a word without quotation marks."""
    if _NULL.fullmatch(word):
        return None
    if _TRUE.fullmatch(word):
        return True
    if _FALSE.fullmatch(word):
        return False
    if _INTEGER.fullmatch(word) or _FLOAT.fullmatch(word):
        if len(word) > MAX_DIGITS:
            raise YamlFault(f"{where}: a number of {len(word)} digits{line}; quote it if it is text")
        return int(word) if _INTEGER.fullmatch(word) else _finite(word, where, line)
    if _DISPUTED.fullmatch(word):
        raise YamlFault(
            f"{where}: readers of YAML differ about {_shown(word)}{line}; must be text in quotation marks, "
            "or true, false or a plain number"
        )
    return word


def _finite(word: str, where: str, line: str) -> float:
    number = float(word)
    if number in (float("inf"), float("-inf")):
        raise YamlFault(f"{where}: {_shown(word)} is beyond 64 bits{line}; quote it if it is text")
    if Decimal(repr(number)) != Decimal(word):
        raise YamlFault(
            f"{where}: {_shown(word)} has more digits than 64 bits hold{line}; "
            "write fewer, or quote it if it is text"
        )
    return number


def _shown(word: str) -> str:
    return repr(word if len(word) <= 40 else f"{word[:40]}…")
