"""The generated regions that come from proofs and searches: theorems, matrix, pinned counts.

`GENERATORS` names them.  They search or prove, the matrix for half a minute; so the drift test in
pytest leaves them to `python -m holdover.reference.docs --check`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import groupby

from holdover.model.manifest import configurations
from holdover.model.named import in_words
from holdover.model.prose import text
from holdover.model.story import chart, events, sentences
from holdover.proofs import agreement, grace, matrix, mutants, refutation, regression, safety
from holdover.proofs.invariants import LEASED, PROBED
from holdover.proofs.obligations import obligations
from holdover.reference.pages import code, codes, table
from holdover.reference.summary import chart_wfwg311, measured_summary


def pinned() -> str:
    """The pinned configurations."""
    rows = [
        (c.name, code(c.profile), c.size, str(c.ticks), codes(c.faults), f"{c.states:,}",
         f"{c.steps:,}", str(c.depth),
         ", ".join(f"`{name}` after {length}" for name, length in c.broken.items()) or "none",
         codes(c.eventually))
        for c in configurations()
    ]  # fmt: skip
    head = ("configuration", "profile", "size", "ticks", "faults", "states", "steps", "depth",
            "broken", "eventually")  # fmt: skip
    return table(head, rows)


def invariant() -> str:
    """The conjuncts of both arguments."""
    parts = []
    for title, conjuncts in (("LEASED", LEASED), ("PROBED", PROBED)):
        parts.append(f"### {title}\n")
        for conjunct in conjuncts:
            parts.append(f"**`{conjunct.name}`**: {conjunct.says} ({conjunct.source}).\n")
            parts.append(f"```text\n{text(conjunct.term, in_words())}\n```\n")
    return "\n".join(parts)


def obligations_t2() -> str:
    """How many obligations each case of T2 has, and what is expected to fail."""
    rows = []
    for name, case in safety.cases():
        count = sum(1 for _ in obligations(case))
        broken = ", ".join(f"`{r}` breaks `{c}`" for r, c in safety.BROKEN_BY.get(name, ()))
        rows.append((code(name), codes(safety.TOLERATED[name]), str(count), broken or "none"))
    return table(("profile", "faults", "obligations", "expected to fail"), rows)


def obligations_t3() -> str:
    """The size of the sufficiency proof, and every way in which necessity is shown."""
    count = sum(1 for _ in obligations(grace.sufficient()))
    rows = [(way.name, str(len(grace.run(way).rows))) for way in grace.ways()]
    return f"Sufficiency has {count} obligations.\n\n" + table(("way to hold back", "steps"), rows)


def collision_t1() -> str:
    """The shortest collision of T1's configuration, in ticks."""
    model = refutation.instance()
    found = refutation.explored(model)
    assert found is not None, "T1 has lost its collision"
    told = events(found)
    lines = [
        f"{len(found)} steps:",
        "",
        "```text",
        *sentences(told, "ticks"),
        "",
        *chart(told, "ticks"),
    ]
    return "\n".join(line.rstrip() for line in [*lines, "```"])


def compared_t4() -> str:
    """What T4 erases, and the sizes it compares."""
    erased = codes(regression.ERASED)
    lapsed = codes(regression.LAPSED_ONLY)
    sizes = ", ".join("x".join(str(n) for n in sizes) for sizes in regression.SIZES)
    return f"Erased: {erased}; once the lease has lapsed also {lapsed}. Sizes: {sizes}."


def worst_t5() -> str:
    """The explorer's worst holdover beside the bound's."""
    rows = []
    for name, profile, environment in agreement.worlds():
        found = agreement.same_worst(name, profile, environment)
        rows.append((name, found.detail, found.outcome))
    return table(("profile", "worst holdover", "agree"), rows)


@cache
def cells() -> tuple[matrix.Cell, ...]:
    """The matrix, computed once."""
    return tuple(matrix.whole(jobs=2))


def faults() -> str:
    """Faults down, safeguards across."""
    rows = []
    for fault, of_fault in groupby(cells(), key=lambda cell: cell.fault):
        row = next(r for r in matrix.ROWS if r.name == fault)
        cures = " or ".join(" + ".join(c) or "none needed" for c in matrix.smallest_cures(row))
        rows.append((fault, *(matrix.short(cell) for cell in of_fault), cures or "none"))
    return table(("fault", "none", *matrix.SAFEGUARDS, "all", "smallest cures"), rows)


def fault_runs() -> str:
    """For each fault the shortest collision without any safeguard, and what is unknown."""
    parts = []
    for cell in cells():
        if cell.safeguard == "none" and cell.judgement is not None:
            told = "\n".join(sentences(cell.judgement.run, cell.judgement.unit))
            head = f"<details><summary>{cell.fault}: {cell.reason}</summary>"
            parts.append(f"{head}\n\n```text\n{told}\n```\n\n</details>")
    unknown = [cell for cell in cells() if cell.outcome == "unknown"]
    listed = [f"- {cell.fault}, {cell.safeguard}: {cell.reason}" for cell in unknown]
    return "\n\n".join([*parts, "What the question marks stand for:\n\n" + "\n".join(listed)])


GENERATORS: dict[str, Callable[[], str]] = {
    "measured-summary": measured_summary,
    "chart-wfwg311": chart_wfwg311,
    "configurations": pinned,
    "invariant": invariant,
    "obligations-t2": obligations_t2,
    "obligations-t3": obligations_t3,
    "collision-t1": collision_t1,
    "compared-t4": compared_t4,
    "worst-t5": worst_t5,
    "mutants": mutants.page,
    "matrix": faults,
    "matrix-runs": fault_runs,
}
