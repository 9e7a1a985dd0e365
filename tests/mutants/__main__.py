"""`python -m tests.mutants [WORD]`: break each rule of the protocol in turn, and see that a test notices.

A mutant is killed when its test finds something other than it says. A test that waited in vain has found
nothing, unless the mutant is declared to hang; nor has a fixture that failed, or a mutant that is no program.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.mutants.mutants import Fate, holds, judge, mutants, passes_unharmed


def main() -> int:
    """0 when every mutant was killed. 1: one was not. 2: the tests do not pass without any."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("word", nargs="?", default="", help="only those whose name holds this word")
    options = parser.parse_args()
    chosen = [mutant for mutant in mutants() if options.word in mutant.name]
    print(f"{len(chosen)} mutants; first their tests without them …", flush=True)
    with tempfile.TemporaryDirectory(prefix="mutants-") as directory:
        if not passes_unharmed(sorted({each.test for each in chosen}), Path(directory) / "report.xml"):
            told = "A test fails, waits or can't run on the project as it is: nothing can be judged."
            print(told, file=sys.stderr)
            return 2
    fates: Counter[Fate] = Counter()
    held = 0
    for mutant in chosen:
        with tempfile.TemporaryDirectory(prefix="mutant-", ignore_cleanup_errors=True) as directory:
            fate = judge(mutant, Path(directory))
        fates[fate] += 1
        held += holds(mutant, fate)
        declared = ", as declared" if mutant.hangs and holds(mutant, fate) else ""
        print(f"{fate.value + declared:<10} {mutant.name}", flush=True)
    told = ", ".join(f"{count} {fate.value}" for fate, count in fates.items())
    print(f"{len(chosen)} mutants: {told}")
    return int(held != len(chosen))


if __name__ == "__main__":
    sys.exit(main())
