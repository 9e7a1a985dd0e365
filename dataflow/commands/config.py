"""`config`: the settings in force."""

from __future__ import annotations

from typing import TextIO

from dataflow.settings import Settings


def show(settings: Settings, out: TextIO) -> int:
    """One line a setting: name, value (secrets hidden), where it came from."""
    wide = max(len(each.name) for each in settings.effective)
    for each in settings.effective:
        value = each.shown or "-"
        print(f"{each.name:<{wide}}  {value:<40}  {each.origin.value}", file=out)
    return 0
