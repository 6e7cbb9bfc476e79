"""The model's collision on real kernels: wfwg311 collides, wfwg311-fixed does not; as root.

All plays run at the same time; a test looks at one of them.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path

import pytest

from holdover.model.clients.profile import Profile, load
from holdover.proofs.result import silent
from holdover.reference.core.instants import SECOND
from holdover.reference.lab.collision.collision import PlayedCollision, play
from holdover.reference.lab.collision.plan import SURROUNDINGS, plan_course
from holdover.reference.lab.collision.player import ADDRESS
from holdover.reference.lab.collision.puppet import Puppet
from holdover.reference.lab.collision.schedule import Plan
from holdover.reference.lab.record import record
from holdover.reference.lab.record.measure import measure
from holdover.reference.lab.testbed.netns import Links
from holdover.reference.lab.testbed.process import PATIENCE, UnheardError, eventually
from holdover.reference.lab.testbed.scene import LEASED, OWN, SceneEndedError
from holdover.reference.lab.testbed.servers import SERVERS, ServerOrder

AT_ONCE = 4
"""Plays that two cores can begin at the same time without being late."""

TRIES = 5
"""Times that a play is begun on a machine that is too slow for it."""

OLD, FIXED = load("wfwg311"), load("wfwg311-fixed")
KEPT = replace(
    load("rfc2131"),
    name="kept",
    trigger="NEVER",
    enforcer="KERNEL",
    margin=Fraction(5, 2),
    kernel_late=Fraction(5, 2),
)
"""A client that does nothing at its lease end; the kernel removes its address in time."""


class Releasing(Puppet):
    """It gives its address up before anybody else sends anything: Q151387 RESOLUTION, by hand."""

    others: "list[Releasing]" = []  # noqa: RUF012 -- both hosts of one play

    def send(self, message: str, phase: str, address: IPv4Address, *, fresh: bool) -> None:
        if message == "DISCOVER":
            for other in self.others:
                other.let_go(ADDRESS)
            self.others.append(self)
        super().send(message, phase, address, fresh=fresh)


class Staying(Puppet):
    """It does not remove an address: the release is left out."""

    def let_go(self, address: IPv4Interface) -> None:
        pass


class Unlimited(Puppet):
    """It sets no lifetime."""

    def take(self, address: IPv4Interface, valid: int | None) -> None:
        super().take(address, None)


class Hasty(Puppet):
    """It sets a lifetime that is too short."""

    def take(self, address: IPv4Interface, valid: int | None) -> None:
        super().take(address, 2)


class Silent(Puppet):
    """It sends nothing."""

    def send(self, message: str, phase: str, address: IPv4Address, *, fresh: bool) -> None:
        pass


class Slow(Puppet):
    """It is kept waiting when it has its address, as on a machine that is too busy."""

    def take(self, address: IPv4Interface, valid: int | None) -> None:
        super().take(address, valid)
        assert valid is not None
        time.sleep(valid + 2)


class Heard(Puppet):
    """It is heard also where the run has it that nobody is there."""

    def send(self, message: str, phase: str, address: IPv4Address, *, fresh: bool) -> None:
        self._host.isolate("off")
        super().send(message, phase, address, fresh=fresh)


PLAYS: Mapping[str, tuple[Profile, type[Puppet]]] = {
    "wfwg311": (OLD, Puppet),
    "wfwg311-fixed": (FIXED, Puppet),
    "releasing": (OLD, Releasing),
    "staying": (FIXED, Staying),
    "connman": (load("connman"), Puppet),
    "kept": (KEPT, Puppet),
    "no lifetime": (KEPT, Unlimited),
    "short lifetime": (KEPT, Hasty),
    "slow": (KEPT, Slow),
    "unheard": (OLD, Silent),
    "heard": (OLD, Heard),
}


@pytest.fixture(scope="module")
def playing(
    privileged: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[PlayedCollision]]]:
    """All plays, from when one is first wanted; they are planned one after another."""
    place, stop = tmp_path_factory.mktemp("collide"), threading.Event()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            yield {
                name: pool.submit(
                    play_in_time,
                    plan_course(profile, SURROUNDINGS, silent),
                    place / name.replace(" ", "-"),
                    puppet,
                    stop,
                )
                for name, (profile, puppet) in PLAYS.items()
            }
        finally:
            stop.set()


def play_in_time(
    plan: Plan, place: Path, puppet: type[Puppet], stop: threading.Event
) -> PlayedCollision:
    """A play for which the machine was not too slow, if one of so many is."""
    for number in range(TRIES):
        played = play(
            plan, place.with_name(f"{place.name}-{number}"), silent, puppet=puppet, stop=stop
        )
        if puppet is Slow or "too slow" not in played.seen.reason:
            break
    return played


@pytest.fixture
def played(
    playing: dict[str, Future[PlayedCollision]], request: pytest.FixtureRequest
) -> PlayedCollision:
    """The play named by the test's marker."""
    return playing[request.param].result(PATIENCE)


