"""What the documentation shows of proofs and searches: theorems, matrix, pinned counts.

`LIGHT` and `HEAVY` name the generators.  The heavy ones prove or search for more than a second or
two; the drift test in pytest leaves them to `python -m holdover.reference.docs --check`, which CI
runs.  Nothing here decides anything: cases, runs and verdicts are those of `proofs/`.

The instants of a run are a solver's choice among many right ones, and it chooses by what it was
asked before.  So that a page does not depend on that, such runs are made in a process of their own.
"""

from __future__ import annotations

import inspect
import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from itertools import groupby
from typing import TypeVar

from holdover.model.clients.profile import Profile, load
from holdover.model.explorer.configurations import configurations
from holdover.model.explorer.length import length_in_search
from holdover.model.explorer.sequence_chart import chart, events, sentences
from holdover.model.readings.definitions import NAMES
from holdover.model.readings.prose import Name, Prose, text
from holdover.model.table import bound
from holdover.model.table.client import fastest, honoured, in_time, slowest
from holdover.model.table.expr import TRUE, Expr
from holdover.model.table.properties import Property
from holdover.model.table.table import LEASE_TABLE
from holdover.model.table.vocabulary import KIND, a, full, grace, h, lease, m
from holdover.proofs.logic import displaced, invariants
from holdover.proofs.logic.first_order import Logic
from holdover.proofs.logic.invariants import LEASED, PROBED
from holdover.proofs.logic.obligations import Case, guards, obligations
from holdover.proofs.mutation import __main__
from holdover.proofs.result import Check
from holdover.proofs.theorems import (
    t0_time_passes,
    t1_refutation,
    t2_safety,
    t3_runs,
    t4_regression,
    t5_agreement,
    t5_state_graph,
    t6_displaced,
    t7_contested,
)
from holdover.proofs.theorems import t3_grace as t3
from holdover.proofs.verdicts import matrix
from holdover.proofs.verdicts.judge import judge
from holdover.reference.docs.markdown import block, code, codes, table

T = TypeVar("T")

# The invariant -----------------------------------------------------------------------------------


def _of(build: Callable[..., Expr], *given: Expr) -> tuple[Name, str]:
    """A term of the invariant with its name, and its meaning."""
    called = ", ".join(str(parameter.args[0]) for parameter in given)
    return Name(f"{build.__name__}({called})", build(*given)), inspect.getdoc(build) or ""


TERMS = (
    _of(invariants.asking, h),
    _of(invariants.exchanging, h),
    _of(invariants.gives, h, a),
    _of(invariants.claims, h, a),
    _of(invariants.true_end, h),
    _of(invariants.limit, h),
    _of(invariants.reuse_from, a),
    _of(invariants.ack_ends, h, m),
    _of(invariants.ack_to, m, h, a),
    _of(invariants.coming, h, a),
    _of(displaced.given_away, h, a),
)

OTHERS = (
    Name("in_time(h, ack_ends(h, m))", in_time(h, invariants.ack_ends(h, m))),
    Name("slowest(honoured(h, full))", slowest(honoured(h, full))),
    Name("slowest(honoured(h, lease[m]))", slowest(honoured(h, lease[m]))),
    Name("fastest(grace)", fastest(grace)),
    Name("overhang(h)", bound.overhang(h)),
    Name("ack_missed(h)", bound.ack_missed(h)),
    Name("ack_to(word[a], h, a)", invariants.ack_to(invariants.word[a], h, a)),
    Name("ack_ends(h, word[a])", invariants.ack_ends(h, invariants.word[a])),
    Name("process_acts(h)", bound.process_acts(h)),
    Name("kernel_acts(h)", bound.kernel_acts(h)),
    Name("soon_refused(h)", bound.soon_refused(h)),
    Name("soon_over(h)", bound.soon_over(h)),
    Name("displaced_for(h)", bound.displaced_for(h)),
    Name("to_lease_end(h)", bound.to_lease_end(h)),
    Name("after_refusal(h)", bound.after_refusal(h)),
    Name("to_t1", displaced.to_t1),
    Name("probe_over", displaced.probe_over),
)


def _prose(but: str = "") -> Prose:
    names = [*NAMES, *(name for name, _ in TERMS), *OTHERS]
    return Prose(name for name in names if name.text != but)


