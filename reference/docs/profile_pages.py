"""Profiles in the documentation: their constants, what they predict, and what was measured.

What it does not know: what a profile is, and how a prediction is made.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from statistics import median

from holdover.model.clients import measurements as measured
from holdover.model.clients.profile import FACTS, KNOWN, Profile, builtin_names, load
from holdover.model.readings.prose import number
from holdover.model.seconds import show_number, show_offset
from holdover.model.table.vocabulary import CONSTANTS, MEANINGS
from holdover.reference.docs.markdown import code, table


def profiles() -> str:
    """Each profile with its constants and where they are known from."""
    return "\n".join(profile(load(name)) for name in builtin_names())


def profile(client: Profile) -> str:
    """One profile: its constants, and from where each is known."""
    why = dict(client.why)
    unseen = [fact for fact in FACTS if why.get(fact) == "assumed: nobody has looked"]
    rows = [
        (code(f"{fact} = {_fact(client, fact)}"), *why[fact].split(": ", 1))
        for fact in FACTS
        if fact in why and fact not in unseen
    ]
    assumed = ", ".join(code(f"{fact} = {_fact(client, fact)}") for fact in unseen)
    rest = f"\nNobody has looked at {assumed}.\n" if unseen else ""
    notes = f"\n{client.notes.strip()}\n" if client.notes else ""
    sources = "; ".join(client.sources)
    shown = table(("constant", "known", "from"), rows)
    return f"### `{client.name}`: {client.title}\n\n{sources}\n\n{shown}{rest}{notes}"


def known_words() -> str:
    """What the words mean that say how a constant is known, and of how many that is so."""
    counts = Counter(
        reason.split(":")[0] for name in builtin_names() for _, reason in load(name).why
    )
    rows = [(word, meaning, str(counts[word])) for word, meaning in KNOWN.items()]
    return table(("known", "it stands", "constants"), rows)


def profile_words() -> str:
    """Each fact that a profile may state: its values, RFC 2131's, and what it means."""
    least = load("rfc2131")
    rows = [
        (code(f), _values(f), code(_fact(least, f)), f"{MEANINGS[f][0]} ({MEANINGS[f][1]})")
        for f in FACTS
    ]
    return table(("word", "values", "RFC 2131", "meaning"), rows)


def _values(fact: str) -> str:
    """What a fact may be, as a file writes it."""
    sort = CONSTANTS[fact].sort
    written = {"Bool": ("true", "false")}.get(sort.name, sort.values)
    return ", ".join(code(v.lower()) for v in written) or "seconds"


def how_known() -> str:
    """The words that say how a fact is known."""
    return table(("word", "it stands"), [(code(word), says) for word, says in KNOWN.items()])


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
            c.measurement.in_words,
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


def refutation_table() -> str:
    """Predictions that did not stand."""
    rows = [(code(r.profile), r.said, r.shown, r.by, r.since) for r in measured.refutations()]
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


GENERATORS: Mapping[str, Callable[[], str]] = {
    "profiles": profiles,
    "known": known_words,
    "known-words": how_known,
    "profile-words": profile_words,
    "predictions": predictions,
    "measurements": measurements,
    "measurement-notes": measurement_notes,
    "slack": slack,
    "refuted": refutation_table,
    "measurement-conditions": measurement_conditions,
}
