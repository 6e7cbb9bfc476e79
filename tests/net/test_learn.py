"""The circle closed: clients are measured, their profiles learned, and judged; as root.

All cells play at once: the reference client's, and udhcpc's as if nobody knew its hook.
"""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from holdover.model.clients.profile import load
from holdover.reference.lab.experiments.experiment import Cell, Run, play
from holdover.reference.lab.learn.profile import Learned, answer, learn_profile, questions, toml
from holdover.reference.lab.testbed.clients import CLIENTS
from holdover.reference.lab.testbed.netns import COMMANDS
from holdover.reference.lab.testbed.process import PATIENCE
from holdover.reference.lab.warm.warm_python import WarmPython

WANTED = {"reference": CLIENTS["reference"], "udhcpc": replace(CLIENTS["udhcpc"], hook=None)}


Playing = dict[str, Future[Learned]]

TIMES = 3
"""How often clients are measured that could not be on a busy machine: unknown is no pass."""


def measured(cells: Sequence[Cell], place: Path, run: Run) -> Learned:
    """What is learned of a client, all cells at once."""
    for number in range(TIMES):
        with ThreadPoolExecutor(len(cells)) as pool:
            played = [
                pool.submit(play, cell, place / f"{number}-{each}", run)
                for each, cell in enumerate(cells)
            ]
            told = learn_profile([answer(each.result()) for each in played])
        if not told.unknown:
            break
    return told


@pytest.fixture(scope="module")
def playing(privileged: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Playing]:
    cells = {name: questions(client) for name, client in WANTED.items()}
    for each in (cell for those in cells.values() for cell in those):
        if each.impossible is not None:
            pytest.skip(each.impossible)
    with WarmPython() as warm, ThreadPoolExecutor(len(cells)) as pool:
        run = Run(warm)
        try:
            yield {
                name: pool.submit(measured, those, tmp_path_factory.mktemp(name), run)
                for name, those in cells.items()
            }
        finally:
            run.end()


@pytest.fixture
def told(playing: Playing, request: pytest.FixtureRequest) -> Learned:
    return playing[request.param].result(TIMES * PATIENCE)


def reasons(told: Learned) -> str:
    return "\n".join(f"{each.key} = {each.value}: {each.how}: {each.why}" for each in told.found)


@pytest.mark.parametrize("told", ["reference"], indirect=True)
def test_the_reference_client_is_learned_as_its_profile_says_and_holds(
    told: Learned, tmp_path: Path
) -> None:
    assert told.unknown == (), reasons(told)
    built_in = load("reference").facts()
    file = tmp_path / "learned.toml"
    file.write_text(toml(told), encoding="utf-8")
    facts = load(str(file)).facts()
    for key in (
        "anchor",
        "trigger",
        "dialog",
        "enforcer",
        "kernel_late",
        "checks_xid",
        "heeds_nak",
        "probes",
    ):
        assert facts[key] == built_in[key], reasons(told)
    longest = load("reference").probe_time
    assert told.profile.probe_time >= longest, "a busy machine makes probing longer"
    assert told.profile.margin >= 2.5, "so that a kernel that is late is not too late"
    assert facts["clock"] == "MONOTONIC", "no cell can suspend: the worse of two"
    words = (sys.executable, "-c", COMMANDS, "verify", str(file))
    judged = subprocess.run(words, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert (judged.returncode, "reference: holds" in judged.stdout) == (0, True), judged


@pytest.mark.parametrize("told", ["udhcpc"], indirect=True)
def test_udhcpc_is_learned_with_its_floor_and_without_an_enforcer(told: Learned) -> None:
    assert told.unknown == (), reasons(told)
    facts = told.profile.facts()
    assert (facts["anchor"], facts["enforcer"]) == ("ACK", "PROCESS"), reasons(told)
    assert (facts["kernel_late"], facts["margin"], facts["probes"]) == (0, 0, False)
    # It counts whole seconds, so that a busy machine costs or gives it one.
    assert Fraction(26) <= told.profile.floor <= Fraction(29), reasons(told)
    assert (facts["heeds_nak"], facts["clock"]) == ("ALWAYS", "MONOTONIC"), reasons(told)
    assert told["trigger"].how == "not measured"
    assert (facts["trigger"], facts["dialog"]) == ("ACKNOWLEDGE", True)
