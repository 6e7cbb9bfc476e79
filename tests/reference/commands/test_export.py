"""`holdover export`: each format is written whole, and bad input is told."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from holdover.model.clients.profile import load
from holdover.model.explorer.explore import explore
from holdover.model.export.itf import itf
from holdover.model.table.properties import ALWAYS
from holdover.reference.cli import main
from holdover.reference.commands.search import Search


def run(*args: object) -> Result:
    """The command, in this process."""
    return CliRunner().invoke(main, ["export", *map(str, args)])


def search(profile: str, *faults: str) -> Search:
    """The usual small network."""
    return Search(load(profile), 2, 1, 1, 3, 0, faults, 1 << 30)


def test_promela_goes_to_standard_output() -> None:
    """With the rows, their sentences and sources."""
    done = run("promela", "rfc2131", "--hosts", 1)
    assert (done.exit_code, done.stderr) == (0, "")
    assert "rfc2131: 1 host, 1 address, 1 datagram" in done.stdout
    assert "RFC 2131 §4.4.5" in done.stdout


def test_tla_writes_the_module_and_its_configuration(tmp_path: Path) -> None:
    """TLC wants both, and the module's name for the file's."""
    done = run("tla", "rfc2131", "--check", "exclusive", "-o", tmp_path / "Lease.tla")
    assert done.exit_code == 0
    assert "MODULE Lease" in (tmp_path / "Lease.tla").read_text("utf-8")
    config = (tmp_path / "Lease.cfg").read_text("utf-8")
    assert "Exclusive" in config
    assert "WithinLease" not in config
    assert done.stderr.splitlines() == [
        f"written: {tmp_path / name}" for name in ("Lease.tla", "Lease.cfg")
    ]
    assert "named Lease.tla" in run("tla", "rfc2131", "-o", tmp_path / "Other.tla").stderr


def test_itf_is_the_shortest_run() -> None:
    """Every state, every variable; as short as the explorer's."""
    done = run("itf", "wfwg311")
    document = json.loads(done.stdout)
    network = search("wfwg311", "mutes")
    trace = network.run().violations["exclusive"]
    shortest = explore(network.instance(2, 1, 1), ALWAYS).violations["exclusive"]
    assert len(document["states"]) == len(trace) + 1 == len(shortest) + 1
    last = document["states"][-1]
    assert last["holds"] == {"#map": [[0, "a1"], [1, "a1"]]}
    assert last["#meta"]["index"] == len(trace)
    assert set(last) == {"#meta", *document["vars"]}
    assert itf(trace, document["#meta"]["description"]) == done.stdout


@pytest.mark.kept("commands that explore")
def test_itf_of_what_holds_is_refused() -> None:
    """There is no run to export."""
    done = run("itf", "rfc2131")
    assert done.exit_code == 2
    assert "no run breaks exclusive or within_lease or obeys_nak or released_first" in done.stderr
    cut_off = run("itf", "rfc2131", "--hosts", 3, "--addresses", 3, "--memory", 1)
    assert "before the search was cut off; give more --memory" in cut_off.stderr


@pytest.mark.parametrize("form", ["dot", "graphml"])
def test_graphs_are_written(form: str, tmp_path: Path) -> None:
    """As `holdover explore --graph` does."""
    target = tmp_path / f"states.{form}"
    assert run(form, "rfc2131", "--hosts", 1, "--lease", 2, "-o", target).exit_code == 0
    assert target.stat().st_size > 1000
    assert f"must end in .{form}" in run(form, "rfc2131", "-o", tmp_path / "x.txt").stderr
    assert "-o PATH is needed" in run(form, "rfc2131").stderr


def test_smtlib_is_a_directory_of_obligations(tmp_path: Path) -> None:
    """Each a file."""
    done = run("smtlib", "rfc2131", "-o", tmp_path / "out")
    assert done.exit_code == 0
    assert len(list((tmp_path / "out").rglob("*.smt2"))) > 100


def test_bad_input_is_told(tmp_path: Path) -> None:
    """What, where, and what to do."""
    done = run("promela", "rfc2131", "--check", "exclusiv")
    assert done.exit_code == 2
    assert "no property 'exclusiv'; there are: exclusive, within_lease" in done.stderr
    nowhere = tmp_path / "no" / "such.pml"
    assert f"--output {nowhere}: No such file" in run("promela", "rfc2131", "-o", nowhere).stderr
