"""How this room is compiled: as one kernel, which is made of all of its files."""

from __future__ import annotations

from pathlib import Path

from holdover.model.engine.compiled import compilers

FILES = tuple(sorted(Path(__file__).parent.glob("*.py")))

jit, inner = compilers("audit", FILES)