def invariant_terms() -> str:
    """The names that the invariant uses beside those of the table and the bound."""
    rows = [(code(n.text), code(text(n.term, _prose(n.text))), means) for n, means in TERMS]
    return table(("name", "term", "meaning"), rows)


def conjuncts(invariant: Iterable[Property]) -> str:
    """Each conjunct of an invariant."""
    return "\n\n".join(
        f"**`{said.name}`** ({said.source}): {said.says}.\n\n{block([text(said.term, _prose())])}"
        for said in invariant
    )


# T0 to T7 ----------------------------------------------------------------------------------------


def held_up_t0() -> str:
    """What `tick` waits for, and the rows any of which settles it."""
    rows = []
    for blocked in t0_time_passes.blocks():
        *when, _ = blocked.holds if blocked.name not in KIND.values else (*blocked.holds, TRUE)
        shown = " and ".join(code(text(term, _prose())) for term in when)
        rows.append((code(blocked.name), shown, codes(row.name for row in blocked.rows)))
    return table(("what is due, or in flight", "time stands while", "settled by"), rows)


def obligations_t0() -> str:
    """The size of T0's proof, and what is explored beside it."""
    groups = [list(t0_time_passes.obligations(blocked)) for blocked in t0_time_passes.blocks()]
    may = sum(o.conjunct == "may" for group in groups for o in group)
    rows = [
        ("the facts are inductive", f"{_count(t0_time_passes.OPEN)} obligations"),
        ("whatever holds time up may happen", f"{may} obligations"),
        ("and is settled by that", f"{sum(map(len, groups)) - may} obligations"),
    ]
    seen = [t0_time_passes.explore_network(name) for name in t0_time_passes.EXPLORED]
    rows += [(check.says, f"{check.detail}: {check.outcome}") for check in seen]
    return table(("part", "seen"), rows)


def collision_t1() -> str:
    """The shortest collision of T1's configuration, in seconds."""
    found = t1_refutation.explore_collision(t1_refutation.instance())
    assert found is not None, "T1 has lost its collision"
    instants = t1_refutation.instants(found)
    assert instants is not None, "T1's collision is none in seconds"
    told = events(found, instants)
    head = f"{length_in_search(found.labels)}, which show in the times only:"
    said = block(sentences(told, "s"))
    return "\n\n".join([head, said, block(chart(told, "s"))])


def obligations_t2() -> str:
    """Each case of T2: its obligations, and the rows that cannot happen in it."""
    rows = []
    for name, case in t2_safety.cases():
        broken = ", ".join(f"`{r}` breaks `{c}`" for r, c in t2_safety.BROKEN_BY.get(name, ()))
        never = sorted(t5_agreement.never_fire(name))
        rows.append(
            (
                code(name),
                codes(t2_safety.TOLERATED[name]),
                str(_count(case)),
                codes(_excluded(case)),
                codes(never),
                broken or "none",
            )
        )
    head = (
        "profile",
        "faults",
        "obligations",
        "rows that the constants exclude",
        "rows proved never to fire",
        "must fail",
    )
    return table(head, rows)


def _count(case: Case) -> int:
    return sum(1 for _ in obligations(case))


def _excluded(case: Case) -> Iterator[str]:
    logic = Logic(case.fixed)
    return (action.name for action in LEASE_TABLE.actions if guards(logic, action) is None)


def obligations_t3() -> str:
    """The size of T3's proof."""
    case = t3.sufficient()
    rows = (
        ("sufficient: the invariant is inductive", str(_count(case))),
        ("lemma: what the bound is for clocks within 1 ± drift", str(len(t3.lemma()))),
        (
            "necessary: the terms of the bound, and a run for each way to hold",
            str(1 + len(list(t3_runs.ways()))),
        ),
        (
            "combined: a run for several ways at once, and for no xid check",
            str(len(list(t3_runs.combined_ways()))),
        ),
    )
    excluded = f"Rows that the premises exclude: {codes(_excluded(case))}."
    return table(("part", "obligations"), rows) + "\n" + excluded


