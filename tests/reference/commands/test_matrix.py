"""`holdover matrix`: a table, or one document."""

from __future__ import annotations

from contextlib import redirect_stdout
from io import StringIO

import pytest

from holdover.proofs.verdicts.matrix import ROWS, SAFEGUARDS, MatrixCell
from holdover.reference.commands.matrix import print_matrix
from tests.reference.commands.running import as_json, run, told


def test_matrix_is_a_table_or_one_document(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdover.proofs.verdicts.matrix.ROWS", ROWS[:1])
    shown = told(run("matrix"), 0)
    assert shown.splitlines()[0].split()[:2] == ["fault", "none"]
    assert "none needed" in shown
    found = as_json(run("matrix", "--json"), 0)
    assert {cell["outcome"] for cell in found["cells"]} == {"holds"}
    assert found["cures"] == [{"fault": "nothing", "smallest_cures": [[]]}]


def test_the_matrix_fits_a_terminal_and_loses_nothing() -> None:
    """Every fault, every safeguard, and each cell of the document."""
    cells = [
        MatrixCell(row.name, name, "violated", "99 steps")
        for row in ROWS
        for name in ("none", *SAFEGUARDS, "all")
    ]
    with redirect_stdout(StringIO()) as said:
        print_matrix(cells, as_json=False)
    lines = said.getvalue().splitlines()
    assert max(map(len, (line.rstrip() for line in lines))) <= 80
    assert len(lines[0].split()) == 1 + len(SAFEGUARDS) + 2
    for row in ROWS:
        (line,) = (each for each in lines[: len(ROWS) + 1] if each.startswith(f"{row.name}  "))
        assert line.split()[-len(SAFEGUARDS) - 2 :] == ["99"] * (len(SAFEGUARDS) + 2)
    for name in SAFEGUARDS:
        assert any(line[3:] == name for line in lines)
