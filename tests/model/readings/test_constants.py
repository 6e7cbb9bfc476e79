"""Terms over constants as exact numbers."""

from fractions import Fraction

import pytest

from holdover.model.readings.constants import evaluate, holds, seconds
from holdover.model.table.expr import BOOL, DURATION, RATIO, constant, forall, ite, lift, none
from holdover.model.table.vocabulary import ANCHOR, h, now, phase

x, y = (constant(name, DURATION) for name in "xy")
rate = constant("rate", RATIO)
choice = constant("choice", ANCHOR)
flag = constant("flag", BOOL)
HERE = {"x": Fraction(3), "y": 2, "rate": Fraction(1, 4), "choice": "ACK", "flag": False}


def test_arithmetic_is_exact() -> None:
    assert evaluate((x + y) / (lift(1, RATIO) - rate), HERE) == Fraction(20, 3)
    assert evaluate((x - y) * rate, HERE) == Fraction(1, 4)


def test_comparison_and_logic() -> None:
    assert evaluate(y < x, HERE) is True
    assert evaluate(x <= y, HERE) is False
    assert evaluate((choice == "ACK") & ~flag, HERE) is True
    assert evaluate((choice == "PROBE") | flag, HERE) is False
    assert holds(choice != "PROBE", HERE) is True


def test_only_the_chosen_branch_is_read() -> None:
    unknown = constant("not there", DURATION)
    assert seconds(ite(flag, unknown, x), HERE) == 3
    assert seconds(ite(~flag, x, unknown), HERE) == 3


def test_sorts_are_told_apart() -> None:
    with pytest.raises(TypeError):
        seconds(flag, HERE)
    with pytest.raises(TypeError):
        holds(x, HERE)


@pytest.mark.parametrize("term", [phase[h], now, none(DURATION), forall(h, phase[h] == "INIT")])
def test_what_has_no_number_raises(term: object) -> None:
    with pytest.raises((TypeError, KeyError)):
        evaluate(term, HERE)  # type: ignore[arg-type]


def test_constant_of_another_kind_raises() -> None:
    with pytest.raises(TypeError):
        evaluate(x, {"x": None})
