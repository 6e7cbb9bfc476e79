"""Situations are clients that do not contradict themselves, and each public report stands once."""

import pytest

from holdover.model.clients.profile import FAULTS
from holdover.model.clients.rules import contradiction
from holdover.model.clients.situations import (
    Situation,
    find_situation,
    list_unexpressed,
    situations,
)
from holdover.model.errors import InputError

EXPRESSED = [report for each in situations() for report in each.reports]
LEFT = [report for each in list_unexpressed() for report in each.reports]


def test_of_forty_kinds_of_report_thirty_six_are_expressed_and_the_others_have_a_reason() -> None:
    assert len(EXPRESSED) == 36
    assert len(LEFT) == 4
    assert len({*EXPRESSED, *LEFT}) == 40
    assert all(each.why for each in list_unexpressed())


@pytest.mark.parametrize("each", situations(), ids=lambda s: s.name)
def test_a_situation_is_a_client_in_surroundings(each: Situation) -> None:
    assert contradiction(each.profile.facts()) is None
    assert each.profile.unstated == ()
    assert set(each.faults) <= set(FAULTS)
    assert set(each.faults) <= each.environment.faults
    assert each.says
    assert each.on_client or each.on_server


def test_names_are_distinct_and_a_wrong_one_is_told_the_nearest() -> None:
    assert len({each.name for each in situations()}) == len(situations())
    assert find_situation("clones").faults == ("clones",)
    with pytest.raises(InputError, match=r"no situation 'clone'.*clones"):
        find_situation("clone")
