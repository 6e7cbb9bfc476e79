"""What the commands print: tables for people, one JSON document for programs."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import groupby
from math import ceil, floor
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from holdover.model.clients.measurements import parts, unbounded_because
from holdover.model.clients.profile import BadInput, Environment, Profile, in_seconds, load
from holdover.model.explorer.explore import Found
from holdover.model.explorer.sequence_chart import as_data, chart, events, sentences
from holdover.model.inputs import printable
from holdover.model.readings.constants import holds, seconds
from holdover.model.table import bound
from holdover.model.table.client import fastest
from holdover.model.table.properties import ALWAYS, STEPS
from holdover.model.table.vocabulary import full, grace, h
from holdover.proofs.claims import Result
from holdover.proofs.logic.obligations import Case, Obligation, Verdict, decide, obligations
from holdover.proofs.result import Outcome, combined
from holdover.proofs.theorems import t0_time_passes, t2_safety
from holdover.proofs.theorems.t3_grace import lemma, necessary, shown, sufficient, ways
from holdover.proofs.verdicts import matrix as matrix_
from holdover.proofs.verdicts.judge import STANDARD, Judgement, exact_case
from holdover.reference.refinement.conformance import CODE, Conformance
from holdover.reference.refinement.search import as_pinned
from holdover.reference.search import Search, counted, outcome
from holdover.reference.show_graph import (
    Agreement,
    Common,
    agreement_data,
    agreement_lines,
    common_data,
    common_lines,
)

COLOUR = {"holds": "green", "violated": "red", "unknown": "yellow"}


class Output(Console):
    """Standard output: text is printed as it is, and a closed pipe is the command line's matter."""

    def __init__(self, width: int = 160):
        wide = None if sys.stdout.isatty() else width
        super().__init__(width=wide, highlight=False, markup=False, emoji=False)

    def on_broken_pipe(self) -> None:
        """Called while the error is handled: pass it on."""
        raise

    def say(self, text: str | Text = "") -> None:
        """A line that is not broken where nobody sees it; what the user gave commands nothing."""
        if isinstance(text, str):
            text = printable(text)
        self.print(text, soft_wrap=not sys.stdout.isatty())


def coloured(outcome: str) -> Text:
    """An outcome in its colour, where there is colour."""
    return Text(outcome, style=COLOUR[outcome])


def plain(value: Fraction) -> str:
    """A number of seconds as people write it."""
    if value.denominator == 1:
        return str(value.numerator)
    return f"{float(value):.3f}".rstrip("0").rstrip(".")


def at_most(value: Fraction) -> Fraction:
    """An upper bound in whole milliseconds, rounded up: what is printed must still be one."""
    return Fraction(ceil(value * 1000), 1000)


def at_least(value: Fraction) -> Fraction:
    """A lower bound in whole milliseconds, rounded down."""
    return Fraction(floor(value * 1000), 1000)


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


def judgements(
    found: Sequence[Judgement],
    commons: Sequence[Common | None],
    code: Conformance | None,
    as_json: bool,
) -> None:
    """The verdicts on clients, each with its reason and a collision told; and one on code."""
    if as_json:
        data = [judgement_data(*pair) for pair in zip(found, commons, strict=True)]
        for entry in data:
            if code is not None and entry["profile"] == "reference":
                entry["code"] = code_data(code)
        document(data)
        return
    out = Output()
    for judgement, common in zip(found, commons, strict=True):
        name = judgement.profile.name
        verdict = Text(f"{name}: ", style="bold") + coloured(judgement.outcome)
        out.say(verdict + Text(f" - {judgement.reason}"))
        out.say(f"  worst holdover: {holdover_of(judgement)}; {grace_of(judgement)}")
        if judgement.run:
            for line in sentences(judgement.run, judgement.unit):
                out.say(f"  {line}")
        for line in common_lines(common) if common is not None else ():
            out.say(f"  {line}")
        for line in elsewhere(judgement):
            out.say(f"  {line}")
        if code is not None and name == "reference":
            verdict_on_code(code, out)


