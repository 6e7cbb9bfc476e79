"""What the commands print: tables for people, one JSON document for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import groupby
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from holdover.model import bound
from holdover.model.client import fastest
from holdover.model.explore import Exploration
from holdover.model.measured import parts, unbounded_because
from holdover.model.numeric import holds, seconds
from holdover.model.profile import BadInput, Environment, Profile, in_seconds
from holdover.model.story import as_data, chart, events, sentences
from holdover.model.words import full, grace
from holdover.proofs import matrix as matrix_
from holdover.proofs import safety
from holdover.proofs.claims import Result
from holdover.proofs.grace import lemma, necessary, sufficient, ways
from holdover.proofs.judge import STANDARD, Judgement, exact_case
from holdover.proofs.obligations import Case, Obligation, Verdict, decide, obligations
from holdover.proofs.result import Outcome, combined
from holdover.reference.search import Search

COLOUR = {"holds": "green", "violated": "red", "unknown": "yellow"}


def console() -> Console:
    """Standard output; as wide as it needs where it is not a terminal."""
    return Console(width=None if sys.stdout.isatty() else 160, highlight=False)


def coloured(outcome: str) -> Text:
    """An outcome in its colour, where there is colour."""
    return Text(outcome, style=COLOUR[outcome])


def plain(value: Fraction) -> str:
    """A number of seconds as people write it."""
    if value.denominator == 1:
        return str(value.numerator)
    return f"{float(value):.3f}".rstrip("0").rstrip(".")


def document(data: object) -> None:
    """One JSON document."""
    click.echo(json.dumps(data, indent=2, ensure_ascii=False))


def grid(*heads: str) -> Table:
    """An empty table."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for head in heads:
        table.add_column(head, overflow="fold")
    return table


# Verdicts ----------------------------------------------------------------------------------------


def judgements(found: Sequence[Judgement], as_json: bool) -> None:
    """The verdicts on clients, each with its reason and a collision told."""
    if as_json:
        document([judgement_data(judgement) for judgement in found])
        return
    out = console()
    for judgement in found:
        name = judgement.profile.name
        out.print(Text(f"{name}: ", style="bold") + coloured(judgement.outcome), end="")
        out.print(f" - {judgement.reason}")
        out.print(f"  worst holdover {holdover_of(judgement)}; {grace_of(judgement)}")
        if judgement.run:
            for line in sentences(judgement.run, judgement.unit):
                out.print(f"  {line}", markup=False)
        for line in elsewhere(judgement):
            out.print(f"  {line}", markup=False)


def holdover_of(judgement: Judgement) -> str:
    """The worst holdover in words."""
    if judgement.worst is not None:
        return f"{plain(judgement.worst)} s"
    reasons = unbounded_because(in_seconds(judgement.profile, judgement.environment))
    return "has no bound" + (f" ({'; '.join(reasons)})" if reasons else "")


def grace_of(judgement: Judgement) -> str:
    """The safe grace in words."""
    if judgement.grace is None:
        return "no grace is enough"
    return f"a grace of {plain(judgement.grace)} s is enough"


FURTHER: Sequence[tuple[str, tuple[str, ...]]] = (
    ("process frozen", ("freezes",)),
    ("process frozen, then runs on", ("freezes", "thaws")),
    ("process killed", ("crashes",)),
    ("host suspended", ("suspends",)),
    ("wall clock set back an hour", ("steps",)),
)


def further(judgement: Judgement) -> list[tuple[str, Fraction | None]]:
    """The worst holdover with one more fault, by the bound of T3; None where there is none."""
    found = []
    for name, faults in FURTHER:
        if set(faults) <= judgement.environment.faults:
            continue
        world = replace(judgement.environment.and_faults(*faults), step=Fraction(3600))
        constants = in_seconds(judgement.profile, world)
        limited = holds(bound.bounded, constants)
        found.append((name, seconds(bound.worst_holdover, constants) if limited else None))
    return found


def elsewhere(judgement: Judgement) -> list[str]:
    """What one more fault would do."""
    told = [
        f"{name}: {'no bound' if worst is None else plain(worst) + ' s'}"
        for name, worst in further(judgement)
    ]
    return [f"worst holdover with one more fault - {'; '.join(told)}"] if told else []


