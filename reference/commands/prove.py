"""`holdover prove`: the theorems, or the obligations of one profile."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

import click
from rich.text import Text

from holdover.model.clients.profile import STANDARD, Profile, in_seconds, load
from holdover.model.errors import InputError
from holdover.model.table.table import LEASE_TABLE
from holdover.proofs.certificates import shelf
from holdover.proofs.certificates.written import NoProofError
from holdover.proofs.logic.beside import pairs
from holdover.proofs.logic.invariants import remembering
from holdover.proofs.logic.obligations import Case, Obligation, obligations
from holdover.proofs.logic.solvers import OUTCOME, CaseVerdict, decide
from holdover.proofs.result import Outcome
from holdover.proofs.theorems import t2_safety
from holdover.proofs.theorems.obligations import PROVED, all_obligations, file_name, is_proved
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
    count = 0
    with writing(option, folder):
        for obligation in obligations_of(profile):
            text = obligation.smtlib(t2_safety.expected_answer(obligation))
            write_beside(folder, obligation, {".smt2": text})
            count += 1
    return count


def obligations_of(profile: Profile | None) -> Iterable[Obligation]:
    """Those of a profile, or of all theorems."""
    if profile is None:
        return all_obligations()
    # A name is anything; what it becomes is a folder and a comment in a file.
    name = re.sub(r"[^\w.-]+", "-", profile.name).strip(".-")
    return obligations(case_of(replace(profile, name=name or "profile")))


def write_beside(folder: Path, obligation: Obligation, texts: Mapping[str, str]) -> None:
    """Files that have an obligation's name, by their suffix."""
    for suffix, text in texts.items():
        path = folder / f"{file_name(obligation)}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


@contextmanager
def writing(option: str, folder: Path) -> Iterator[None]:
    """Says which option could not be followed."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{option} {folder}: {error.strerror or error}") from error


def write_certificates(profile: Profile | None, folder: Path, as_json: bool) -> Outcome:
    """Each obligation with its certificate; holds if the checker accepts one for each."""
    kept = shelf.read()
    written, built, without = 0, 0, dict[str, str]()
    with Progress("certificates") as progress, writing("--certificates", folder):
        for obligation in obligations_of(profile):
            if profile is None and not is_proved(obligation):
                continue  # T2 says that it fails, and T5 has the run
            progress.say(obligation.name)
            try:
                found = shelf.with_certificate(obligation, kept)
            except NoProofError as error:
                without[obligation.name] = str(error)
                continue
            write_beside(folder, obligation, {".smt2": found.obligation, ".cert": found.text})
            written, built = written + 1, built + (not found.kept)
    outcome: Outcome = "unknown" if without else "holds"
    if as_json:
        open_ones = [{"name": name, "why": why} for name, why in without.items()]
        counts = {"written": written, "built": built, "without": open_ones}
        document("prove-certificates", {"outcome": outcome, "folder": str(folder), **counts})
        return outcome
    of = profile.name if profile else ", ".join(PROVED)
    said = f"{written} obligations of {of} written to {folder}, each with a certificate"
    click.echo(f"{said}; {built} of these built now")
    for name, why in without.items():
        click.echo(f"no certificate: {name}: {why}")
    return outcome


def show_row(profile: Profile | None, name: str, as_json: bool) -> None:
    """A row of the lease table, with what proofs remember of it, beside its SMT-LIB."""
    names = [row.name for row in LEASE_TABLE.actions]
    if name not in names:
        near = " or ".join(get_close_matches(name, names))
        hint = f": {near}?" if near else f"; there are {', '.join(names)}"
        raise InputError(f"--show {name}: the lease table has no such row{hint}")
    row = remembering(LEASE_TABLE.action(name))
    found = pairs(row, {} if profile is None else case_of(profile).fixed)
    if as_json:
        parts = [{"says": p.says, "smtlib": p.smtlib, "sets": p.variable or None} for p in found]
        document("prove-row", {"row": row.name, "source": row.source, "parts": parts})
        return
    out = Output()
    out.say(Text(f"{row.name}: {row.source}", style="bold"))
    table = grid("the lease table", "SMT-LIB")
    for pair in found:
        table.add_row(
            pair.says, f"{pair.variable} = {pair.smtlib}" if pair.variable else pair.smtlib
        )
    out.print(table)


@click.command(epilog="Example: holdover prove rfc2131 --solver both --smtlib obligations/")
@click.argument("profile", required=False, shell_complete=profile_names)
@click.option(
    "--smtlib",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write each obligation as an SMT-LIB file below this directory.",
)
@click.option(
    "--certificates",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write each obligation, of all theorems or of PROFILE, with a proof for check.py.",
)
@click.option("--show", metavar="ROW", help="Print a row of the lease table beside its SMT-LIB.")
@click.option("--no-search", is_flag=True, help="Only what --solver decides: no search.")
@assume_option
@solver_option("both")
@jobs_option
@json_option
def prove(
    profile: str | None,
    smtlib: Path | None,
    certificates: Path | None,
    show: str | None,
    no_search: bool,
    assume: str | None,
    solver: str,
    jobs: int,
    as_json: bool,
) -> int:
    """Prove the theorems, or one profile's invariant.

    The theorems are T0 to T7; the invariant is that of a client with the profile's own numbers.

    Parts of T0, T6 and T7, and all of T1, T4 and T5, are searched, which is the same by any solver:
    --no-search leaves them out.
    """
    if no_search and (profile, show, certificates) != (None, None, None):
        raise click.UsageError(
            "--no-search is about all theorems: leave it out with PROFILE, --show or --certificates"
        )
    client = None if profile is None else load_whole(profile, assume)
    if show is not None:
        show_row(client, show, as_json)
        return 0
    if certificates is not None:
        return EXIT[write_certificates(client, certificates, as_json)]
    if smtlib is not None:
        written = write_smtlib(client, smtlib)
        click.echo(f"{written} obligations written to {smtlib}", err=True)
    if client is not None:
        return prove_profile(client, solvers(solver), as_json)
    todo = [c for c in claims_.claims(solvers(solver), combined=True) if c.group.startswith("T")]
    if no_search:
        every = len(todo)
        todo = [c for c in todo if c.kind in claims_.BY_SOLVERS]
        if not as_json:
            click.echo(f"left out: {every - len(todo)} claims that are searched\n")
    return check_claims(todo, solver, jobs, as_json)


def prove_profile(profile: Profile, names: tuple[str, ...], as_json: bool) -> int:
    """The obligations for one profile in the standard surroundings."""
    with Progress(profile.name) as progress:
        progress.say(f"{profile.name}: proving")
        verdict = decide_profile(profile, names)
    outcome = print_obligations(profile, verdict, as_json)
    return EXIT[outcome]