def ways_t3() -> str:
    """How many steps each run of necessity takes, by what holds back and by the anchor."""
    rows: dict[str, dict[str, str]] = {}
    for way in t3_runs.ways():
        anchor, what, *rest = way.name.split(", ")
        if what in ("late kernel", "heeded"):
            what += ", " + rest.pop(0)
        column = f"{anchor}, no delay" if "no delay" in rest else anchor
        row = ", ".join([what, *(word for word in rest if word != "no delay")])
        last = 0 if way.profile.probes else 1
        rows.setdefault(row, {})[column] = str(len(t3_runs.run(way).rows) + last)
    columns = list(dict.fromkeys(column for cells in rows.values() for column in cells))
    cells = [(row, *(steps.get(column, "") for column in columns)) for row, steps in rows.items()]
    return table(("held back by", *columns), cells)


def needed_t3() -> str:
    """What each run of necessity asks for beside the premises of the bound; first what all do."""
    usual = Profile("").facts()
    asked = {
        way.name: (
            set(way.faults),
            {f"{n} = {v}" for n, v in way.profile.facts().items() if v != usual[n]},
            {text(term, _prose()) for term in way.assumptions() if term is not TRUE},
        )
        for way in t3_runs.ways()
    }
    shared = [set.intersection(*each) for each in zip(*asked.values(), strict=True)]
    columns = ("happens", "client", "durations")
    said = "; ".join(f"{c}: {codes(sorted(s))}" for c, s in zip(columns, shared, strict=True) if s)
    rows = [
        (name, *(codes(sorted(mine - ours)) for mine, ours in zip(each, shared, strict=True)))
        for name, each in asked.items()
    ]
    head = "In all of them, the client of `h` is as RFC 2131 has it but for what is said. "
    return f"{head}What they all ask for: {said}.\n\n" + table(("run", *columns), rows)


def compared_t4() -> str:
    """What T4 leaves out of a state, and what it compares."""
    erased, lapsed = codes(t4_regression.ERASED), codes(t4_regression.LAPSED_ONLY)
    checks = [t4_regression.same_behaviour(sizes) for sizes in t4_regression.SIZES]
    checks.append(t4_regression.notice_kept((2, 1, 1)))
    rows = [(check.says, check.detail, check.outcome) for check in checks]
    head = f"Left out: {erased}, and once the lease has lapsed {lapsed}."
    return head + "\n\n" + table(("claim", "seen", "outcome"), rows)


def agreement_t5() -> str:
    """The invariant and the impossible rows on explored states; the breach, replayed."""
    checks: list[Check] = []
    for name in t5_agreement.EXPLORED:
        checks += t5_agreement.invariant_holds(name, t5_agreement.never_fire(name))
    checks += [t5_agreement.replay_breach(*pair) for pair in t2_safety.BROKEN_BY["wfwg311"]]
    rows = [(check.name, check.says, check.detail, check.outcome) for check in checks]
    return table(("check", "claim", "seen", "outcome"), rows)


def graphs_t5() -> str:
    """What networkx reads off the state graphs that fit, beside explorer, engine and proofs."""
    rows = [(check.name, check.detail, check.outcome) for check in t5_state_graph.checks()]
    return table(("check", "read by networkx", "outcome"), rows)


def worst_t5() -> str:
    """A search's worst holdover beside the bound's."""
    rows = []
    for name, profile, environment in t5_agreement.worlds():
        found = t5_agreement.same_worst(name, profile, environment)
        rows.append((name, found.detail, found.outcome))
    return table(("profile", "worst holdover, in ticks of 8 s", "outcome"), rows)


def obligations_t6() -> str:
    """The size of T6's proof, and its runs."""
    rows = [
        (
            f"sufficient, {case.says}: the invariant is inductive, and the bound follows",
            str(_count(case) + 1),
        )
        for case, _ in t6_displaced.cases()
    ]
    rows.append(
        (
            "reached: a run in which two hosts hold the address to the end",
            str(len(list(t6_displaced.all_reached()))),
        )
    )
    return table(("part", "obligations"), rows)


def obligations_t7() -> str:
    """The size of T7's proof, and its run."""
    rows = [
        (
            "the invariant is inductive, and time stands until a conflict is known",
            str(_count(t7_contested.CASE) + 1),
        ),
        (
            "reached: a run in which two hosts have the address to the end",
            str(len(list(t7_contested.all_reached()))),
        ),
    ]
    return table(("part", "obligations"), rows)


def explored_t7() -> str:
    """The longest conflict in small networks."""
    rows = [
        (check.name.removeprefix("explored, "), check.detail, check.outcome)
        for check in t7_contested.search()
    ]
    return table(("network", "longest conflict, in ticks of 8 s", "outcome"), rows)


