"""When a client never will have an address, and what it has said; with programs that are none."""

from __future__ import annotations

import sys
from pathlib import Path

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
from holdover.reference.lab.testbed.client_program import NOTHING, client_from_command
from holdover.reference.lab.testbed.clients import CLIENTS, FORMER_NAMES
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
