"""What the picture of the sources forbids, and that its reader would see it."""

import ast
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import networkx as nx
import pytest

from holdover.reference.docs import architecture
from holdover.reference.docs.architecture import imports, modules, read_imports, rooms
from tests.checkout import ROOT

MOST_FILES, MOST_LINES = 15, 470
LONGER = {
    "reference.core.client": 660,
    "reference.core.server": 510,
    "model.table.client": 650,
    "model.readings.finite": 510,
    "proofs.logic.formula": 630,
    "proofs.logic.solvers": 510,
    "proofs.logic.unrolled": 520,
    "proofs.theorems.t3_runs": 480,
}
"""Each is read in one piece, top to bottom: RFC 2131's client, its server, the client's rows,
what a row means to Python, a formula from how it is built to its text, what solvers are asked and
in which order, what a run comes to and by what that is kept, the runs of T3 with their terms."""


def within(*prefixes: str) -> list[str]:
    return [m for m in modules() if m.startswith(prefixes)]


def reaching(those: Iterable[str], *prefixes: str) -> list[tuple[str, str]]:
    """Arrows from them to a module whose name begins so."""
    return [(a, b) for a in those for b in imports().successors(a) if b.startswith(prefixes)]


def test_a_floor_imports_nothing_of_one_above_it() -> None:
    assert reaching(within("model."), "proofs.", "reference.") == []
    assert reaching(within("proofs."), "reference.") == []


def test_the_core_knows_the_wire_alone_and_the_wire_nothing() -> None:
    assert {architecture.room(b) for _, b in reaching(within("reference.core."), "")} == {
        "reference/core",
        "reference/wire",
    }
    assert {architecture.room(b) for _, b in reaching(within("reference.wire."), "")} == {
        "reference/wire"
    }


@pytest.mark.parametrize("module", within("reference.core.", "reference.wire."))
def test_a_core_needs_the_standard_library_alone(module: str) -> None:
    roots = {name.partition(".")[0] for name in read_imports(modules()[module])}
    assert roots <= sys.stdlib_module_names | {"holdover"}


@pytest.mark.parametrize("graph", [imports, rooms], ids=["modules", "rooms"])
def test_there_is_no_circle(graph: "Callable[[], nx.DiGraph[str]]") -> None:
    """Drawn in the test: to choose tests, nothing is read."""
    found = nx.strongly_connected_components(graph())
    assert [sorted(component) for component in found if len(component) > 1] == []


def test_a_folder_has_few_modules_and_a_module_fits_in_one_reading() -> None:
    folders: dict[Path, int] = {}
    for name, file in modules().items():
        folders[file.parent] = folders.get(file.parent, 0) + 1
        lines = len(file.read_text(encoding="utf-8").splitlines())
        assert lines <= LONGER.get(name, MOST_LINES), name
    assert {str(f): n for f, n in folders.items() if n > MOST_FILES} == {}


def test_each_folder_says_what_belongs_there() -> None:
    for folder in {file.parent for file in modules().values()}:
        doc = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8")))
        assert doc, folder


def test_a_class_name_means_one_thing() -> None:
    homes: dict[str, list[str]] = {}
    for name, file in modules().items():
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                homes.setdefault(node.name, []).append(name)
    assert {name: where for name, where in homes.items() if len(where) > 1} == {}


def test_the_formatter_is_off_in_front_of_tables_only() -> None:
    switched_off = "# fmt" + ": skip"
    found = {n: f.read_text(encoding="utf-8").count(switched_off) for n, f in modules().items()}
    tables = ("model.table.", "model.readings.definitions", "reference.core.")
    assert {n: count for n, count in found.items() if count and not n.startswith(tables)} == {}
    assert sum(found.values()) < 50


# The ways through it -----------------------------------------------------------------------------

STATION = re.compile(r"`(?P<file>[\w/]+\.py):(?P<name>[\w.]+)`")


def test_each_station_of_the_ways_is_there() -> None:
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    stations = [m.groups() for m in STATION.finditer(page)]
    assert len(stations) > 20
    for file, name in stations:
        tree: ast.AST = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        for part in name.split("."):
            found = [n for n in ast.walk(tree) if part in defined(n)]
            assert found, f"{file}: no {name}"
            tree = found[0]


def defined(node: ast.AST) -> list[str]:
    """Names that a definition or an assignment gives."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else []
    if isinstance(node, ast.AnnAssign):
        targets = [node.target]
    return [n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)]


# Its reader --------------------------------------------------------------------------------------


def test_an_import_is_seen_wherever_it_stands(tmp_path: Path) -> None:
    file = tmp_path / "m.py"
    file.write_text(
        "import os.path\nfrom a import b\nif x:\n  from c.d import e\ndef f():\n  import g\n",
        encoding="utf-8",
    )
    assert sorted(read_imports(file)) == ["a.b", "c.d.e", "g", "os.path"]
