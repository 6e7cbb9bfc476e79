"""The command line as its users meet it: verdicts, exit codes, bad input, files, interruptions."""

from __future__ import annotations

import json
import os
import pty
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import networkx as nx
import pytest
from click.testing import CliRunner, Result

from holdover.model import explore as explorer
from holdover.model.manifest import configurations
from holdover.model.profile import builtin_names, load
from holdover.proofs import claims
from holdover.proofs.claims import Claim
from holdover.proofs.matrix import ROWS
from holdover.reference import conformance, model_commands
from holdover.reference import search as search_
from holdover.reference.cli import UNREAD, main
from holdover.reference.conformance import digest
from holdover.reference.lab.process import PATIENCE, eventually
from holdover.reference.refinement import search
from holdover.reference.refinement.defects import mutant, seeded
from holdover.reference.refinement.search import refine
from holdover.reference.refinement.setting import settings
from holdover.reference.show import write_smtlib
from tests.reference.rehearsal import frozen, late_lease, rehearsed, renewed
from tests.slow import stretched

COMMANDS = (
    "verify", "explore", "export", "prove", "explain", "grace", "matrix", "profiles", "client",
    "server", "lab",
)  # fmt: skip
PROGRAM = (sys.executable, "-c", "from holdover.reference.cli import main; main()")

LIMITED = 'ulimit -d 524288; exec "$@"'

MINE = """\
title = "my device, firmware 2.1"
anchor = "ack"
floor = 20
late = 1
trigger = "acknowledge"
dialog = true
enforcer = "process"
clock = "monotonic"
checks_xid = true
heeds_nak = "always"
"""


def run(*args: str | Path) -> Result:
    """A command in this process; what is not a regular exit fails the test with its traceback."""
    result = CliRunner().invoke(main, [str(arg) for arg in args])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert "Traceback" not in result.output
    return result


def told(result: Result, code: int) -> str:
    """What a command prints on success: nothing is on standard error, where nobody looks."""
    assert (result.exit_code, result.stderr) == (code, "")
    return result.stdout


def refused(result: Result) -> str:
    """What a command says of bad input: on standard error alone."""
    assert (result.exit_code, result.stdout) == (2, "")
    return result.stderr


def as_json(result: Result, code: int) -> Any:
    return json.loads(told(result, code))


