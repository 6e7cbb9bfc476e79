"""`holdover matrix`: which safeguard cures which fault."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import click
from rich.text import Text

from holdover.model.explorer.sequence_chart import as_data
from holdover.proofs.verdicts import matrix as matrix_
from holdover.reference.console.exit import EXIT
from holdover.reference.console.options import jobs_option, json_option
from holdover.reference.console.output import COLOUR, Output, document, grid
from holdover.reference.console.progress import Progress


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
    table = grid("fault", "none", *matrix_.SAFEGUARDS, "all", "smallest cures")
    for fault, cells in groupby(found, key=lambda cell: cell.fault):
        row = [Text(matrix_.short(cell), style=COLOUR[cell.outcome]) for cell in cells]
        sets = " or ".join(" + ".join(chosen) or "none needed" for chosen in cures[fault]) or "none"
        table.add_row(fault, *row, sets)
    out = Output(width=230)
    out.print(table)
    out.say(
        "\nholds: proved for any number of hosts; a number: steps of the shortest collision; "
        "?: unknown (--json says what was searched)"
    )


@click.command(epilog="Example: holdover matrix --json")
@jobs_option
@json_option
def matrix(jobs: int, as_json: bool) -> int:
    """Print which safeguard cures which fault.

    Takes some minutes.  Exit status 0 if every cell was decided, 3 if some are unknown.
    """
    with Progress("cells") as progress:
        found = matrix_.whole(jobs, lambda done, of: progress.count(done, of, "matrix"))
    print_matrix(found, as_json)
    return EXIT["unknown" if any(cell.outcome == "unknown" for cell in found) else "holds"]
