"""`python -m holdover.proofs.certificates`: the certificates that are kept.

They are those of the theorems in `PROVED` (`proofs/theorems/obligations.py`).  `--write` builds
those that are missing or no longer accepted, and drops those of no such obligation; with
`--only T2` those alone whose obligations' names begin so.  `--check` (the default) says which are
missing or not accepted, and in how many seconds of CPU time it has checked them; then it builds
one of each fifty anew (`--turn N`, any number, says which), or all (`--anew`).  Exit: 0 all are
accepted, 1 one is not.
"""

from __future__ import annotations

import sys
from time import process_time

import click

from holdover.proofs.certificates import shelf
from holdover.proofs.certificates.anew import build_anew, by_name
from holdover.proofs.certificates.check import check
from holdover.proofs.certificates.written import NoProofError
from holdover.proofs.kept import OF_EACH, names_in_turn
from holdover.proofs.theorems.obligations import PROVED, certified_obligations

SAVED = 20
"""So many are found before they are kept: to build all takes long, and may be broken off."""


def write(only: str) -> None:
    """Builds what is missing, and keeps it as it goes: what is broken off is taken up again."""
    old, known = shelf.read(), shelf.read()
    built, open_ones = 0, list[str]()
    for obligation in certified_obligations(only):
        name = obligation.name
        old.pop(name, None)
        try:
            found = shelf.with_certificate(obligation, known)
        except NoProofError as error:
            open_ones.append(f"{name}: {error}")
            known.pop(name, None)
            continue
        known[name] = found.text
        built += not found.kept
        if not found.kept and built % SAVED == 0:
            shelf.write(known)
    for name in old:
        if name.startswith(only):  # there is no such obligation any more
            del known[name]
    shelf.write(known)
    click.echo(f"{len(known)} certificates, {built} of them new; {len(open_ones)} not found")
    for line in open_ones:
        click.echo(line)


def bad_ones(turn: int | None, jobs: int) -> list[str]:
    """What is not accepted, or cannot be built; and certificates of no obligation."""
    kept, bad, seconds = shelf.read(), list[str](), 0.0
    old = dict(kept)
    found = by_name()
    for obligation in found.values():
        said = obligation.smtlib()
        start = process_time()
        why = check(said, old.pop(obligation.name, ""))
        seconds += process_time() - start
        if why:
            bad.append(f"{obligation.name}: {why}")
    click.echo(f"{len(found)} obligations of {', '.join(PROVED)}, all checked in {seconds:.1f} s")
    names = names_in_turn(list(found), turn)
    built = build_anew(names, kept, jobs)
    which = "all" if turn is None else f"one of each {OF_EACH}"
    click.echo(f"{built.count} built anew ({which}), {built.as_kept} of them as they are kept")
    return bad + built.bad + [f"{name}: no such obligation" for name in old]


@click.command()
@click.option("--write", "writes", is_flag=True, help="Build what is missing or not accepted.")
@click.option("--only", default="", metavar="NAME", help="Build those whose names begin so.")
@click.option("--check", "checks", is_flag=True, help="Check all, and build some anew.")
@click.option("--turn", default=0, help="Which of each fifty is built anew: any number.")
@click.option("--anew", is_flag=True, help="Build all anew: minutes.")
@click.option("--jobs", type=click.IntRange(1), default=2, show_default=True, help="Processes.")
def main(writes: bool, only: str, checks: bool, turn: int, anew: bool, jobs: int) -> None:
    """The certificates that are kept."""
    if writes:
        write(only)
    bad = bad_ones(None if anew else turn, jobs) if checks or not writes else []
    for line in bad:
        click.echo(line)
    if checks or not writes:
        click.echo("each certificate is accepted" if not bad else f"{len(bad)} are not")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main(prog_name="python -m holdover.proofs.certificates")
