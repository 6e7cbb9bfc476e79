"""The state diagram, read off the table, against Figure 5 and against a search."""

import pytest

from holdover.model.clients.profile import Environment, Profile, Seconds, in_ticks
from holdover.model.explorer.explore import explore
from holdover.model.readings.finite import Instance, bounds_for
from holdover.model.readings.possible import Edge, edges
from holdover.model.table.expr import Action, becomes
from holdover.model.table.table import LEASE_TABLE, Table
from holdover.model.table.vocabulary import PHASE, h, phase

EDGES = edges(LEASE_TABLE)

FIGURE_5 = (
    Edge("INIT", "discover", "SELECTING"),
    Edge("SELECTING", "select", "REQUESTING"),
    Edge("REQUESTING", "bind", "BOUND"),
    Edge("REQUESTING", "obey_nak", "INIT"),
    Edge("BOUND", "renew", "RENEWING"),
    Edge("RENEWING", "extend", "BOUND"),
    Edge("RENEWING", "rebind", "REBINDING"),
    Edge("RENEWING", "obey_nak", "INIT"),
    Edge("REBINDING", "extend", "BOUND"),
    Edge("REBINDING", "lapse", "INIT"),
    Edge("REBINDING", "obey_nak", "INIT"),
    Edge("INIT_REBOOT", "reboot", "REBOOTING"),
    Edge("REBOOTING", "bind", "BOUND"),
    Edge("REBOOTING", "obey_nak", "INIT"),
)


def test_figure_5_is_in_it() -> None:
    assert [edge for edge in FIGURE_5 if edge not in EDGES] == []


def test_lapse_leads_out_of_every_phase_with_a_lease() -> None:
    """Figure 5 draws it from REBINDING only."""
    assert [e.before for e in EDGES if e.action == "lapse" and e.after == "INIT"] == [
        "PROBING",
        "BOUND",
        "RENEWING",
        "REBINDING",
        "INIT_REBOOT",
        "REBOOTING",
    ]


def test_every_phase_is_reached_and_left() -> None:
    assert {e.after for e in EDGES} == {e.before for e in EDGES} == set(PHASE.values)


def test_impossible_edges_are_absent() -> None:
    """A process that is started again was killed before: it is not BOUND."""
    assert {e.before for e in EDGES if e.action == "restart"} == {"INIT", "INIT_REBOOT"}
    assert {e.before for e in EDGES if e.action == "discover"} == {"INIT", "SELECTING"}


def test_row_that_needs_two_phases_at_once_gives_no_edge() -> None:
    never = Action(
        "never",
        "planted",
        "never",
        (h,),
        (phase[h] == "INIT", phase[h] == "BOUND"),
        (becomes(phase[h], "RENEWING"),),
    )
    planted = Table(LEASE_TABLE.variables, (*LEASE_TABLE.actions, never))
    assert edges(planted) == EDGES


@pytest.mark.kept("cases of the explorer")
@pytest.mark.parametrize("probes", [False, True], ids=["at once", "after probing"])
def test_every_step_of_a_search_is_an_edge(probes: bool) -> None:
    """One host, a server that falls silent and forgets, a client killed, ended and restarted."""
    faults = frozenset({"mutes", "forgets", "crashes", "stops", "restarts", "suspends"})
    client = Profile("c", restart="REMAINDER", releases=True, probes=probes)
    surroundings = Environment(lease=Seconds(4), faults=faults)
    constants = in_ticks(client, surroundings, Seconds(1))
    instance = Instance(LEASE_TABLE, constants, bounds_for(constants, 1, 1, 1))
    seen = explore(instance)
    assert seen.complete
    at = instance.place["phase", 0]
    setting = {a.name for a in LEASE_TABLE.actions if any(e.variable is phase for e in a.then)}
    taken = {
        Edge(PHASE.values[state[at]], instance.labels[i].action.name, PHASE.values[after[at]])  # type: ignore[index]
        for state in seen.states
        for i, after in instance.successors(state)
        if instance.labels[i].action.name in setting
    }
    assert len(taken) > 20
    assert taken <= set(EDGES)