def verdict_on_code(code: Conformance, out: Output) -> None:
    """The verdict on the reference client's code: by which exploration of which code."""
    verdict = Text("  the code: ", style="bold") + coloured(code.outcome)
    settings = f"{len(code.explored)} settings, {code.states:,} states, {code.steps:,} steps"
    out.say(verdict + Text(f" - explored in {settings}"))
    out.say(f"    {', '.join(CODE)}: sha256 {code.digest[:16]}")
    if code.outcome == "holds":
        out.say("    each step is a step of the lease table, each edge of it is taken or excused,")
        out.say("    and no state breaks " + ", ".join(p.name for p in ALWAYS))
    for seen in code.explored:
        if seen.kind:
            out.say(f"    {seen.setting.name}: {seen.kind}: {seen.defect}")
            out.say("      after " + ", ".join(seen.run))
        elif not as_pinned(seen):
            found = seen.failed or f"{seen.states:,} states, not as pinned"
            out.say(f"    {seen.setting.name}: {found}")
    for gap in code.gaps:
        out.say(f"    never taken: {gap}")


def code_data(code: Conformance) -> dict[str, object]:
    """The verdict on code, for programs."""
    return {
        "outcome": code.outcome,
        "files": list(CODE),
        "sha256": code.digest,
        "settings": [
            {
                "name": seen.setting.name, "size": seen.setting.size, "states": seen.states,
                "steps": seen.steps, "depth": seen.depth, "as_pinned": as_pinned(seen),
                "failed": seen.failed,
                "defect": seen.defect and {"kind": seen.kind, "says": seen.defect,
                                           "run": list(seen.run)},
            }
            for seen in code.explored
        ],
        "never_taken": list(code.gaps),
    }  # fmt: skip


def holdover_of(judgement: Judgement) -> str:
    """The worst holdover in words."""
    if judgement.worst is not None:
        return f"{plain(at_most(judgement.worst))} s"
    reasons = no_bound(in_seconds(judgement.profile, judgement.environment))
    return "no bound" + (f" ({'; '.join(reasons)})" if reasons else "")


def grace_of(judgement: Judgement) -> str:
    """The safe grace in words."""
    if judgement.grace is None:
        return "no grace is enough"
    return f"a grace of {plain(at_most(judgement.grace))} s is enough"


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
        limited = holds(bound.bounded(h) & bound.server_keeps, constants)
        found.append((name, seconds(bound.worst_holdover(h), constants) if limited else None))
    return found


def elsewhere(judgement: Judgement) -> list[str]:
    """What one more fault would do."""
    told = [
        f"{'no bound' if worst is None else plain(at_most(worst)) + ' s':>10}  {name}"
        for name, worst in further(judgement)
    ]
    return ["worst holdover with one more fault:", *told] if told else []


def judgement_data(judgement: Judgement, common: Common | None) -> dict[str, object]:
    """A verdict for programs."""
    return {
        "profile": judgement.profile.name,
        "outcome": judgement.outcome,
        "reason": judgement.reason,
        "worst_holdover": number(at_most, judgement.worst),
        "safe_grace": number(at_most, judgement.grace),
        "with_one_more_fault": {name: number(at_most, worst) for name, worst in further(judgement)},
        "states": judgement.states,
        "run": list(as_data(judgement.run, judgement.unit)),
        "every_run": common_data(common),
    }


def number(bound: Callable[[Fraction], Fraction], value: Fraction | None) -> float | None:
    """A bound for JSON; null is *no bound*."""
    return None if value is None else float(bound(value))


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
                        "facts": dict(check.data),
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
    out = Output()
    out.print(table)
    checks = [check for result in found for check in result.checks]
    counts = ", ".join(
        f"{sum(check.outcome == outcome for check in checks)} {word}"
        for outcome, word in (("holds", "as stated"), ("violated", "not as stated"),
                              ("unknown", "unknown"))
    )  # fmt: skip
    out.say(f"\n{counted(len(checks), 'claim')}: {counts}")


# Searches ----------------------------------------------------------------------------------------


STOPPED = {
    "memory": "what was not seen is unknown: give more --memory, or take a smaller instance",
    "disk": "what was not seen is unknown: the disk is full; TMPDIR or --checkpoint names another",
}


