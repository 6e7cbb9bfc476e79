"""Hooks: told in order, in the words of dhclient and udhcpc, and never waited for."""

import os
import select
import threading
import time
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdover.model.errors import InputError
from holdover.reference.core.events import Lease, Notice
from holdover.reference.core.instants import SECOND
from holdover.reference.lab.testbed.process import PATIENCE
from holdover.reference.linux.hooks import background
from holdover.reference.linux.hooks import hook as hooks
from holdover.reference.linux.hooks.hook import WAITING, Hook
from holdover.reference.linux.hooks.hook_variables import OPTIONS, environment
from holdover.reference.wire.option_values import Route
from holdover.reference.wire.options import (
    BOOTFILE_NAME,
    BROADCAST_ADDRESS,
    CLASSLESS_ROUTES,
    DOMAIN_NAME,
    HOST_NAME,
    INTERFACE_MTU,
    MESSAGE,
    NAME_SERVERS,
    NTP_SERVERS,
    ROUTERS,
    SUBNET_MASK,
    TIME_OFFSET,
    Options,
)
from tests.reference.core.clients import OTHER, SERVER, A, B
from tests.reference.wire.test_packet import options as any_options
from tests.slow import stretched

NOW = 10_000 * SECOND
TOLD = Options(
    [
        SUBNET_MASK(IPv4Address("255.255.255.128")),
        ROUTERS((SERVER, OTHER)),
        NAME_SERVERS((SERVER, OTHER)),
        DOMAIN_NAME("example.org"),
        HOST_NAME("here"),
        INTERFACE_MTU(1400),
        NTP_SERVERS((SERVER,)),
        TIME_OFFSET(-3600),
        CLASSLESS_ROUTES(
            (Route(IPv4Network("10.17.0.0/16"), OTHER), Route(IPv4Network("0.0.0.0/0"), SERVER))
        ),
    ]
)


def lease(
    seconds: float = 60, *, address: IPv4Address = A, options: Options = TOLD, now: int = NOW
) -> Lease:
    end = now + int(seconds * SECOND)
    return Lease(address, SERVER, end - 2, end - 1, end, options)


FOREVER = Lease(A, SERVER, None, None, None, TOLD)


def told(
    notice: Notice, lease: Lease | None = None, before: Lease | None = None
) -> tuple[str, dict[str, str]]:
    return environment(notice, "eth0", lease, before, NOW)


# Words -------------------------------------------------------------------------------------------

NEW = {
    "new_ip_address": "10.0.0.101",
    "new_subnet_mask": "255.255.255.128",
    "new_network_number": "10.0.0.0",
    "new_broadcast_address": "10.0.0.127",
    "new_dhcp_lease_time": "60",
    "new_dhcp_server_identifier": "10.0.0.1",
    "new_routers": "10.0.0.1 10.0.0.2",
    "new_domain_name_servers": "10.0.0.1 10.0.0.2",
    "new_domain_name": "example.org",
    "new_host_name": "here",
    "new_interface_mtu": "1400",
    "new_ntp_servers": "10.0.0.1",
    "new_time_offset": "-3600",
    "new_rfc3442_classless_static_routes": "16 10 17 10 0 0 2 0 10 0 0 1",
}
UDHCPC = {
    "ip": "10.0.0.101",
    "subnet": "255.255.255.128",
    "mask": "25",
    "broadcast": "10.0.0.127",
    "lease": "60",
    "serverid": "10.0.0.1",
    "router": "10.0.0.1 10.0.0.2",
    "dns": "10.0.0.1 10.0.0.2",
    "domain": "example.org",
    "hostname": "here",
    "mtu": "1400",
    "ntpsrv": "10.0.0.1",
    "timezone": "-3600",
    "staticroutes": "10.17.0.0/16 10.0.0.2 0.0.0.0/0 10.0.0.1",
}
OLD = {name.replace("new_", "old_"): text for name, text in NEW.items()}


