"""Q151387, sentence by sentence: K1 to K6, each shown by the model.

A docstring carries the sentence of the article that its test is about.
"""

from collections.abc import Callable, Iterator
from itertools import permutations
from typing import Any

import networkx as nx
import pytest

from holdover.model.explorer.explore import Exploration, explore
from holdover.model.explorer.graphs import dominators, unavoidable
from holdover.model.explorer.transitions import quotient
from holdover.model.readings.finite import Instance, Label, State
from holdover.model.readings.interpreter import Interpreter
from holdover.model.readings.interpreter import State as Moment
from holdover.model.table.properties import ALWAYS, EXCLUSIVE, STEPS
from holdover.model.table.vocabulary import HOST

Build = Callable[..., Instance]
Say = Callable[[Instance], Interpreter]


@pytest.fixture(scope="module")
def wfwg311(build: Build) -> Exploration:
    """Everything that happens to two such clients, whose users may never look at the screen."""
    return explore(build("wfwg311", "mutes", lease=3), ALWAYS, STEPS)


def steps(seen: Exploration) -> Iterator[tuple[dict[str, object], Label, dict[str, object]]]:
    """Every step in the words of the table."""
    shown = [seen.instance.describe(state) for state in seen.states]
    for number, state in enumerate(seen.states):
        for edge, following in seen.instance.successors(state):
            yield shown[number], seen.instance.labels[edge], shown[seen.index[following]]


def lapsed(state: dict[str, object], host: str) -> bool:
    """The host still holds, and what it holds is under no lease any more."""
    unleased = state[f"phase[{host}]"] in ("INIT", "SELECTING", "REQUESTING")
    return unleased and state[f"holds[{host}]"] is not None


@pytest.mark.kept("cases of the explorer")
def test_k1_holds_until_acknowledged(wfwg311: Exploration) -> None:
    """K1, SYMPTOMS.

    "does not release and unbind its IP address [...] even after the lease has expired until
    the user acknowledges the pop-up message"
    """
    released_by = {
        label.action.name
        for before, label, after in steps(wfwg311)
        for host in ("h1", "h2")
        if lapsed(before, host) and after[f"holds[{host}]"] is None
    }
    assert released_by == {"acknowledge"}
    assert wfwg311.violations.keys() == {"exclusive", "within_lease", "released_first"}


# K2 ----------------------------------------------------------------------------------------------


def test_k2_without_a_silent_server_no_lease_lapses(build: Build) -> None:
    """K2, CAUSE.

    "can arise when a [...] server is not available on the network to renew the client lease
    at the time of expiration"
    """
    seen = explore(build("wfwg311"), ALWAYS, STEPS)
    assert seen.complete
    assert "extend" in seen.fired
    assert "lapse" not in seen.fired
    assert seen.violations == {}


def alike(instance: Instance, state: State) -> tuple[str, ...]:
    """A view that does not tell which host is which: the least of the state's renamings."""
    hosts = range(instance.bounds.hosts)

    def renamed(order: tuple[int, ...]) -> tuple[str, ...]:
        values = {}
        for (variable, member), value in zip(instance.slots, state, strict=True):
            place = order[member] if variable.index is HOST else member
            refers = variable.sort is HOST and isinstance(value, int) and value >= 0
            values[variable.name, place] = order[int(str(value))] if refers else value
        return tuple(str(values[v.name, member]) for v, member in instance.slots)

    return min(renamed(order) for order in permutations(hosts))


def collisions(seen: Exploration) -> list[bool]:
    exclusive = seen.instance.predicate(EXCLUSIVE.term)
    return [not exclusive(state) for state in seen.states]


@pytest.mark.kept("cases of the explorer")
def test_k2_no_collision_without_silence(wfwg311: Exploration) -> None:
    """The same sentence: there is no way to a collision but through `mute`."""
    views = [alike(wfwg311.instance, state) for state in wfwg311.states]
    result: nx.DiGraph[Any] = quotient(wfwg311, lambda number, state: views[number])
    goals = [view for view, bad in zip(views, collisions(wfwg311), strict=True) if bad]
    assert len(result) < 0.6 * len(wfwg311.states)
    needed = unavoidable(result, views[0], goals)
    assert {"mute", "lapse", "notify", "reuse"} <= set(needed)
    assert "acknowledge" not in needed


def test_k2_no_collision_without_a_pending_notice(wfwg311: Exploration) -> None:
    """The same sentence, and SYMPTOMS: every collision finds a notice that nobody has answered."""
    notices = [wfwg311.instance.place["notice", host] for host in (0, 1)]
    bad = collisions(wfwg311)

    def view(number: int, state: State) -> str:
        if bad[number]:
            return "collision"
        return "notice pending" if any(state[place] for place in notices) else "quiet"

    result: nx.DiGraph[Any] = quotient(wfwg311, view)
    assert dominators(result, "quiet", ["collision"]) == ["quiet", "notice pending", "collision"]


# K3 ----------------------------------------------------------------------------------------------


class Run:
    """A run that is told step by step: `do` takes the step, which must be possible."""

    def __init__(self, world: Interpreter):
        self.world, self.state = world, world.initial()

    def do(self, row: str, **given: object) -> Moment:
        action = self.world.table.action(row)
        zero = {"h": 0, "m": 0, "a": 0, "g": 0, "skew": 0, "passing": 1}
        zero["length"] = int(str(self.world.constants["full"]))
        names = [str(p.args[0]) for p in action.given]
        binding = tuple(int(str({**zero, **given}[name])) for name in names)
        self.state = self.world.step(self.state, action, binding)
        return self.state

    def lease(self) -> None:
        for row in ("discover", "offer", "select", "commit", "bind"):
            self.do(row)