def exploration(
    search: Search,
    seen: Found,
    as_json: bool,
    graph: Agreement | None = None,
    common: Common | None = None,
) -> None:
    """What a search saw; for each property whether it held, with a shortest run that breaks it.

    `graph` is what networkx says of the same, `common` what every collision has in common.
    """
    unbounded = seen.worst is not None and seen.worst >= seen.instance.bounds.past
    worst = None if unbounded else seen.worst
    if as_json:
        document(
            {
                "profile": search.name,
                "outcome": outcome(seen),
                "complete": seen.complete,
                "stopped_by": seen.stopped_by or None,
                "states": seen.states,
                "stored": seen.stored,
                "steps": seen.steps,
                "depth": seen.depth,
                "worst_holdover_ticks": worst,
                "unbounded": unbounded,
                "properties": {name: said for name, _, said in asked(seen)},
                "broken": {
                    name: list(as_data(events(trace), "ticks"))
                    for name, trace in seen.violations.items()
                },
                "fired": dict(sorted(seen.fired.items())),
                "networkx": None if graph is None else agreement_data(graph),
                "every_run": common_data(common),
            }
        )
        return
    out = Output()
    head = Text(f"{search.name}, {search.size}: ", style="bold")
    out.say(head + Text("exclusive: ") + coloured(outcome(seen)))
    verb = "explored" if seen.complete else "cut off: saw"
    out.say(f"{verb} {seen.states} states, {seen.steps} steps, depth {seen.depth}")
    if seen.stored != seen.states:
        out.say(f"stored {seen.stored} of them: the others differ from these in names only")
    if not seen.complete:
        out.say(STOPPED[seen.stopped_by])
    seen_so_far = "" if seen.complete else " so far"
    if unbounded:
        out.say(f"worst holdover{seen_so_far}: no end within the ticks looked at")
    elif worst is not None:
        early = " (negative: released early)" if worst < 0 else ""
        out.say(f"worst holdover{seen_so_far}: {counted(worst, 'tick')}{early}")
    for name, says, said in asked(seen):
        out.say(Text("  ") + coloured(said) + Text(f"{'':{10 - len(said)}}{name}: {says}"))
    for name, trace in seen.violations.items():
        told = events(trace)
        steps = sum(event.action != "tick" for event in told)
        out.say(f"\n{name} is broken after {counted(steps, 'step')}:")
        for line in sentences(told, "ticks"):
            out.say(f"  {line}")
    if graph is not None:
        out.say()
        for line in agreement_lines(graph):
            out.say(line)
    if common is not None:
        for line in common_lines(common):
            out.say(line)


def asked(seen: Found) -> list[tuple[str, str, Outcome]]:
    """Each property with its sentence, and what the search says of it."""
    unbroken: Outcome = "holds" if seen.complete else "unknown"
    return [
        (p.name, p.says, "violated" if p.name in seen.violations else unbroken)
        for p in (*ALWAYS, *STEPS)
    ]


# Proofs ------------------------------------------------------------------------------------------


def case_of(profile: Profile) -> Case:
    """T2's case for a profile that has one, else the invariant with the profile's own numbers."""
    if profile.name in t2_safety.TOLERATED and profile == load(profile.name):
        return t2_safety.case(profile.name, t2_safety.TOLERATED[profile.name])
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
    out = Output()
    out.say(Text(f"{verdict.case.says}: ", style="bold") + coloured(outcome))
    out.say(t2_safety.detail(verdict))
    if outcome == "violated":
        table = grid("row", "breaks", "solver", "answer")
        for answer in verdict.open:
            at = answer.obligation
            table.add_row(at.row, at.conjunct, answer.solver, answer.result)
        out.print(table)
    return outcome


def write_smtlib(profile: Profile | None, folder: Path, option: str = "--smtlib") -> int:
    """Every obligation as a file; returns how many."""
    found: Iterable[Obligation]
    if profile is not None:
        # A name is anything; what it becomes is a folder and a comment in a file.
        name = re.sub(r"[^\w.-]+", "-", profile.name).strip(".-")
        found = obligations(case_of(replace(profile, name=name or "profile")))
    else:
        cases = [case for _, case in t2_safety.cases()] + [sufficient()]
        found = [o for case in cases for o in obligations(case)]
        found = [*found, *lemma(), shown()[0], *(necessary(way)[0] for way in ways())]
        found += t0_time_passes.all_obligations()
    count = 0
    try:
        for obligation in found:
            name = obligation.name.replace(", ", "_").replace(" ", "-")
            path = folder / f"{name}.smt2"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(obligation.smtlib(t2_safety.expected(obligation)), encoding="utf-8")
            count += 1
    except OSError as error:
        raise BadInput(f"{option} {folder}: {error.strerror or error}") from error
    return count


# explain, grace ----------------------------------------------------------------------------------


