"""Run `holdover` as in a lean installation: `python lean.py COMMAND...`.

Theory of operation.  Whatever package is neither the standard library's nor one of those that
.ci/lean.lock names is hidden before anything of holdover is imported.

What it does not know: what pip says is installed; only imports fail.
"""

import re
import runpy
import sys
from importlib.abc import MetaPathFinder
from pathlib import Path

LOCK = Path(__file__).parents[3] / ".ci" / "lean.lock"
THERE = {"holdover", *re.findall(r"^([\w.-]+)==", LOCK.read_text(encoding="utf-8"), re.MULTILINE)}


class Hidden(MetaPathFinder):
    """Packages that are not there."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """Fail for these, and leave others to whoever finds them."""
        if name.partition(".")[0] not in THERE | sys.stdlib_module_names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


if __name__ == "__main__":
    sys.meta_path.insert(0, Hidden())
    program = sys.argv.pop(1)
    if program == "-c":
        exec(sys.argv.pop(1))
    else:
        sys.argv.insert(1, program)
        runpy.run_module("holdover", run_name="__main__", alter_sys=True)
