"""What is not asked of libphonenumber is what it would not take for a number."""

from __future__ import annotations

import hypothesis.strategies as st
import rphonenumbers
from hypothesis import example, given, settings

from dataflow.detect.numbering import NANP, Reader

FIGURES = st.text("0123456789", min_size=1, max_size=18)


def possible(number: str, region: str) -> bool:
    """Whether libphonenumber takes it for a number, by its length at least."""
    try:
        return bool(rphonenumbers.is_possible_number(rphonenumbers.parse(number, region)))
    except rphonenumbers.NumberParseException:
        return False


@given(FIGURES, st.sampled_from(sorted(NANP)))
@example("4155550123", "US")
@example("14155550123", "US")
@example("5550123", "US")
@example("415555012", "US")
@settings(max_examples=2000, deadline=None)
def test_figures_are_a_number_of_north_america_where_libphonenumber_says_so(number: str, region: str) -> None:
    assert (Reader(region).read(number, region) is not None) == possible(number, region)


@given(FIGURES, st.sampled_from(sorted(rphonenumbers.SUPPORTED_REGIONS)))
@settings(max_examples=2000, deadline=None)
def test_what_is_valid_is_possible(number: str, region: str) -> None:
    if not possible(number, region):
        try:
            parsed = rphonenumbers.parse(number, region)
        except rphonenumbers.NumberParseException:
            return
        assert rphonenumbers.number_type(parsed) == rphonenumbers.PhoneNumberType.UNKNOWN