def started(*args: str, **surroundings: str) -> subprocess.Popen[str]:
    """A command as a process group of its own, with Ctrl-C as a terminal gives it.

    Whoever runs the tests in the background may have told them to ignore it, and they inherit that.
    """
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        return subprocess.Popen(
            [*PROGRAM, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True, env={**os.environ, **surroundings},
        )  # fmt: skip
    finally:
        signal.signal(signal.SIGINT, before)


def program(
    *args: str, before: tuple[str, ...] = (), **surroundings: str
) -> subprocess.CompletedProcess[str]:
    """A command as a process, to its end."""
    return subprocess.run(
        [*before, *PROGRAM, *args], capture_output=True, text=True, check=False, timeout=PATIENCE,
        env={**os.environ, **surroundings},
    )  # fmt: skip


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "my.toml"
    path.write_text(MINE)
    return path


def toml(folder: Path, text: str | bytes) -> Path:
    path = folder / "bad.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


# Help -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(command: str) -> None:
    shown = told(run(command, "--help"), 0)
    assert f"Example: holdover {command}" in shown
    assert ("--json" in shown) == (command != "export")  # which writes other formats


def test_commands_are_listed_in_the_order_in_which_a_reader_meets_them() -> None:
    lines = told(run("--help"), 0).split("Commands:")[1].splitlines()
    assert tuple(line.split()[0] for line in lines if line.strip()) == COMMANDS
    assert "..." not in "".join(lines)


def test_examples_are_commands_that_exist() -> None:
    for command in COMMANDS:
        example = told(run(command, "--help"), 0).split("Example: holdover ")[1].split()
        options = set(re.findall(r"--[a-z-]+", told(run(example[0], "--help"), 0)))
        assert {word for word in example if word.startswith("--")} <= options


def test_no_command_is_a_usage_error_that_shows_the_help() -> None:
    result = run()
    assert result.exit_code == 2
    assert "Commands:" in result.output


def test_unknown_command_names_the_nearest() -> None:
    assert "no command 'verfy'; nearest: verify" in refused(run("verfy"))


# verify -----------------------------------------------------------------------------------------


def test_verify_wfwg311_is_violated_and_tells_the_articles_story() -> None:
    shown = told(run("verify", "wfwg311"), 1)
    assert shown.startswith("wfwg311: violated - two hosts hold one address after 18 steps\n")
    at = [
        shown.index(step)
        for step in (
            "h1 receives DHCPACK and takes a1",
            "the server falls silent",
            "the lease of h1 lapses",
            "the notice of the lapse goes up on h1",
            "the server reuses a1, once leased to h1",
            "h2 receives DHCPACK and takes a1",
            "Now h1 holds a1 and h2 holds a1.",
        )
    ]
    assert at == sorted(at)
    assert "no grace is enough" in shown


def test_verify_wfwg311_fixed_holds_for_any_number_of_hosts() -> None:
    shown = told(run("verify", "wfwg311-fixed"), 0)
    assert shown.startswith("wfwg311-fixed: holds - theorem T3, any number of hosts and addresses")
    assert "a grace of 0 s is enough" in shown


def test_verify_json_is_one_document() -> None:
    (found,) = as_json(run("verify", "wfwg311", "--json"), 1)
    assert set(found) == {
        "profile", "outcome", "reason", "worst_holdover", "safe_grace", "with_one_more_fault",
        "states", "run", "every_run",
    }  # fmt: skip
    assert (found["profile"], found["outcome"]) == ("wfwg311", "violated")
    assert (found["worst_holdover"], found["safe_grace"]) == (None, None)
    assert found["run"][-1]["holding"] == ["a1", "a1"]
    assert {step["unit"] for step in found["run"]} == {"s"}


def test_ten_lines_are_judged(mine: Path) -> None:
    shown = told(run("verify", mine), 1)
    assert shown.startswith("my: violated - ")
    assert "no bound (nobody acknowledges; the address has no kernel lifetime)" in shown
    answered = told(run("verify", mine, "--acknowledge-within", "5", "--grace", "7"), 0)
    assert "worst holdover: 7 s; a grace of 7 s is enough" in answered


def test_several_profiles_exit_with_the_worst() -> None:
    found = as_json(run("verify", "wfwg311-fixed", "wfwg311", "--json"), 1)
    assert [f["outcome"] for f in found] == ["holds", "violated"]
    frozen = ("--fault", "freezes", "--memory", "1")
    found = as_json(
        run("verify", "networkmanager", "rfc2131", "--grace", "10", *frozen, "--json"), 3
    )
    assert [f["outcome"] for f in found] == ["holds", "unknown"]


def test_verify_that_is_cut_off_is_unknown_and_says_what_to_do() -> None:
    shown = told(run("verify", "rfc2131", "--fault", "freezes", "--memory", "1"), 3)
    assert re.search(r"rfc2131: unknown - no proof; cut off after \d+ states", shown)
    assert "give more --memory" in shown


TWO = tuple(setting for setting in settings() if setting.name in ("alone", "two hosts"))


@pytest.fixture
def small_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The code is explored in two settings, which alone have gaps; tests/refinement has all."""
    monkeypatch.setattr(conformance, "settings", lambda: TWO)
    monkeypatch.setattr(conformance, "edges_of", lambda settings: frozenset())


@pytest.mark.usefixtures("small_settings")
def test_verify_reference_says_by_which_exploration_of_which_code() -> None:
    shown = told(run("verify", "reference"), 0)
    states, steps = (sum(getattr(s, what) for s in TWO) for what in ("states", "steps"))
    assert f"the code: holds - explored in 2 settings, {states:,} states, {steps:,} steps" in shown
    assert (
        f"client.py, state.py, events.py, config.py, messages.py: sha256 {digest()[:16]}" in shown
    )
    (found,) = as_json(run("verify", "reference", "--json"), 0)
    assert found["code"]["sha256"] == digest()
    assert [s["states"] for s in found["code"]["settings"]] == [s.states for s in TWO]


@pytest.mark.usefixtures("small_settings")
def test_verify_reference_tells_a_defect_of_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    defect = next(one for one in seeded() if one.name == "anchor-ack")
    monkeypatch.setattr(conformance, "refine_all", lambda todo, jobs: (
        refine(setting, mutant(defect)) for setting in todo
    ))  # fmt: skip
    shown = told(run("verify", "reference"), 1)
    assert "reference: holds" in shown  # the profile
    assert "the code: violated" in shown
    assert "after begin, " in shown
    (found,) = as_json(run("verify", "reference", "--json"), 1)
    assert found["code"]["settings"][0]["defect"]["kind"] == "refinement"


def test_verify_reference_with_an_edge_that_is_never_taken_is_unknown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(conformance, "settings", lambda: TWO[:1])
    edge = (("BOUND", "before T1", "holds"), "renew")
    monkeypatch.setattr(conformance, "edges_of", lambda settings: frozenset({edge}))
    shown = told(run("verify", "reference"), 3)
    assert "never taken: renew in BOUND, before T1, holds" in shown


@pytest.mark.usefixtures("small_settings")
def test_verify_reference_whose_worker_is_killed_is_unknown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(search, "refine", kill_this_process)
    shown = told(run("verify", "reference"), 3)
    assert "the code: unknown" in shown
    assert "BrokenProcessPool" in shown


def kill_this_process(setting: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_verify_reference_that_is_not_as_pinned_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    other = replace(TWO[0], states=1)
    monkeypatch.setattr(conformance, "settings", lambda: (other,))
    shown = told(run("verify", "reference"), 3)
    assert "the code: unknown" in shown
    assert "not as pinned" in shown


@pytest.mark.usefixtures("small_settings")
def test_worst_holdover_with_one_more_fault() -> None:
    (found,) = as_json(run("verify", "reference", "--json"), 0)
    assert set(found["with_one_more_fault"].values()) == {0.0}
    (found,) = as_json(run("verify", "rfc2131", "--fault", "crashes", "--json"), 1)
    assert "process killed" not in found["with_one_more_fault"]
    assert found["with_one_more_fault"]["process frozen"] is None


def test_server_that_does_not_keep_its_leases_is_blamed_and_not_the_client() -> None:
    shown = told(run("verify", "reference", "--fault", "forgets"), 1)
    assert "no bound (the server does not stand by its leases)" in shown
    assert "kernel lifetime" not in shown
    (found,) = as_json(run("verify", "reference", "--fault", "forgets", "--json"), 1)
    assert set(found["with_one_more_fault"].values()) == {None}


def test_claims_as_stated_and_not(monkeypatch: pytest.MonkeyPatch) -> None:
    few = [Claim("profile", "wfwg311", "profile", 1), Claim("pinned", "freertos", "pinned", 1)]
    monkeypatch.setattr(claims, "claims", lambda solvers: few)
    shown = told(run("verify", "--jobs", "1"), 0)
    assert "wfwg311 is violated" in shown
    assert shown.endswith("2 claims: 2 as stated, 0 not as stated, 0 unknown\n")
    monkeypatch.setattr(claims, "SAFE", ("wfwg311",))
    document = as_json(run("verify", "--jobs", "1", "--json"), 1)
    assert document["outcome"] == "violated"
    assert [claim["outcome"] for claim in document["claims"]] == ["violated", "holds"]
    assert set(document["claims"][0]) == {
        "group", "name", "says", "outcome", "detail", "seconds", "facts",
    }  # fmt: skip
    few[:] = [Claim("T9", "crashes", "T9", 1)]
    assert "the check failed: KeyError('T9')" in told(run("verify", "--jobs", "1"), 3)


# Bad input --------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["verify", "explore", "prove", "explain", "profiles"])
def test_unknown_profile_names_the_nearest(command: str) -> None:
    said = refused(run(command, "wfwg31"))
    assert (
        said == "error: no profile 'wfwg31'; nearest: wfwg311, wfwg311-fixed, wfwg311-thereafter\n"
    )


def test_nothing_that_a_user_gives_commands_the_terminal(tmp_path: Path) -> None:
    clear = "\x1b[2J"
    path = tmp_path / f"{clear}.toml"
    path.write_text(f"'{clear}' = 1\n".replace(clear, "\\u001b[2J").replace("'", '"'))
    journal = tmp_path / f"{clear}journal"
    journal.write_text(json.dumps({clear: 1}) + "\n" + json.dumps({clear: 1}) + "\n")
    for given in (path, journal, tmp_path / f"none{clear}.toml", f"no{clear}"):
        said = refused(run("explain", given))
        assert said.startswith("error: ")
        assert said.removesuffix("\n").isprintable()
    path.write_text('anchor = "request"\n')
    for command in (("verify",), ("explain",), ("profiles",), ("prove", "--solver", "z3")):
        assert "\x1b" not in told(run(*command, path), 0)


def test_an_error_does_not_repeat_all_of_a_long_text(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    journal.write_text((json.dumps({"x" * 500_000: 1}) + "\n") * 2)
    assert len(refused(run("explain", journal))) < 3000


def test_grace_names_the_nearest_profile_too() -> None:
    assert "nearest: udhcpc" in refused(run("grace", "--profile", "udhcp"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = 'x'\nanchor = \n", "Invalid value (at line 2, column 10)"),
        ("late = 1\nlate = 2\n", "at line 2, column 9"),
        ("\nancor = 'ack'\n", "line 2: ancor: no such key; nearest: anchor"),
        ("\n\nlate = -1\n", "line 3: late: -1 is negative"),
        ("late = 'soon'\n", "line 1: late: a number of seconds is needed, not 'soon'"),
        ("late = nan\n", "nan is no number of seconds"),
        ("anchor = 'ask'\n", "line 1: anchor: 'ask' is no choice; nearest: ack"),
        ("\nanchor = 'probe'\n", "line 2: anchor: counts from the end of probing, but probes"),
        ("trigger = 'acknowledge'\n", "line 1: trigger: waits for an acknowledgement, but dialog"),
        ("[client]\nlate = 1\n", "client: no such key"),
        (b"title = '\xff'\n", "byte 9: not UTF-8"),
    ],
)  # fmt: skip
def test_bad_file_is_told_with_its_place(tmp_path: Path, text: str | bytes, said: str) -> None:
    path = toml(tmp_path, text)
    shown = refused(run("verify", path))
    assert shown.startswith(f"error: {path}: ")
    assert said in shown


@pytest.mark.parametrize(
    ("name", "said"), [("none.toml", "No such file"), ("./", "Is a directory")]
)
def test_file_that_is_none(name: str, said: str) -> None:
    assert said in refused(run("verify", name))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--fault frezes", "--fault: no fault 'frezes'; nearest: freezes"),
        ("--lease 0", "--lease: a lease of no length"),
        ("--lease -5", "'-5' is negative"),
        ("--lease soon", "'soon' is no length of time: write 90, 1.5, 10m, 1h or 1d"),
        ("--lease 1e400", "longer than thirty years"),
        ("--lease 1/0", "is no length of time"),
        ("--grace nan", "is no length of time"),
        ("--drift-ppm nan", "is no number of parts per million"),
        ("--drift-ppm -1", "is not between 0 and 500000"),
        ("--drift-ppm 999999", "is not between 0 and 500000"),
        ("--shortest 10", "--shortest: renewals shorten only with --fault shortens"),
        ("--fault shortens --shortest 2h", "--shortest: must be above 0 and at most the lease"),
        ("--fault shortens --shortest 0", "--shortest: must be above 0"),
        ("--step 10", "--step: clocks are set back only with --fault steps"),
        ("--memory 0", "at least 1 MiB"),
        ("--memory much", "'much' is no whole number of MiB"),
        ("--memory 1000000000", "1000000000 MiB: this machine has"),
        ("--jobs 0", "--jobs"),
        ("--solver yices", "--solver"),
    ],
)
def test_bad_option_says_what_is_wrong(options: str, said: str) -> None:
    assert said in refused(run("verify", "wfwg311", *options.split()))


def test_surroundings_without_a_profile_are_refused() -> None:
    assert "name one" in refused(run("verify", "--lease", "1d"))


@pytest.mark.parametrize("length", ["3600", "60m", "1h", "3600.0"])
def test_lengths_have_units(length: str) -> None:
    assert told(run("grace", "--lease", length), 0).startswith("safe grace: 0 s (lease 3600 s")


@pytest.mark.parametrize("name", ["[/x]", "[bold]y", "a/../b", ":smile:", ""])
def test_any_name_is_printed_as_it_is(tmp_path: Path, name: str) -> None:
    path = tmp_path / "named.toml"
    path.write_text(f'name = "{name}"\ntitle = "{name}"\nlate = 1\n')
    assert told(run("verify", path), 1).startswith(f"{name}: violated")
    assert told(run("explain", path), 1).startswith(f"{name or ''}")
    assert f", {name})" in told(run("grace", "--profile", path), 0)
    assert told(run("explore", path, "--hosts", "1"), 0).startswith(f"{name}, 1 host")


# explore ----------------------------------------------------------------------------------------


def test_explore_counts_and_says_what_holds() -> None:
    shown = told(run("explore", "rfc2131"), 0)
    assert shown.startswith("rfc2131, 2 hosts, 1 address, 1 datagram: exclusive: holds\n")
    assert "  holds     within_lease: " in shown
    assert "cut off" not in shown


def test_explore_json_has_the_pinned_numbers() -> None:
    found = as_json(run("explore", "wfwg311", "--json"), 1)
    assert set(found) == {
        "profile", "outcome", "complete", "stopped_by", "states", "stored", "steps", "depth",
        "worst_holdover_ticks", "unbounded", "properties", "broken", "fired", "networkx",
        "every_run",
    }  # fmt: skip
    pinned = next(c for c in configurations() if c.name == "wfwg311")
    assert [found[name] for name in ("states", "steps", "depth")] == [
        pinned.states, pinned.steps, pinned.depth,
    ]  # fmt: skip
    assert {name: len(steps) for name, steps in found["broken"].items()} == dict(pinned.broken)
    assert found["unbounded"] is True
    assert found["properties"]["exclusive"] == "violated"


def test_explore_one_host_cannot_collide_but_overstays() -> None:
    shown = told(run("explore", "wfwg311", "--hosts", "1"), 0)
    assert shown.startswith("wfwg311, 1 host, 1 address, 1 datagram: exclusive: holds\n")
    assert "  violated  within_lease: " in shown


CRAMPED = ("--hosts", "3", "--addresses", "2", "--no-symmetry", "--memory", "4")
"""Millions of states, which do not fit into this even if all but a sixteenth are on disk."""


def test_explore_that_is_cut_off_is_unknown_and_says_what_to_do() -> None:
    shown = told(run("explore", "rfc2131", *CRAMPED), 3)
    assert re.search(r"cut off: saw \d+ states", shown)
    assert "give more --memory, or take a smaller instance" in shown
    assert "  unknown   exclusive: " in shown


def test_violation_that_was_seen_counts_though_the_rest_was_cut_off() -> None:
    found = as_json(run("explore", "wfwg311", *CRAMPED, "--memory", "6", "--json"), 1)
    assert not found["complete"]
    assert found["stopped_by"] == "memory"
    assert set(found["properties"].values()) == {"violated", "unknown"}


def test_explore_without_faults() -> None:
    found = as_json(run("explore", "wfwg311", "--fault", "none", "--json"), 0)
    assert "mute" not in found["fired"]


@pytest.mark.parametrize(
    "sizes",
    [
        ("--hosts", "12"),
        ("--hosts", "12", "--addresses", "12", "--messages", "12"),
        (
            "--hosts",
            "12",
            "--addresses",
            "12",
            "--messages",
            "12",
            "--lease",
            "64",
            "--delay",
            "64",
        ),
    ],
)
def test_hopeless_sizes_are_refused_before_memory_is_gone(sizes: tuple[str, ...]) -> None:
    """By a process that may have half a gigabyte of data, in ten times the CPU of a small one."""
    start = cpu_of_children()
    assert program("explore", "rfc2131", before=("sh", "-c", LIMITED, "sh")).returncode == 0
    small, start = cpu_of_children() - start, cpu_of_children()
    done = program("explore", "rfc2131", *sizes, before=("sh", "-c", LIMITED, "sh"))
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(
        r"error: 12 hosts, .*: about \S+ states of \d+ bytes, \S+ GiB; --memory allows 1 GiB\. "
        r"Take fewer of something\n",
        done.stderr,
    )
    assert cpu_of_children() - start < 10 * small, "others' work counts for both"


def cpu_of_children() -> float:
    """Seconds of CPU that processes took which this one has started, and which are over."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_explorer_and_engine_say_the_same() -> None:
    """Also where no state is left out."""
    found = [as_json(run("explore", "udhcpc", *how, "--json"), 1)
             for how in ((), ("--plain",), ("--no-symmetry", "--threads", "1"))]  # fmt: skip
    for other in found:
        for document in (other, found[0]):
            document.pop("stored", None)
        other["broken"] = {name: len(steps) for name, steps in other["broken"].items()}
    assert found[0] == found[1] == found[2]


def test_explore_says_how_many_states_it_stored() -> None:
    assert "stored 1750 of them: the others differ from these in names only\n" in told(
        run("explore", "rfc2131"), 0
    )
    assert "stored" not in told(run("explore", "rfc2131", "--no-symmetry"), 0)


def test_what_does_not_fit_into_a_word_is_explored_by_the_explorer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engines = told(run("explore", "rfc2131", "--no-symmetry"), 0)
    monkeypatch.setattr("holdover.model.tabulated.WORD", 15)
    result = run("explore", "rfc2131")
    assert (result.exit_code, result.stdout) == (0, engines)
    assert re.fullmatch(r"a state takes \d+ bits, more than 15: searching with the explorer\n",
                        result.stderr)  # fmt: skip


def test_explore_goes_on_with_a_checkpoint(tmp_path: Path) -> None:
    kept = ("explore", "wfwg311", "--checkpoint", tmp_path / "kept")
    first = told(run(*kept), 1)
    assert (tmp_path / "kept" / "journal.jsonl").exists()
    assert told(run(*kept), 1) == first
    said = refused(run(*kept, "--lease", "4"))
    assert "kept: has a search of something else" in said
    assert "directory" in refused(run("explore", "rfc2131", "--checkpoint", tmp_path / "a" / "b"))


@pytest.mark.parametrize("how", [("--plain",), ("--graph", "g.dot")])
def test_the_explorer_keeps_no_checkpoint(how: tuple[str, ...], tmp_path: Path) -> None:
    said = refused(run("explore", "rfc2131", *how, "--checkpoint", tmp_path))
    assert "--checkpoint is the engine's: not with --plain or --graph" in said


def test_explore_on_a_cluster_of_this_machine() -> None:
    """As a program: its workers are processes, and nothing of them is left."""
    pytest.importorskip("distributed", reason="needs holdover[cluster]")
    done = program("explore", "wfwg311", "--cluster", "--workers", "2", "--json")
    assert (done.returncode, done.stderr) == (1, "")
    found, alone = json.loads(done.stdout), as_json(run("explore", "wfwg311", "--json"), 1)
    for one in (found, alone):
        one["broken"] = {name: len(steps) for name, steps in one["broken"].items()}
    assert found == alone


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (("--workers", "2"), "--workers are those of --cluster"),
        (("--cluster", "--threads", "2"), "a --cluster has --workers"),
        (("--cluster", "tcp://127.0.0.1:1"), "need a --checkpoint that all reach"),
    ],
)
def test_options_of_a_cluster_that_do_not_go_together(how: tuple[str, ...], said: str) -> None:
    assert said in refused(run("explore", "rfc2131", *how))


