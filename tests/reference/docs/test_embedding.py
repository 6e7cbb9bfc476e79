"""The program of docs/embedding.md, as it stands there, and the face that it uses."""

import re
import subprocess
import sys
from pathlib import Path

import holdover.reference.core as face
from tests.checkout import ROOT

PAGE = (ROOT / "docs/embedding.md").read_text(encoding="utf-8")
(PROGRAM,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
(OUTPUT,) = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)


def test_the_program_prints_what_the_page_says(tmp_path: Path) -> None:
    file = tmp_path / "embedding.py"
    file.write_text(PROGRAM, encoding="utf-8")
    ran = subprocess.run([sys.executable, file], capture_output=True, text=True, check=True)
    assert ran.stdout == OUTPUT
    assert len(PROGRAM.splitlines()) <= 80


def test_its_client_lets_go_before_the_lease_ends() -> None:
    """The last lease of 60 s is counted from when it was asked for, before it was granted."""
    *_, extended, lapsed = (float(line.split()[0]) for line in OUTPUT.splitlines())
    assert extended < lapsed < extended + 60


def test_the_face_needs_nothing_else_of_holdover() -> None:
    """No page imports from within `core`, and what it promises is there."""
    assert re.findall(r"^from holdover.*$", PROGRAM, re.MULTILINE) == [
        "from holdover.reference import core"
    ]
    assert all(hasattr(face, name) for name in face.__all__)


def test_it_takes_nothing_but_the_standard_library() -> None:
    code = "import sys\nfrom holdover.reference.core import client, server\nprint(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    roots = {name.partition(".")[0] for name in ran.stdout.split()} - sys.stdlib_module_names
    assert not roots & {"click", "z3", "cvc5", "networkx", "numpy", "numba", "pyroute2", "rich"}
    ours = {name for name in ran.stdout.split() if name.startswith("holdover.reference.")}
    assert {".".join(name.split(".")[:3]) for name in ours} == {
        "holdover.reference.core",
        "holdover.reference.wire",
    }
