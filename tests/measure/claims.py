"""`python -m tests.measure.claims`: what each claim of `holdover verify` takes, and solvers of it.

Theory of operation.  Claims are checked as the command does, in tasks that two processes take in
turn.  In those processes the calls by which a solver searches add up the processor's time that they
take: Z3's `check`, and what cvc5 does with a text, whose reading is a small part of that.  What a
solver's own search takes no change to the rest of the program can save.

What it does not know: whether a solver could find the same in less time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import groupby
from typing import Any

import click

from holdover.proofs.logic import solvers
from holdover.proofs.result import Outcome
from holdover.proofs.verdicts.claims import Claim, check_task, claims, tasks
from holdover.proofs.verdicts.processes import begin
from holdover.reference.console.progress import Progress

SEARCHED = [0.0]
"""Seconds of the processor that solvers have searched in this process."""

Taken = tuple[float, float]
"""Seconds of the processor, and those of them that solvers searched."""


def timed(call: Callable[..., Any]) -> Callable[..., Any]:
    """The call, which adds what it takes to `SEARCHED`."""

    def search(*given: Any, **named: Any) -> Any:
        begun = time.process_time()
        try:
            return call(*given, **named)
        finally:
            SEARCHED[0] += time.process_time() - begun

    return search


def count_searches() -> None:
    """Have the solvers' searches of this process counted."""
    import z3

    begin()
    for solver in (z3.Solver, z3.Optimize):
        solver.check = timed(solver.check)
    solvers.cvc5_says = timed(solvers.cvc5_says)


def take(task: Sequence[Claim], by: Sequence[str]) -> tuple[Taken, list[Outcome]]:
    """What a task takes, and the outcomes of its checks."""
    begun, searched = time.process_time(), SEARCHED[0]
    outcomes = [check.outcome for found in check_task(task, by) for check in found]
    return (time.process_time() - begun, SEARCHED[0] - searched), outcomes


@click.command(epilog="Example: python -m tests.measure.claims --solver both")
@click.option("--solver", type=click.Choice(["z3", "cvc5", "both"]), default="z3")
@click.option("--jobs", default=2, show_default=True, help="Processes side by side.")
def main(solver: str, jobs: int) -> None:
    """Check all claims, and print what those of each kind take; about a minute."""
    by = ("z3", "cvc5") if solver == "both" else (solver,)
    todo = tasks(list(claims(by)))
    found: list[tuple[str, Taken]] = []
    wrong = 0
    with (
        Progress("claims") as progress,
        ProcessPoolExecutor(jobs, initializer=count_searches) as pool,
    ):
        futures = [pool.submit(take, task, by) for task in todo]
        for number, (task, future) in enumerate(zip(todo, futures, strict=True)):
            progress.count(number, len(todo), task[0].name)
            taken, outcomes = future.result()
            wrong += sum(outcome != "holds" for outcome in outcomes)
            found.append((task[0].kind, taken))
    rows = []
    for kind, each in groupby(sorted(found), key=lambda pair: pair[0]):
        several = [taken for _, taken in each]
        rows.append((sum(t for t, _ in several), sum(s for _, s in several), kind, len(several)))
    click.echo("processor s | of it solvers search | tasks | kind of claim")
    total = sum(row[0] for row in rows), sum(row[1] for row in rows), "all", len(todo)
    for processor, searched, kind, count in (*sorted(rows, reverse=True), total):
        click.echo(f"{processor:11.2f} | {searched:20.2f} | {count:5} | {kind}")
    click.echo(f"{wrong} checks not as stated, or unknown")


if __name__ == "__main__":
    main()