# Graphs -----------------------------------------------------------------------------------------

SMALL = ("explore", "rfc2131", "--hosts", "1", "--lease", "2", "--fault", "none")


@pytest.fixture(scope="module")
def states() -> int:
    found = as_json(run(*SMALL, "--json"), 0)
    return int(found["states"])


def test_graphml_is_read_by_networkx(tmp_path: Path, states: int) -> None:
    path = tmp_path / "g.graphml"
    told(run(*SMALL, "--graph", path), 0)
    graph = nx.read_graphml(path)
    assert graph.number_of_nodes() == states
    assert graph.nodes["0"]["phase[h1]"] == "INIT"
    assert graph["0"]["1"]["actions"] == "discover"


def test_dot_has_every_state(tmp_path: Path, states: int) -> None:
    path = tmp_path / "g.dot"
    told(run(*SMALL, "--graph", path), 0)
    text = path.read_text()
    assert text.startswith("digraph states {")
    assert len(re.findall(r"^\t\d+ \[label=", text, re.MULTILINE)) == states


def test_svg_has_every_state(tmp_path: Path, states: int) -> None:
    path = tmp_path / "g.svg"
    told(run(*SMALL, "--graph", path), 0)
    assert path.read_text().count('class="node"') == states


def test_violations_are_marked(tmp_path: Path) -> None:
    path = tmp_path / "g.graphml"
    told(run("explore", "wfwg311", "--hosts", "1", "--graph", path), 0)
    marks = nx.get_node_attributes(nx.read_graphml(path), "violated")
    assert True in marks.values()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("g.png", "the name must end in .graphml, .dot or .svg"),
        ("g", "the name must end in .graphml, .dot or .svg"),
        ("nowhere/g.dot", "there is no directory"),
        (".", "is a directory"),
    ],
)
def test_graph_that_cannot_be_is_refused_before_the_search(
    tmp_path: Path, name: str, said: str
) -> None:
    assert said in refused(run(*SMALL, "--graph", tmp_path / name))