# Searches ----------------------------------------------------------------------------------------


def configuration_table() -> str:
    """The pinned configurations."""
    rows = [
        (
            c.name,
            codes((c.profile, *c.beside)),
            c.size,
            str(c.ticks),
            str(c.delay),
            codes(c.faults),
            f"{c.states:,}",
            f"{c.steps:,}",
            str(c.depth),
            ", ".join(f"`{name}` after {length}" for name, length in c.broken.items()) or "none",
            ", ".join(c.sometimes),
            codes(c.eventually),
        )
        for c in configurations()
    ]
    head = (
        "configuration",
        "profile",
        "size",
        "ticks",
        "delay",
        "faults",
        "states",
        "steps",
        "depth",
        "broken after steps and ticks",
        "sometimes",
        "eventually",
    )
    return table(head, rows)


@cache
def cells() -> tuple[matrix.MatrixCell, ...]:
    """The matrix, computed once."""
    return tuple(matrix.whole(jobs=2))


def faults() -> str:
    """Faults down, safeguards across."""
    rows = []
    for fault, of_fault in groupby(cells(), key=lambda cell: cell.fault):
        row = next(r for r in matrix.ROWS if r.name == fault)
        cures = " or ".join(
            " + ".join(cure) or "none needed" for cure in matrix.smallest_cures(row)
        )
        rows.append((fault, *(matrix.short(cell) for cell in of_fault), cures or "none of these"))
    head = ("fault", "no safeguard", *matrix.SAFEGUARDS, "all", "smallest cures")
    return table(head, rows)


def collisions() -> str:
    """For each fault the shortest collision without any safeguard."""
    return "\n\n".join(
        f"<details><summary>{fault}: {reason}</summary>\n\n{block(told)}\n\n</details>"
        for fault, reason, told in afresh(_bare_runs)
    )


def _bare_runs() -> list[tuple[str, str, list[str]]]:
    """Fault, number of steps, and sentences, where the bare client does harm."""
    found = []
    for row in matrix.ROWS:
        bare = matrix.cell(row, ())
        if bare.judgement is not None:
            told = sentences(bare.judgement.run, bare.judgement.unit)
            found.append((bare.fault, bare.reason, told))
    return found


def afresh(make: Callable[[], T]) -> T:
    """What a function returns in a process in which no solver was asked anything before."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(make).result()


def chart_wfwg311() -> str:
    """The shortest collision of wfwg311 as a sequence chart."""
    found = judge(load("wfwg311"))
    return block(chart(found.run, found.unit))


def unknown_cells() -> str:
    """What was searched for each cell that neither a proof nor a search decides."""
    rows = [(c.fault, c.safeguard, c.reason) for c in cells() if c.outcome == "unknown"]
    return table(("fault", "safeguard", "collisions seen"), rows)


Generators = Mapping[str, Callable[[], str]]

LIGHT: Generators = {
    "configurations": configuration_table,
    "invariant-terms": invariant_terms,
    "invariant-leased": lambda: conjuncts(LEASED),
    "invariant-probed": lambda: conjuncts(PROBED),
    "invariant-refused": lambda: conjuncts(displaced.REFUSED_OWN),
    "invariant-expires": lambda: conjuncts(displaced.EXPIRES_OWN),
    "invariant-t7": lambda: conjuncts(t7_contested.INVARIANT),
    "facts-t0": lambda: conjuncts(t0_time_passes.FACTS),
    "held-up-t0": held_up_t0,
    "collision-t1": collision_t1,
    "mutants": __main__.page,
}

HEAVY: Generators = {
    "chart-wfwg311": lambda: afresh(chart_wfwg311),
    "obligations-t0": obligations_t0,
    "obligations-t2": obligations_t2,
    "obligations-t3": obligations_t3,
    "ways-t3": ways_t3,
    "needed-t3": needed_t3,
    "obligations-t6": obligations_t6,
    "obligations-t7": obligations_t7,
    "explored-t7": explored_t7,
    "compared-t4": compared_t4,
    "agreement-t5": agreement_t5,
    "graphs-t5": graphs_t5,
    "worst-t5": worst_t5,
    "matrix": faults,
    "matrix-runs": collisions,
    "matrix-unknown": unknown_cells,
}
