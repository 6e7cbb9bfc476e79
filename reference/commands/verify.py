"""`holdover verify`: clients judged, or every claim checked."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.text import Text

from holdover.model.clients.network import Network, load_network
from holdover.model.clients.profile import STANDARD, in_seconds, load
from holdover.model.errors import InputError
from holdover.model.explorer.length import count_of
from holdover.model.explorer.sequence_chart import as_data, sentences
from holdover.model.readings.constants import holds
from holdover.model.readings.finite import name_of
from holdover.model.seconds import show_seconds
from holdover.model.table.bound import server_keeps
from holdover.model.table.properties import ALWAYS
from holdover.model.table.vocabulary import HOST
from holdover.proofs.result import Outcome, combine
from holdover.proofs.verdicts.alone import VerdictAlone, judge_alone
from holdover.proofs.verdicts.by_bound import (
    GRACE_WORDS,
    further,
    in_use_by_two,
    kept_when_given_away,
    no_bound,
    without_bound,
)
from holdover.proofs.verdicts.causes import Cause
from holdover.proofs.verdicts.judge import Judgement, NetworkJudgement, Size, judge, judge_network
from holdover.reference.commands.grace import need_data, print_needs
from holdover.reference.commands.state_graph import Common, common_data, common_lines, of_judgement
from holdover.reference.console.assumed import (
    HOLDS,
    TOO_SHORT,
    assume_option,
    assuming,
    network_assuming,
    unstated_data,
    unstated_lines,
)
from holdover.reference.console.cured import cure_lines, cures_data
from holdover.reference.console.exit import EXIT
from holdover.reference.console.options import jobs_option, json_option, profile_names
from holdover.reference.console.output import (
    Output,
    at_most,
    colour_outcome,
    document,
    grid,
    number,
)
from holdover.reference.console.progress import Progress
from holdover.reference.console.surroundings import (
    around,
    memory_option,
    network_option,
    solver_option,
    solvers,
    surroundings,
    world_options,
)

if TYPE_CHECKING:  # numpy comes with it, and all theorems: who judges a client needs neither
    from holdover.proofs.verdicts.claims import Claim, ClaimResult
    from holdover.reference.refinement.conformance import Conformance


def print_judgements(
    found: Sequence[Judgement],
    commons: Sequence[Common | None],
    code: Conformance | None,
    as_json: bool,
) -> None:
    """The verdicts on clients, each with its reason and a collision told; and one on code."""
    if as_json:
        document(
            "verify",
            {
                "outcome": outcome_of(found, code),
                "judgements": [judgement_data(*p) for p in zip(found, commons, strict=True)],
                "code": None if code is None else code_data(code),
            },
        )
        return
    out = Output()
    for judgement, common in zip(found, commons, strict=True):
        name = judgement.profile.name
        verdict = Text(f"{name}: ", style="bold") + colour_outcome(judgement.outcome)
        out.say(verdict + Text(f" - {judgement.reason}"))
        for line in unstated_lines(judgement.profile, judgement.hangs_on, HOLDS, TOO_SHORT):
            out.say(f"  {line}")
        out.say(f"  worst holdover: {holdover_of(judgement)}; {grace_of(judgement)}")
        for line in (*given_away(judgement), *longest_conflict(judgement)):
            out.say(f"  {line}")
        if judgement.run:
            for line in (*sentences(judgement.run, judgement.unit), *cause_lines(judgement.causes)):
                out.say(f"  {line}")
        for line in common_lines(common) if common is not None else ():
            out.say(f"  {line}")
        for said in by_itself(judgement):
            out.say(Text("  ") + said)
        for line in (*elsewhere(judgement), *cure_lines(name, judgement.outcome)):
            out.say(f"  {line}")
        if code is not None and name == "reference":
            print_code_verdict(code, out)


def outcome_of(found: Sequence[Judgement], code: Conformance | None) -> Outcome:
    """What all verdicts together come to: the worst."""
    outcomes = [judgement.outcome for judgement in found]
    return combine(outcomes if code is None else [*outcomes, code.outcome])


def print_code_verdict(code: Conformance, out: Output) -> None:
    """The verdict on the reference client's code: by which exploration of which code."""
    from holdover.reference.refinement.conformance import CODE
    from holdover.reference.refinement.search import as_pinned

    verdict = Text("  the code: ", style="bold") + colour_outcome(code.outcome)
    settings = f"{len(code.explored)} settings, {code.states:,} states, {code.steps:,} steps"
    out.say(verdict + Text(f" - explored in {settings}"))
    out.say(f"    {', '.join(CODE)}: sha256 {code.digest[:16]}")
    if code.kept is not None:
        out.say(f"    found at {code.found}, by the same checker; read from {code.kept}")
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
    from holdover.reference.refinement.conformance import CODE
    from holdover.reference.refinement.search import as_pinned

    return {
        "outcome": code.outcome,
        "files": list(CODE),
        "sha256": code.digest,
        "checker_sha256": code.checker,
        "found": code.found,
        "read_from": code.kept and str(code.kept),
        "settings": [
            {
                "name": seen.setting.name,
                "size": seen.setting.size,
                "states": seen.states,
                "steps": seen.steps,
                "depth": seen.depth,
                "as_pinned": as_pinned(seen),
                "failed": seen.failed,
                "defect": {"kind": seen.kind, "says": seen.defect, "run": list(seen.run)}
                if seen.kind
                else None,
            }
            for seen in code.explored
        ],
        "never_taken": list(code.gaps),
    }


