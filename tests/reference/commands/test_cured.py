"""The cures of a client whose verdict is bad."""

from __future__ import annotations

from holdover.reference.console.cured import cure_lines, cures_data
from tests.reference.commands.running import as_json, run, told


def test_a_client_that_is_late_is_told_its_cures_and_where_they_were_measured() -> None:
    lines = cure_lines("dhcpcd", "violated")
    assert [line.split(":")[0] for line in lines] == [
        "Cure, configuration",
        "Cure, script",
        "Cure, patch",
        "Measured",
    ]
    assert "docs/cures/dhcpcd.exit-hook" in lines[1]
    assert lines[-1].endswith("docs/cures.md")
    assert cures_data("connman", "unknown")[0]["kind"] == "none"


def test_nobody_is_cured_of_what_holds_or_what_nothing_is_known_of() -> None:
    assert cure_lines("dhcpcd", "holds") == []
    assert cures_data("dhcpcd", "holds") == []
    assert cure_lines("wfwg311", "violated") == []


def test_verify_says_them() -> None:
    shown = told(run("verify", "networkd-keep"), 1)
    assert "Cure, configuration: the client tells the kernel the lease as a lifetime" in shown
    document = as_json(run("verify", "networkd-keep", "--json"), 1)
    (found,) = document["judgements"]
    assert [cure["kind"] for cure in found["cures"]] == ["configuration"]