def test_bound_is_told_in_the_words_of_both() -> None:
    said = {"interface": "eth0", "reason": "BOUND", "notice": "BOUND"}
    assert told(Notice.BOUND, lease()) == ("bound", said | NEW | UDHCPC)


def test_extended_has_what_was_told_before_as_well() -> None:
    word, said = told(Notice.EXTENDED, lease(90), lease())
    head = {"interface": "eth0", "reason": "RENEW", "notice": "EXTENDED"}
    more = {"new_dhcp_lease_time": "90", "lease": "90"}
    assert (word, said) == ("renew", head | NEW | UDHCPC | OLD | more)


@pytest.mark.parametrize(
    ("notice", "reason"),
    [
        (Notice.LAPSED, "EXPIRE"),
        (Notice.REFUSED, "EXPIRE"),
        (Notice.DECLINED, "EXPIRE"),
        (Notice.CEASED, "EXPIRE"),
        (Notice.RELEASED, "RELEASE"),
        (Notice.STOPPED, "STOP"),
    ],
)
def test_the_end_is_told_with_what_was_told_before(notice: Notice, reason: str) -> None:
    said = {"interface": "eth0", "reason": reason, "notice": notice.name}
    assert told(notice, lease(5, address=B), lease()) == ("deconfig", said | OLD)
    assert told(notice, lease()) == ("deconfig", said | OLD), "a predecessor may have told it"


@pytest.mark.parametrize(("notice", "word"), [("REFUSED", "nak"), ("UNANSWERED", "leasefail")])
def test_failures_say_nothing_of_addresses(notice: str, word: str) -> None:
    said = {"interface": "eth0", "reason": "FAIL", "notice": notice}
    assert told(Notice[notice]) == (word, said)


@pytest.mark.parametrize(
    ("seconds", "left"), [(60, "60"), (59.999, "59"), (0.5, "0"), (0, "0"), (-5, "0")]
)
def test_the_time_is_what_is_left_rounded_down(seconds: float, left: str) -> None:
    _, said = told(Notice.BOUND, lease(seconds))
    assert (said["lease"], said["new_dhcp_lease_time"]) == (left, left)


def test_a_lease_without_end_has_the_number_for_that() -> None:
    """RFC 2131 §3.3."""
    assert told(Notice.BOUND, FOREVER)[1]["lease"] == "4294967295"


def test_a_mask_is_as_it_is_configured_where_the_server_gave_none() -> None:
    said = told(Notice.BOUND, lease(options=Options()))[1]
    assert (said["subnet"], said["mask"]) == ("255.0.0.0", "8")
    given = Options([BROADCAST_ADDRESS(IPv4Address("10.0.0.0"))])
    assert told(Notice.BOUND, lease(options=given))[1]["broadcast"] == "10.0.0.0"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("example.org", "example.org"),
        ("a.example b.example.", "a.example b.example."),
        ("_tcp.x-1", "_tcp.x-1"),
        ("x; touch /tmp/pwn", None),
        ("$(reboot)", None),
        ("() { :;}; reboot", None),
        ("-n", None),
        ("a -n", None),
        ("a\nnameserver 10.0.0.9", None),
        ("a\n", None),
        ("a\0b", None),
        ("a..b", None),
        ("caf\xe9", None),
        ("", None),
    ],
    ids=ascii,
)
def test_a_name_that_is_none_is_left_out(text: str, name: str | None) -> None:
    said = told(Notice.BOUND, lease(options=Options([DOMAIN_NAME(text), HOST_NAME(text)])))[1]
    for variable in ("new_domain_name", "domain", "new_host_name", "hostname"):
        assert said.get(variable) == name


def test_other_text_loses_what_cannot_be_printed() -> None:
    text = Options([MESSAGE("no\0 \x1b[31mway\n\x7f\xe9!"), BOOTFILE_NAME("\n")])
    said = told(Notice.BOUND, lease(options=text))[1]
    assert said["message"] == said["new_dhcp_message"] == "no [31mway!"
    assert "bootfile" not in said


