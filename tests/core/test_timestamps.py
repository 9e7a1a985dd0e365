"""The quick way of reading an instant gives what the long way gives."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dataflow.timestamps import to_utc_text

written = st.datetimes().map(lambda instant: instant.isoformat()) | st.datetimes().map(
    lambda instant: instant.isoformat(timespec="milliseconds")
)
almost = st.builds(
    lambda text, at, other: text[:at] + other + text[at + 1 :],
    written,
    st.integers(0, 26),
    st.text("0123456789-+:.,TtZz W\n٣é", max_size=3),
)


@given(written | almost | st.text(max_size=33))
@example("2023-10-31T03:58:22.1+0100")
@example("2023-10-31T03:58:22.1+01:00")
@example("2023-10-31T03:58:22,123456")
@example("2023-10-31T03:58:22.12+")
@example("2023-10-31T24:00:00")
@example("2023-W44-2T03:58:22")
def test_a_zone_that_means_utc_is_read_alike_however_it_is_written(text: str) -> None:
    # A small z and a negative zero always go the long way.
    assert to_utc_text(f"{text}Z") == to_utc_text(f"{text}z")
    assert to_utc_text(f"{text}+00:00") == to_utc_text(f"{text}-00:00")


@pytest.mark.parametrize("zone", ["Z", "z", "+00:00", "-00:00", ""])
@pytest.mark.parametrize(
    ("time", "stored"),
    [
        ("03:58:22", "03:58:22"),
        ("03:58:22.000", "03:58:22"),
        ("03:58:22.120", "03:58:22.120000"),
        ("03:58:22.000000", "03:58:22"),
        ("03:58:22.000120", "03:58:22.000120"),
        ("03:58:22.1234567", "03:58:22.123456"),
    ],
)
def test_one_instant_has_one_text(time: str, stored: str, zone: str) -> None:
    assert to_utc_text(f"2023-10-31T{time}{zone}") == f"2023-10-31 {stored}"
