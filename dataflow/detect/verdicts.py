"""What the grammars answer besides a contact: why something that looks like one is none."""

from __future__ import annotations

from typing import NamedTuple


class Veto(NamedTuple):
    """`[start, end)` of a normalised or respelt text is no contact. `reason` never quotes the text."""

    reason: str
    start: int
    end: int
