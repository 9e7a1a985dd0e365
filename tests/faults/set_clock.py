"""A wall clock that can be set under a running process, without touching the machine's.

A time namespace shifts the monotonic clock only, and to set the machine's clock would set everybody's. What
is preloaded here shifts every answer of the wall clock for one process, Python's, Bytewax's and librdkafka's
alike, and leaves sleeps and durations alone, as a clock that is set does.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Mapping
from pathlib import Path

_SOURCE = Path(__file__).with_suffix(".c")
_SECONDS = struct.Struct("=q")


class NoCompiler(Exception):
    """There is no C compiler on this machine."""


class SetClock:
    """The clock of the processes that get its environment."""

    def __init__(self, directory: Path) -> None:
        """Compiles what is to be preloaded into `directory`. Raises NoCompiler."""
        compiler = shutil.which("cc")
        if compiler is None:
            raise NoCompiler("no C compiler (cc) on this machine")
        self._library = directory / "set_clock.so"
        self._offset = directory / "offset"
        self.set_by(0)
        subprocess.run(
            [compiler, "-O1", "-shared", "-fPIC", "-o", str(self._library), str(_SOURCE), "-ldl"], check=True
        )

    @property
    def environment(self) -> Mapping[str, str]:
        """For a process whose clock it is to be."""
        return {"LD_PRELOAD": str(self._library), "SET_CLOCK_FILE": str(self._offset)}

    def set_by(self, seconds: int) -> None:
        """From now on the wall clock is so many seconds away from the machine's."""
        with self._offset.open("r+b" if self._offset.exists() else "w+b") as file:
            file.write(_SECONDS.pack(seconds))
