"""`holdover prove`: the theorems, or the obligations of one profile."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import click
from rich.text import Text

from holdover.model.clients.profile import STANDARD, Profile, in_seconds, load
from holdover.model.errors import InputError
from holdover.proofs.logic.obligations import Case, Obligation, obligations
from holdover.proofs.logic.solvers import OUTCOME, CaseVerdict, decide
from holdover.proofs.result import Outcome
from holdover.proofs.theorems import t0_time_passes, t2_safety, t6_displaced, t7_contested
from holdover.proofs.theorems.t3_grace import lemma, necessary, reaching_term, sufficient
from holdover.proofs.theorems.t3_runs import combined_ways, ways
from holdover.proofs.verdicts import claims as claims_
from holdover.proofs.verdicts.judge import exact_case
from holdover.reference.commands.verify import check_claims
from holdover.reference.console.assumed import assume_option, load_whole
from holdover.reference.console.exit import EXIT
from holdover.reference.console.options import jobs_option, json_option, profile_names
from holdover.reference.console.output import Output, colour_outcome, document, grid
from holdover.reference.console.progress import Progress
from holdover.reference.console.surroundings import solver_option, solvers


def case_of(profile: Profile) -> Case:
    """T2's case for a profile that has one, else the invariant with the profile's own numbers."""
    if profile.name in t2_safety.TOLERATED and profile == load(profile.name):
        return t2_safety.case(profile.name, t2_safety.TOLERATED[profile.name])
    return exact_case(profile.name, in_seconds(profile, STANDARD))


def decide_profile(profile: Profile, solvers: tuple[str, ...]) -> CaseVerdict:
    """The obligations of a profile, decided."""
    return decide(case_of(profile), solvers)


def obligations_outcome(verdict: CaseVerdict) -> Outcome:
    """Holds if all are proved; violated if one is refuted; else unknown."""
    if verdict.proved:
        return "holds"
    refuted = any(answer.result == "refuted" for answer in verdict.answers)
    return "violated" if refuted else "unknown"


def obligations_data(verdict: CaseVerdict) -> list[dict[str, object]]:
    """Each answer for programs."""
    return [
        {
            "obligation": answer.obligation.name,
            "solver": answer.solver,
            "outcome": OUTCOME[answer.result],
            "seconds": round(answer.seconds, 4),
        }
        for answer in verdict.answers
    ]


def print_obligations(profile: Profile, verdict: CaseVerdict, as_json: bool) -> Outcome:
    """The obligations of a profile; returns the outcome."""
    outcome = obligations_outcome(verdict)
    if as_json:
        document(
            "prove",
            {
                "profile": profile.name,
                "outcome": outcome,
                "never_fire": list(verdict.never_fire),
                "obligations": obligations_data(verdict),
            },
        )
        return outcome
    out = Output()
    out.say(Text(f"{verdict.case.says}: ", style="bold") + colour_outcome(outcome))
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
        found = [
            *found,
            *lemma(),
            reaching_term()[0],
            *(necessary(way)[0] for way in (*ways(), *combined_ways())),
        ]
        found += t0_time_passes.all_obligations()
        found += t6_displaced.all_obligations()
        found += t7_contested.all_obligations()
    count = 0
    try:
        for obligation in found:
            name = obligation.name.replace(", ", "_").replace(" ", "-")
            path = folder / f"{name}.smt2"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(
                obligation.smtlib(t2_safety.expected_answer(obligation)), encoding="utf-8"
            )
            count += 1
    except OSError as error:
        raise InputError(f"{option} {folder}: {error.strerror or error}") from error
    return count


@click.command(epilog="Example: holdover prove rfc2131 --solver both --smtlib obligations/")
@click.argument("profile", required=False, shell_complete=profile_names)
@click.option(
    "--smtlib",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write each obligation as an SMT-LIB file below this directory.",
)
@assume_option
@solver_option("both")
@jobs_option
@json_option
def prove(
    profile: str | None,
    smtlib: Path | None,
    assume: str | None,
    solver: str,
    jobs: int,
    as_json: bool,
) -> int:
    """Prove the theorems, or one profile's invariant.

    The theorems are T0 to T7; the invariant is that of a client with the profile's own numbers.
    """
    client = None if profile is None else load_whole(profile, assume)
    if smtlib is not None:
        written = write_smtlib(client, smtlib)
        click.echo(f"{written} obligations written to {smtlib}", err=True)
    if client is not None:
        return prove_profile(client, solvers(solver), as_json)
    todo = [c for c in claims_.claims(solvers(solver), combined=True) if c.group.startswith("T")]
    return check_claims(todo, solver, jobs, as_json)


def prove_profile(profile: Profile, names: tuple[str, ...], as_json: bool) -> int:
    """The obligations for one profile in the standard surroundings."""
    with Progress(profile.name) as progress:
        progress.say(f"{profile.name}: proving")
        verdict = decide_profile(profile, names)
    outcome = print_obligations(profile, verdict, as_json)
    return EXIT[outcome]