def holdover_of(judgement: Judgement) -> str:
    """The worst holdover in words."""
    if judgement.worst is not None:
        return show_seconds(at_most(judgement.worst))
    stated = not judgement.profile.unstated
    reasons = no_bound(in_seconds(judgement.profile, judgement.environment)) if stated else ()
    return "no bound" + (f" ({'; '.join(reasons)})" if reasons else "")


def grace_of(judgement: Judgement) -> str:
    """The safe grace in words."""
    if judgement.grace is None:
        known = without_bound(in_seconds(judgement.profile, judgement.environment))
        return GRACE_WORDS[known] + (" for each such client" if judgement.profile.unstated else "")
    return f"a grace of {show_seconds(at_most(judgement.grace))} is enough"


def given_away(judgement: Judgement) -> list[str]:
    """How long a client keeps an address that a server gives away which it has leased."""
    world = judgement.environment
    if holds(server_keeps, world.facts()):
        return []
    kept = kept_when_given_away(judgement.profile, world)
    longest = "for how long, nothing here says"
    if kept is not None:
        longest = f"for at most {show_seconds(at_most(kept))}"
    return [f"after the server has given the address to another host, it is kept {longest}"]


def longest_conflict(judgement: Judgement) -> list[str]:
    """How long two hosts have one address, where the client gives way to the other."""
    longest = in_use_by_two(judgement.profile, judgement.environment)
    if longest is None or judgement.outcome != "violated":
        return []
    told = f"for at most {show_seconds(at_most(longest))} at a time"
    return [f"when it hears that another host uses its address, both have it {told}"]


def elsewhere(judgement: Judgement) -> list[str]:
    """What one more fault would do; of a client that is not all stated nothing is said."""
    if judgement.profile.unstated:
        return []
    told = [
        f"{'no bound' if worst is None else show_seconds(at_most(worst)):>10}  {name}"
        for name, worst in further(judgement.profile, judgement.environment)
    ]
    return ["worst holdover with one more fault:", *told] if told else []


def alone(judgement: Judgement) -> tuple[VerdictAlone, ...]:
    """The verdicts on the client by itself; of one that is not all stated nothing is said."""
    stated = not judgement.profile.unstated
    return judge_alone(judgement.profile, judgement.environment) if stated else ()


def by_itself(judgement: Judgement) -> Iterator[Text]:
    """The same in words, with a run where it is violated."""
    for found in alone(judgement):
        line = Text(f"{found.says}: ") + colour_outcome(found.outcome)
        yield line + Text(f" - {found.states:,} states of one host, in ticks of a third of a lease")
        if found.run:
            yield from (Text(f"  {told}") for told in sentences(found.run, "ticks"))