def test_missing_graphviz_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    said = refused(run(*SMALL, "--graph", tmp_path / "g.svg"))
    assert "no Graphviz `dot` found; install graphviz or write a .dot" in said
    told(run(*SMALL, "--graph", tmp_path / "g.dot"), 0)


def test_failing_graphviz_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "dot"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    result = run(*SMALL, "--graph", tmp_path / "g.svg")
    assert result.exit_code == 2
    assert "`dot` failed with status 3" in result.stderr


def test_graph_is_read_by_networkx_too(tmp_path: Path, states: int) -> None:
    path = tmp_path / "g.graphml"
    shown = told(run(*SMALL, "--graph", path), 0)
    assert "networkx finds the same states, steps, depth and shortest runs in a graph" in shown
    assert "time can always pass" in shown
    found = as_json(run(*SMALL, "--graph", path, "--json"), 0)["networkx"]
    assert (found["states"], found["time_passes"], found["differences"]) == (states, True, [])
    assert as_json(run(*SMALL, "--json"), 0)["networkx"] is None


def test_graph_with_a_collision_says_what_all_pass_through(tmp_path: Path) -> None:
    path = tmp_path / "g.graphml"
    found = as_json(run("explore", "freertos", "--graph", path, "--json"), 1)
    assert found["every_run"]["passes_through"]
    assert found["every_run"]["shortest"] == len(found["broken"]["exclusive"])


