"""Spec mutation: every guard, effect and deadline of the lease table is there for a reason.

Theory of operation.  A *mutant* is the table without one part: a guard, a conjunct of a guard, an
effect, or a deadline.  Each is judged by checks that the table itself passes; a check that the
mutant fails *kills* it, and the strongest is named:

* crash: the mutant reads an unset instant, so the part protected it;
* property: a property that holds in a small configuration fails;
* proof: an obligation of T2, of T3 or of `FACTS` that was proved has a counterexample;
* law: a step that the changed row takes, and the row itself would not, breaks one of `laws.py`;
* count: a small configuration has other states, steps or depth.

A configuration in which the changed row does the same in every reachable state is not explored
again: its graph is the same.  A mutant that nothing kills must be explained:

* equivalent: Z3 says why: the dropped guard follows from the others and from `FACTS`, or the
  dropped effect assigns what the variable has anyway;
* alike: in every configuration in which it shows, nothing but the variable that the dropped effect
  set is different and no row reads it, or the same states are reached by as many steps.  That is
  observed, not proved.

The rest *survives*: a check is missing, or the part is superfluous.  `FACTS` are invariants of
every client in every environment; unless they are proved, nothing is called equivalent by them.

`python -m holdover.proofs.mutation` judges all; `--record` writes what the documentation shows.
`--check --turn N` takes recorded fates where they are of the same sources (`record.py`).

Not here: changed operators and constants, added parts, pairs of mutations.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table as Listing

from holdover.model.errors import nearest
from holdover.model.table.table import LEASE_TABLE
from holdover.proofs.mutation import record
from holdover.proofs.mutation.fates import KILLERS, Fate, Killer, run
from holdover.proofs.mutation.mutants import mutants
from holdover.proofs.mutation.record import as_json, read_fates

# Report ------------------------------------------------------------------------------------------


def summary(fates: Sequence[Fate]) -> str:
    """How many were killed by what."""
    count = Counter(fate.killer for fate in fates)
    killed = ", ".join(f"{KILLED_BY[k]} {count[k]}" for k in KILLED_BY)
    explained = f"equivalent {count['equivalent']}, alike {count['alike']}"
    return f"{len(fates)} mutants: {killed}; {explained}; {count['survives']} unexplained"


KILLED_BY: dict[Killer, str] = {
    "crash": "crashes",
    "property": "properties killed",
    "proof": "proofs killed",
    "law": "laws killed",
    "count": "pinned counts killed",
}


def page() -> str:
    """The recorded fates for the documentation: counts for each row, and every mutant."""
    fates = read_fates()
    rows: dict[str, list[Fate]] = {}
    for fate in fates:
        rows.setdefault(fate.row, []).append(fate)
    parts = [summary(fates) + ".", "", *markdown(("row", "mutants", *KILLERS), tallies(rows))]
    for row, its in rows.items():
        lines = [(_part(fate), f"`{fate.text}`", fate.killer, fate.detail) for fate in its]
        parts += ["", f"## `{row}`", "", *markdown(("part", "dropped", "fate", "by"), lines)]
    return "\n".join(parts) + "\n"


def _part(fate: Fate) -> str:
    return f"{fate.part} {fate.place}".rstrip()


def tallies(rows: dict[str, list[Fate]]) -> Iterator[tuple[str, ...]]:
    """For each row how many mutants it has and what became of them."""
    for row, its in rows.items():
        count = Counter(fate.killer for fate in its)
        yield row, str(len(its)), *(str(count[killer] or "") for killer in KILLERS)


def markdown(head: Sequence[str], lines: Iterable[Sequence[str]]) -> Iterator[str]:
    """A Markdown table."""
    for line in (head, ["---"] * len(head), *lines):
        cells = (cell.replace("|", r"\|") or " " for cell in line)
        yield f"| {' | '.join(cells)} |"


def show_fates(fates: Sequence[Fate], rows: Sequence[str]) -> Listing:
    """A table for the terminal: each mutant of the rows asked for, else what nothing killed."""
    kept = [f for f in fates if rows or f.killer in ("equivalent", "alike", "survives")]
    listing = Listing("row", "part", "dropped", "fate", "by")
    for fate in kept:
        colour = {"survives": "red", "equivalent": "green", "alike": "yellow"}.get(fate.killer, "")
        fate_cell = f"[{colour}]{fate.killer}[/]" if colour else fate.killer
        listing.add_row(fate.row, _part(fate), escape(fate.text), fate_cell, escape(fate.detail))
    return listing


@click.command()
@click.option("--json", "json_", is_flag=True, help="Print every fate as JSON.")
@click.option("--jobs", type=click.IntRange(1), default=2, show_default=True, help="Processes.")
@click.option("--only", "rows", multiple=True, metavar="ROW", help="Only this row's mutants.")
@click.option("--record", "writes", is_flag=True, help="Judge all, and record their fates.")
@click.option("--check", is_flag=True, help="Exit 1 also if the recorded fates are not these.")
@click.option("--turn", type=int, help="With --check: judge one of fifty, and what has no fate.")
def main(
    json_: bool, jobs: int, rows: tuple[str, ...], writes: bool, check: bool, turn: int | None
) -> None:
    """Drop each part of the lease table in turn; exit 0 if each is killed or explained, else 1.

    Example: python -m holdover.proofs.mutation --only bind
    """
    known = tuple(action.name for action in LEASE_TABLE.actions)
    for row in rows:
        if row not in known:
            raise click.BadParameter(f"no row {row!r}; {nearest(row, known)}", param_hint="--only")
    if rows and (writes or check):
        raise click.UsageError("--record and --check are about all rows; leave out --only")
    if turn is not None and (writes or not check):
        raise click.UsageError("--turn says what --check judges: give --check, and no --record")
    names = [changed.name for changed in mutants(rows)]
    recorded = record.read() if check else None
    kept = {} if recorded is None else record.kept_fates(names, recorded, turn)
    todo = [name for name in names if name not in kept]
    errors = Console(stderr=True)
    with Progress(console=errors, transient=True, disable=not errors.is_terminal) as bar:
        task = bar.add_task("mutants", total=None)
        judged = run(todo, jobs, lambda n, of: bar.update(task, completed=n, total=of))
    found = {**kept, **dict(zip(todo, judged, strict=True))}
    fates = [found[name] for name in names]
    if writes:
        record.write(fates)
    if json_:
        click.echo(as_json(fates), nl=False)
    else:
        console = Console()
        console.print(show_fates(fates, rows))
        console.print(summary(fates))
    if turn is not None:
        said = f"{len(judged)} judged now, {len(kept)} as they are recorded"
        other = "" if kept else ": the record is of other sources, --record makes one of these"
        click.echo(said + other, err=json_)
    stale = recorded is not None and fates != list(recorded.fates)
    if stale:
        click.echo("the recorded fates are not these; run with --record", err=True)
    sys.exit(1 if stale or any(fate.killer == "survives" for fate in fates) else 0)


if __name__ == "__main__":
    main()
