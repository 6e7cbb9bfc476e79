"""Who imports whom, read off the sources: the picture on the page, and what tests forbid.

Theory of operation.  A *room* is a folder of modules, or a module beside folders.  Imports are read
as text (`ast`), so nothing is run; one under `TYPE_CHECKING` or in a function counts too.  The
picture leaves out an arrow that follows from others (transitive reduction): A to C, where A imports
B and B imports C.  That has one answer only where there is no circle; else it raises.

What it does not know: what is imported by a name that is made at run time (`commands/`, by cli.py).
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path

import networkx as nx

from holdover.reference.docs.markdown import code, table

FLOORS = ("model", "proofs", "reference")
"""From the ground up: none imports from one above it."""


@cache
def modules() -> Mapping[str, Path]:
    """Every module of `holdover` but the `__init__` of folders, by its dotted name within it."""
    found = {}
    for floor in FLOORS:
        top = Path(str(import_module(f"holdover.{floor}").__file__)).parent
        for file in sorted(top.rglob("*.py")):
            parts = (floor, *file.relative_to(top).with_suffix("").parts)
            if parts[-1] != "__init__":
                found[".".join(parts)] = file
    return found


def read_imports(file: Path) -> Iterator[str]:
    """Dotted names that a file imports: of a module, or of something in it."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def imports() -> nx.DiGraph[str]:
    """Module to module, an arrow for an import."""
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(modules())
    for module, file in modules().items():
        for name in read_imports(file):
            if name.startswith("holdover."):
                whole = name.removeprefix("holdover.")
                there = next((n for n in (whole, whole.rpartition(".")[0]) if n in modules()), None)
                if there is not None and there != module:
                    graph.add_edge(module, there)
    return graph


def room(module: str) -> str:
    """The room of a module: a folder of its floor, or itself where it stands beside them."""
    floor, *within = module.split(".")
    return f"{floor}/{within[0]}" if len(within) > 1 else f"{floor}/{within[0]}.py"


@cache
def rooms() -> nx.DiGraph[str]:
    """Room to room, an arrow where a module of the one imports a module of the other."""
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(room(module) for module in modules())
    graph.add_edges_from((room(a), room(b)) for a, b in imports().edges if room(a) != room(b))
    return graph


def folders() -> str:
    """Each folder with the sentence that its `__init__.py` opens with, and its modules."""
    rows = []
    for folder in sorted({file.parent for file in modules().values()}):
        name = next(str(n) for n, f in modules().items() if f.parent == folder).split(".")[:-1]
        doc = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8")))
        here = [f.stem for f in modules().values() if f.parent == folder]
        says = (doc or "").partition("\n")[0]
        rows.append((code("/".join(name) + "/"), says, ", ".join(here)))
    return table(("folder", "what belongs there", "modules"), rows)


def picture() -> str:
    """Rooms and arrows as a Mermaid flowchart; an arrow that follows from others is left out."""
    drawn = nx.transitive_reduction(rooms())
    lines = ["```mermaid", "flowchart TD"]
    for floor in reversed(FLOORS):
        lines.append(f"  subgraph {floor}")
        lines += [
            f'    {_node(r)}["{r.partition("/")[2]}"]' for r in sorted(drawn) if _on(r, floor)
        ]
        lines.append("  end")
    lines += [f"  {_node(a)} --> {_node(b)}" for a, b in sorted(drawn.edges)]
    count = f"{len(drawn)} rooms, {rooms().number_of_edges()} arrows"
    return "\n".join([*lines, "```", "", f"{count}, of which {drawn.number_of_edges()} are drawn."])


def _node(name: str) -> str:
    return name.replace("/", "_").replace(".", "_")


def _on(name: str, floor: str) -> bool:
    return name.startswith(f"{floor}/")


GENERATORS: Mapping[str, Callable[[], str]] = {"folders": folders, "rooms": picture}