def explanation(found: Judgement, common: Common | None, as_json: bool) -> None:
    """A collision in sentences and as a chart, and what every collision has in common."""
    if as_json:
        document({**judgement_data(found, common), "sources": list(found.profile.sources)})
        return
    out = Output()
    name = found.profile.name
    out.say(Text(f"{found.profile.title or name}: ", style="bold") + coloured(found.outcome))
    for source in found.profile.sources:
        out.say(f"  {source}")
    if not found.run:
        out.say(f"\nNothing to explain: {found.reason}.")
        return
    out.say()
    for line in sentences(found.run, found.unit):
        out.say(line)
    out.say()
    for line in chart(found.run, found.unit):
        out.print(line, soft_wrap=True)
    out.say("\n║ the host holds the address   │ it does not")
    if common is not None:
        out.say()
        for line in common_lines(common):
            out.say(line)


def shorter_lease(profile: Profile, world: Environment) -> Fraction | None:
    """The longest lease to hand out for a record of `world.lease`, or None (RFC 2131 §3.3).

    A record longer than the lease handed out is a grace of the difference: T3 covers it.
    """
    constants = in_seconds(profile, world)
    if not holds(bound.bounded(h) & bound.server_keeps, constants):
        return None
    recorded = seconds(fastest(full) + fastest(grace), constants)
    spare = recorded - seconds(bound.anchor_delay(h) + bound.overhang(h), constants)
    handed = min(spare * (1 - world.drift), world.lease)
    if handed <= 0 or handed < profile.floor:
        return None
    shorter = replace(world, lease=handed, shortest=None, faults=world.faults - {"shortens"})
    enough = seconds(bound.safe_grace(h), in_seconds(profile, shorter))
    return handed if enough <= world.lease + world.grace - handed else None


def graces(profile: Profile, world: Environment, given: Fraction | None, as_json: bool) -> Outcome:
    """The safe grace with its parts, or why there is none; returns the outcome."""
    constants = in_seconds(profile, world)
    limited = holds(bound.bounded(h) & bound.server_keeps, constants)
    needed = seconds(bound.safe_grace(h), constants) if limited else None
    worst = seconds(bound.worst_holdover(h), constants) if limited else None
    handed = shorter_lease(profile, world)
    outcome: Outcome = "violated"
    if needed is not None:
        outcome = "holds" if given is None or needed <= given else "violated"
    if as_json:
        document({"profile": profile.name, "lease": float(world.lease), "outcome": outcome,
                  "worst_holdover": number(at_most, worst), "safe_grace": number(at_most, needed),
                  "shorter_lease": number(at_least, handed),
                  "parts": [{"part": p.words, "seconds": float(p.size)} for p in parts(constants)]
                  if limited else [],
                  "unbounded_because": [] if limited else list(no_bound(constants))})  # fmt: skip
        return outcome
    out = Output()
    if needed is None or worst is None:
        out.say(f"{profile.name}: no grace is enough, nor a shorter lease, because")
        for reason in no_bound(constants):
            out.say(f"  {reason}")
        return outcome
    lease = plain(world.lease)
    out.say(f"safe grace: {plain(at_most(needed))} s (lease {lease} s, {profile.name})")
    out.say(f"worst holdover: {plain(at_most(worst))} s")
    for part in parts(constants):
        out.say(f"  {plain(part.size):>12} s  {part.words}")
    if handed is not None and handed < world.lease:
        out.say(f"or hand out a lease of at most {plain(at_least(handed))} s for a record of "
                 f"{lease} s (RFC 2131 §3.3)")  # fmt: skip
    elif handed is None:
        out.say("no shorter lease would do instead: the client would stretch or outstay it")
    if given is not None:
        out.say(f"a grace of {plain(given)} s is {'' if outcome == 'holds' else 'not '}enough")
    return outcome


def no_bound(constants: dict[str, object]) -> Sequence[str]:
    """Why there is no bound: the client's reasons, or the server's."""
    reasons = list(unbounded_because(constants)) if not holds(bound.bounded(h), constants) else []
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
    out = Output(width=230)
    out.print(table)
    out.say("\nholds: proved for any number of hosts; a number: steps of the shortest collision; "
             "?: unknown (--json says what was searched)")  # fmt: skip


def profile(client: Profile, as_json: bool) -> None:
    """One profile as TOML, or as JSON."""
    if as_json:
        facts = {k: float(v) if isinstance(v, Fraction) else v for k, v in client.facts().items()}
        document({"name": client.name, "title": client.title, "sources": list(client.sources),
                  "notes": client.notes, "why": dict(client.why), **facts})  # fmt: skip
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
    out = Output()
    out.print(table)
    out.say("\nOne of them as a file to start from: holdover profiles NAME > my.toml")
