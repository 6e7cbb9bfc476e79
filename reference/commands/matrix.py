"""`holdover matrix`: which safeguard cures which fault."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from string import ascii_lowercase

import click
from rich.text import Text

from holdover.model.explorer.sequence_chart import as_data
from holdover.proofs.verdicts import matrix as matrix_
from holdover.reference.console.exit import EXIT
from holdover.reference.console.options import jobs_option, json_option
from holdover.reference.console.output import COLOUR, Output, document, grid
from holdover.reference.console.progress import Progress

COLUMNS = 80
"""As many as a terminal has; who reads it through a pipe is printed the same."""


def print_matrix(found: Sequence[matrix_.MatrixCell], as_json: bool) -> None:
    """Faults down, safeguards across."""
    cures = {fault.name: matrix_.smallest_cures(fault) for fault in matrix_.ROWS}
    if as_json:
        document(
            "matrix",
            {
                "cells": [
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
                ],
                "cures": [
                    {"fault": name, "smallest_cures": [list(c) for c in sets]}
                    for name, sets in cures.items()
                ],
            },
        )
        return
    letters = dict(zip(matrix_.SAFEGUARDS, ascii_lowercase, strict=False))
    table, second = grid("fault", "none", *letters.values(), "all"), grid("fault", "smallest cures")
    for fault, cells in groupby(found, key=lambda cell: cell.fault):
        row = [Text(brief(cell), style=COLOUR[cell.outcome]) for cell in cells]
        table.add_row(fault, *row)
        sets = " or ".join(" + ".join(chosen) or "none needed" for chosen in cures[fault]) or "none"
        second.add_row(fault, sets)
    out = Output(width=COLUMNS)
    out.print(table)
    out.say()
    for name, letter in letters.items():
        out.say(f"{letter}  {name}")
    out.say("\n+  holds: proved for any number of hosts")
    out.say("11 violated: the steps of the shortest collision")
    out.say("?  unknown: --json says what was searched\n")
    out.print(second)


def brief(cell: matrix_.MatrixCell) -> str:
    """A cell in as few letters as it takes."""
    return "+" if cell.outcome == "holds" else matrix_.short(cell).partition(" ")[0]


@click.command(epilog="Example: holdover matrix --json")
@jobs_option
@json_option
def matrix(jobs: int, as_json: bool) -> int:
    """Print which safeguard cures which fault.

    Takes some seconds.  Exit status 0 if every cell was decided, 3 if some are unknown.
    """
    with Progress("cells") as progress:
        found = matrix_.whole(jobs, lambda done, of: progress.count(done, of, "matrix"))
    print_matrix(found, as_json)
    return EXIT["unknown" if any(cell.outcome == "unknown" for cell in found) else "holds"]
