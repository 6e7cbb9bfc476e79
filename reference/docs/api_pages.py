"""The API of the cores: each name of `holdover.reference.core`, as its source has it.

Theory of operation.  The names are those of `core.__all__`; each is looked up in the module that
defines it.  Of a function the page shows the signature and the docstring, of a class the docstring
and the fields with the comments beside them, of a value or an alias its definition.

What it does not know: what the names mean; it is all read.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import import_module
from types import ModuleType

from holdover.reference import core
from holdover.reference.core import HOMES
from holdover.reference.docs.markdown import code

CORES = ("client", "server")
CALLS = ("step", "deadline")
"""What a core offers: the two functions of each."""

Definition = ast.ClassDef | ast.FunctionDef | ast.Assign | ast.AnnAssign


@cache
def lines_of(module: ModuleType) -> list[str]:
    """The source of a module."""
    return inspect.getsource(module).splitlines()


@cache
def definitions(module: ModuleType) -> Mapping[str, tuple[Definition, str]]:
    """What a module defines at its top, each with the docstring that it has or that follows it."""
    found: dict[str, tuple[Definition, str]] = {}
    body = ast.parse("\n".join(lines_of(module))).body
    for node, following in zip(body, [*body[1:], ast.Pass()], strict=True):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                found[name] = node, ast.get_docstring(node) or ""
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                said = isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
                text = inspect.cleandoc(str(following.value.value)) if said else ""  # type: ignore[attr-defined]
                found[name] = node, text
    return found


def home(name: str) -> ModuleType:
    """The module that defines a name of the face."""
    whose = str(getattr(getattr(core, name), "__module__", ""))
    for path in (whose, *HOMES) if whose.startswith("holdover.") else HOMES:
        module = import_module(path)
        if name in definitions(module):
            return module
    raise LookupError(f"core.{name}: defined in none of {', '.join(HOMES)}")


def definition_lines(module: ModuleType, node: Definition) -> Iterator[str]:
    """The lines of a definition that a caller needs: no body of a function, no method's."""
    source = lines_of(module)
    match node:
        case ast.FunctionDef():
            result = f" -> {ast.unparse(node.returns)}" if node.returns else ""
            yield f"def {node.name}({ast.unparse(node.args)}){result}"
        case ast.ClassDef():
            yield f"class {node.name}{bases(node)}:"
            for each in node.body:
                match each:
                    case ast.Assign() | ast.AnnAssign():
                        yield from source[each.lineno - 1 : each.end_lineno]
                    case ast.FunctionDef() if not each.name.startswith("_"):
                        marks = [ast.unparse(d) for d in each.decorator_list]
                        yield from (f"    @{mark}" for mark in marks)
                        yield from (f"    {line}" for line in definition_lines(module, each))
        case _:
            yield from source[node.lineno - 1 : node.end_lineno]


def bases(node: ast.ClassDef) -> str:
    """What a class is derived from, in parentheses."""
    return f"({', '.join(ast.unparse(base) for base in node.bases)})" if node.bases else ""


def entry(title: str, module: ModuleType, name: str) -> str:
    """A definition under its title."""
    node, says = definitions(module)[name]
    source = "\n".join(definition_lines(module, node))
    text = says.replace("\n    ", "\n")
    return "\n\n".join(filter(None, (f"### {code(title)}", text, f"```python\n{source}\n```")))


def core_calls() -> str:
    """The functions of both cores."""
    return "\n\n".join(
        entry(f"{name}.{call}", import_module(f"{core.__name__}.{name}"), call)
        for name in CORES
        for call in CALLS
    )


def core_names() -> str:
    """Every other name of the face."""
    return "\n\n".join(entry(n, home(n), n) for n in core.__all__ if n not in CORES)


GENERATORS: Mapping[str, Callable[[], str]] = {"core-calls": core_calls, "core-names": core_names}
