"""T0: nothing that holds time up is stuck, and what would be is noticed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import pytest

from holdover.model.clients.profile import FAULTS
from holdover.model.explorer.explore import Exploration, explore
from holdover.model.readings.finite import Instance, State
from holdover.model.table.expr import DURATION, Action, Due, Expr, becomes, lift
from holdover.model.table.properties import Property
from holdover.model.table.table import LEASE_TABLE, ROWS, Table, tick
from holdover.model.table.vocabulary import CONSTANTS, h, kind, lease_end, m, now, process
from holdover.proofs.logic import solvers
from holdover.proofs.logic.formula import TRUE, Formula
from holdover.proofs.logic.obligations import Obligation
from holdover.proofs.logic.solvers import EFFORT, SOLVERS, by_cvc5
from holdover.proofs.result import Check
from holdover.proofs.theorems import t0_time_passes
from holdover.proofs.theorems.t0_time_passes import (
    ABOUT_OTHERS,
    FACTS,
    Obstacle,
    blocks,
    count_stuck,
    explore_network,
    instances,
    obligations,
    occurs,
    prove_may,
)

BLOCKED = {blocked.name: blocked for blocked in blocks()}


@pytest.fixture(autouse=True)
def effort(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenth of what cvc5 may spend.  What is stuck takes all of it, and no answer comes of it.

    Each obligation of T0 is proved with as much (`test_t0_holds`).
    """
    monkeypatch.setitem(EFFORT, "cvc5", EFFORT["cvc5"] // 10)


def refuted(wanted: Iterable[Obligation]) -> set[str]:
    """The conjuncts that are not proved."""
    return {o.conjunct for o in wanted if by_cvc5(o).result != "proved"}


def without(name: str, row: str) -> Obstacle:
    """What holds time up, when one of the rows that settle it is not there."""
    blocked = BLOCKED[name]
    return replace(blocked, rows=tuple(r for r in blocked.rows if r.name != row))


# The proof ---------------------------------------------------------------------------------------


def test_every_deadline_and_every_kind_of_datagram_is_asked_about() -> None:
    due = {row.name for row in LEASE_TABLE.actions if row.due is not None}
    assert set(BLOCKED) == due | set(kind.sort.values) - {"FREE"}


@pytest.mark.parametrize("solver", SOLVERS)
def test_t0_holds(solver: str) -> None:
    found = prove_may((solver,))
    assert (found.outcome, found.data["never_fire"]) == ("holds", [])
    conjuncts = len(FACTS)
    assert isinstance(found.data["obligations"], int)
    assert found.data["obligations"] > conjuncts + 2 * len(BLOCKED)


@pytest.mark.parametrize("name", BLOCKED)
def test_what_holds_time_up_does_occur(name: str) -> None:
    """Its premises have a model, so that it is not proved of nothing."""
    assert by_cvc5(occurs(BLOCKED[name])).result == "refuted"


@pytest.mark.kept("rows without which time stops")
@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("DISCOVER", "find_none"),
        ("OFFER", "select"),
        ("REQUEST", "prolong"),
        ("ACK", "bind"),
        ("ACK", "extend"),
        ("ACK", "cut_short"),
        ("ACK", "cut_off"),
        ("NAK", "obey_nak"),
        ("RELEASE", "free"),
        ("DECLINE", "withhold"),
        ("DECLINE", "disregard"),
        ("ACK", "miss"),
        ("ACK", "ignore"),
        ("use", "decline"),
        ("use", "use"),
        ("lapse", "lapse"),
    ],
)
def test_without_a_row_something_is_stuck(name: str, row: str) -> None:
    (may, *_) = obligations(without(name, row))
    assert by_cvc5(may).result != "proved"


