"""When a client never will have an address, and what it has said; with programs that are none."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import cast

import pytest

from holdover.model.errors import InputError
from holdover.reference.core.instants import SECOND
from holdover.reference.lab.testbed.account import (
    LAST,
    LOOKED,
    UNASKED,
    account,
    keep_output,
    never_comes,
)
from holdover.reference.lab.testbed.client_program import NOTHING
from holdover.reference.lab.testbed.clients import CLIENTS, FORMER_NAMES
from holdover.reference.lab.testbed.command_line import client_from_command
from holdover.reference.lab.testbed.netns import Host
from holdover.reference.lab.testbed.process import PATIENCE, Process
from holdover.reference.linux.kernel.clock import now


def program(text: str) -> Process:
    return Process((sys.executable, "-u", "-c", text))


def test_who_ends_with_an_error_will_have_none_at_once() -> None:
    client = program("import sys; print('no such option', file=sys.stderr); sys.exit(3)")
    assert client.ended(PATIENCE) == 3
    assert never_comes(client, now(), now(), 0) == "the client has ended without an address"
    assert account(client, 0) == (
        "its exit status is 3; it sent 0 DHCPDISCOVER and DHCPREQUEST; its last words: "
        "no such option"
    )


def test_who_ends_well_may_have_set_one_a_moment_ago() -> None:
    client = program("print('configured')")
    assert client.ended(PATIENCE) == 0
    assert never_comes(client, now(), now(), 4) is None
    assert "ended without" in str(never_comes(client, now(), now() - LOOKED - 1, 4))


def test_who_runs_and_asks_for_nothing_is_told_of_after_a_while() -> None:
    client = program("import time; time.sleep(600)")
    try:
        assert never_comes(client, now(), None, 0) is None
        late = now() - (UNASKED + 1) * SECOND
        assert never_comes(client, late, None, 0) == (
            f"the client has asked for nothing within {UNASKED} s"
        )
        assert never_comes(client, late, None, 1) is None, "it asks: somebody else is slow"
        assert account(client, 0).startswith("it runs; ")
    finally:
        client.end()


def test_the_last_words_of_both_streams_are_passed_on_and_all_are_kept(tmp_path: Path) -> None:
    born = now()
    text = (
        "import sys\nfor n in range(6): print(n, file=(sys.stdout, sys.stderr)[n % 2], flush=True)"
    )
    client = program(text)
    client.ended(PATIENCE)
    assert account(client, 2).count(" / ") == LAST - 1
    keep_output(tmp_path, {"client": client, "server": None}, born)
    lines = (tmp_path / "client.log").read_text().splitlines()
    assert sorted(line.split()[1:] for line in lines[:-1]) == sorted(
        [("out", "err")[n % 2], str(n)] for n in range(6)
    )
    assert lines[-1] == "exit status 0"
    assert not (tmp_path / "server.log").exists()


# Command lines of the user's ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "script"), [("{hook}", NOTHING), ("{hook:/usr/bin/a b}", "'/usr/bin/a b'")]
)
def test_a_command_line_may_have_a_hook_that_runs_another(word: str, script: str) -> None:
    client = client_from_command(f"udhcpc -f -i {{iface}} -s {word}")
    assert client.hook is not None
    assert (client.hook.script, client.hook.always) == (script, True)
    assert client.command.endswith("-s {hook}")
    assert client.name.endswith(word), "it is named as it was given"


def test_a_command_line_may_bring_a_file_of_the_machine(tmp_path: Path) -> None:
    mine = tmp_path / "my.script"
    mine.write_text("echo mine\n")
    mine.chmod(0o700)
    client = client_from_command(f"udhcpc -i {{iface}} -s {{file:{mine}}}")
    assert client.files == (mine,)
    assert client.command == "udhcpc -i {iface} -s {place}/my.script"
    both = client_from_command(f"udhcpc -i {{iface}} -s {{hook:{{file:{mine}}}}}")
    assert both.hook is not None
    assert (both.hook.script, both.files) == ("{place}/my.script", (mine,))
    first = client_from_command(f"{{file:{mine}}} {{iface}}")
    assert first.needs == ("/bin/sh",), "it is of whatever root file system has a shell"


def test_the_file_is_a_copy_in_the_clients_place(tmp_path: Path) -> None:
    mine = tmp_path / "my.script"
    mine.write_text("#!/bin/sh\n")
    mine.chmod(0o700)
    started: list[tuple[str, ...]] = []

    class Somewhere:
        def apart(self, *command: str, **more: object) -> None:
            started.append(command)

    client = client_from_command(f"sh {{hook:{{file:{mine}}}}} {{iface}}")
    client.start(cast(Host, Somewhere()), tmp_path / "place")
    assert started == [("sh", f"{tmp_path}/place/hook", "eth0")]
    assert f"exec {tmp_path}/place/my.script" in (tmp_path / "place/hook").read_text()
    assert (tmp_path / "place/my.script").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("{file:/nowhere/x}", "there is no file /nowhere/x"),
        ("{file:{}/a b}", "give the file a name of letters"),
        ("{file:{}/hook}", "{place}/hook would be two files"),
        ("{file:{}/x} {file:{}/other/x}", "{place}/x would be two files"),
    ],
)
def test_a_file_that_cannot_be_copied_is_refused(words: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    for name in ("a b", "hook", "x", "other/x"):
        (tmp_path / name).touch()
    with pytest.raises(InputError, match=re.escape(reason)):
        client_from_command(f"sh {words.replace('{}', str(tmp_path))} {{iface}}")


def test_without_one_it_has_no_hook() -> None:
    assert client_from_command("udhcpc -f -i {iface}").hook is None
    with pytest.raises(InputError, match=r"no \{hoop\}"):
        client_from_command("udhcpc -i {iface} -s {hoop}")


# Names -------------------------------------------------------------------------------------------


def test_a_client_with_a_profile_has_its_name() -> None:
    with_one = [each for each in CLIENTS.values() if each.profile is not None]
    assert {each.name for each in with_one} == {each.profile for each in with_one}
    assert {each.name for each in CLIENTS.values() if each.usual} < {e.name for e in with_one}
    assert set(FORMER_NAMES.values()) <= set(CLIENTS)
    assert not set(FORMER_NAMES) & set(CLIENTS)
