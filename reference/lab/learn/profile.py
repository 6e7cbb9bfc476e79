"""A client's profile by measurement: the field, the value, and on what it stands.

Theory of operation.  `questions` are the cells to be played; `answer` reads what the record of an
outcome shows besides; `learn_profile` makes a profile of the answers, and `toml` a file of it that
`holdover verify` judges.  Each field is *measured*, *not measured* or *unknown* (`inference.py`).
What is not measured or unknown has the worst value there is, with a few exceptions that say so:
what no cell can ask and no client was ever found to do otherwise.  So `holds` is a verdict on the
client; `violated` is one only if nothing that matters is unknown.

At last the profile has to explain what it was learned from.  Where a cell was held longer than it
allows (`verdict.predicted`), no combination of fields does, and what makes this client release its
address is unknown: as far as the profile says, nothing does.

What it does not know: suspend, for a namespace cannot be; a restart, for what the client keeps
outside of its place is gone by then; more of a random delay than it has seen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from holdover.model.clients.profile import FACTS, Profile, Seconds, quote, reasons, toml_value
from holdover.model.errors import UnfinishedError
from holdover.model.seconds import show_offset
from holdover.reference.lab.experiments.verdict import predict_holdover
from holdover.reference.lab.learn import inference
from holdover.reference.lab.learn.experiments import LONG, questions
from holdover.reference.lab.learn.inference import Inference
from holdover.reference.lab.learn.observations import Answers, NoAnswerError, Observation, answer
from holdover.reference.lab.record.measure import Measurement, Unknown

__all__ = ["Inference", "Learned", "answer", "learn_profile", "questions", "toml"]


@dataclass(frozen=True, slots=True)
class Learned:
    """A profile, field by field in the order of the model's."""

    name: str
    title: str
    found: tuple[Inference, ...]

    def __getitem__(self, key: str) -> Inference:
        """A field."""
        return next(each for each in self.found if each.key == key)

    @property
    def unknown(self) -> tuple[Inference, ...]:
        """What a cell should have told, and did not."""
        return tuple(each for each in self.found if each.how == "unknown")

    @property
    def profile(self) -> Profile:
        """As the model takes it."""
        values: dict[str, Any] = {each.key: each.value for each in self.found}
        return Profile(name=self.name, title=self.title, **values)


INFERENCES: tuple[tuple[Callable[[Answers], Inference], str, object], ...] = (
    (inference.anchor, "anchor", "PROBE"),
    (inference.shortest, "floor", Fraction(LONG)),
    (inference.late, "late", Fraction(LONG)),
    (inference.trigger, "trigger", "ACKNOWLEDGE"),
    (inference.enforcer, "enforcer", "PROCESS"),
    (inference.kernel_late, "kernel_late", inference.KERNEL_LATE),
    (inference.margin, "margin", Fraction(0)),
    (inference.clock, "clock", "WALL"),
    (inference.checks_xid, "checks_xid", False),
    (inference.heeds_nak, "heeds_nak", "NEVER"),
    (inference.after_nak, "after_nak", "REMOVE"),
    (inference.nak_late, "nak_late", Fraction(0)),
    (inference.probes, "probes", True),
    (inference.probe_time, "probe_time", inference.PROBING),
)
"""Who answers for a field, and the worst value of it.  Those of the floor and of lateness are no
worst: but where they are unknown, `check_explanation` has the last word.  Where nobody knows how
long an address stays after a DHCPNAK, nobody knows whether it is heeded: it is not, then."""

ASSUMED = (
    Inference("retries_for", Fraction(0), "not measured", "a client that does so is seen as late"),
    Inference("asks_for", Fraction(60), "not measured", "assumed as in RFC 2131 §3.1(5)"),
    Inference(
        "restart",
        "LEAVE",
        "not measured",
        "assumed, as the worst: what a client keeps is not all kept in the lab",
    ),
    Inference(
        "hears_renewing",
        False,
        "not measured",
        "assumed, as the worst: no cell shows whether it has heard what answered it at T1",
    ),
    Inference(
        "gives_way",
        False,
        "not measured",
        "assumed, as the worst: no cell has another host use its address",
    ),
    Inference("gives_way_within", Fraction(0), "not measured", "as gives_way is"),
    Inference(
        "drops_to_renew",
        False,
        "not measured",
        "assumed: its cells begin with an address that is there while the client asks",
    ),
    Inference(
        "keeps_old",
        False,
        "not measured",
        "assumed: no cell gives another address to a client that has one",
    ),
    Inference("releases", True, "not measured", "assumed, for it only adds to what may happen"),
    Inference(
        "heeds_shorter",
        False,
        "not measured",
        "assumed, as the worst: no cell has a second answer that leaves less than the first",
    ),
)
"""What no cell asks."""


