"""What the documentation shows of the model: one function a region, each returning Markdown.

`GENERATORS` names them;  `__main__.py` puts them into the files.  Nothing here knows a rule: the
table is read by `prose`, the diagram by `phases`, predictions by `measured`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from itertools import groupby
from statistics import median

from holdover.model.clients import measurements as measured
from holdover.model.clients.profile import FACTS, KNOWN, Profile, builtin_names, load
from holdover.model.clients.requirements import Requirement, article, protocol
from holdover.model.readings.definitions import DEFINITIONS, NAMES, in_words
from holdover.model.readings.possible import edges
from holdover.model.readings.prose import Name, Prose, due, effects, number, text
from holdover.model.seconds import show_number, show_offset
from holdover.model.table import bound
from holdover.model.table.client import CLIENT_ACTIONS
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
    parts = labelled("when", [text(guard, WORDS) for guard in action.when])
    parts += labelled("then", effects(action.then, WORDS))
    parts += labelled("due", [due(action.due, WORDS)] if action.due else [])
    return "\n".join([*lines, block(parts), ""])


def labelled(label: str, lines: Sequence[str]) -> list[str]:
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


def bound_terms() -> str:
    """The bound of T3, each term in the words of the others."""
    lines = []
    for name, term in BOUND.items():
        others = [Name(other, part) for other, part in BOUND.items() if other != name]
        lines.append(f"{name:<25}= {text(term, Prose([*NAMES, *others]))}")
    return block(lines)


def premises() -> str:
    """What the bound assumes."""
    return block(text(term, WORDS) for term in bound.PREMISES)


# Profiles ----------------------------------------------------------------------------------------


def profiles() -> str:
    """Each profile with its constants and where they are known from."""
    return "\n".join(profile(load(name)) for name in builtin_names())


def profile(client: Profile) -> str:
    """One profile: what differs from RFC 2131, where it is known from."""
    usual = Profile("")
    why = dict(client.why)
    rows = [
        (code(f"{fact} = {_fact(client, fact)}"), *why.get(fact, ": ").split(": ", 1))
        for fact in FACTS
        if fact in why or getattr(client, fact) != getattr(usual, fact)
    ]
    notes = f"\n{client.notes.strip()}\n" if client.notes else ""
    sources = "; ".join(client.sources)
    shown = table(("constant", "known", "from"), rows)
    return f"### `{client.name}`: {client.title}\n\n{sources}\n\n{shown}{notes}"


def known() -> str:
    """What the words mean that say how a constant is known, and of how many that is so."""
    counts = Counter(
        reason.split(":")[0] for name in builtin_names() for _, reason in load(name).why
    )
    rows = [(word, meaning, str(counts[word])) for word, meaning in KNOWN.items()]
    return table(("known", "it stands", "constants"), rows)


def _fact(client: Profile, fact: str) -> str:
    value = getattr(client, fact)
    return number(value).lower() + (" s" if CONSTANTS[fact].sort.name == "Duration" else "")


LEASE = Fraction(3600)


def predictions() -> str:
    """The worst holdover of every profile under every fault, for a lease of an hour."""
    rows = []
    for name in builtin_names():
        worst = [measured.predict(name, fault, LEASE) for fault in measured.FAULTS]
        cells = ["none" if w is None else show_offset(w) for w in worst]
        rows.append((code(name), *cells))
    return table(("profile", *measured.FAULTS), rows)


def measurements() -> str:
    """Measured holdover beside the predicted one, each difference explained."""
    rows = [
        (
            code(c.measurement.profile),
            c.measurement.fault,
            f"{c.measurement.lease} s",
            c.measurement.seen,
            "none" if c.worst is None else show_offset(c.worst),
            "" if c.slack is None else show_number(c.slack),
            c.measurement.removed_by,
            c.explanation,
        )
        for c in measured.comparisons()
    ]
    head = (
        "profile",
        "fault",
        "lease",
        "measured",
        "predicted worst",
        "slack",
        "removed by",
        "explanation",
    )
    return table(head, rows)


def slack() -> str:
    """How far the predictions are above the measurements, for each profile and for all."""
    cells = [c for c in measured.comparisons() if c.slack is not None]
    names = dict.fromkeys(c.measurement.profile for c in cells)
    rows = [
        _slack(code(name), [c for c in cells if c.measurement.profile == name]) for name in names
    ]
    head = ("profile", "cells", "least", "in the middle", "most", "times what was late")
    return table(head, [*rows, _slack("all", cells)])


def _slack(name: str, cells: Sequence[measured.Comparison]) -> tuple[str, ...]:
    """Slack in seconds; and, of the cells that were late, the bound over what was measured."""
    left = [c.slack for c in cells if c.slack is not None]
    times = [
        c.worst / c.measurement.high
        for c in cells
        if c.worst is not None and c.measurement.high is not None and c.measurement.high > 0
    ]
    seen = (show_number(value) for value in (min(left), median(left), max(left)))
    return name, str(len(cells)), *seen, f"{float(median(times)):.3g}" if times else ""


def refuted() -> str:
    """Predictions that did not stand."""
    rows = [(code(r.profile), r.said, r.shown, r.by, r.since) for r in measured.refuted()]
    return table(("profile", "it said", "it was shown", "by", "it says since"), rows)


def measurement_notes() -> str:
    """What is said of single cells."""
    rows = [
        (code(m.profile), m.fault, f"{m.lease} s", m.note, str(m.runs or ""))
        for m in measured.data()[1]
        if m.note
    ]
    return table(("profile", "fault", "lease", "note", "runs"), rows)


def measurement_conditions() -> str:
    """Where and how the measurements were taken."""
    known = measured.data()[0]
    rows = [
        ("system", known.system),
        ("versions", known.versions),
        ("server", known.server),
        ("date", known.date),
        ("runs", known.runs),
        ("poll", f"{number(known.poll)} s"),
    ]
    return table(("condition", ""), rows)


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


# Rules -------------------------------------------------------------------------------------------


def article_rules() -> str:
    """K1 to K7."""
    return rule_table(article(), observed=False)


def protocol_rules() -> str:
    """R1 to R43."""
    return rule_table(protocol(), observed=True)


def rule_table(rules: Iterable[Requirement], *, observed: bool) -> str:
    """Rules beside the rows, proofs and tests that cover them."""
    head = ["id", "source", "strength", "rule", "row", "proof", "test"]
    rows = []
    for rule in rules:
        source = rule.section + (" (unverified)" if rule.source == "unverified" else "")
        cells = [rule.id, source, rule.strength, rule.says]
        tests = codes(_test(test) for test in rule.tests)
        none = f"no test: {rule.reason}" if rule.reason else ""
        cells += [codes(rule.rows), codes(rule.proofs), " ".join(filter(None, (tests, none)))]
        rows.append([*cells, rule.observed] if observed else cells)
    return table([*head, "observed"] if observed else head, rows)


def _test(test: str) -> str:
    path, _, name = test.partition("::")
    return (
        f"{path.rpartition('/')[2].removesuffix('.py')}::{name}{'*' if name.endswith('_') else ''}"
    )


def quotations() -> str:
    """The wording of each rule's source, and what is to be said about it."""
    rows = [
        (rule.id, f"“{rule.quote}”" if rule.quote else "", rule.note)
        for rule in (*article(), *protocol())
    ]
    return table(("id", "wording", "note"), rows)


GENERATORS: dict[str, Callable[[], str]] = {
    "sorts": sorts,
    "variables": variables,
    "constants": constants,
    "definitions": definitions,
    "lease-table": lease_table,
    "state-diagram": state_diagram,
    "properties": properties,
    "bound": bound_terms,
    "premises": premises,
    "profiles": profiles,
    "known": known,
    "predictions": predictions,
    "measurements": measurements,
    "measurement-notes": measurement_notes,
    "slack": slack,
    "refuted": refuted,
    "measurement-conditions": measurement_conditions,
    "laws": laws,
    "article-rules": article_rules,
    "protocol-rules": protocol_rules,
    "quotations": quotations,
}
"""Region name to generator."""
