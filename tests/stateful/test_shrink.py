"""A failing run is made short, and what is printed of it fails in the same way."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

import pytest

from holdover.reference.core import client
from holdover.reference.refinement.cores import DefectError
from holdover.reference.refinement.defects import all_defects, mutant
from tests.checkout import ROOT
from tests.stateful.compiled import Compiled
from tests.stateful.machine import QUIET, compiled, expected, play
from tests.stateful.network import Choice
from tests.stateful.shrink import again, played, program, shortest

NO_PROBE = mutant(next(each for each in all_defects() if each.name == "no-probe"))


def failing() -> tuple[Compiled, Sequence[Choice], DefectError]:
    """A run of a client that does not probe, as it was come upon."""
    table = compiled()[0]
    for number in range(20):
        try:
            play(table, number, sorted(expected()), NO_PROBE, QUIET)
        except DefectError as defect:
            choices: Sequence[Choice] = defect.choices  # type: ignore[attr-defined]
            return table, choices, defect
    raise AssertionError("twenty rounds, and not once was an address used without a probe")


def test_a_failing_run_gets_short_and_stays_the_same_defect() -> None:
    table, choices, defect = failing()
    made, found = shortest(table, NO_PROBE, choices, defect.kind)
    assert found is not None
    assert (found.kind, len(made) <= 12) == ("unprobed", True), made
    assert played(table, NO_PROBE, made)[0] == made, "nothing in it is left out"
    for dropped in range(len(made)):
        _, other = played(table, NO_PROBE, made[:dropped] + made[dropped + 1 :])
        assert other is None or other.kind != "unprobed", "each choice is needed"
    with pytest.raises(DefectError, match="unprobed"):
        again(table.scene.name, made, NO_PROBE)


def test_what_is_printed_is_a_program() -> None:
    """With the real client, it runs to its end."""
    table, choices, defect = failing()
    made, _ = shortest(table, NO_PROBE, choices, defect.kind)
    possible, none = played(table, client, made)
    assert none is None
    text = program(table.scene.name, possible)
    ran = subprocess.run(
        [sys.executable, "-c", text], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert len(ran.stdout.splitlines()) == len(possible)


def test_a_run_without_a_defect_is_left_as_it_is() -> None:
    table, choices, _ = failing()
    assert shortest(table, client, choices, "unprobed") == (list(choices), None)
