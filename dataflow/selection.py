"""What a selection may name: a typo must not pass for a selection that is empty."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches

from dataflow import decode, decoder, validate
from dataflow.protobuf import decode as protobuf_decode

CODES = decode.CODES | validate.CODES | decoder.CODES | protobuf_decode.CODES
"""Every code that a dead letter can have, whatever the contract."""


class NotKnown(ValueError):
    """It names what is not there; the text names it, and what is nearest."""


def check_codes(wanted: Collection[str]) -> None:
    """Raises NotKnown for a code that no dead letter has."""
    for code in sorted(set(wanted) - CODES):
        near = get_close_matches(code.lower(), sorted(CODES), 1, 0.5)
        hint = f"did you mean {near[0]}?" if near else "`dead-letters stats` lists those that occur"
        raise NotKnown(f"--code {code}: no dead letter has such a code; {hint}")


def check_partitions(option: str, topic: str, wanted: Collection[int], known: Collection[int]) -> None:
    """Raises NotKnown for a partition that the topic does not have."""
    for partition in sorted(set(wanted) - set(known)):
        near = min(known, key=lambda each: abs(each - partition))
        raise NotKnown(
            f"{option}: {topic} has no partition {partition}, only {min(known)} to {max(known)}; "
            f"did you mean {near}?"
        )
