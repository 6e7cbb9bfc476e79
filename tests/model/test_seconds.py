"""Seconds as people read them: what is exact loses no thousandth, what was measured is rounded."""

from fractions import Fraction
from math import inf

import pytest

from holdover.model.seconds import show_number, show_offset, show_seconds


@pytest.mark.parametrize(
    ("exact", "words"),
    [("0", "0"), ("20", "20"), ("0.07", "0.07"), ("19.6", "19.6"), ("3601.1", "3601.1"),
     ("3600.5", "3600.5"), ("1/3", "0.333"), ("86417.282", "86417.282"), ("-0.8", "−0.8")],
)  # fmt: skip
def test_what_is_exact_has_the_digits_that_it_needs(exact: str, words: str) -> None:
    assert show_number(Fraction(exact)) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(3.0, "3.00"), (0.0165, "0.017"), (0.1, "0.10"), (0.0, "0"), (-0.0072, "−0.007"),
     (86400.0, "86400.00"), (inf, "forever")],
)  # fmt: skip
def test_what_was_measured_has_hundredths_and_small_ones_thousandths(
    seconds: float, words: str
) -> None:
    assert show_number(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(7.321, "+7.32"), (-0.0072, "−0.007"), (0.0, "0"), (0.004, "+0.004"), (inf, "forever"),
     (Fraction("-0.8"), "−0.8"), (Fraction(0), "0"), (20, "+20")],
)  # fmt: skip
def test_an_offset_has_a_sign(seconds: Fraction | float, words: str) -> None:
    assert show_offset(seconds) == words


def test_seconds_have_their_unit_where_there_is_an_end() -> None:
    assert [show_seconds(each) for each in (3.0, Fraction(3), inf)] == ["3.00 s", "3 s", "forever"]
    assert show_seconds(3.0, sign=True) == "+3.00 s"
    assert show_seconds(inf, sign=True) == "forever"
