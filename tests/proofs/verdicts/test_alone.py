"""What a client does by itself: obeys, keeps, recovers; each can be broken, and is told."""

from dataclasses import replace

import pytest

from holdover.model.clients.network import ClientKind
from holdover.model.clients.profile import STANDARD, Profile, builtin_names, load
from holdover.model.explorer.configurations import EVENTUALLY, FAULT_ROWS
from holdover.model.explorer.explore import explore
from holdover.model.explorer.instances import small_instance
from holdover.model.explorer.transitions import never_reaches, steps_of
from holdover.proofs.verdicts.alone import SAYS, VerdictAlone, judge_alone, strand

RFC = load("rfc2131")


def verdicts(client: Profile, *faults: str) -> dict[str, VerdictAlone]:
    found = judge_alone(client, STANDARD.and_faults(*faults))
    return {each.name: each for each in found}


def test_who_obeys_the_rfc_keeps_obeys_and_recovers() -> None:
    found = verdicts(RFC)
    assert tuple(found) == tuple(SAYS)
    assert {each.outcome for each in found.values()} == {"holds"}
    assert {each.run for each in found.values()} == {()}


def test_a_dhcpnak_does_come() -> None:
    """Else to obey it would be said of who was never asked."""
    told = [event.action for event in verdicts(replace(RFC, heeds_nak="NEVER"))["obeys_nak"].run]
    assert told[-1] == "disregard_nak"


@pytest.mark.parametrize(
    ("client", "faults", "broken", "last"),
    [
        (replace(RFC, heeds_nak="UNICAST"), (), "obeys_nak", "disregard_nak"),
        (replace(RFC, after_nak="LEAVE"), (), "obeys_nak", "obey_nak"),
        (replace(RFC, drops_to_renew=True), (), "keeps", "renew"),
        (RFC, ("crashes",), "recovers", "crash"),
        (RFC, ("freezes",), "recovers", "freeze"),
    ],
)
def test_each_is_broken_by_its_fact_and_told(
    client: Profile, faults: tuple[str, ...], broken: str, last: str
) -> None:
    found = verdicts(client, *faults)
    assert {name for name, each in found.items() if each.outcome == "violated"} >= {broken}
    assert found[broken].run[-1].action == last


def test_who_waits_as_long_as_it_says_obeys() -> None:
    assert verdicts(load("connman"))["obeys_nak"].outcome == "holds"


def test_of_who_never_releases_it_is_unknown_whether_it_recovers() -> None:
    for name in builtin_names():
        unknown = verdicts(load(name))["recovers"].outcome == "unknown"
        assert unknown == (load(name).trigger == "NEVER"), name


@pytest.mark.parametrize("faults", [(), ("crashes",), ("crashes", "restarts"), ("freezes",)])
def test_a_client_is_stranded_where_the_graphs_say_so(faults: tuple[str, ...]) -> None:
    for name in ("rfc2131", "freertos", "wfwg311", "networkd"):
        world = STANDARD.and_faults(*faults)
        one = small_instance((ClientKind(load(name)),), world, 3, 1, 1)
        seen = explore(one, keep_steps=True)
        goal = one.predicate(EVENTUALLY["recovers"])
        number = never_reaches(seen, steps_of(seen), goal, FAULT_ROWS)
        trace = strand(seen)
        assert (trace is None) == (number is None)
        if trace is not None and number is not None:
            assert trace.states == seen.trace(number).states
