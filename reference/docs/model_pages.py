"""What the documentation shows of the model: one function a region, each returning Markdown.

`GENERATORS` names them;  `__main__.py` puts them into the files.  Nothing here knows a rule: the
table is read by `prose`, the diagram by `phases`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby

from holdover.model.clients.profile import FACTS
from holdover.model.readings.definitions import DEFINITIONS, NAMES, in_words
from holdover.model.readings.possible import edges
from holdover.model.readings.prose import Name, Prose, due, effects, text
from holdover.model.table import bound
from holdover.model.table.client import CLIENT_ACTIONS, in_conflict
from holdover.model.table.environment import WORLD_ACTIONS
from holdover.model.table.expr import Action, Expr, Sort, Variable
from holdover.model.table.laws import STATES, TIME
from holdover.model.table.laws_of_acts import ACTS
from holdover.model.table.properties import ALWAYS, SOMETIMES, STEPS, Property, moves
from holdover.model.table.server import SERVER_ACTIONS
from holdover.model.table.table import LEASE_TABLE
from holdover.model.table.vocabulary import (
    CONSTANTS,
    HOST,
    INDEX_SORTS,
    MEANINGS,
    VARIABLES,
    full,
    h,
    least,
    phase,
)
from holdover.reference.docs.markdown import block, code, codes, table

WORDS = in_words()

# Words -------------------------------------------------------------------------------------------


def sorts() -> str:
    """What variables and constants range over."""
    used: dict[Sort, None] = dict.fromkeys(INDEX_SORTS)
    used |= dict.fromkeys(v.sort for v in VARIABLES)
    used |= dict.fromkeys(c.sort for c in CONSTANTS.values())
    rows = [(code(sort.name), _values(sort)) for sort in used]
    return table(("sort", "values"), rows)


def _values(sort: Sort) -> str:
    if sort.values:
        return codes(sort.values)
    if sort.indexes:
        return "any number of members, and `none`"
    return {
        "Bool": "`true`, `false`",
        "Instant": "a point of time, or `unset`; there are no instant literals",
        "Duration": "a length of time; option 51 of a message that has none is `unset`",
        "Ratio": "a rate",
    }[sort.name]


def variables() -> str:
    """The state that the table speaks of."""
    rows = [
        (code(_indexed(v)), code(v.sort.name), code(v.initial), v.meaning, v.source)
        for v in VARIABLES
    ]
    return table(("variable", "sort", "initially", "meaning", "source"), rows)


def _indexed(variable: Variable) -> str:
    return variable.name + (f"[{variable.index}]" if variable.index else "")


def constants() -> str:
    """What a run holds fixed; the profile's first, then the surroundings'."""
    rows = [
        (
            code(name if isinstance(word, Expr) else f"{name}[{HOST}]"),
            code(word.sort.name),
            "profile" if name in FACTS else "surroundings",
            *MEANINGS[name],
        )
        for name, word in CONSTANTS.items()
    ]
    return table(("constant", "sort", "fixed by", "meaning", "source"), rows)


# The table ---------------------------------------------------------------------------------------


def definitions() -> str:
    """The terms that have a name."""
    rows = [(code(d.text), code(d.body), d.meaning) for d in DEFINITIONS]
    return table(("name", "term", "meaning"), rows)


def lease_table() -> str:
    """Every row, by who acts."""
    parts = (
        ("The client", CLIENT_ACTIONS),
        ("The server", SERVER_ACTIONS),
        ("The world", (*WORLD_ACTIONS, LEASE_TABLE.action("tick"))),
    )
    shown = {row.name for _, rows in parts for row in rows}
    assert shown == {row.name for row in LEASE_TABLE.actions}
    return "\n".join(f"## {title}\n\n" + "\n".join(row(a) for a in rows) for title, rows in parts)


def row(action: Action) -> str:
    """One row: its sentence, source, guards, effects, and when it is due."""
    given = ", ".join(str(p.args[0]) for p in action.given)
    says = action.says.replace("{", "").replace("}", "")
    lines = [f"### `{action.name}({given})`", "", f"*{says}.* {action.source}", ""]
    parts = label_lines("when", [text(guard, WORDS) for guard in action.when])
    parts += label_lines("then", effects(action.then, WORDS))
    parts += label_lines("due", [due(action.due, WORDS)] if action.due else [])
    return "\n".join([*lines, block(parts), ""])


def lapse() -> str:
    """The row of which a release is made, for the page to be read with."""
    return row(LEASE_TABLE.action("lapse")).replace("### ", "", 1)


def label_lines(label: str, lines: Sequence[str]) -> list[str]:
    """Lines below a label, aligned."""
    return [f"{label if i == 0 else '':<5}{line}" for i, line in enumerate(lines)]


def state_diagram() -> str:
    """The client's phases and the rows that lead from one to another, as Mermaid."""
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {phase.initial}"]
    found = edges(LEASE_TABLE)
    for (before, after), group in groupby(found, key=lambda e: (e.before, e.after)):
        lines.append(f"    {before} --> {after}: {', '.join(e.action for e in group)}")
    return "\n".join([*lines, "```", ""])