FIXED = (
    {"interface", "reason", "notice"}
    | {*NEW, *OLD, *UDHCPC}
    | {
        prefix + name
        for _, dhclient, udhcpc, _ in OPTIONS
        for prefix, name in (("new_", dhclient), ("old_", dhclient), ("", udhcpc))
    }
)


@given(st.sampled_from(Notice), any_options, any_options)
def test_whatever_the_network_says_names_are_fixed_and_values_printable(
    notice: Notice, new: Options, before: Options
) -> None:
    _, said = told(notice, lease(options=new), lease(options=before))
    assert {*said} <= FIXED
    assert all(" " <= letter <= "~" for text in said.values() for letter in text)


# Processes ---------------------------------------------------------------------------------------


class Script:
    """A hook in a directory; it writes down its argument and environment, then does `more`."""

    def __init__(self, place: Path, more: str = "") -> None:
        self.file, self.out, self.notes = place / "hook", place / "out", list[str]()
        self.file.write_text(
            f'#!/bin/sh\n{{ printf "=%s\\0" "$1"; env -0; }} >> {self.out}\ncd {place}\n{more}\n'
        )
        self.file.chmod(0o755)

    def hook(self, limit: float = 60) -> Hook:
        return Hook(str(self.file), limit, self.notes.append)

    def runs(self) -> Iterator[tuple[str, dict[str, str]]]:
        """Each run's argument and variables."""
        for run in self.out.read_text().split("=", 1)[1].split("\0="):
            word, *said = run.strip("\0").split("\0")
            yield word, dict(each.split("=", 1) for each in said)

    def notices(self) -> list[str]:
        return [said["notice"] for _, said in self.runs()]


def test_a_hook_is_told_and_sees_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "1")
    monkeypatch.setenv("new_routers", "10.9.9.9")
    script = Script(tmp_path)
    hook = script.hook()
    now = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    hook.tell(Notice.BOUND, "eth0", lease(600, now=now, options=Options()))
    hook.close(PATIENCE)
    ((word, said),) = script.runs()
    assert word == "bound"
    assert said["ip"] == "10.0.0.101"
    assert 300 < int(said["lease"]) < 600, "what was left when it started, rounded down"
    assert said["PATH"] == os.environ["PATH"]
    assert not {"SECRET", "new_routers"} & {*said}
    assert script.notes == []


def test_the_time_that_is_told_ends_when_the_kernel_takes_the_address_away(tmp_path: Path) -> None:
    script = Script(tmp_path)
    hook = Hook(str(script.file), note=script.notes.append, margin=1000 * SECOND)
    now = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    hook.tell(Notice.BOUND, "eth0", lease(2000, now=now))
    hook.close(PATIENCE)
    ((_, said),) = script.runs()
    assert 700 < int(said["lease"]) < 1000


def test_notices_are_told_in_order_one_at_a_time_with_what_was_told_before(tmp_path: Path) -> None:
    script = Script(tmp_path, "mkdir alone || exit 9\nrmdir alone")
    hook = script.hook()
    hook.tell(Notice.BOUND, "eth0", lease(address=A))
    hook.tell(Notice.UNANSWERED, "eth0", None)
    hook.tell(Notice.EXTENDED, "eth0", lease(address=B))
    hook.tell(Notice.LAPSED, "eth0", lease(address=B))
    hook.tell(Notice.BOUND, "eth0", lease(address=A))
    hook.close(PATIENCE)
    assert [(word, said.get("old_ip_address")) for word, said in script.runs()] == [
        ("bound", None),
        ("leasefail", None),
        ("renew", str(A)),
        ("deconfig", str(B)),
        ("bound", None),
    ]
    assert script.notes == [], "none ran while another did"


