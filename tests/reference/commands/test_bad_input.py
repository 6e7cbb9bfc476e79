"""Bad input: what, where, and what to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.reference.commands.running import refused, run, told, toml


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
    assume = ("--assume", "rfc2131")
    for command in (("verify",), ("explain",), ("prove", "--solver", "z3")):
        assert "\x1b" not in told(run(*command, path, *assume), 0)
    assert "\x1b" not in told(run("profiles", path), 0)


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
)
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
        ("--step 10", "--step: clocks are set only with --fault steps or jumps"),
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
    assume = ("--assume", "rfc2131")
    assert told(run("verify", path, *assume), 1).startswith(f"{name}: violated")
    assert told(run("explain", path, *assume), 1).startswith(f"{name or ''}")
    assert f", {name})" in told(run("grace", "--profile", path, *assume), 0)
    assert told(run("explore", path, "--hosts", "1", *assume), 0).startswith(f"{name}, 1 host")
