"""What a command imports: it is there at once, if it imports nothing that it does not use.

Seconds would be the machine's; modules are counted.  `python -m tests.measure.speed` has the times.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = frozenset(
    {"z3", "cvc5", "networkx", "numpy", "numba", "llvmlite", "pyroute2", "distributed"}
)
"""Each takes a tenth of a second or more."""

LOOKS = """
import sys
from holdover.reference.cli import main
try:
    main({words!r}, prog_name="holdover")
finally:
    print(*sorted({{name.partition(".")[0] for name in sys.modules}}), file=sys.stderr)
    print(sum(name.startswith("holdover.") for name in sys.modules), file=sys.stderr)
"""


def imported(*words: str, status: int = 0) -> tuple[set[str], int]:
    """The packages that a command has imported in the end, and how many modules of ours."""
    done = subprocess.run(
        [sys.executable, "-c", LOOKS.format(words=list(words))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stderr
    *_, packages, ours = done.stderr.splitlines()
    return set(packages.split()), int(ours)


AT_ONCE = {
    "--help": 10,
    "--version": 10,
    "profiles": 24,
    "profiles rfc2131": 24,
    "grace": 32,
    "grace --json": 32,
    "lab list": 64,
    "lab --help": 64,
    "client --help": 40,
}
"""Commands that decide nothing by a solver or a search, and how many modules of ours are enough."""


@pytest.mark.parametrize("words", AT_ONCE)
def test_what_needs_no_solver_and_no_search_imports_none(words: str) -> None:
    packages, ours = imported(*words.split())
    assert not packages & HEAVY
    assert ours <= AT_ONCE[words], ours


@pytest.mark.parametrize("words", ["--help", "--version", "grace"])
def test_plain_lines_need_nothing_that_lays_out_tables(words: str) -> None:
    assert "rich" not in imported(*words.split())[0]


def test_what_runs_to_a_collision_have_in_common_needs_no_numpy() -> None:
    packages, _ = imported("verify", "udhcpc-1.30", status=1)
    assert packages & HEAVY == {"z3", "networkx"}


def test_who_uses_it_imports_it() -> None:
    """Else the tests above would see nothing."""
    packages, _ = imported("verify", "rfc2131")
    assert "z3" in packages
    assert not packages & (HEAVY - {"z3"})
    packages, _ = imported("explore", "rfc2131", "--memory", "1024")
    assert {"numpy", "numba"} <= packages
