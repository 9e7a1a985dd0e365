"""The judge of the soak sees each way in which a bound can break."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.faults.soak import MOST_BACKLOG, SPOOLS, Bounded, Soak

STEADY = Soak(
    messages=1_000_000,
    seconds=600.0,
    outages=10,
    paused_seconds=100.0,
    peak_backlog_mib=MOST_BACKLOG,
    memory_mib=(90.0, 140.0, 150.0, 152.0, 149.0, 151.0, 150.0, 153.0, 150.0, 151.0),
    threads=Bounded(20, 20, 22),
    descriptors=Bounded(40, 42, 40 + SPOOLS),
    rows_missing=0,
    rows_unexpected=0,
    contacts_missing=0,
    contacts_unexpected=0,
)


def test_what_is_steady_is_kept() -> None:
    assert not STEADY.broken()


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (replace(STEADY, rows_missing=1), "rows missing: 1"),
        (replace(STEADY, rows_unexpected=1), "rows unexpected: 1"),
        (replace(STEADY, contacts_missing=1), "contacts missing: 1"),
        (replace(STEADY, contacts_unexpected=1), "contacts unexpected: 1"),
        (replace(STEADY, memory_mib=(*STEADY.memory_mib[:-1], 190.0)), "memory is not flat"),
        (replace(STEADY, memory_mib=STEADY.memory_mib[:3]), "too few samples"),
        (replace(STEADY, peak_backlog_mib=MOST_BACKLOG + 1), "MiB waited"),
        (replace(STEADY, threads=Bounded(20, 60, 60)), "threads grow"),
        (replace(STEADY, descriptors=Bounded(40, 42, 400)), "without bound"),
        (replace(STEADY, descriptors=Bounded(40, 70, 70)), "not given back"),
    ],
)
def test_each_bound_that_breaks_is_told(found: Soak, told: str) -> None:
    (broken,) = found.broken()
    assert told in broken
