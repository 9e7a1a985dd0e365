"""The quick way of reading an instant gives what the long way gives."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dataflow.timestamps import to_utc_text, usual_text

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
@example("2023-10-28T03:58:22.0001Z\x00")
@example("2023-10-28T03:58:22.1Z\x00")
@example("2023-W44-2T03:58:22")
def test_a_zone_that_means_utc_is_read_alike_however_it_is_written(text: str) -> None:
    # A small z and a negative zero always go the long way.
    assert to_utc_text(f"{text}Z") == to_utc_text(f"{text}z")
    assert to_utc_text(f"{text}+00:00") == to_utc_text(f"{text}-00:00")


@given(written | almost | st.text(max_size=33), st.sampled_from(["Z", "+00:00"]))
@example("2023-10-28T23:59:59", "Z")
@example("0000-10-28T23:59:59", "Z")
@example("2023-10-28T23:59:60", "Z")
@example("2023-10-28T23:59:59.", "Z")
@example("2023-10-28T23:59:59.000010", "+00:00")
def test_what_is_read_by_the_character_is_what_the_pattern_reads(text: str, zone: str) -> None:
    assert usual_text(f"{text}{zone}") in (None, to_utc_text(f"{text}z"))


def test_the_usual_forms_are_read_by_the_character() -> None:
    for text in ("2023-10-28T03:58:22Z", "2023-10-28T03:58:22+00:00", "2023-10-28T03:58:22.000120Z"):
        assert usual_text(text) == to_utc_text(text)


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