# Properties --------------------------------------------------------------------------------------


def properties() -> str:
    """What must hold, as terms."""
    kinds = (("Of every state", ALWAYS), ("Of every step", STEPS), ("Of some state", SOMETIMES))
    parts = [f"## {title}\n\n" + "\n".join(statement(p) for p in kind) for title, kind in kinds]
    some_step = Property(
        "address moves", "RFC 2131 §2.2", "an address goes from one host to another", moves
    )
    return "\n".join([*parts, "## Of some step\n\n" + statement(some_step)])


def statement(said: Property) -> str:
    """One property."""
    term = text(said.term, WORDS)
    return f"### `{said.name}`\n\n*{said.says}.* {said.source}\n\n```text\n{term}\n```\n"


# The bound ---------------------------------------------------------------------------------------


BOUND = {
    "safe_grace(h)": bound.safe_grace(h),
    "worst_holdover(h)": bound.worst_holdover(h),
    "bounded(h)": bound.bounded(h),
    "server_keeps": bound.server_keeps,
    "ack_missed(h)": bound.ack_missed(h),
    "one_lease(h)": bound.one_lease(h),
    "while_under_way": bound.while_under_way,
    "outstay(h, full, least)": bound.outstay(h, full, least),
    "outstay(h, full, full)": bound.outstay(h, full, full),
    "outstay(h, least, least)": bound.outstay(h, least, least),
    "anchor_delay(h)": bound.anchor_delay(h),
    "overhang(h)": bound.overhang(h),
    "process_overhang(h)": bound.process_overhang(h),
    "kernel_overhang(h)": bound.kernel_overhang(h),
    "anchor_is_bounded(h)": bound.anchor_is_bounded(h),
    "process_acts(h)": bound.process_acts(h),
    "kernel_acts(h)": bound.kernel_acts(h),
}


GIVEN_AWAY = {
    "displaced_for(h)": bound.displaced_for(h),
    "soon_refused(h)": bound.soon_refused(h),
    "soon_over(h)": bound.soon_over(h),
    "to_refusal(h)": bound.to_refusal(h),
    "to_lease_end(h)": bound.to_lease_end(h),
    "after_refusal(h)": bound.after_refusal(h),
    "asks_and_hears(h)": bound.asks_and_hears(h),
    "settled(h)": bound.settled(h),
}


CONTESTED = {
    "soon_gives_way(h)": bound.soon_gives_way(h),
    "contested_for(h)": bound.contested_for(h),
    "in_conflict(h)": in_conflict(h),
}


def terms_of(shown: Mapping[str, Expr], known: Mapping[str, Expr]) -> str:
    """Terms, each in the words of the others and of those that are known."""
    width, lines = max(map(len, shown)), []
    for name, term in shown.items():
        others = [Name(other, part) for other, part in known.items() if other != name]
        lines.append(f"{name:<{width}} = {text(term, Prose([*NAMES, *others]))}")
    return block(lines)


def bound_terms() -> str:
    """The bound of T3."""
    return terms_of(BOUND, BOUND)


def given_away_terms() -> str:
    """The bound of T6, in the words of T3's."""
    return terms_of(GIVEN_AWAY, {**GIVEN_AWAY, **BOUND})


def contested_terms() -> str:
    """The bound of T7, and what it is about."""
    return terms_of(CONTESTED, CONTESTED)


def premises() -> str:
    """What the bound assumes."""
    return block(text(term, WORDS) for term in bound.PREMISES)


# Laws ---------------------------------------------------------------------------------------------


def laws() -> str:
    """The laws with their sentences and sources."""
    groups = (
        ("Of every state", STATES),
        ("Of every act", ACTS),
        ("Of every passing of time", TIME),
    )
    return "\n".join(
        f"### {title}\n\n"
        + table(("law", "what it says", "source"), [(e.name, e.says, e.source) for e in each])
        for title, each in groups
    )


GENERATORS: dict[str, Callable[[], str]] = {
    "sorts": sorts,
    "variables": variables,
    "constants": constants,
    "definitions": definitions,
    "lease-table": lease_table,
    "row-lapse": lapse,
    "state-diagram": state_diagram,
    "properties": properties,
    "bound": bound_terms,
    "bound-t6": given_away_terms,
    "bound-t7": contested_terms,
    "premises": premises,
    "laws": laws,
}
"""Region name to generator."""
