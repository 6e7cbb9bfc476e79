"""`holdover matrix`: a table, or one document."""

from __future__ import annotations

import pytest

from holdover.proofs.verdicts.matrix import ROWS
from tests.reference.commands.running import as_json, run, told


def test_matrix_is_a_table_or_one_document(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdover.proofs.verdicts.matrix.ROWS", ROWS[:1])
    shown = told(run("matrix"), 0)
    assert shown.splitlines()[0].split()[:2] == ["fault", "none"]
    assert "none needed" in shown
    found = as_json(run("matrix", "--json"), 0)
    assert {cell["outcome"] for cell in found["cells"]} == {"holds"}
    assert found["cures"] == [{"fault": "nothing", "smallest_cures": [[]]}]
