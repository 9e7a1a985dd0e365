"""The program's commands as the pages for operators write them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from tests.pipeline import ROOT

PAGES = (
    "RUNBOOK.md",
    "docs/operating.md",
    "docs/kubernetes.md",
    "docs/security.md",
    "docs/contract-change.md",
)
PLACEHOLDERS = {"ID": "0" * 32}
"""What stands in a page for something that its reader knows, and a value of its form."""
_FENCED = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_CALL = r"(?:python -m dataflow|-- contract-dataflow) +"
_LOOKS = {"check", "config", "ledger", "verify", "tail"}
_LOOKS_AT_LETTERS = {"stats", "ls", "show"}


@dataclass(frozen=True, slots=True)
class Command:
    """One command, and where it is written."""

    page: str
    text: str

    @property
    def words(self) -> list[str]:
        """Its arguments, without comments."""
        return shlex.split(self.text, comments=True)

    def arguments(self, **known: str) -> list[str]:
        """Its arguments, placeholders filled in: those `known`, else with anything of the right form."""
        values = {**PLACEHOLDERS, **known}
        return [values.get(word, word) for word in self.words]

    @property
    def only_looks(self) -> bool:
        """Whether it changes nothing anywhere."""
        first, *more = self.words
        letters = first == "dead-letters" and more[0] in _LOOKS_AT_LETTERS
        return first in _LOOKS or letters or "--dry-run" in more


def commands(*pages: str) -> list[Command]:
    """Every command of the pages, each once, in their order."""
    return list(dict.fromkeys(Command(page, text) for page in pages for text in _written(page)))


def _written(page: str) -> Iterator[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    for block in _FENCED.findall(text):
        for line in block.splitlines():
            if found := re.search(rf"{_CALL}(.+)", line):
                yield found[1].strip()
    for inline in re.findall(rf"`{_CALL}([^`]+)`", _FENCED.sub("", text).replace("\n", " ")):
        yield inline.strip()
