"""A heavy region is taken as it stands only if its text and its sources are those of the record."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner

from holdover.proofs.kept import OF_EACH
from holdover.reference.docs import __main__ as command
from holdover.reference.docs import kept
from tests.checkout import ROOT

NAMES = [f"heavy-{number:02}" for number in range(OF_EACH + 3)]
"""So many that in three turns two are generated, and in each turn one."""

PAGE = "\n".join(f"<!-- generated: {name} -->\n<!-- end -->\n" for name in [*NAMES, "light"])


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Which heavy regions were generated, of a page that `--write` has filled and kept."""
    seen: list[str] = []

    def says(name: str) -> str:
        seen.append(name)
        return f"The table of {name}."

    heavy = {name: partial(says, name) for name in NAMES}
    monkeypatch.setattr(command, "HEAVY", heavy)
    monkeypatch.setattr(command, "GENERATORS", {**heavy, "light": lambda: "light"})
    monkeypatch.setattr(kept, "FILE", tmp_path / "regions.json")
    page_of(tmp_path).parent.mkdir()
    page_of(tmp_path).write_text(PAGE)
    assert ran(tmp_path, "--write") == (0, "written: docs/page.md\n")
    assert seen == NAMES
    seen.clear()
    return seen


def page_of(root: Path) -> Path:
    return root / "docs" / "page.md"


def ran(root: Path, *words: str) -> tuple[int, str]:
    found = CliRunner().invoke(command.main, [*words, "--root", str(root)])
    return found.exit_code, found.stdout


def test_each_is_generated_within_fifty_commits(asked: list[str], tmp_path: Path) -> None:
    for turn in range(1234, 1234 + OF_EACH):
        before = len(asked)
        code, said = ran(tmp_path, "--turn", str(turn))
        left = len(NAMES) - (len(asked) - before)
        assert (code, said) == (0, f"{left} of {len(NAMES)} heavy regions as they are kept\n")
    assert sorted(asked) == NAMES


def test_without_a_turn_all_are_generated(asked: list[str], tmp_path: Path) -> None:
    assert ran(tmp_path) == (0, "")
    assert asked == NAMES


def test_a_changed_text_is_noticed_at_once(asked: list[str], tmp_path: Path) -> None:
    page = page_of(tmp_path)
    page.write_text(page.read_text().replace(f"of {NAMES[7]}.", "of nobody."))
    code, said = ran(tmp_path, "--turn", "8")
    assert (code, said.splitlines()[-1]) == (1, "drifted: docs/page.md")
    assert asked == [NAMES[7], NAMES[8]]


def test_a_changed_text_that_is_kept_is_noticed_in_its_turn(
    asked: list[str], tmp_path: Path
) -> None:
    page = page_of(tmp_path)
    page.write_text(page.read_text().replace(f"of {NAMES[7]}.", "of nobody."))
    record = json.loads(kept.FILE.read_text())
    record["regions"][NAMES[7]] = kept.digest("The table of nobody.")
    kept.FILE.write_text(json.dumps(record))
    codes = [ran(tmp_path, "--turn", str(turn))[0] for turn in range(OF_EACH)]
    assert [turn for turn, code in enumerate(codes) if code] == [7]


def test_of_other_sources_all_are_generated(
    asked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "sources", lambda: "others")
    assert ran(tmp_path, "--turn", "1") == (
        0,
        f"0 of {len(NAMES)} heavy regions as they are kept\n",
    )
    assert asked == NAMES


def test_a_page_without_all_of_them_leaves_the_record(asked: list[str], tmp_path: Path) -> None:
    record = kept.FILE.read_text()
    other = tmp_path / "other"
    page_of(other).parent.mkdir(parents=True)
    page_of(other).write_text(f"<!-- generated: {NAMES[0]} -->\n<!-- end -->\n")
    assert ran(other, "--write")[0] == 0
    assert kept.FILE.read_text() == record


def test_the_record_has_each_heavy_region_as_its_page_has_it() -> None:
    record = json.loads(kept.FILE.read_text("utf-8"))
    pages = (path.read_text(encoding="utf-8") for path in command.sources(ROOT))
    there = kept.texts(pages, command.HEAVY)
    assert sorted(there) == sorted(command.HEAVY)
    assert record["regions"] == {name: kept.digest(text) for name, text in there.items()}


@pytest.mark.parametrize("package", kept.SOURCES)
def test_a_byte_of_any_source_counts(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = kept.sources()
    monkeypatch.setattr(kept, "SOURCES", tuple(each for each in kept.SOURCES if each != package))
    assert kept.sources() != before


LOADED = """
import sys
import holdover.reference.docs.proof_pages, holdover.reference.docs.situation_pages
print(*(name for name in sys.modules if name.startswith("holdover.")))
"""


def test_whatever_the_heavy_generators_import_is_a_source() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED], capture_output=True, text=True, check=True
    )
    names = [name for name in done.stdout.split() if name != "holdover.reference"]
    assert len(names) > 50
    assert [name for name in names if not name.startswith(kept.SOURCES)] == []