def judgement_data(judgement: Judgement) -> dict[str, object]:
    """A verdict for programs."""
    return {
        "profile": judgement.profile.name,
        "outcome": judgement.outcome,
        "reason": judgement.reason,
        "worst_holdover": number(judgement.worst),
        "safe_grace": number(judgement.grace),
        "with_one_more_fault": {name: number(worst) for name, worst in further(judgement)},
        "states": judgement.states,
        "run": list(as_data(judgement.run, judgement.unit)),
    }


def number(value: Fraction | None) -> float | None:
    """A number for JSON; null is *no bound*."""
    return None if value is None else float(value)


def results(found: Sequence[Result], as_json: bool) -> None:
    """The claims of the specification, and whether they came out as stated."""
    if as_json:
        document(
            {
                "outcome": combined(result.outcome for result in found),
                "claims": [
                    {
                        "group": result.claim.group,
                        "name": check.name,
                        "says": check.says,
                        "outcome": check.outcome,
                        "detail": check.detail,
                        "seconds": round(check.seconds, 3),
                    }
                    for result in found
                    for check in result.checks
                ],
            }
        )
        return
    table = grid("claim", "as stated", "what was found")
    group = ""
    for result in found:
        if result.claim.group != group:
            group = result.claim.group
            table.add_section()
        for check in result.checks:
            says = Text(f"{group}  {check.says}")
            table.add_row(says, coloured(check.outcome), Text(check.detail))
    out = console()
    out.print(table)
    checks = [check for result in found for check in result.checks]
    counts = ", ".join(
        f"{sum(check.outcome == outcome for check in checks)} {word}"
        for outcome, word in (("holds", "as stated"), ("violated", "not as stated"),
                              ("unknown", "unknown"))
    )  # fmt: skip
    out.print(f"\n{len(checks)} claims: {counts}")


# Searches ----------------------------------------------------------------------------------------


def exploration(search: Search, seen: Exploration, as_json: bool) -> None:
    """What a search saw; the shortest run to each property that it broke."""
    unbounded = seen.worst is not None and seen.worst >= seen.instance.bounds.past
    worst = None if unbounded else seen.worst
    if as_json:
        document(
            {
                "profile": search.profile.name,
                "outcome": search.outcome(seen),
                "complete": seen.complete,
                "states": len(seen.states),
                "steps": seen.steps,
                "depth": seen.depth,
                "worst_holdover_ticks": worst,
                "unbounded": unbounded,
                "broken": {
                    name: list(as_data(events(trace), "ticks"))
                    for name, trace in seen.violations.items()
                },
                "fired": dict(sorted(seen.fired.items())),
            }
        )
        return
    out = console()
    size = f"{search.hosts} hosts, {search.addresses} addresses, {search.messages} datagrams"
    out.print(Text(f"{search.profile.name}, {size}: ") + coloured(search.outcome(seen)))
    verb = "explored" if seen.complete else "cut off: saw"
    out.print(f"{verb} {len(seen.states)} states, {seen.steps} steps, depth {seen.depth}")
    if not seen.complete:
        out.print("what was not seen is unknown: give more --memory, or take a smaller instance")
    if unbounded:
        out.print("worst holdover: no end within the ticks looked at")
    elif worst is not None:
        out.print(f"worst holdover: {worst} ticks")
    for name, trace in seen.violations.items():
        out.print(f"\n{name} is broken after {len(trace)} steps:")
        for line in sentences(events(trace), "ticks"):
            out.print(f"  {line}", markup=False)


# Proofs ------------------------------------------------------------------------------------------


def case_of(profile: Profile) -> Case:
    """T2's case for a profile that has one, else the invariant with the profile's own numbers."""
    if profile.name in safety.TOLERATED:
        return safety.case(profile.name, safety.TOLERATED[profile.name])
    return exact_case(profile.name, in_seconds(profile, STANDARD))


def proved(profile: Profile, solvers: tuple[str, ...]) -> Verdict:
    """The obligations of a profile, decided."""
    return decide(case_of(profile), solvers)