@pytest.mark.parametrize("profile", ["wfwg311", "wfwg311-fixed", "wfwg311-thereafter", "rfc2131"])
def test_k3_repeated_attempts_to_renew_then_to_obtain(
    profile: str, build: Build, concrete: Say
) -> None:
    """K3, CAUSE.

    "after repeated attempts to renew the current lease, will try to obtain a new lease
    thereafter"
    """
    run = Run(concrete(build(profile, "mutes", lease=8)))
    run.lease()
    run.do("mute")
    run.do("tick", passing=4)
    for _ in range(3):
        assert run.do("renew")["phase", 0] == "RENEWING"
        run.do("miss")
    run.do("tick", passing=3)
    for _ in range(3):
        assert run.do("rebind")["phase", 0] == "REBINDING"
        run.do("miss")
    assert run.do("tick")["holds", 0] == 0
    assert run.do("lapse")["phase", 0] == "INIT"
    run.do("notify")
    for _ in range(3):
        assert run.do("discover")["phase", 0] == "SELECTING"
        run.do("miss")
    still_held = profile in ("wfwg311", "wfwg311-thereafter")
    assert run.state["holds", 0] == (0 if still_held else None)


# K4 ----------------------------------------------------------------------------------------------


def test_k4_relinquished_at_the_end_of_the_lease_is_safe(build: Build) -> None:
    """K4, CAUSE.

    "If it fails to get a new lease as well, it should relinquish the current lease and release
    the IP address": read as *at the end of the lease*, before it tries for a new one.
    """
    for profile in ("rfc2131", "wfwg311-fixed"):
        seen = explore(build(profile, "mutes", "loses", lease=3), ALWAYS, STEPS)
        assert seen.complete
        assert "lapse" in seen.fired
        assert seen.violations == {}


def test_k4_relinquished_after_trying_for_a_new_lease_is_not(build: Build) -> None:
    """The same sentence, read as *once trying has failed*: the address is held while it tries."""
    seen = explore(build("wfwg311-thereafter", "mutes", lease=3), ALWAYS, STEPS)
    assert {"exclusive", "within_lease"} <= seen.violations.keys()
    assert "relinquish" in seen.fired
    taken = [label.action.name for label in seen.violations["exclusive"].labels]
    assert "relinquish" not in taken
    assert taken.index("lapse") < taken.index("reuse")


def test_k4_a_grace_as_long_as_the_trying_makes_up_for_it(build: Build) -> None:
    """The second reading is safe with a server that waits as long as the client tries."""
    seen = explore(build("wfwg311-thereafter", "mutes", lease=3, grace=1), [EXCLUSIVE])
    assert seen.complete
    assert seen.violations == {}


# K5 ----------------------------------------------------------------------------------------------


def test_k5_the_server_reuses_the_address(wfwg311: Exploration) -> None:
    """K5, CAUSE.

    "can also create duplicate addresses on the network, when the DHCP server reuses the
    address and leases it to another client because the earlier lease had expired"
    """
    trace = wfwg311.violations["exclusive"]
    told = [wfwg311.instance.describe(state) for state in trace.states]
    taken = [label.action.name for label in trace.labels]
    assert taken[-2:] == ["reuse", "bind"]
    assert taken.count("bind") == 2
    assert taken.index("mute") < taken.index("lapse") < taken.index("notify")
    assert taken.index("notify") < taken.index("reuse")
    first, second = told[-3], told[-1]
    assert first["owner[a1]"] == "h1"
    assert int(str(first["server_end[a1]"])) < 0
    assert second["owner[a1]"] == "h2"
    assert second["holds[h1]"] == second["holds[h2]"] == "a1"
    assert second["notice[h1]"] == "SHOWN"


# K6 ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fixed(build: Build) -> Exploration:
    """Everything that happens to two clients with the fix."""
    return explore(build("wfwg311-fixed", "mutes", "loses", lease=3), ALWAYS, STEPS)


def test_k6_the_address_is_released_before_the_dialog(fixed: Exploration) -> None:
    """K6, RESOLUTION.

    "Vdhcp.386 was changed to release the IP address before displaying the dialog box"
    """
    assert fixed.complete
    assert fixed.violations == {}
    notified = [after for _, label, after in steps(fixed) if label.action.name == "notify"]
    assert notified
    for after in notified:
        for host in ("h1", "h2"):
            assert after[f"notice[{host}]"] != "SHOWN" or not lapsed(after, host)


@pytest.mark.kept("cases of the explorer")
def test_k6_the_dialog_is_still_displayed(fixed: Exploration) -> None:
    """K6: the fix does not lose the notice.

    It is due from each lapse on, stays due until it is shown, and no time passes before that.
    """
    lapses = 0
    for before, label, after in steps(fixed):
        for host in ("h1", "h2"):
            mine = label.action.given and label.binding[0] == int(host[1]) - 1
            if label.action.name == "lapse" and mine:
                lapses += 1
                assert after[f"notice[{host}]"] == "DUE"
            if before[f"notice[{host}]"] == "DUE":
                assert label.action.name != "tick"
                shown = label.action.name == "notify" and mine
                assert after[f"notice[{host}]"] == ("SHOWN" if shown else "DUE")
    assert lapses
    assert fixed.fired["notify"]