def test_networkx_that_disagrees_leaves_the_verdict_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = explorer.explore
    monkeypatch.setattr(search_, "explore", lambda *args, **more: cut_short(whole(*args, **more)))
    result = run(*SMALL, "--graph", tmp_path / "g.graphml")
    assert result.exit_code == 3
    assert "networkx disagrees with the explorer" in result.stdout


def cut_short(seen: explorer.Exploration) -> explorer.Exploration:
    """A search that has forgotten its last step."""
    seen.steps -= 1
    return seen


@pytest.mark.parametrize("suffix", ["dot", "graphml", "svg"])
def test_disk_that_is_full_is_told_after_the_result(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"g.{suffix}"
    path.symlink_to("/dev/full")
    result = run(*SMALL, "--graph", path)
    assert result.exit_code == 2
    assert "exclusive: holds" in result.stdout
    assert result.stderr == f"error: --graph {path}: No space left on device\n"


@pytest.mark.parametrize(
    ("suffix", "memory", "said"),
    [("svg", "64", "a picture of more than 500 cannot be read"), ("graphml", "64", "--memory")],
)
def test_graph_too_large_is_refused_after_the_result(
    tmp_path: Path, suffix: str, memory: str, said: str
) -> None:
    path = tmp_path / f"g.{suffix}"
    result = run("explore", "rfc2131", "--memory", memory, "--graph", path)
    assert result.exit_code == 2
    assert "exclusive: holds" in result.stdout
    assert said in result.stderr
    assert not path.exists()


# prove ------------------------------------------------------------------------------------------


def test_prove_json() -> None:
    found = as_json(run("prove", "wfwg311", "--solver", "z3", "--json"), 1)
    assert set(found) == {"profile", "outcome", "never_fire", "obligations"}
    refuted = [o["obligation"] for o in found["obligations"] if o["result"] == "refuted"]
    assert refuted == ["T2-wfwg311/lapse/held_under_lease"]


def test_prove_does_not_take_a_changed_profile_for_the_one_it_was_copied_from(
    tmp_path: Path,
) -> None:
    path = tmp_path / "rfc2131.toml"
    text = told(run("profiles", "rfc2131"), 0).replace('"lapse"', '"never"')
    path.write_text(text)
    assert 'name = "rfc2131"' in text
    shown = told(run("prove", path, "--solver", "z3"), 1)
    assert shown.startswith("rfc2131 with its own numbers: violated\n")
    assert re.search(r"^row +breaks ", shown, re.MULTILINE)


def test_smtlib_files_stay_below_their_directory(tmp_path: Path) -> None:
    named = replace(load("rfc2131"), name="../../up\n(exit)")  # a file with that is refused
    folder = tmp_path / "out" / "deep"
    written = write_smtlib(named, folder)
    files = [file for file in tmp_path.rglob("*.smt2") if folder in file.parents]
    assert len(files) == len(list(tmp_path.rglob("*.smt2"))) == written > 100
    comments = [file.read_text().split("(set-logic")[0] for file in files]
    assert all(re.fullmatch(r"; .*: expected unsat\n", comment) for comment in comments)


def test_smtlib_into_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = refused(run("prove", "rfc2131", "--smtlib", tmp_path / "file" / "below"))
    assert said.startswith("error: --smtlib ")


# explain, grace, matrix, profiles ---------------------------------------------------------------


def test_explain_tells_and_draws() -> None:
    shown = told(run("explain", "wfwg311"), 1)
    assert "Q151387 SYMPTOMS" in shown
    assert "h2 receives DHCPACK and takes a1" in shown
    assert re.search(r"║ bind a1\n", shown)


def test_explain_what_holds_has_nothing_to_explain() -> None:
    shown = told(run("explain", "wfwg311-fixed"), 0)
    assert "Nothing to explain: theorem T3, any number of hosts" in shown


def test_explain_json_has_sources_and_run() -> None:
    found = as_json(run("explain", "connman", "--json"), 1)
    assert found["sources"]
    assert found["run"][-1]["holding"] == ["a1", "a1"]


def test_explain_says_what_every_collision_passes_through() -> None:
    shown = told(run("explain", "wfwg311"), 1)
    assert re.search(r"every collision passes through: h1 still holds: its lease has lapsed", shown)
    assert "    mute: the server falls silent\n" in shown
    found = as_json(run("explain", "wfwg311", "--json"), 1)["every_run"]
    assert {"mute", "lapse", "reuse"} <= set(found["needs"])
    assert found["smallest_cut"][0] in found["passes_through"]


def test_explain_says_which_of_several_situations_a_collision_passes() -> None:
    shown = told(run("explain", "udhcpc"), 1)
    assert "every way to give a held address away passes through" not in shown
    found = as_json(run("explain", "udhcpc", "--json"), 1)["every_run"]
    assert len(found["smallest_cut"]) > 1
    assert all(f"    {situation}\n" in shown for situation in found["smallest_cut"])


def test_explain_of_a_client_that_probes_is_of_giving_away() -> None:
    found = as_json(run("explain", "dhcpcd", "--json"), 1)["every_run"]
    assert found["property"] == "owned"
    assert found["passes_through"][-1].startswith("h1 still holds: its lease is over at the server")


def test_a_graph_too_large_for_explain_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_commands, "EXPLAINED", 1000)
    said = "what every collision has in common was not asked: more than 1,000 states"
    assert said in told(run("explain", "connman"), 1)
    found = as_json(run("explain", "connman", "--json"), 1)["every_run"]
    assert found == {"not_asked": "more than 1,000 states: too many for a graph"}