def test_tell_does_not_wait_and_close_ends_what_runs_within_a_second(tmp_path: Path) -> None:
    """SIGTERM is ignored, children too; all end when the pipe that they hold ends."""
    os.mkfifo(tmp_path / "alive")
    script = Script(tmp_path, "trap '' TERM\nexec 3> alive\necho >&3\nsleep 60 & sleep 60")
    pipe = os.open(tmp_path / "alive", os.O_RDONLY | os.O_NONBLOCK)
    hook = script.hook(limit=60)
    before = time.monotonic()
    for _ in range(3):
        hook.tell(Notice.BOUND, "eth0", lease())
    assert time.monotonic() - before < 50, "it runs for 60 s"
    readable(pipe)
    assert os.read(pipe, 1) == b"\n", "it runs"
    before = time.monotonic()
    hook.close()
    assert time.monotonic() - before < min(background.CLOSING + stretched(), 50)
    readable(pipe)
    assert os.read(pipe, 1) == b"", "nobody has it open any more"
    os.close(pipe)
    assert len([*script.runs()]) == 1
    first, second = sorted(script.notes)
    assert first.endswith(": BOUND: closed; it was ended")
    assert second.endswith(": not told any more: BOUND, BOUND")


def readable(pipe: int) -> None:
    assert select.select([pipe], [], [], PATIENCE)[0], "nothing comes"


def test_who_takes_too_long_is_ended_with_its_group_and_the_next_is_told(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "alive")
    script = Script(tmp_path, '[ "$1" != bound ] || { exec 3> alive; sleep 60 & sleep 60; }')
    pipe = os.open(tmp_path / "alive", os.O_RDONLY | os.O_NONBLOCK)
    hook = script.hook(limit=0.3)
    hook.tell(Notice.BOUND, "eth0", lease())
    hook.tell(Notice.LAPSED, "eth0", lease())
    hook.close(PATIENCE)
    readable(pipe)
    assert os.read(pipe, 1) == b""
    os.close(pipe)
    assert script.notices() == ["BOUND", "LAPSED"]
    (note,) = script.notes
    assert note == f"hook '{script.file}': BOUND: took more than 0.3 s; it was ended"


def test_there_is_nothing_to_read_and_no_terminal(tmp_path: Path) -> None:
    """Even where this process has an input that never ends."""
    ours, theirs = os.pipe()
    kept = os.dup(0)
    os.dup2(ours, 0)
    try:
        script = Script(
            tmp_path, "cat > read; [ ! -s read ] || exit 1; ! true < /dev/tty || exit 2"
        )
        hook = script.hook()
        hook.tell(Notice.BOUND, "eth0", lease())
        hook.close(PATIENCE)
    finally:
        os.dup2(kept, 0)
        for file in (ours, theirs, kept):
            os.close(file)
    assert script.notes == []


def test_when_too_many_wait_the_oldest_extended_is_left_out_and_that_is_said(
    tmp_path: Path,
) -> None:
    os.mkfifo(tmp_path / "gate")
    script = Script(tmp_path, "[ -e once ] || { : > once; cat gate; }")
    hook = script.hook()
    hook.tell(Notice.BOUND, "eth0", lease())
    with (tmp_path / "gate").open("w"):  # opens when the hook has: it runs
        hook.tell(Notice.LAPSED, "eth0", lease())
        hook.tell(Notice.BOUND, "eth0", lease())
        for last in range(WAITING + 3):
            hook.tell(Notice.EXTENDED, "eth0", lease(address=IPv4Address(last)))
        hook.tell(Notice.LAPSED, "eth0", lease())
    hook.close(PATIENCE)
    extended = WAITING - 3
    assert script.notices() == ["BOUND", "LAPSED", "BOUND", *["EXTENDED"] * extended, "LAPSED"]
    told = [int(IPv4Address(said["ip"])) for word, said in script.runs() if word == "renew"]
    assert told == [*range(WAITING + 3 - extended, WAITING + 3)], "the latest of them"
    assert (
        script.notes
        == [f"hook '{script.file}': {WAITING} notices wait; one of them, EXTENDED, is left out"] * 6
    )


