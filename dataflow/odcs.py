"""Reading an Open Data Contract Standard file strictly: every value knows its path, every fault is kept."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from difflib import get_close_matches

from dataflow.strict_yaml import Tree

MAX_PROBLEMS = 100
"""Faults that are told of one file; a file with more is no contract."""
VENDOR = "contract-dataflow"
"""Whose custom properties are read here, and whose quality rules are ours to enforce."""


class ContractError(Exception):
    """The contract file is not usable. `problems` lists every fault as `path in the file: what is wrong`."""

    def __init__(self, source: str, problems: Sequence[str]) -> None:
        """`source` names the file."""
        self.source = source
        self.problems = tuple(problems)
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        super().__init__(f"{source}: {len(self.problems)} fault(s) in the contract\n{lines}")


ELEMENT = frozenset(
    {
        *("id", "name", "physicalType", "description", "businessName", "deprecated", "synonyms"),
        *("authoritativeDefinitions", "tags", "customProperties"),
    }
)
"""Keys that the standard gives to a schema object and to a property alike."""
_CUSTOM = frozenset({"id", "property", "value", "description", "vendor"})
_LINK = frozenset({"id", "url", "type", "description"})
_SYNONYM = frozenset({"id", "synonym", "description", "locale", "source", "status", "customProperties"})
_STABLE_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_VENDOR_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


def known(name: str, choices: Iterable[str]) -> str:
    """What is known instead of a name that is not, the nearest first."""
    ordered = sorted(choices)
    near = get_close_matches(name[:64], ordered, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    return f"{hint}known here: {', '.join(ordered) or 'none'}"


def shown(value: object) -> str:
    """A value of the file for a message: not all of it when it is long."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"


_KINDS = {bool: "true or false", int: "an integer", float: "a number with a fraction", str: "text"}
_KINDS |= {list: "a list", dict: "a mapping", type(None): "nothing"}


def kind_of(value: Tree) -> str:
    """What kind of value the file has, in words."""
    return _KINDS[type(value)]


def _name_of(value: Tree) -> str:
    """By what an element of a list is known."""
    found = value.get("name", value.get("server", value.get("property"))) if isinstance(value, dict) else None
    return found if isinstance(found, str) and len(found) <= 64 and found.isprintable() else ""


