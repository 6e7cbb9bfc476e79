"""`holdover explore --graph`: files that other programs read, and what networkx says."""

from __future__ import annotations

import os
import re
from pathlib import Path

import networkx as nx
import pytest

from holdover.model.explorer import explore as explorer
from holdover.reference.commands import search as search_
from tests.reference.commands.running import SMALL, as_json, refused, run, told


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
    (collision,) = (p["run"] for p in found["properties"] if p["property"] == "exclusive")
    assert found["every_run"]["shortest"] == len(collision)


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


def test_a_picture_of_many_states_has_the_shortest_runs(tmp_path: Path) -> None:
    """`mutes` is among the faults, and there are 3,768 states: too many to be read."""
    path = tmp_path / "g.dot"
    result = run("explore", "freertos", "--graph", path)
    assert result.exit_code == 1
    assert "the shortest run to each property that is broken" in result.stderr
    text = path.read_text()
    assert text.count("color=red") >= 1
    assert text.count("shape=box") < 100
    assert "mute" in text
    assert "reuse" in text
