"""The kept certificates: all are checked, or those of a few cases whose turn it is.

Theory of operation.  Whether the checker accepts a certificate is a function of the obligation's
text and of the certificate.  Where all were accepted, and no byte has changed since of what writes
obligations, of certificates and of the checker (`tests/kept.py`), the obligations of few cases are
made: those to which the certificates belong that are built anew today.  All certificates of these
cases are checked.  Else `python -m holdover.proofs.certificates --check` checks all.

`python -m tests.proofs.certificates.in_turn --turn N` (any number) is a check of `.ci/check`; exit
status 0 if each is accepted and could be built, else 1.

What it does not know: see `tests/kept.py`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

import click

from holdover.proofs.certificates import shelf
from holdover.proofs.certificates.__main__ import bad_ones
from holdover.proofs.certificates.build import build
from holdover.proofs.certificates.check import check
from holdover.proofs.certificates.written import NoProofError
from holdover.proofs.theorems import obligations
from tests import kept

FAMILY = "certificates"


def case_name(name: str) -> str:
    """The name's first part: obligations that are made together."""
    return name.partition("/")[0]


def by_case(certificates: Mapping[str, str]) -> dict[str, list[str]]:
    """The names of the obligations of each case, in their order."""
    found: dict[str, list[str]] = {}
    for name in sorted(certificates):
        found.setdefault(case_name(name), []).append(name)
    return found


def bad_today(turn: int, certificates: Mapping[str, str]) -> list[str]:
    """What is not accepted, or cannot be built, of the cases whose turn it is."""
    groups = by_case(certificates)
    today = kept.in_groups(groups, turn)
    bad, built, as_kept = list[str](), 0, 0
    for case, again in today.items():
        found = {
            each.name: each
            for each in obligations.certified_obligations(case)
            if case_name(each.name) == case
        }
        for name in sorted({*found, *groups[case]}):
            if name not in found:
                bad.append(f"{name}: no such obligation")
            elif why := check(found[name].smtlib(), certificates.get(name, "")):
                bad.append(f"{name}: {why}")
        for name in again:
            try:
                text = build(found[name]) if name in found else ""
            except NoProofError as error:
                bad.append(f"{name}: not built: {error}")
            else:
                built += bool(text)
                as_kept += text == certificates[name]
    click.echo(
        f"of {', '.join(today)} each is checked now, {built} are built anew ({as_kept} of them as"
        f" they are kept); there are {len(certificates)}"
    )
    return bad


@click.command()
@click.option("--turn", type=int, help="Which are made anew: any number; without, all are checked.")
def main(turn: int | None) -> None:
    """The kept certificates, in their turn."""
    if turn is not None and kept.unchanged(FAMILY):
        bad = bad_today(turn, shelf.read())
    else:
        bad = bad_ones(turn or 0, jobs=2)
    for line in bad:
        click.echo(line)
    click.echo("each certificate is accepted" if not bad else f"{len(bad)} are not")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main(prog_name="python -m tests.proofs.certificates.in_turn")
