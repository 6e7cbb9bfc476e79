"""Modules with a defect in them: put in on import, in a process of its own.

Theory of operation.  A defect replaces a passage of a module that stands there once.  `Seeding`, in
`sys.meta_path` before the module is imported, has it loaded so; the file is not touched.  The tests
that are to notice it then run in that process.

What numba has compiled of the module is used where it is not affected (`affected`).

What it does not know: what they are.
"""

from __future__ import annotations

import ast
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import IO

from holdover.model.engine import compiled
from tests.checkout import ROOT


@dataclass(frozen=True, kw_only=True)
class Defect:
    """`old` stands once in `file`, and `new` instead of it does what `says` says.

    `noticed` is what goes red.
    """

    id: str
    file: str
    says: str
    noticed: str
    old: str
    new: str

    @property
    def module(self) -> str:
        """The module that it is in."""
        return "holdover." + self.file.removesuffix(".py").replace("/", ".")

    def put_into(self, source: str) -> str:
        """The source of the module with the defect."""
        if source.count(self.old) != 1:
            raise ValueError(
                f"the seeded defect {self.id}: this is in {self.file} {source.count(self.old)}"
                f" times, not once; change the defect with the code:\n{self.old}"
            )
        # Lines after it keep their numbers: numba finds by them what it has compiled.
        missing = self.old.count("\n") - self.new.count("\n")
        return source.replace(self.old, self.new + "\n" * missing)


class Seeded(SourceFileLoader):
    """Loads the module that a defect is in with the defect in it."""

    def __init__(self, defect: Defect):
        super().__init__(defect.module, str(ROOT / defect.file))
        self.defect = defect

    def get_code(self, fullname: str) -> CodeType:
        source = Path(self.path).read_text(encoding="utf-8")
        changed = self.defect.put_into(source)
        # What is compiled of a changed function must never be taken for the function's.
        compiled.NOT_KEPT |= affected(source, changed)
        return compile(changed, self.path, "exec", dont_inherit=True)


def affected(source: str, changed: str) -> set[str]:
    """The names in a module that mean something else in a changed one: by what they mention."""
    before = {ast.dump(statement) for statement in ast.parse(source).body}
    statements = ast.parse(changed).body
    found: set[str] = set()
    while True:
        more = {
            name
            for statement in statements
            if ast.dump(statement) not in before or found & mentioned(statement)
            for name in bound(statement)
        }
        if more <= found:
            return found
        found |= more


def mentioned(statement: ast.stmt) -> set[str]:
    """The names that a statement reads."""
    return {n.id for n in ast.walk(statement) if isinstance(n, ast.Name)}


def bound(statement: ast.stmt) -> set[str]:
    """The names that a statement of a module gives a meaning to."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return {statement.name}
    names = (n for n in ast.walk(statement) if isinstance(n, ast.Name))
    return {n.id for n in names if isinstance(n.ctx, ast.Store)}


class Seeding(MetaPathFinder):
    """Has the module that a defect is in loaded so."""

    def __init__(self, defect: Defect):
        if defect.module in sys.modules:
            raise ValueError(f"{defect.module} is imported already: {defect.id} cannot be put in")
        self.defect = defect

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self.defect.module:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        assert spec is not None
        spec.loader = Seeded(self.defect)
        return spec


def fork(work: Callable[[], int], said: IO[bytes], crashed: int) -> int:
    """The id of a process that does the work, says it into a file, and ends with its status.

    With `crashed`, if it comes to no status.
    """
    if process := os.fork():
        return process
    status = crashed
    try:
        os.dup2(said.fileno(), 1)
        os.dup2(said.fileno(), 2)
        status = work()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