def test_verify_says_what_every_collision_passes_through() -> None:
    assert "every collision passes through: h1 still holds" in told(run("verify", "connman"), 1)
    (found,) = as_json(run("verify", "connman", "--json"), 1)
    assert "mute" in found["every_run"]["needs"]
    (safe,) = as_json(run("verify", "wfwg311-fixed", "--json"), 0)
    assert safe["every_run"] is None


def test_explain_a_journal_that_holds(tmp_path: Path) -> None:
    journal = rehearsed(renewed).save(tmp_path / "journal")
    shown = told(run("explain", journal), 0)
    assert shown.startswith(f"{journal}: holds\n")
    assert re.search(r"\d+ calls of the client: none is against the lease table\n", shown)
    found = as_json(run("explain", journal, "--json"), 0)
    assert (found["outcome"], found["violation"], found["unknown"]) == ("holds", None, [])
    assert found["conforming"] == len(journal.read_text().splitlines())


def test_explain_a_journal_that_is_violated_names_line_guard_and_source(tmp_path: Path) -> None:
    (early,) = (defect for defect in seeded() if defect.name == "lapse-at-t2")
    journal = rehearsed(late_lease, mutant(early)).save(tmp_path / "journal")
    shown = told(run("explain", journal), 1)
    conforming = int(re.findall(r"conforming: lines 1 to (\d+)\n", shown)[0])
    assert f"  line {conforming + 1}, " in shown
    assert "`lapse` is not possible here\n    guard 4 of 4: now ≥ lease_end[h]\n" in shown
    assert "    RFC 2131 §4.4.5 MUST" in shown
    found = as_json(run("explain", journal, "--json"), 1)["violation"]
    assert (found["line"], found["row"]) == (conforming + 1, "lapse")