class Node:
    """A value of the file with its path; what is wrong with it goes to the one list of problems."""

    def __init__(self, value: Tree, path: str, problems: list[str], name: str = "") -> None:
        """`path` is "" for the document; `problems` is shared by all nodes of it.

        `name` is that of the nearest list's element around it: people look for it, not for its number.
        """
        self._name = name
        self.value = value
        self.path = path
        self._problems = problems

    def problem(self, text: str) -> None:
        """Keep a fault of this value."""
        if len(self._problems) < MAX_PROBLEMS:
            named = f" ({self._name})" if self._name else ""
            self._problems.append(f"{self.path or 'document'}{named}: {text}")

    def at(self, key: str) -> Node:
        """The value under a key, given or not, to tell of it."""
        return self._step(self._mapping().get(key), f".{key}")

    def _step(self, value: Tree, step: str, name: str = "") -> Node:
        path = f"{self.path}{step}" if self.path else step.removeprefix(".")
        return Node(value, path, self._problems, name or self._name)

    def only(self, *allowed: frozenset[str], instead: Mapping[str, str] | None = None) -> None:
        """Every key that none of `allowed` holds is a problem; `instead` tells of keys of the standard."""
        everything: frozenset[str] = frozenset().union(*allowed)
        for key in self._mapping():
            if key in everything:
                continue
            remedy = (instead or {}).get(key)
            told = f"is not taken here; {remedy}" if remedy else f"unknown key; {known(key, everything)}"
            self._step(None, f".{key}").problem(told)
        if "id" in self._mapping() and self.path:
            self.text("id", _STABLE_ID)

    def _mapping(self) -> Mapping[str, Tree]:
        return self.value if isinstance(self.value, dict) else {}

    def has(self, key: str) -> bool:
        """Whether the key is given at all."""
        return key in self._mapping()

    def child(self, key: str) -> Node | None:
        """The value under a key; its absence is a problem."""
        if not isinstance(self.value, dict):
            self.problem(f"must be a mapping with the key {key}")
            return None
        if key not in self.value:
            self.problem(f"the key {key} is missing")
            return None
        return self.at(key)

    def mapping(self, key: str) -> Node | None:
        """The mapping under a key; None when the key is not given or holds something else, a problem then."""
        if not self.has(key):
            return None
        node = self.at(key)
        if not isinstance(node.value, dict):
            node.problem("must be a mapping")
            return None
        return node

    def items(self, key: str) -> Iterator[Node]:
        """The elements of the list under a key; absent is empty, anything but a list is a problem."""
        found = self._mapping().get(key, [])
        if not isinstance(found, list):
            self.at(key).problem("must be a list")
            return
        for number, value in enumerate(found):
            element = self._step(value, f".{key}[{number}]", _name_of(value))
            if isinstance(value, dict):
                yield element
            else:
                element.problem("must be a mapping")

    def text(self, key: str, pattern: re.Pattern[str] | None = None, form: str = "") -> str:
        """The text under a key, "" with a problem when it is not one or does not match.

        `form` says in words what the pattern asks for.
        """
        node = self.child(key)
        if node is None:
            return ""
        if not isinstance(node.value, str) or not node.value:
            was = "not empty" if node.value == "" else f"not {kind_of(node.value)}"
            node.problem(f"must be text; quote it if YAML reads it as something else ({was})")
            return ""
        if pattern is not None and not pattern.fullmatch(node.value):
            node.problem(f"{shown(node.value)} is not of the form {form or pattern.pattern}")
            return ""
        return node.value

    def words(self, key: str) -> str:
        """The text under a key that may be left out; "" then."""
        return self.text(key) if self.has(key) else ""

    def whole(self, key: str, low: int, high: int) -> int:
        """The integer under a key, `low` with a problem when it is not one or is out of range."""
        node = self.child(key)
        if node is None:
            return low
        if not isinstance(node.value, int) or isinstance(node.value, bool):
            node.problem(f"must be an integer, not {kind_of(node.value)}")
            return low
        if not low <= node.value <= high:
            node.problem(f"{node.value} is not between {low} and {high}")
            return low
        return node.value

    def number(self, key: str) -> Decimal | None:
        """The number under a key, exactly as written; None with a problem when it is not one."""
        node = self.child(key)
        if node is None:
            return None
        if not isinstance(node.value, int | float) or isinstance(node.value, bool):
            node.problem(f"must be a number, not {kind_of(node.value)}")
            return None
        return Decimal(repr(node.value))

    def choice(self, key: str, choices: Sequence[str], usual: str = "") -> str:
        """The text under a key, "" with a problem unless it is one of `choices`; `usual` is suggested."""
        found = self.text(key)
        if found and found not in choices:
            near = [usual] if usual else get_close_matches(found[:64], choices, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            self.at(key).problem(f"{shown(found)} is unknown; known: {', '.join(choices)}{hint}")
            return ""
        return found

    def flag(self, key: str) -> bool:
        """The boolean under a key; absent is false, as the standard says."""
        found = self._mapping().get(key, False)
        if not isinstance(found, bool):
            self.at(key).problem(f"must be true or false, not {kind_of(found)}")
            return False
        return found

    def texts(self, key: str) -> tuple[str, ...]:
        """The list of texts under a key."""
        node = self.child(key)
        if node is None:
            return ()
        if not isinstance(node.value, list):
            node.problem("must be a list of texts")
            return ()
        found = tuple(each for each in node.value if isinstance(each, str))
        if len(found) < len(node.value):
            node.problem("must be a list of texts")
            return ()
        return found

    def listed(self, key: str) -> tuple[str, ...]:
        """The list of texts under a key that may be left out; empty then."""
        return self.texts(key) if self.has(key) else ()

    def custom(self, *allowed: str) -> Node:
        """The custom properties as one mapping from name to value; other names are a problem.

        Those of another vendor are left to it.
        """
        found: dict[str, Tree] = {}
        for element in self.items("customProperties"):
            element.only(_CUSTOM)
            name = element.text("property")
            element.words("description")
            vendor = element.text("vendor", _VENDOR_NAME) if element.has("vendor") else VENDOR
            value = element.child("value")
            if vendor != VENDOR or not name or value is None:
                continue
            if name not in allowed:
                element.problem(f"unknown property {shown(name)}; {known(name, allowed)}")
            elif name in found:
                element.problem(f"property {shown(name)} is given twice")
            else:
                found[name] = value.value
        return self._step(found, ".customProperties")

    def check_for_people(self) -> None:
        """That what is for people only is of the standard's form, wherever it is given; it is not kept."""
        for synonym in self.items("synonyms"):
            synonym.only(_SYNONYM)
            synonym.text("synonym")
            for key in ("description", "locale", "source", "status"):
                synonym.words(key)
            synonym.custom()

    def links(self) -> Iterator[Node]:
        """The authoritative definitions, their keys checked."""
        for link in self.items("authoritativeDefinitions"):
            link.only(_LINK)
            yield link