def test_memory_is_bounded_whatever_is_told(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "gate")
    script = Script(tmp_path, "read line < gate")
    hook = script.hook(limit=60)
    for _ in range(5 * WAITING):
        hook.tell(Notice.UNANSWERED, "eth0", None)
    hook.close()
    assert len(script.notes[-1].split(",")) <= WAITING
    assert sum("left out" in note for note in script.notes) in (4 * WAITING - 1, 4 * WAITING)


def test_what_a_hook_prints_goes_to_standard_error(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    hook = Script(tmp_path, "echo one\necho two >&2").hook()
    hook.tell(Notice.BOUND, "eth0", lease())
    hook.close(PATIENCE)
    assert capfd.readouterr() == ("", "one\ntwo\n")


def test_what_goes_wrong_is_said_and_the_next_is_told(tmp_path: Path) -> None:
    script = Script(tmp_path, "[ $1 != nak ] || exit 3")
    hook = script.hook()
    hook.tell(Notice.REFUSED, "eth0", None)
    hook.tell(Notice.UNANSWERED, "eth0", None)
    hook.close(PATIENCE)
    assert script.notices() == ["REFUSED", "UNANSWERED"]
    assert script.notes == [f"hook '{script.file}': REFUSED: exit status 3"]


def test_a_program_that_the_kernel_does_not_take_is_said(tmp_path: Path) -> None:
    script = Script(tmp_path)
    script.file.write_text("no interpreter line\n")
    hook = script.hook()
    hook.tell(Notice.BOUND, "eth0", lease())
    hook.close(PATIENCE)
    assert script.notes == [f"hook '{script.file}': BOUND: cannot be run: Exec format error"]


def test_a_closed_one_is_told_nothing_and_leaves_no_file_open(tmp_path: Path) -> None:
    script, files = Script(tmp_path), len([*Path("/proc/self/fd").iterdir()])
    hook = script.hook()
    hook.tell(Notice.BOUND, "eth0", lease())
    hook.close(PATIENCE)
    hook.tell(Notice.LAPSED, "eth0", lease())
    hook.close()
    script.hook().close()
    assert script.notices() == ["BOUND"]
    assert len([*Path("/proc/self/fd").iterdir()]) == files
    assert "hook" not in [thread.name for thread in threading.enumerate()]


def test_words_of_the_command_are_not_a_shells(tmp_path: Path) -> None:
    script = Script(tmp_path)
    hook = Hook(f"{script.file} '$(touch {tmp_path}/pwn)' ';' x", note=script.notes.append)
    hook.tell(Notice.BOUND, "eth0", lease())
    hook.close(PATIENCE)
    assert [word for word, _ in script.runs()] == [f"$(touch {tmp_path}/pwn)"]
    assert not (tmp_path / "pwn").exists()
    assert script.notes == []


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("", "not a command"),
        ("'", "not a command: No closing quotation"),
        ("sh \0", "not a command"),
        ("/nowhere/hook", "/nowhere/hook: no such program, or not executable"),
        ("/etc/passwd", "/etc/passwd: no such program, or not executable"),
        ("no-such-program-in-path", "no such program"),
    ],
)
def test_what_cannot_be_run_is_refused(command: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        Hook(command)


@pytest.mark.parametrize("limit", [0, -1, float("nan"), float("inf")])
def test_a_limit_is_some_time(limit: float) -> None:
    with pytest.raises(InputError, match="expected more than 0 and at most"):
        Hook("true", limit)


@pytest.mark.parametrize("command", ["{}", "sh {}", "sh -e {} more"])
@pytest.mark.parametrize("changed", ["hook", "."])
def test_what_others_could_replace_is_refused(tmp_path: Path, command: str, changed: str) -> None:
    script = Script(tmp_path)
    Hook(command.format(script.file)).close()
    (tmp_path / changed).chmod(0o777)
    with pytest.raises(
        InputError, match=f"^hook .*{tmp_path / changed}: everybody may write there"
    ):
        Hook(command.format(script.file))


def test_the_windows_of_mercy_and_closing_fit() -> None:
    assert 2 * hooks.MERCY < background.CLOSING <= 1
