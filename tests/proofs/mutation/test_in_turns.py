"""Mutants judged again at each fifth commit: each at one of fifty, as by the command."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest

from holdover.proofs.kept import OF_EACH, names_in_turn
from holdover.proofs.mutation import __main__ as spec
from holdover.proofs.mutation import record
from holdover.proofs.mutation.fates import Fate
from holdover.proofs.mutation.mutants import mutants
from tests.checkout import ROOT
from tests.proofs.mutation import in_turns
from tests.proofs.mutation.in_turns import AT_ONCE, FIRST, names_of_turns

NAMES = [str(number) for number in range(824)]


@pytest.mark.parametrize("first", [0, 1, 49, 1234])
def test_within_fifty_commits_each_is_judged_again_once(first: int) -> None:
    made = [names_of_turns(NAMES, turn) for turn in range(first, first + OF_EACH)]
    assert Counter(name for some in made for name in some) == Counter(NAMES)
    assert len([some for some in made if some]) == OF_EACH // AT_ONCE


def test_of_whose_turn_it_is_the_command_says_the_same() -> None:
    made = set(names_of_turns(NAMES, FIRST + AT_ONCE))
    by_command = [names_in_turn(NAMES, turn) for turn in range(FIRST + 1, FIRST + AT_ONCE + 1)]
    assert made == {name for some in by_command for name in some}
    assert names_of_turns(NAMES, None) == NAMES
    assert names_of_turns(NAMES, 1), "where a clone is shallow"


def test_the_check_judges_them_by_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """And fails where the judge says another thing than what is recorded."""
    asked: list[list[str]] = []
    names = [changed.name for changed in mutants()]
    recorded = {fate.name: fate for fate in record.read().fates}

    def judged(todo: list[str], *_: object) -> list[Fate]:
        asked.append(todo)
        return [recorded[names[0]] for _ in todo]

    monkeypatch.setattr(record, "sources", lambda: record.read().sources)
    monkeypatch.setattr(spec, "run", judged)
    monkeypatch.setattr(record, "names_in_turn", names_in_turn)  # as it is in the end, too
    for turn, status in ((FIRST + AT_ONCE, 1), (FIRST + AT_ONCE + 1, 0)):
        with pytest.raises(SystemExit) as ended:
            in_turns.main(str(turn))
        assert ended.value.code == status
    assert asked == [names_of_turns(names, FIRST + AT_ONCE), []]


def test_it_is_what_is_checked() -> None:
    check = (ROOT / ".ci" / "check").read_text("utf-8")
    module = ".".join(Path(in_turns.__file__).relative_to(ROOT).with_suffix("").parts)
    assert f'\nmutants() {{ python -m {module} "$commits"; }}' in check
    assert sys.modules[module] is in_turns
