"""`holdover explore`: counts, cut-offs, checkpoints, clusters."""

from __future__ import annotations

import re
import resource
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from holdover.model.explorer.configurations import configurations
from tests.reference.commands.running import LIMITED, as_json, program, refused, run, told
from tests.schemas import checked_text


def test_explore_counts_and_says_what_holds() -> None:
    shown = told(run("explore", "rfc2131"), 0)
    assert shown.startswith("rfc2131, 2 hosts, 1 address, 1 datagram: exclusive: holds\n")
    assert "  holds     within_lease: " in shown
    assert "cut off" not in shown


def test_explore_json_has_the_pinned_numbers() -> None:
    found = as_json(run("explore", "wfwg311", "--json"), 1)
    pinned = next(c for c in configurations() if c.name == "wfwg311")
    assert [found[name] for name in ("states", "steps", "depth")] == [
        pinned.states,
        pinned.steps,
        pinned.depth,
    ]
    assert broken_after(found) == dict(pinned.broken)
    assert found["worst_holdover_ticks"] == "unbounded"
    assert outcomes(found)["exclusive"] == "violated"


def outcomes(found: Any) -> dict[str, str]:
    return {each["property"]: each["outcome"] for each in found["properties"]}


def without_steps(found: Any) -> None:
    """Of each run leave its length: several are as short."""
    for each in found["properties"]:
        each["run"] = len(each["run"])


def broken_after(found: Any) -> dict[str, int]:
    """How many steps the run has that breaks each property that is broken."""
    return {each["property"]: len(each["run"]) for each in found["properties"] if each["run"]}


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
    assert set(outcomes(found).values()) == {"violated", "unknown"}


def test_explore_without_faults() -> None:
    found = as_json(run("explore", "wfwg311", "--fault", "none", "--json"), 0)
    assert "mute" not in [each["row"] for each in found["fired"]]


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
    small, start = cpu_of_a_small_one(), cpu_of_children()
    done = program("explore", "rfc2131", *sizes, before=("sh", "-c", LIMITED, "sh"))
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(
        r"error: 12 hosts, .*: about \S+ states of \d+ bytes, \S+ GiB; --memory allows 1 GiB\. "
        r"Take fewer of something\n",
        done.stderr,
    )
    assert cpu_of_children() - start < 10 * small, "others' work counts for both"


@cache
def cpu_of_a_small_one() -> float:
    """Seconds of CPU of a search that is over at once, by such a process."""
    start = cpu_of_children()
    assert program("explore", "rfc2131", before=("sh", "-c", LIMITED, "sh")).returncode == 0
    return cpu_of_children() - start


def cpu_of_children() -> float:
    """Seconds of CPU that processes took which this one has started, and which are over."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_explorer_and_engine_say_the_same() -> None:
    """Also where no state is left out."""
    found = [
        as_json(run("explore", "udhcpc", *how, "--json"), 1)
        for how in ((), ("--plain",), ("--no-symmetry", "--threads", "1"))
    ]
    for other in found:
        for document in (other, found[0]):
            document.pop("stored", None)
        without_steps(other)
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
    monkeypatch.setattr("holdover.model.packed.tabulated.WORD", 15)
    result = run("explore", "rfc2131")
    assert (result.exit_code, result.stdout) == (0, engines)
    assert re.fullmatch(
        r"a state takes \d+ bits, more than 15: searching with the explorer\n", result.stderr
    )


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
    found, alone = checked_text(done.stdout), as_json(run("explore", "wfwg311", "--json"), 1)
    for one in (found, alone):
        without_steps(one)
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


def test_explore_writes_a_page_to_walk_through(tmp_path: Path) -> None:
    page = tmp_path / "walk.html"
    told(run("explore", "wfwg311", "--lease", "2", "--html", page), 1)
    text = page.read_text("utf-8")
    assert "Windows for Workgroups 3.11" in text
    assert re.search(r">violated</b> explored [\d,]+ states", text)
    assert '<details id="choose" open>' in text
    assert "lease has 2." in text


def test_a_page_that_would_be_too_large_is_refused_before_the_search(tmp_path: Path) -> None:
    page = tmp_path / "walk.html"
    large = ("--hosts", "5", "--addresses", "3", "--messages", "3")
    said = refused(run("explore", "wfwg311", *large, "--html", page))
    assert re.search(r"--html: it would have [\d,]+ bytes.*take fewer hosts", said)
    assert not page.exists()