def obligations_outcome(verdict: Verdict) -> Outcome:
    """Holds if all are proved; violated if one is refuted; else unknown."""
    if verdict.proved:
        return "holds"
    refuted = any(answer.result == "refuted" for answer in verdict.answers)
    return "violated" if refuted else "unknown"


def obligations_data(verdict: Verdict) -> list[dict[str, object]]:
    """Each answer for programs."""
    return [
        {
            "obligation": answer.obligation.name,
            "solver": answer.solver,
            "result": answer.result,
            "seconds": round(answer.seconds, 4),
        }
        for answer in verdict.answers
    ]


def show_obligations(profile: Profile, verdict: Verdict, as_json: bool) -> Outcome:
    """The obligations of a profile; returns the outcome."""
    outcome = obligations_outcome(verdict)
    if as_json:
        document({"profile": profile.name, "outcome": outcome,
                  "never_fire": list(verdict.never_fire),
                  "obligations": obligations_data(verdict)})  # fmt: skip
        return outcome
    out = console()
    out.print(Text(f"{verdict.case.says}: ") + coloured(outcome))
    out.print(safety.detail(verdict), markup=False)
    if outcome == "violated":
        table = grid("row", "breaks", "solver", "answer")
        for answer in verdict.open:
            at = answer.obligation
            table.add_row(at.row, at.conjunct, answer.solver, answer.result)
        out.print(table)
    return outcome


def write_smtlib(profile: Profile | None, folder: Path) -> int:
    """Every obligation as a file; returns how many."""
    found: Iterable[Obligation]
    if profile is not None:
        found = obligations(case_of(profile))
    else:
        cases = [case for _, case in safety.cases()] + [sufficient()]
        found = [o for case in cases for o in obligations(case)]
        found = [*found, *lemma(), *(necessary(way)[0] for way in ways())]
    count = 0
    try:
        for obligation in found:
            name = obligation.name.replace(", ", "_").replace(" ", "-")
            path = folder / f"{name}.smt2"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(obligation.smtlib(), encoding="utf-8")
            count += 1
    except OSError as error:
        raise BadInput(f"--smtlib {folder}: {error.strerror or error}") from error
    return count


# explain, grace ----------------------------------------------------------------------------------


def explanation(found: Judgement, as_json: bool) -> None:
    """A collision in sentences and as a chart."""
    if as_json:
        document({**judgement_data(found), "sources": list(found.profile.sources)})
        return
    out = console()
    name = found.profile.name
    out.print(Text(f"{found.profile.title or name}: ", style="bold") + coloured(found.outcome))
    for source in found.profile.sources:
        out.print(f"  {source}", markup=False)
    if not found.run:
        out.print(f"\nNothing to explain: {found.reason}.", markup=False)
        return
    out.print()
    for line in sentences(found.run, found.unit):
        out.print(line, markup=False, soft_wrap=True)
    out.print()
    for line in chart(found.run, found.unit):
        out.print(line, markup=False, soft_wrap=True)
    out.print("\n║ the host holds the address   │ it does not")


def shorter_lease(profile: Profile, world: Environment) -> Fraction | None:
    """The longest lease to hand out for a record of `world.lease`, or None (RFC 2131 §3.3).

    A record longer than the lease handed out is a grace of the difference: T3 covers it.
    """
    constants = in_seconds(profile, world)
    if not holds(bound.bounded & bound.server_keeps, constants):
        return None
    recorded = seconds(fastest(full) + fastest(grace), constants)
    spare = recorded - seconds(bound.anchor_delay + bound.overhang, constants)
    handed = min(spare * (1 - world.drift), world.lease)
    if handed <= 0 or handed < profile.floor:
        return None
    shorter = replace(world, lease=handed, shortest=None, faults=world.faults - {"shortens"})
    enough = seconds(bound.safe_grace, in_seconds(profile, shorter))
    return handed if enough <= world.lease + world.grace - handed else None