@pytest.mark.kept("rows without which time stops")
@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.name)
def test_without_a_fact_something_is_not_proved(
    fact: Property, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(t0_time_passes, "FACTS", tuple(f for f in FACTS if f is not fact))
    assert any(refuted(list(obligations(b))[:1]) for b in BLOCKED.values())


def test_clocks_that_err_in_one_direction_may_be_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    """That they are right within their bounds is needed: else no lease may be measured."""
    monkeypatch.setattr(t0_time_passes, "right_within", lambda: TRUE)
    assert refuted(list(obligations(BLOCKED["ACK"]))[:1])


def test_a_deadline_that_cannot_be_kept_is_refuted() -> None:
    """The lease end is due, and nothing but the lease's being over allows the row."""
    row = LEASE_TABLE.action("lapse")
    assert row.due is not None
    early = Due(row.due.condition, now)
    holds = (early.condition, early.instant <= now, BLOCKED["lapse"].holds[2])
    assert "may" in refuted(obligations(replace(BLOCKED["lapse"], holds=holds)))


def test_a_row_that_leaves_its_datagram_is_refuted() -> None:
    whole = LEASE_TABLE.action("miss")
    lazy = replace(whole, then=(becomes(kind[m], kind[m]),))
    rows = tuple(lazy if r.name == "miss" else r for r in BLOCKED["ACK"].rows)
    assert refuted(obligations(replace(BLOCKED["ACK"], rows=rows))) == {"settled by miss"}


def test_a_row_that_leaves_what_is_due_is_refuted() -> None:
    lazy = replace(LEASE_TABLE.action("notify"), then=())
    assert refuted(obligations(replace(BLOCKED["notify"], rows=(lazy,)))) == {"settled by notify"}


def test_one_unknown_answer_leaves_it_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    undecided = {each.assertions[-1] for each in obligations(BLOCKED["NAK"])}

    def ask(_: object, rounds: Sequence[Sequence[Formula]], __: int) -> list[str]:
        return ["unknown" if goal in undecided else "unsat" for *_, goal in rounds]

    monkeypatch.setitem(SOLVERS, "z3", ask)
    monkeypatch.setattr(solvers, "ask_z3_at_once", ask)
    assert prove_may().outcome == "unknown"


# Explored ----------------------------------------------------------------------------------------


def positive(term: object, name: str, *, sign: bool = True) -> Iterator[bool]:
    """How a switch occurs in a guard: True where it lets more happen, False where less."""
    if not isinstance(term, Expr):
        return
    if term.op == "constant" and term.args[0] == name:
        yield sign
        return
    for arg in term.args:
        for found in positive(arg, name, sign=sign != (term.op == "not")):
            yield found
            if term.op not in ("and", "or", "not", "forall"):
                yield not found


def reads(term: object, name: str) -> bool:
    """Whether a switch occurs."""
    return bool(list(positive(term, name)))


def test_a_switch_only_lets_rows_happen() -> None:
    """So the states of each combination of faults are among those of all of them at once.

    A deadline may be lifted by one: then time may pass, and need not.  Those about others also take
    ways away, where there is another host; what is explored has one.
    """
    for name in (fault for fault in FAULTS if fault not in ABOUT_OTHERS):
        assert name in CONSTANTS
        for row in LEASE_TABLE.actions:
            assert set().union(*(positive(guard, name) for guard in row.when)) <= {True}
            assert not any(reads(effect.value, name) for effect in row.then)
            assert row.due is None or set(positive(row.due.condition, name)) <= {False}


def stuck(seen: Exploration, without: Instance) -> list[State]:
    """The states from which no way leads to a `tick`, by no fault, as the explorer sees it."""
    (tick,) = (label for label in without.labels if label.action.name == "tick")
    guard = " and ".join(f"({condition})" for condition in without.conditions(tick))
    time_passes = without.compiled(f"def time_passes(s):\n    return {guard}\n", "time_passes")
    ways = {
        number: [seen.index[following] for _, following in without.successors(state)]
        for number, state in enumerate(seen.states)
        if not time_passes(state)
    }
    while free := [n for n, to in ways.items() if any(other not in ways for other in to)]:
        for number in free:
            del ways[number]
    return [seen.states[number] for number in ways]


@pytest.mark.parametrize("profile", t0_time_passes.EXPLORED)
def test_the_plain_explorer_counts_the_same(profile: str) -> None:
    """Among some of the faults, and where a row that time waits for can happen to none but dead."""
    pair = instances(profile, ("crashes", "restarts", "mutes", "forgets"))
    row = LEASE_TABLE.action("notify")
    never = table_with(replace(row, when=(*row.when, process[h] == "DEAD")))
    for among, alone in (pair, tuple(Instance(never, i.constants, i.bounds) for i in pair)):
        seen = explore(among)
        assert count_stuck(among, alone) == (len(seen.states), len(stuck(seen, alone)))


def test_a_row_that_leads_out_of_what_is_known_is_refused() -> None:
    """Without faults something happens that does not happen among them: the pair is no pair."""
    among, alone = instances("rfc2131", ())
    lapse = LEASE_TABLE.action("lapse")
    early = Instance(table_with(replace(lapse, when=lapse.when[:1])), alone.constants, alone.bounds)
    with pytest.raises(KeyError):
        count_stuck(among, early)


def table_with(row: Action) -> Table:
    """The lease table with another row of that name, and the time that goes with it."""
    rows = tuple(row if r.name == row.name else r for r in ROWS)
    return Table(LEASE_TABLE.variables, (*rows, tick(rows)))


def test_a_deadline_that_stops_time_is_seen() -> None:
    """By the lease end the client must have lapsed, and may not before an hour has passed."""
    row = LEASE_TABLE.action("lapse")
    assert row.due is not None
    late = replace(row, when=(*row.when, now >= lease_end[h] + lift(1, DURATION)))
    among, alone = (
        Instance(table_with(late), each.constants, each.bounds)
        for each in instances("rfc2131", ("mutes",))
    )
    found = count_stuck(among, alone)
    assert found is not None
    assert found[1] == len(stuck(explore(among), alone)) > 0


def test_only_faults_that_go_on_are_no_way_out() -> None:
    """Where nothing but a crash lets time go on, it is stuck."""
    row = LEASE_TABLE.action("notify")
    never = replace(row, when=(*row.when, process[h] == "DEAD"))
    among, alone = (
        Instance(table_with(never), each.constants, each.bounds)
        for each in instances("rfc2131", ("crashes", "mutes"))
    )
    found = count_stuck(among, alone)
    assert found is not None
    assert found[1] == len(stuck(explore(among), alone)) > 0


def test_a_search_that_is_cut_off_decides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(t0_time_passes, "MOST", 10_000)
    found: Check = explore_network("wfwg311")
    assert (found.outcome, found.detail) == ("unknown", "the search was cut off")