def learn_profile(answers: Sequence[Observation]) -> Learned:
    """The profile of the client whose cells these are; ValueError where there are none.

    UnfinishedError where none was measured: all of the profile would be assumed.
    """
    if not answers:
        raise ValueError("nothing was played")
    client = answers[0].outcome.cell.client
    of_one = Answers(answers)
    if not of_one.played:
        (why, cells), *_ = Counter(
            each.outcome.result.reason
            for each in answers
            if isinstance(each.outcome.result, Unknown)
        ).most_common(1)
        raise UnfinishedError(
            f"{client.name}: no cell was measured, so no profile is written; "
            f"{cells} of {len(answers)}: {why}"
        )
    found = {each.key: each for each in ASSUMED}
    for infer, key, worst in INFERENCES:
        try:
            found[key] = infer(of_one)
        except NoAnswerError as reason:
            found[key] = Inference(key, worst, "unknown", str(reason))
    found |= {each.key: each for each in consistent(found)}
    told = Learned(client.name, client.title, tuple(found[key] for key in FACTS))
    return check_explanation(told, of_one)


def consistent(found: dict[str, Inference]) -> list[Inference]:
    """What a field has to be: a profile does not contradict itself (model/clients/profile.py)."""
    waits, kernel = found["trigger"], found["enforcer"].value == "KERNEL"
    changed = [Inference("dialog", waits.value == "ACKNOWLEDGE", waits.how, "as the trigger is")]
    if not kernel:
        changed += [replace(found[key], value=Fraction(0)) for key in ("kernel_late", "margin")]
    probes, probing = found["probes"], found["probe_time"]
    if bool(probes.value) != bool(probing.value):
        lasts = inference.PROBING if probes.value else Fraction(0)
        changed.append(Inference("probe_time", lasts, probes.how, "as probes is"))
    if found["anchor"].value == "PROBE" and not found["probes"].value:
        changed.append(replace(found["anchor"], value="ACK"))
    return changed


# Does it explain what was measured? --------------------------------------------------------------


def check_explanation(told: Learned, answers: Answers) -> Learned:
    """The same, if it allows all that was measured; else its trigger is unknown."""
    against = [reason for each in answers.played if (reason := exceeds(told.profile, each))]
    if not against:
        return told
    why = "no combination of fields explains " + "; ".join(against)
    instead = {
        "trigger": Inference("trigger", "NEVER", "unknown", why),
        "dialog": Inference("dialog", False, "unknown", "as the trigger is"),
        "enforcer": Inference("enforcer", "PROCESS", "unknown", "as the trigger is"),
        "kernel_late": Inference("kernel_late", Fraction(0), "unknown", "as the trigger is"),
        "margin": Inference("margin", Fraction(0), "unknown", "as the trigger is"),
    }
    return replace(told, found=tuple(instead.get(each.key, each) for each in told.found))


def exceeds(profile: Profile, answer: Observation) -> str | None:
    """That a cell was held longer than a profile allows."""
    result = answer.outcome.result
    assert isinstance(result, Measurement)
    worst = predict_holdover(profile, answer.outcome.cell.fault, Seconds(result.lease))
    if result.at_least - result.uncertainty <= worst:
        return None
    return f"{answer.name}: {show_offset(result.holdover)}, where {show_offset(worst)} is the most"


# TOML --------------------------------------------------------------------------------------------


def toml(learned: Learned, sources: Sequence[str] = ()) -> str:
    """A file for `model.profile.load`; `why` has the measurement that each constant stands on.

    `sources`: what was measured, and on what: versions, system, date.
    """
    lines = [
        f"name = {quote(learned.name)}",
        f"title = {quote(learned.title)}",
        f"sources = [{', '.join(quote(each) for each in ('measured', *sources))}]",
    ]
    lines += ["", *(f"{each.key} = {toml_value(each.value)}" for each in learned.found)]
    return (
        "\n".join([*lines, *reasons([(each.key, reason(each)) for each in learned.found])]) + "\n"
    )


def reason(found: Inference) -> str:
    """How a constant is known, as a profile says it; what was not measured is assumed."""
    why = printable(" ".join(found.why.split()))  # what a program says may have any shape
    return f"measured: {why}" if found.how == "measured" else f"assumed: {found.how}; {why}"


def printable(text: str) -> str:
    r"""Characters that do not print, as a \\ and their number: TOML has none in a comment."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