def graces(profile: Profile, world: Environment, given: Fraction | None, as_json: bool) -> Outcome:
    """The safe grace with its parts, or why there is none; returns the outcome."""
    constants = in_seconds(profile, world)
    limited = holds(bound.bounded & bound.server_keeps, constants)
    needed = seconds(bound.safe_grace, constants) if limited else None
    worst = seconds(bound.worst_holdover, constants) if limited else None
    handed = shorter_lease(profile, world)
    outcome: Outcome = "violated"
    if needed is not None:
        outcome = "holds" if given is None or needed <= given else "violated"
    if as_json:
        document({"profile": profile.name, "lease": float(world.lease), "outcome": outcome,
                  "worst_holdover": number(worst), "safe_grace": number(needed),
                  "shorter_lease": number(handed),
                  "parts": [{"part": p.words, "seconds": float(p.size)} for p in parts(constants)]
                  if limited else [],
                  "unbounded_because": [] if limited else list(no_bound(constants))})  # fmt: skip
        return outcome
    out = console()
    if needed is None or worst is None:
        out.print(f"{profile.name}: no grace is enough.", markup=False)
        for reason in no_bound(constants):
            out.print(f"  {reason}", markup=False)
        return outcome
    out.print(f"safe grace: {plain(needed)} s (lease {plain(world.lease)} s, {profile.name})")
    out.print(f"worst holdover: {plain(worst)} s")
    for part in parts(constants):
        out.print(f"  {plain(part.size):>12} s  {part.words}", markup=False)
    if handed is not None and handed < world.lease:
        out.print(f"or hand out a lease of at most {plain(handed)} s for a record of "
                  f"{plain(world.lease)} s (RFC 2131 §3.3)")  # fmt: skip
    elif handed is None:
        out.print("no shorter lease would do instead: the client stretches it to its floor")
    if given is not None:
        out.print(f"a grace of {plain(given)} s is {'' if outcome == 'holds' else 'not '}enough")
    return outcome


def no_bound(constants: dict[str, object]) -> Sequence[str]:
    """Why there is no bound: the client's reasons, or the server's."""
    reasons = list(unbounded_because(constants)) if not holds(bound.bounded, constants) else []
    if not holds(bound.server_keeps, constants):
        reasons.append("the server does not stand by its leases")
    return reasons


# matrix, profiles --------------------------------------------------------------------------------


def matrix(found: Sequence[matrix_.Cell], as_json: bool) -> None:
    """Faults down, safeguards across."""
    cures = {fault.name: matrix_.smallest_cures(fault) for fault in matrix_.ROWS}
    if as_json:
        document(
            [
                {
                    "fault": cell.fault,
                    "safeguard": cell.safeguard,
                    "outcome": cell.outcome,
                    "reason": cell.reason,
                    "run": list(as_data(cell.judgement.run, cell.judgement.unit))
                    if cell.judgement
                    else [],
                }
                for cell in found
            ]
            + [
                {"fault": name, "smallest_cures": [list(c) for c in sets]}
                for name, sets in cures.items()
            ]
        )
        return
    table = grid("fault", "none", *matrix_.SAFEGUARDS, "all", "smallest cures")
    for fault, cells in groupby(found, key=lambda cell: cell.fault):
        row = [Text(matrix_.short(cell), style=COLOUR[cell.outcome]) for cell in cells]
        sets = " or ".join(" + ".join(chosen) or "none needed" for chosen in cures[fault]) or "none"
        table.add_row(fault, *row, sets)
    out = console() if sys.stdout.isatty() else Console(width=230, highlight=False)
    out.print(table)
    out.print("\nholds: proved for any number of hosts; a number: steps of the shortest collision; "
              "?: unknown (--json says what was searched)")  # fmt: skip


def profile(client: Profile, as_json: bool) -> None:
    """One profile as TOML, or as JSON."""
    if as_json:
        facts = {k: float(v) if isinstance(v, Fraction) else v for k, v in client.facts().items()}
        document({"name": client.name, "title": client.title, "sources": list(client.sources),
                  "notes": client.notes, **facts})  # fmt: skip
        return
    click.echo(client.to_toml(), nl=False)


def profiles(clients: Sequence[Profile], as_json: bool) -> None:
    """The profiles that come with the project."""
    if as_json:
        document([{"name": client.name, "title": client.title} for client in clients])
        return
    table = grid("name", "anchor", "released at", "enforcer", "clock", "client")
    for client in clients:
        table.add_row(client.name, client.anchor, client.trigger, client.enforcer, client.clock,
                      client.title)  # fmt: skip
    console().print(table)