def cause_lines(causes: Sequence[Cause]) -> list[str]:
    """What a run rests on, a line for each fact."""
    return [f"Cause: {cause.says} ({cause.constant})." for cause in causes]


def causes_data(causes: Sequence[Cause]) -> list[dict[str, object]]:
    """The same for programs."""
    return [{"constant": cause.constant, "says": cause.says} for cause in causes]


def judgement_data(judgement: Judgement, common: Common | None) -> dict[str, object]:
    """A verdict for programs."""
    return {
        "profile": judgement.profile.name,
        "outcome": judgement.outcome,
        "reason": judgement.reason,
        "worst_holdover": number(at_most, judgement.worst),
        "safe_grace": number(at_most, judgement.grace),
        "kept_when_given_away": number(
            at_most, kept_when_given_away(judgement.profile, judgement.environment)
        ),
        "in_use_by_two": number(at_most, in_use_by_two(judgement.profile, judgement.environment)),
        **unstated_data(judgement.profile, judgement.hangs_on),
        "with_one_more_fault": []
        if judgement.profile.unstated
        else [
            {"fault": name, "worst_holdover": number(at_most, worst)}
            for name, worst in further(judgement.profile, judgement.environment)
        ],
        "states": judgement.states,
        "causes": causes_data(judgement.causes),
        "run": list(as_data(judgement.run, judgement.unit)),
        "every_run": common_data(common),
        "cures": cures_data(judgement.profile.name, judgement.outcome),
        "by_itself": [
            {
                "property": found.name,
                "outcome": found.outcome,
                "states": found.states,
                "run": list(as_data(found.run, "ticks")),
            }
            for found in alone(judgement)
        ],
    }


