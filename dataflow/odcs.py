"""Reading an Open Data Contract Standard file strictly: every value knows its path, every fault is kept."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml


class ContractError(Exception):
    """The contract file is not usable. `problems` lists every fault as `path in the file: what is wrong`."""

    def __init__(self, source: str, problems: Sequence[str]) -> None:
        """`source` names the file."""
        self.source = source
        self.problems = tuple(problems)
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        super().__init__(f"{source}: {len(self.problems)} fault(s) in the contract\n{lines}")


class StrictLoader(yaml.SafeLoader):
    """PyYAML's safe loader, except that a key given twice in one mapping is a fault."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """One mapping of the file. Raises ConstructorError, with the line, when a key repeats."""
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key!r} is given twice", node.start_mark
                )
        return super().construct_mapping(node, deep)


_DOCUMENTATION = frozenset(
    {"description", "tags", "authoritativeDefinitions", "businessName", "deprecated", "id", "context"}
)
"""Keys of the standard that are for people; allowed everywhere, never read."""


class Node:
    """A value of the file with its path; what is wrong with it goes to the one list of problems."""

    def __init__(self, value: object, path: str, problems: list[str]) -> None:
        """`path` is "" for the document; `problems` is shared by all nodes of it."""
        self.value = value
        self.path = path
        self._problems = problems

    def problem(self, text: str) -> None:
        """Keep a fault of this value."""
        self._problems.append(f"{self.path or 'document'}: {text}")

    def _at(self, value: object, step: str) -> Node:
        return Node(value, f"{self.path}{step}" if self.path else step.removeprefix("."), self._problems)

    def only(self, *allowed: frozenset[str]) -> None:
        """Every key that none of `allowed` holds is a problem."""
        known = _DOCUMENTATION.union(*allowed)
        for key in self._mapping():
            if key not in known:
                self._at(None, f".{key}").problem(f"unknown key; known here: {', '.join(sorted(known))}")

    def _mapping(self) -> Mapping[Any, Any]:
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
        return self._at(self.value[key], f".{key}")

    def items(self, key: str) -> Iterator[Node]:
        """The elements of the list under a key; absent is empty, anything but a list is a problem."""
        found = self._mapping().get(key, [])
        if not isinstance(found, list):
            self._at(found, f".{key}").problem("must be a list")
            return
        for at, value in enumerate(found):
            element = self._at(value, f".{key}[{at}]")
            if isinstance(value, dict):
                yield element
            else:
                element.problem("must be a mapping")

    def text(self, key: str, pattern: re.Pattern[str] | None = None) -> str:
        """The text under a key, "" with a problem when it is not one or does not match."""
        node = self.child(key)
        if node is None:
            return ""
        if not isinstance(node.value, str) or not node.value:
            node.problem("must be text; quote it if YAML reads it as something else")
            return ""
        if pattern is not None and not pattern.fullmatch(node.value):
            node.problem(f"{node.value!r} is not of the form {pattern.pattern}")
            return ""
        return node.value

    def whole(self, key: str, low: int, high: int) -> int:
        """The integer under a key, `low` with a problem when it is not one or is out of range."""
        node = self.child(key)
        if node is None:
            return low
        if not isinstance(node.value, int) or isinstance(node.value, bool):
            node.problem("must be an integer")
            return low
        if not low <= node.value <= high:
            node.problem(f"{node.value} is not between {low} and {high}")
            return low
        return node.value

    def choice(self, key: str, choices: Sequence[str]) -> str:
        """The text under a key, "" with a problem unless it is one of `choices`."""
        found = self.text(key)
        if found and found not in choices:
            self._at(found, f".{key}").problem(f"{found!r} is unknown; known: {', '.join(choices)}")
            return ""
        return found

    def flag(self, key: str) -> bool:
        """The boolean under a key; absent is false, as the standard says."""
        found = self._mapping().get(key, False)
        if not isinstance(found, bool):
            self._at(found, f".{key}").problem("must be true or false")
            return False
        return found

    def texts(self, key: str) -> tuple[str, ...]:
        """The list of texts under a key."""
        node = self.child(key)
        if node is None:
            return ()
        if not isinstance(node.value, list) or not all(isinstance(each, str) for each in node.value):
            node.problem("must be a list of texts")
            return ()
        return tuple(node.value)

    def custom(self, *allowed: str) -> Node:
        """The custom properties as one mapping from name to value; other names are a problem."""
        found: dict[str, object] = {}
        for element in self.items("customProperties"):
            element.only(frozenset({"property", "value", "vendor"}))
            name = element.text("property")
            if name and name not in allowed:
                element.problem(f"unknown property {name!r}; known here: {', '.join(allowed) or 'none'}")
            elif name in found:
                element.problem(f"property {name!r} is given twice")
            elif name and (value := element.child("value")) is not None:
                found[name] = value.value
        return self._at(found, ".customProperties")
