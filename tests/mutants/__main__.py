"""`python -m tests.mutants [WORD]`: break each rule of the protocol in turn, and see that a test notices."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.mutants.mutants import Fate, judge, mutants, passes_unharmed


def main() -> int:
    """0 when every mutant was killed."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("word", nargs="?", default="", help="only those whose name holds this word")
    options = parser.parse_args()
    chosen = [mutant for mutant in mutants() if options.word in mutant.name]
    print(f"{len(chosen)} mutants; first their tests without them …", flush=True)
    if not passes_unharmed(sorted({mutant.test for mutant in chosen})):
        print("A test fails on the project as it is: nothing can be judged.", file=sys.stderr)
        return 2
    fates: Counter[Fate] = Counter()
    for mutant in chosen:
        with tempfile.TemporaryDirectory(prefix="mutant-", ignore_cleanup_errors=True) as directory:
            fate = judge(mutant, Path(directory))
        fates[fate] += 1
        print(f"{fate.value:<9} {mutant.name}", flush=True)
    print(f"{fates[Fate.KILLED]} of {len(chosen)} killed")
    return int(fates[Fate.KILLED] != len(chosen))


if __name__ == "__main__":
    sys.exit(main())
