"""The row that the page of the lease table reads with its reader is the row of the table."""

import re

from tests.checkout import ROOT

PAGE = (ROOT / "docs/lease-table.md").read_text(encoding="utf-8")
READ = PAGE.partition("## One row, read together\n")[2].partition("\n<!-- generated: lease-table")[
    0
]


def test_what_is_read_stands_in_the_row() -> None:
    row, _, said = READ.partition("<!-- end -->")
    quoted = re.findall(r"^- `([^`]+)`:", said, re.MULTILINE)
    assert len(quoted) == 7
    lines = [line[5:] for line in row.splitlines()]
    assert [each for each in quoted if each not in lines] == []
    assert len([line for line in row.splitlines() if line.startswith(("when ", "     "))]) > 4