def of(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("played", names, indirect=True)


def both(played: PlayedCollision) -> tuple[str, ...]:
    return tuple(each.hex(":") for each in record.read(played.record).hosts.values())


# The collision, and none -------------------------------------------------------------------------


@of("wfwg311")
def test_the_old_client_ends_with_two_that_answer_for_one_address(played: PlayedCollision) -> None:
    assert (played.seen.outcome, played.as_predicted) == ("violated", True), played.seen
    assert played.seen.answered == both(played)
    seen = record.read(played.record)
    *_, before, _ = (mark.at for mark in seen.marks)
    assert 2 < played.seen.duplicate <= (seen.end - before) / SECOND, "since the last step"


@of("wfwg311-fixed")
def test_the_fixed_client_does_not(played: PlayedCollision) -> None:
    assert (played.seen.outcome, played.as_predicted) == ("holds", True), played.seen
    assert played.seen.answered == both(played)[1:]
    assert played.seen.duplicate == 0


@of("releasing")
def test_the_check_goes_green_where_the_old_client_releases(played: PlayedCollision) -> None:
    assert (played.seen.outcome, played.as_predicted) == ("holds", False), played.seen


@of("staying")
def test_the_check_goes_red_where_the_release_is_left_out(played: PlayedCollision) -> None:
    assert (played.seen.outcome, played.as_predicted) == ("violated", False), played.seen
    assert played.seen.answered == both(played)


@of("connman")
def test_a_client_that_is_late_collides_for_a_while(played: PlayedCollision) -> None:
    """Its run does not say when it lets go; it does before another lease is over.

    How late it is, is the league's affair: here everything else that runs adds to it.
    """
    assert played.seen.outcome == "violated", played.seen
    assert 0 < played.seen.duplicate < SURROUNDINGS.lease


@of("kept")
def test_the_kernel_lets_go_in_time(played: PlayedCollision) -> None:
    assert (played.seen.outcome, played.as_predicted) == ("holds", True), played.seen
    assert measure(record.read(played.record), "a").enforcer == "kernel"  # type: ignore[union-attr]


@of("wfwg311", "wfwg311-fixed")
def test_each_step_is_marked_with_its_sentence(played: PlayedCollision) -> None:
    marks = [mark.what for mark in record.read(played.record).marks]
    gone = "; h1 has no address any more" * played.plan.made_to_stay
    assert f"the lease of h1 lapses{gone}" in marks
    assert marks[-1] == "h2 receives DHCPACK and takes a1; h2 has a1"


# Otherwise than the run --------------------------------------------------------------------------


@of("no lifetime")
def test_a_kernel_that_keeps_an_address_for_too_long_is_no_pass(played: PlayedCollision) -> None:
    assert played.seen.outcome == "unknown"
    assert "a kernel still has an address" in played.seen.reason


@of("short lifetime")
def test_a_kernel_that_removes_it_too_early_is_no_pass(played: PlayedCollision) -> None:
    assert played.seen.outcome == "unknown"
    assert "before its lifetime was over at 7.5 s" in played.seen.reason


@of("slow")
def test_a_machine_that_is_too_slow_is_not_laid_to_the_kernel(played: PlayedCollision) -> None:
    assert played.seen.outcome == "unknown"
    assert "this machine is too slow to play the run" in played.seen.reason


@of("unheard")
def test_a_reply_that_does_not_come_is_no_pass(played: PlayedCollision) -> None:
    assert played.seen.outcome == "unknown"
    assert "no DHCPOFFER for h1" in played.seen.reason


@of("heard")
def test_a_reply_that_should_not_come_is_no_pass(played: PlayedCollision) -> None:
    assert played.seen.outcome == "unknown"
    assert "h1 was answered where in the run it is not" in played.seen.reason


# The puppet --------------------------------------------------------------------------------------


def test_a_puppet_speaks_the_forms_that_a_server_knows(links: Links, tmp_path: Path) -> None:
    """In order, since each is about the lease of the one before it."""
    hosts = links(srv=str(OWN), a=None, b=None)
    order = ServerOrder(own=OWN, first=LEASED, last=LEASED, lease=60)
    SERVERS["holdover"].start(hosts["srv"], tmp_path / "server", order)
    with closing(Puppet("h1", hosts["a"])) as h1, closing(Puppet("h2", hosts["b"])) as h2:

        def asks(puppet: Puppet, message: str, phase: str, reply: str) -> None:
            puppet.send(message, phase, LEASED, fresh=phase not in ("REQUESTING", "INIT"))
            puppet.hear(reply, LEASED)

        asks(h1, "DISCOVER", "SELECTING", "OFFER")
        asks(h1, "REQUEST", "REQUESTING", "ACK")
        h1.take(ADDRESS, 60)
        asks(h1, "REQUEST", "RENEWING", "ACK")
        asks(h1, "REQUEST", "REBINDING", "ACK")
        h1.let_go(ADDRESS)
        assert not h1.has(LEASED)
        asks(h1, "REQUEST", "REBOOTING", "ACK")
        h1.send("RELEASE", "INIT", LEASED, fresh=True)
        asks(h2, "DISCOVER", "SELECTING", "OFFER")
        asks(h2, "REQUEST", "REQUESTING", "ACK")
        asks(h1, "REQUEST", "REQUESTING", "NAK")
        with pytest.raises(UnheardError, match=r"a DHCPNAK of .* for h1, where a DHCPACK"):
            asks(h1, "REQUEST", "REQUESTING", "ACK")
        h1.let_go(ADDRESS)  # it has none, and that is no failure


# The end -----------------------------------------------------------------------------------------

ONE = """
import sys
from pathlib import Path
from holdover.model.clients.profile import load
from holdover.reference.lab.collision.collision import play
from holdover.reference.lab.collision.plan import SURROUNDINGS, plan_course
from holdover.reference.lab.collision.schedule import Plan
told = lambda said: print(said, flush=True)
play(plan_course(load("wfwg311"), SURROUNDINGS, told), Path(sys.argv[1]) / "place", told)
"""


def test_ctrl_c_leaves_no_namespace_behind(privileged: None, tmp_path: Path) -> None:
    running = subprocess.Popen(
        (sys.executable, "-c", ONE, tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ,
    )

    def spaces() -> list[str]:
        return [path.name for path in Path("/run/netns").glob(f"ho-{running.pid}-*")]

    try:
        assert running.stdout is not None
        for line in running.stdout:
            if "takes a1" in line:
                break
        before = spaces()
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=PATIENCE)
    finally:
        running.kill()
    assert len(before) == 4
    assert "KeyboardInterrupt" in err
    assert not spaces()


def test_who_stops_a_play_interrupts_it(privileged: None, tmp_path: Path) -> None:
    stop, told = threading.Event(), list[str]()
    plan = plan_course(OLD, SURROUNDINGS, silent)
    with ThreadPoolExecutor(1) as pool:
        playing = pool.submit(play, plan, tmp_path / "place", told.append, stop=stop)
        try:
            eventually(lambda: any("takes a1" in line for line in told), PATIENCE, "it is bound")
        finally:
            stop.set()
        assert isinstance(playing.exception(PATIENCE), SceneEndedError)