def print_claims(found: Sequence[ClaimResult], as_json: bool) -> None:
    """The claims of the specification, and whether they came out as stated."""
    if as_json:
        document(
            "claims",
            {
                "outcome": combine(result.outcome for result in found),
                "claims": [
                    {
                        "group": result.claim.group,
                        "name": check.name,
                        "says": check.says,
                        "outcome": check.outcome,
                        "detail": check.detail,
                        "seconds": round(check.seconds, 3),
                        "facts": [
                            {"name": name, "value": value} for name, value in check.data.items()
                        ],
                    }
                    for result in found
                    for check in result.checks
                ],
            },
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
            table.add_row(says, colour_outcome(check.outcome), Text(check.detail))
    out = Output()
    out.print(table)
    checks = [check for result in found for check in result.checks]
    counts = ", ".join(
        f"{sum(check.outcome == outcome for check in checks)} {word}"
        for outcome, word in (
            ("holds", "as stated"),
            ("violated", "not as stated"),
            ("unknown", "unknown"),
        )
    )
    out.say(f"\n{count_of(len(checks), 'claim')}: {counts}")


@click.command(epilog="Example: holdover verify wfwg311 my.toml --lease 1d --fault freezes")
@click.argument("names", nargs=-1, metavar="[PROFILE | FILE.toml]...", shell_complete=profile_names)
@network_option
@assume_option
@world_options
@memory_option
@solver_option("z3")
@jobs_option
@click.option("--anew", is_flag=True, help="Explore the reference's code, verdict kept or not.")
@json_option
def verify(
    names: tuple[str, ...],
    network: Path | None,
    assume: str | None,
    memory: int,
    solver: str,
    jobs: int,
    anew: bool,
    as_json: bool,
    **given: Any,
) -> int:
    """Judge clients, or, with no name, check every claim.

    A client is a built-in profile (see `holdover profiles`) or a TOML file.  It is judged among
    clients of its kind, a server that may fall silent, a network that loses, duplicates and delays,
    and a user who may never answer; options change that.  Of several clients the worst verdict
    decides the exit status.

    A profile that leaves facts out is every client that they fit: if some of these collide and
    others do not, the verdict is unknown, and the facts are named on which it hangs.

    With `reference`, and no other option of the surroundings, the code of the reference client is
    explored as well: its steps are steps of the lease table, in every state of every setting.  That
    it is so is kept, by the digests of the code and of all that checks it, and read from there when
    it is asked for again; --anew explores.

    With --network, hosts of several kinds are judged together, around one server: whether any two
    of them can hold an address at once, and the grace that each kind needs.

    The claims are those of the specification: theorems T0 to T7, the verdict on each built-in
    profile, and the pinned searches.  Exit status 0 if each comes out as stated.
    """
    if network is not None:
        if names:
            raise InputError("--network names the clients: leave PROFILE")
        site = network_assuming(load_network(network), assume)
        return verify_network(site, Size(memory=memory), solver, as_json, given)
    world = surroundings(given)
    if not names:
        if world != STANDARD:
            raise InputError("options of the surroundings need a profile to judge: name one")
        from holdover.proofs.verdicts.claims import claims

        return check_claims(list(claims(solvers(solver))), solver, jobs, as_json)
    explores = "reference" in names and world == STANDARD
    if anew and not explores:
        raise InputError(
            "--anew is about the code, which is explored with `reference` and no option of the "
            "surroundings: leave it out"
        )
    profiles = [assuming(load(name), assume) for name in names]
    size, by, found, commons = Size(memory=memory), solvers(solver), [], []
    for profile in profiles:
        with Progress(profile.name) as progress:
            found.append(judge(profile, world, size, by, progress.say, progress.search))
            common = None
            if found[-1].looked_at is not None:
                from holdover.proofs.theorems.t5_state_graph import FITS

                common = of_judgement(found[-1], FITS)
            commons.append(common)
        if len(names) > 1:
            gc.collect()  # the program looks for circles rarely: a client's are not the next one's
    code = None
    if explores:
        with Progress("reference") as progress:
            from holdover.reference.refinement.conformance import conformance

            code = conformance(jobs, progress.count, anew=anew)
    print_judgements(found, commons, code, as_json)
    return EXIT[outcome_of(found, code)]


def verify_network(
    network: Network, size: Size, solver: str, as_json: bool, given: dict[str, Any]
) -> int:
    """The verdict on a network of several kinds of client."""
    world = around(network, given)
    with Progress(network.title) as progress:
        found = judge_network(network, world, size, solvers(solver), progress.say, progress.search)
    print_verdict(found, as_json)
    return EXIT[found.outcome]


def check_claims(todo: Sequence[Claim], solver: str, jobs: int, as_json: bool) -> int:
    """Check claims and report."""
    from holdover.proofs.verdicts.claims import check_all

    with Progress("claims") as progress:
        results = check_all(todo, jobs, solvers(solver), progress.count)
    print_claims(results, as_json)
    return EXIT[combine(result.outcome for result in results)]


def print_verdict(found: NetworkJudgement, as_json: bool) -> None:
    """The verdict, what each kind of client needs, and a collision told."""
    grace = found.environment.grace
    if as_json:
        document(
            "verify-network",
            {
                "network": found.network.title,
                "outcome": found.outcome,
                "reason": found.reason,
                "grace": float(grace),
                "clients": [need_data(need, found.environment) for need in found.needs],
                "states": found.states,
                "hosts": [client.name for client in found.hosts],
                "causes": causes_data(found.causes),
                "run": list(as_data(found.run, "s")),
            },
        )
        return
    out = Output()
    title = Text(f"{found.network.title}: ", style="bold")
    out.say(title + colour_outcome(found.outcome) + Text(f" - {found.reason}"))
    print_needs(out, found.needs, found.environment)
    if found.run:
        who = (f"{name_of(HOST, n)} has {client.name}" for n, client in enumerate(found.hosts))
        out.say(f"\n  {', '.join(who)}:")
        for line in (*sentences(found.run, "s"), *cause_lines(found.causes)):
            out.say(f"  {line}")
