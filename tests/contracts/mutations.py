"""Contract files with something wrong in them, at random.

    python -m tests.contracts.mutations [--seconds 60] [--seed 1]

loads as many as the time allows and prints how many, how many were refused, and the slowest.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import time
from collections.abc import Sequence

from dataflow.contract import ContractError, parse
from tests.pipeline import ROOT

FILES = (
    ROOT / "dataflow" / "contracts" / "messages.odcs.yaml",
    *sorted((ROOT / "tests" / "contracts").glob("*.odcs.yaml")),
)
PIECES = (
    *(
        "*a",
        "&a ",
        "!!str ",
        "<<: ",
        "null",
        "true",
        "off",
        "0x1f",
        "1e999",
        ".inf",
        "9" * 50,
        "[",
        "]",
        "{",
        "}",
    ),
    *(": ", "- ", "\n", "\n---\n", "  ", "\t", "#", "'", '"', "|", ">", "\x00", "\ud800", "\U0001f600", "%"),
    *("2024-01-30", "varchar(65536)", "decimal(38,38)", "varchar(1)", "timestamptz", "user", "metafield_x"),
)


def mutate(text: str, chance: random.Random) -> str:
    """The text with one to six places cut out, doubled, moved, or written over."""
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(text) + 1)
        length = chance.choice((0, 1, 3, 20, 200))
        piece = text[at : at + length]
        match chance.randrange(4):
            case 0:
                text = text[:at] + text[at + length :]
            case 1:
                text = text[:at] + piece + text[at:]
            case 2:
                text = text[:at] + chance.choice(PIECES) + text[at + chance.choice((0, length)) :]
            case _:
                to = chance.randrange(len(text) + 1)
                text = text[:to] + piece + text[to:]
    return text


def main(arguments: Sequence[str]) -> int:
    """Load mutated files until the time is over."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    chance = random.Random(options.seed)
    texts = [path.read_text(encoding="utf-8") for path in FILES]
    ends = time.monotonic() + options.seconds
    loads = refused = 0
    slowest = 0.0
    while time.monotonic() < ends:
        text = mutate(chance.choice(texts), chance)
        began = time.process_time()
        try:
            parse(text, "mutated.yaml")
        except ContractError:
            refused += 1
        slowest = max(slowest, time.process_time() - began)
        loads += 1
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(
        f"{loads} files, {refused} refused, none escaped; slowest {slowest * 1e3:.0f} ms CPU; peak {peak} MiB"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
