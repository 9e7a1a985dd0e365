"""`python -m tests.fuzz`: each target for a while under Atheris; 1 when one of them was broken.

Atheris, libFuzzer for Python, is no part of the development set: it is fetched once, pinned by hash, and
exists for Linux on x86-64. What breaks a target is kept, and told how to be run again.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.contracts.mutations import FILES
from tests.pipeline import ROOT
from tests.protobuf.writing import by_guid, by_id, sent

PINS = Path(__file__).with_name("atheris.txt")
SLOWEST = 5
"""Seconds that one input may take: beyond is a hang."""
MEMORY = 1024
"""MiB that a target's process may hold, the instrumented program among it."""
LONGEST = {"contract": 40_000, "messages": 600, "texts": 2_056}
"""Bytes of an input."""
SEEDS = {
    "contract": [path.read_bytes() for path in FILES],
    "messages": [
        bytes([choice]) + value
        for choice in range(9)
        for value in (sent(), by_id(sent()), by_guid(sent()), b'{"user_id": 1, "status": "opened"}', b"\0\0")
    ],
    "texts": [
        text.encode()
        for text in ("call me on +1 202 555 0147", "my insta is @some.name", "five five five 0 1 double two")
    ],
}


def main() -> int:
    """0: nothing was found. 1: something was. 2: the arguments are wrong."""
    options = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    options.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(SEEDS)}; default: all")
    options.add_argument("--seconds", type=int, default=60, help="for each target (default: 60)")
    options.add_argument("--keep", type=Path, default=ROOT / ".cache" / "fuzz", help="where finds are kept")
    given = options.parse_args()
    unknown = [name for name in given.targets if name not in SEEDS]
    if unknown:
        options.error(f"no such target: {', '.join(unknown)}; there are {', '.join(SEEDS)}")
    home = atheris_home(given.keep.parent)
    broken = 0
    for name in given.targets or SEEDS:
        said, code = fuzz(name, given.seconds, given.keep / name, home)
        if code:
            broken += 1
            print(f"{name}: BROKEN after {_last(_TRIED, said)} inputs; it ended by saying:\n{said[-3000:]}")
            print(f"what broke it is in {given.keep / name}; again: make fuzz ARGS={name}")
        else:
            runs, peak = int(_last(_DONE, said)), _last(_HELD, said)
            print(f"{name}: {runs:,} inputs in {given.seconds} s, {peak} MiB, nothing found", flush=True)
    return int(broken > 0)


def atheris_home(cache: Path) -> Path:
    """Where the pinned Atheris lies, fetched when no earlier run has. Raises CalledProcessError."""
    home = cache / f"atheris-{sys.version_info.major}.{sys.version_info.minor}"
    if not (home / "atheris").exists():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        wheels = ["--require-hashes", "--only-binary", ":all:", "--target", str(home), "-r", str(PINS)]
        subprocess.run([*pip, *wheels], check=True)
    return home


def fuzz(name: str, seconds: int, keep: Path, home: Path) -> tuple[str, int]:
    """What libFuzzer said of a target, and its exit code. Earlier finds are tried first."""
    keep.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as corpus:
        for number, seed in enumerate(SEEDS[name]):
            Path(corpus, f"seed-{number}").write_bytes(seed)
        options = [
            f"-max_total_time={seconds}",
            f"-timeout={SLOWEST}",
            f"-rss_limit_mb={MEMORY}",
            f"-max_len={LONGEST[name]}",
            f"-artifact_prefix={keep}/",
        ]
        ran = subprocess.run(
            [sys.executable, "-m", "tests.fuzz.guided", name, *options, corpus, str(keep)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(home)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
    return ran.stdout, ran.returncode


_DONE, _TRIED, _HELD = r"Done (\d+) runs", r"#(\d+)", r"rss: (\d+)Mb"


def _last(pattern: str, said: str) -> str:
    found = re.findall(pattern, said)
    return found[-1] if found else "0"


if __name__ == "__main__":
    raise SystemExit(main())