def test_explain_a_journal_of_a_frozen_process_is_unknown(tmp_path: Path) -> None:
    journal = rehearsed(frozen).save(tmp_path / "journal")
    assert "the journal cannot tell" in told(run("explain", journal), 3)


def test_explain_takes_no_options_of_a_profile_with_a_journal(tmp_path: Path) -> None:
    journal = rehearsed(renewed).save(tmp_path / "journal")
    said = refused(run("explain", journal, "--lease", "5"))
    assert said.startswith(f"error: --lease is of a profile, and {journal} is a journal")


def test_explain_refuses_what_is_no_journal(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("root:x:0:0\nnobody:x:1:1\n")
    assert "file: line 1: " in refused(run("explain", tmp_path / "file"))


def test_grace_for_a_day_at_100_ppm() -> None:
    shown = told(run("grace", "--lease", "86400", "--drift-ppm", "100"), 0)
    assert shown.startswith("safe grace: 17.282 s (lease 86400 s, rfc2131)\n")
    assert "or hand out a lease of at most 86382.72" in shown


@pytest.mark.parametrize("lease", ["3600", "86400", "1000", "7", "1d"])
def test_the_grace_that_is_printed_is_enough(lease: str) -> None:
    """A bound is not rounded to where it is none."""
    options = ("--lease", lease, "--drift-ppm", "100")
    printed = re.findall(r"safe grace: (\S+) s", told(run("grace", *options), 0))
    assert "is enough" in told(run("grace", *options, "--grace", *printed), 0)
    exact = as_json(run("grace", *options, "--json"), 0)["safe_grace"]
    told(run("grace", *options, "--grace", str(exact)), 0)
    less = str(exact - 0.001)
    assert "is not enough" in told(run("grace", *options, "--grace", less), 1)


def test_the_shorter_lease_that_is_printed_is_safe() -> None:
    options = ("--drift-ppm", "100", "--lease")
    handed = re.findall(r"at most (\S+) s", told(run("grace", *options, "3600"), 0))
    spare = str(3600 - float(*handed))
    told(run("grace", *options, *handed, "--grace", spare), 0)


def test_no_grace_is_told_with_its_reasons() -> None:
    shown = told(run("grace", "--profile", "wfwg311"), 1)
    assert "no grace is enough" in shown
    assert "nobody acknowledges" in shown
    found = as_json(run("grace", "--profile", "wfwg311", "--json"), 1)
    assert (found["outcome"], found["safe_grace"]) == ("violated", None)
    assert found["unbounded_because"] == [
        "nobody acknowledges", "the address has no kernel lifetime",
    ]  # fmt: skip


def test_grace_json_has_its_parts() -> None:
    found = as_json(run("grace", "--profile", "connman", "--json"), 0)
    assert set(found) == {
        "profile", "lease", "outcome", "worst_holdover", "safe_grace", "shorter_lease", "parts",
        "unbounded_because",
    }  # fmt: skip
    assert sum(part["seconds"] for part in found["parts"]) == found["worst_holdover"]


def test_matrix_is_a_table_or_one_document(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdover.proofs.matrix.ROWS", ROWS[:1])
    shown = told(run("matrix"), 0)
    assert shown.splitlines()[0].split()[:2] == ["fault", "none"]
    assert "none needed" in shown
    found = as_json(run("matrix", "--json"), 0)
    assert {cell["outcome"] for cell in found if "outcome" in cell} == {"holds"}
    assert found[-1] == {"fault": "nothing", "smallest_cures": [[]]}


def test_profiles_lists_every_one() -> None:
    shown = told(run("profiles"), 0)
    assert all(re.search(rf"^{name} ", shown, re.MULTILINE) for name in builtin_names())
    assert [p["name"] for p in as_json(run("profiles", "--json"), 0)] == list(builtin_names())


@pytest.mark.parametrize("name", ["udhcpc", "networkd", "wfwg311"])
def test_printed_profile_is_the_same_client(tmp_path: Path, name: str) -> None:
    path = tmp_path / "copy.toml"
    path.write_text(told(run("profiles", name), 0))
    assert as_json(run("profiles", path, "--json"), 0) == as_json(
        run("profiles", name, "--json"), 0
    )


# As a process -----------------------------------------------------------------------------------


def members(group: int) -> dict[int, int]:
    """The processes of a group that are not done, and the clock ticks that each has computed."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended meanwhile
        if int(fields[2]) == group and fields[0] != "Z":
            found[int(entry.parent.name)] = int(fields[11])
    return found


def all_ended(group: int, seconds: float) -> None:
    """No process of a group is left behind."""
    eventually(lambda: not members(group), seconds, "every process has ended")


def busy(group: int, processes: int) -> bool:
    """Whether so many processes of a group have computed for some time."""
    used = members(group).values()
    return len(used) >= processes and sum(used) > 40 * processes + 40


@contextmanager
def computing(*args: str, processes: int) -> Iterator[subprocess.Popen[str]]:
    """A command in the midst of its work; nothing of it is left afterwards."""
    process = started(*args)
    try:
        end = time.monotonic() + PATIENCE
        while not busy(process.pid, processes):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < end
            time.sleep(0.02)
        yield process
    finally:
        if members(process.pid):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.mark.parametrize("command", ["client", "server"])
def test_what_runs_on_a_device_imports_no_solver(command: str) -> None:
    code = f"""
import sys, holdover.reference.{command}_command, holdover.reference.linux.{command}
print(*sorted({{'z3', 'networkx', 'numpy', 'rich', 'dask'}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


LONG = ("explore", "rfc2131", "--hosts", "3", "--addresses", "3", "--no-symmetry")


def test_no_thread_is_older_than_the_watch_for_interruptions() -> None:
    """It would get the signal that all others block."""
    code = "import os, holdover.reference.cli; print(len(os.listdir('/proc/self/task')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"


@pytest.mark.parametrize(
    ("args", "processes", "number"),
    [
        (("verify",), 3, signal.SIGINT),
        (("matrix",), 3, signal.SIGINT),
        (("verify", "rfc2131", "wfwg311-fixed", "udhcpc", "--solver", "both"), 1, signal.SIGINT),
        (("verify", "reference"), 3, signal.SIGINT),
        (LONG, 1, signal.SIGINT),
        (("verify",), 3, signal.SIGTERM),
    ],
    ids=["claims", "matrix", "proofs", "code", "search", "terminated"],
)
def test_interruption_ends_everything_at_once(
    args: tuple[str, ...], processes: int, number: signal.Signals
) -> None:
    slow = stretched()
    with computing(*args, processes=processes) as process:
        start = time.monotonic()
        if number == signal.SIGINT:
            os.killpg(process.pid, number)  # as a terminal does
        else:
            process.send_signal(number)
        out, err = process.communicate(timeout=PATIENCE)
        took, slow = time.monotonic() - start, max(slow, stretched())
        assert took < 2 * slow
        assert (process.returncode, out, err) == (128 + number, "", "interrupted\n")
        all_ended(process.pid, 2 * slow)


FORKING = """
import multiprocessing, os, signal
from holdover.reference import interrupt

interrupt.watch()
os.register_at_fork(after_in_parent=lambda: os.kill(os.getpid(), {number}) or signal.pause())
multiprocessing.get_context("fork").Process(target=signal.pause).start()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_process_that_is_being_forked_ends_too(number: int) -> None:
    """Nobody knows yet that it is there."""
    process = subprocess.Popen(
        [sys.executable, "-c", FORKING.format(number=int(number))],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        process.communicate(timeout=PATIENCE)  # both ends of its pipes are closed
        all_ended(process.pid, PATIENCE)  # which a process does before it has ended
    finally:
        if members(process.pid):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def test_interruption_ends_graphviz_too(tmp_path: Path) -> None:
    slow = tmp_path / "dot"
    slow.write_text('#!/bin/sh\ntouch "$0.started"\nexec sleep 60\n')
    slow.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    process = started(*SMALL, "--graph", str(tmp_path / "g.svg"), PATH=path)
    end = time.monotonic() + PATIENCE
    while not (tmp_path / "dot.started").exists():
        assert time.monotonic() < end
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err.strip()) == (130, "interrupted")
    all_ended(process.pid, PATIENCE)
    assert not (tmp_path / "g.svg").exists()


@pytest.mark.parametrize(
    "args", [("profiles",), ("profiles", "--json"), ("profiles", "udhcpc"), ("verify", "--help")]
)
def test_closed_pipe_is_quiet_and_no_verdict(args: tuple[str, ...]) -> None:
    process = started(*args)
    assert process.stdout is not None
    process.stdout.close()
    _, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (UNREAD, "")


@pytest.mark.parametrize("args", [("profiles",), ("profiles", "--json")])
def test_full_disk_is_told(args: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*PROGRAM, *args], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (2, "error: No space left on device\n")


def test_terminal_that_knows_ascii_only_gets_question_marks() -> None:
    done = program("explain", "wfwg311", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (1, "")
    assert "? bind a1" in done.stdout


def test_progress_is_shown_on_a_terminal_only(tmp_path: Path) -> None:
    path = tmp_path / "markup.toml"
    path.write_text('name = "[/x]"\n')
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [*PROGRAM, "verify", str(path)], stdout=subprocess.PIPE, stderr=theirs, text=True,
        check=False, env={**os.environ, "TERM": "xterm"},
    )  # fmt: skip
    os.close(theirs)
    shown = os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert done.returncode == 0
    assert done.stdout.startswith("[/x]: holds")
    assert "[/x]: proving" in shown
    assert "Traceback" not in shown


def test_program_in_a_pipe_shows_no_progress() -> None:
    done = program("verify", "wfwg311")
    assert (done.returncode, done.stderr) == (1, "")
    assert "\x1b" not in done.stdout
    assert program("verify", "wfwg311", FORCE_COLOR="1").stderr == ""
