"""What a shell completes: profiles, faults, and the clients and servers of the lab."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from click.shell_completion import BashComplete, ShellComplete

from holdover.model.clients.profile import FAULTS, builtin_names
from holdover.model.clients.situations import situations
from holdover.reference.cli import main
from holdover.reference.lab.experiments.faults import FAULTS as LAB_FAULTS
from holdover.reference.lab.testbed.clients import CLIENTS
from holdover.reference.lab.testbed.servers import SERVERS

NAMES = set(builtin_names())


def completed(shell: type[ShellComplete], words: str, incomplete: str) -> list[tuple[str, str]]:
    found = shell(main, {}, "holdover", "_HOLDOVER_COMPLETE")
    return [(i.type, i.value) for i in found.get_completions(words.split(), incomplete)]


def names(words: str, incomplete: str = "") -> set[str]:
    return {value for _, value in completed(BashComplete, words, incomplete)}


PROFILES = (
    "verify",
    "verify rfc2131",
    "explore",
    "explore rfc2131 --beside",
    "export tla",
    "prove",
    "explain",
    "grace --profile",
    "profiles",
    "lab replay",
)


@pytest.mark.parametrize("words", PROFILES)
def test_a_profile_is_completed_wherever_one_is_taken(words: str) -> None:
    assert names(words) == NAMES
    assert names(words, "wfwg") == {"wfwg311", "wfwg311-fixed", "wfwg311-thereafter"}
    assert completed(BashComplete, words, "./my") == [("file", "./my")]


@pytest.mark.parametrize("words", ["verify rfc2131", "grace", "explain rfc2131"])
def test_a_fault_of_the_surroundings_is_completed(words: str) -> None:
    assert names(f"{words} --fault") == set(FAULTS)
    assert names(f"{words} --fault", "fr") == {"freezes"}


@pytest.mark.parametrize("words", ["situations", "verify rfc2131 --situation"])
def test_a_situation_is_completed(words: str) -> None:
    assert names(words) == {each.name for each in situations()}
    assert names(words, "clo") == {"clones"}


@pytest.mark.parametrize("words", ["explore rfc2131", "export tla rfc2131"])
def test_a_fault_of_a_small_network_is_completed(words: str) -> None:
    assert names(f"{words} --fault") == {"none", *FAULTS}


@pytest.mark.parametrize("words", ["lab", "lab run"])
def test_what_the_lab_plays_is_completed(words: str) -> None:
    assert names(f"{words} --client") == set(CLIENTS)
    assert names(f"{words} --server") == set(SERVERS)
    assert names(f"{words} --fault") == set(LAB_FAULTS)


def test_the_client_to_learn_of_is_completed() -> None:
    assert (
        names("lab learn --client", "udh") == {n for n in CLIENTS if n.startswith("udh")} != set()
    )


def test_commands_are_completed() -> None:
    assert names("", "ex") == {"explore", "export", "explain"}


def test_the_program_answers_a_shell() -> None:
    asked = {
        "_HOLDOVER_COMPLETE": "bash_complete",
        "COMP_WORDS": "holdover verify wfwg311-f",
        "COMP_CWORD": "2",
    }
    done = subprocess.run(
        [sys.executable, "-m", "holdover"],
        env=os.environ | asked,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "plain,wfwg311-fixed\n", "")
