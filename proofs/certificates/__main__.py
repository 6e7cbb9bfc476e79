"""`python -m holdover.proofs.certificates`: the certificates that are kept.

`--write` builds those that are missing or no longer accepted (a second each), and drops those of no
obligation.  `--check` (the default) says which these are, and builds a few anew: each hundredth,
and those that are asked for by their obligations' names.  Exit: 0 all are accepted, 1 one is not.
"""

from __future__ import annotations

import sys

import click

from holdover.proofs.certificates import kept
from holdover.proofs.certificates.build import build
from holdover.proofs.certificates.check import check
from holdover.proofs.certificates.written import NoProofError
from holdover.proofs.theorems.obligations import proved_obligations

EACH = 100


def write() -> None:
    """Builds what is missing; what has been built is kept now and then, since it takes long."""
    old, new = kept.read(), dict[str, str]()
    built, open_ones = 0, list[str]()
    for obligation in proved_obligations():
        try:
            found = kept.certified(obligation, old)
        except NoProofError as error:
            open_ones.append(f"{obligation.name}: {error}")
            continue
        new[obligation.name] = found.text
        built += not found.kept
        if not found.kept and built % 50 == 0:
            kept.write({**old, **new})
    kept.write(new)
    click.echo(f"{len(new)} certificates, {built} of them new; {len(open_ones)} not found")
    for line in open_ones:
        click.echo(line)


def bad_ones() -> list[str]:
    """What is not accepted, or cannot be built; and certificates of no obligation."""
    old, bad = kept.read(), list[str]()
    for place, obligation in enumerate(proved_obligations()):
        why = check(obligation.smtlib(), old.pop(obligation.name, ""))
        if why:
            bad.append(f"{obligation.name}: {why}")
        if place % EACH == 0:
            try:
                build(obligation)
            except NoProofError as error:
                bad.append(f"{obligation.name}: not built: {error}")
    return bad + [f"{name}: no such obligation" for name in old]


@click.command()
@click.option("--write", "writes", is_flag=True, help="Build what is missing or not accepted.")
@click.option("--check", is_flag=True, help="Check all, and build each hundredth anew.")
def main(writes: bool, check: bool) -> None:
    """The certificates that are kept."""
    if writes:
        write()
    bad = bad_ones() if check or not writes else []
    for line in bad:
        click.echo(line)
    if not writes:
        click.echo("each certificate is accepted" if not bad else f"{len(bad)} are not")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main(prog_name="python -m holdover.proofs.certificates")
