"""What is learned of a client from answers made by hand: each field both ways, and neither way."""

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import pytest

from holdover.model.clients.profile import FACTS, parse
from holdover.model.errors import UnfinishedError
from holdover.reference.lab.experiments.experiment import Cable, Outcome
from holdover.reference.lab.experiments.faults import BLOCKED
from holdover.reference.lab.learn.observations import Observation, answer, lifetime, probe_length
from holdover.reference.lab.learn.profile import Learned, learn_profile, questions, toml
from holdover.reference.lab.record.measure import (
    FOREVER,
    Measurement,
    Unknown,
    decode_messages,
    terms_of,
)
from holdover.reference.lab.record.record import Captured, Change, HostAddresses, Record
from holdover.reference.lab.testbed.clients import CLIENTS
from holdover.reference.lab.testbed.command_line import client_from_command
from holdover.reference.wire.arp import probe
from holdover.reference.wire.frames import EVERYONE, encode_frame
from tests.reference.lab.test_measure import HELD, LEASED, A, B, added, at, record, removed, said

CLIENT = CLIENTS["udhcpc"]


@dataclass(frozen=True)
class Seen:
    """What a cell may have shown; `unknown`: it could not be played."""

    holdover: float = 0.0
    enforcer: str = "process"
    after_nak: float | None = None
    probed: float | None = None
    lifetime: float | None = None
    unknown: str = ""


KERNEL = Seen(0.5, "kernel", lifetime=0.0)
USUAL = {
    ("server killed", 10): Seen(),
    ("server killed", 30): Seen(),
    ("renewed", 30): Seen(),
    ("ACK delayed", 30): Seen(),
    ("ACK delayed less", 30): Seen(),
    ("frozen", 30): Seen(FOREVER, ""),
    ("kill -9", 30): Seen(FOREVER, ""),
    ("NAK", 30): Seen(-15, after_nak=0.1),
    ("NAK unicast", 30): Seen(-15, after_nak=0.1),
    ("clock set back", 30): Seen(),
    ("clock set forward", 30): Seen(),
    ("foreign xid", 30): Seen(-25),
    ("hook", 30): Seen(),
    ("NAK with hook", 30): Seen(-15, after_nak=0.1),
}
"""A client that counts from the DHCPACK, by itself, and releases first."""
BY_KERNEL = {
    **{
        key: replace(seen, enforcer="kernel", lifetime=seen.holdover) for key, seen in USUAL.items()
    },
    ("frozen", 30): KERNEL,
    ("kill -9", 30): KERNEL,
}
GIVES_UP = {("ACK delayed", 30): Seen(unknown="the address was not in use")}
FROM_REQUEST = {("ACK delayed", 30): Seen(-6)}
AFTER_PROBING = {
    ("server killed", 10): Seen(5, probed=5),
    ("server killed", 30): Seen(4, probed=4),
    ("clock set back", 30): Seen(7, probed=7),
    ("clock set forward", 30): Seen(4, probed=4),
    ("hook", 30): Seen(7, probed=7),
}
"""Its lease ends when its own probing is over, and that is random."""
PROBED = {key: replace(seen, holdover=0) for key, seen in AFTER_PROBING.items()}
NEVER = {key: Seen(FOREVER, "") for key in USUAL if not key[0].startswith("NAK")}
WAITS = {(nak, 30): Seen(13, after_nak=28) for nak in ("NAK", "NAK unicast")}
"""It tries for another lease, and the old address is there meanwhile."""


def answers(*changes: dict[tuple[str, int], Seen]) -> list[Observation]:
    seen = dict(USUAL)
    for change in changes:
        seen |= change
    found = []
    for cell in questions(CLIENT):
        one = seen[cell.fault.name, cell.lease]
        at_least = 30.0 if one.holdover == FOREVER else one.holdover
        result: Measurement | Unknown = Measurement(
            address=LEASED,
            lease=cell.lease,
            holdover=one.holdover,
            at_least=at_least,
            uncertainty=0.02,
            enforcer=one.enforcer,
            after_nak=one.after_nak,
            duplicate=0.0,
            answered=0,
        )
        if one.unknown:
            result = Unknown(one.unknown)
        found.append(Observation(Outcome(cell, result, Path()), one.probed, one.lifetime))
    return found


def learn(*changes: dict[tuple[str, int], Seen]) -> Learned:
    return learn_profile(answers(*changes))


# Each field, both ways ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "changes", "value"),
    [
        ("anchor", {}, "ACK"),
        ("anchor", FROM_REQUEST, "REQUEST"),
        ("anchor", BY_KERNEL | FROM_REQUEST, "REQUEST"),
        ("anchor", BY_KERNEL | {("ACK delayed", 30): Seen(-6, lifetime=0)}, "ACK"),
        ("anchor", GIVES_UP, "ACK"),
        ("anchor", GIVES_UP | {("ACK delayed less", 30): Seen(-3)}, "REQUEST"),
        ("anchor", AFTER_PROBING, "PROBE"),
        ("anchor", PROBED, "ACK"),
        ("anchor", PROBED | FROM_REQUEST, "REQUEST"),
        ("floor", {}, 10),
        ("floor", {("server killed", 10): Seen(17.2)}, Fraction("27.5")),
        ("floor", AFTER_PROBING | {("server killed", 10): Seen(15.2, probed=5)}, Fraction("20.5")),
        ("floor", BY_KERNEL | {("server killed", 10): Seen(lifetime=8)}, 18),
        ("late", {}, 1),
        ("late", {("renewed", 30): Seen(1.4)}, 2),
        ("late", {("server killed", 10): Seen(0.3, "kernel", lifetime=0.0)}, Fraction("2.5")),
        ("late", {("clock set back", 30): Seen(1.2)}, 2),
        ("late", AFTER_PROBING | {("clock set back", 30): Seen(8.2, probed=7)}, 2),
        ("late", {("clock set back", 30): Seen(FOREVER, "")}, 1),
        ("enforcer", {}, "PROCESS"),
        ("enforcer", BY_KERNEL, "KERNEL"),
        ("kernel_late", {}, 0),
        ("kernel_late", BY_KERNEL, Fraction("2.5")),
        ("kernel_late", BY_KERNEL | {("frozen", 30): replace(KERNEL, lifetime=1.2)}, 4),
        ("margin", BY_KERNEL, 0),
        ("margin", {}, 0),
        ("clock", {}, "MONOTONIC"),
        ("clock", {("clock set forward", 30): Seen(-15)}, "WALL"),
        ("clock", {("clock set back", 30): Seen(FOREVER, "")}, "WALL"),
        ("trigger", {}, "LAPSE"),
        ("trigger", {("hook", 30): Seen(BLOCKED + 0.3)}, "ACKNOWLEDGE"),
        ("trigger", BY_KERNEL, "LAPSE"),
        ("trigger", BY_KERNEL | {("NAK with hook", 30): Seen(0, after_nak=15)}, "ACKNOWLEDGE"),
        ("trigger", NEVER, "NEVER"),
        ("dialog", {}, False),
        ("dialog", {("hook", 30): Seen(BLOCKED + 0.3)}, True),
        ("checks_xid", {}, True),
        ("checks_xid", {("foreign xid", 30): Seen(0.2)}, False),
        ("heeds_nak", {}, "ALWAYS"),
        ("heeds_nak", {("NAK", 30): Seen(after_nak=11)}, "UNICAST"),
        ("heeds_nak", {(nak, 30): Seen(after_nak=15) for nak in ("NAK", "NAK unicast")}, "NEVER"),
        ("heeds_nak", WAITS, "ALWAYS"),
        ("after_nak", {}, "REMOVE"),
        ("after_nak", WAITS, "WAIT"),
        ("after_nak", {(nak, 30): Seen(after_nak=15) for nak in ("NAK", "NAK unicast")}, "REMOVE"),
        ("nak_late", {}, 0),
        ("nak_late", WAITS, 28),
        ("probes", {}, False),
        ("probes", PROBED, True),
        ("probe_time", {}, 0),
        ("probe_time", PROBED, 7),
        ("probe_time", {("renewed", 30): Seen(probed=8.3)}, 9),
    ],
)
def test_a_field_goes_both_ways(
    key: str, changes: dict[tuple[str, int], Seen], value: object
) -> None:
    told = learn(changes)
    assert told[key].value == value, told[key].why
    assert told[key].how != "unknown"
    assert told.unknown == ()


@pytest.mark.parametrize(("lifetime", "margin"), [(-2.8, "2.5"), (-2.42, "2.5"), (-2.3, "2")])
def test_a_margin_is_what_the_kernels_lifetime_is_early_by(lifetime: float, margin: str) -> None:
    early = {
        key: replace(seen, holdover=-2.0, lifetime=lifetime)
        for key, seen in BY_KERNEL.items()
        if not key[0].startswith(("NAK", "foreign"))
    }
    assert learn(BY_KERNEL, early)["margin"].value == Fraction(margin)


def test_of_a_client_that_never_had_a_lease_there_is_no_profile() -> None:
    none = {key: Seen(unknown="not within 8 s: the address is in use") for key in USUAL}
    with pytest.raises(UnfinishedError, match="no profile is written; 14 of 14: not within 8 s"):
        learn(none)


# Nothing is known, and nothing is forced ---------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "changes", "worst"),
    [
        ("anchor", {("ACK delayed", 30): Seen(-3)}, "ACK"),
        ("anchor", {("server killed", 30): Seen(2.5, probed=6)}, "PROBE"),
        ("anchor", GIVES_UP | {("ACK delayed less", 30): Seen(unknown="the same")}, "ACK"),
        ("anchor", GIVES_UP | {("ACK delayed less", 30): Seen(-1.5)}, "ACK"),
        ("floor", {("server killed", 10): Seen(19.5)}, 30),
        ("floor", {("renewed", 30): Seen(4)}, 30),
        ("floor", {("server killed", 10): Seen(unknown="no program")}, 30),
        ("late", {("renewed", 30): Seen(unknown="no program")}, 30),
        ("enforcer", {("frozen", 30): KERNEL}, "PROCESS"),
        ("kernel_late", {("frozen", 30): KERNEL}, 0),
        ("margin", BY_KERNEL | {("kill -9", 30): Seen(unknown="no program")}, 0),
        ("clock", {("clock set back", 30): Seen(unknown="it does not read it")}, "WALL"),
        ("clock", {("clock set forward", 30): Seen(5)}, "WALL"),
        ("clock", {("clock set back", 30): Seen(-5)}, "WALL"),
        ("trigger", {("hook", 30): Seen(20)}, "ACKNOWLEDGE"),
        ("trigger", BY_KERNEL | {("NAK unicast", 30): Seen(after_nak=15)}, "ACKNOWLEDGE"),
        ("dialog", {("hook", 30): Seen(20)}, True),
        ("checks_xid", {("foreign xid", 30): Seen(-5)}, False),
        ("heeds_nak", {("NAK unicast", 30): Seen(after_nak=FOREVER)}, "NEVER"),
        ("heeds_nak", {("NAK", 30): Seen(after_nak=None)}, "NEVER"),
    ],
)
def test_what_contradicts_itself_or_is_missing_is_unknown_and_has_the_worst_value(
    key: str, changes: dict[tuple[str, int], Seen], worst: object
) -> None:
    told = learn(changes)
    assert (told[key].how, told[key].value) == ("unknown", worst), told[key].why
    assert told[key] in told.unknown


def test_a_holdover_that_no_fields_explain_is_unknown() -> None:
    told = learn({("NAK", 30): Seen(7.0, after_nak=0.1)})
    assert told["trigger"].value == "NEVER"
    assert "no combination of fields explains NAK, 30 s: +7.00" in told["trigger"].why
    assert {each.key for each in told.unknown} == {
        "trigger",
        "dialog",
        "enforcer",
        "kernel_late",
        "margin",
    }
    assert told["enforcer"].value == "PROCESS"


def test_where_nobody_knows_its_hook_it_is_taken_to_wait_for_one() -> None:
    client = client_from_command("udhcpc -f -i {iface}")
    cells = questions(client)
    assert {"hook", "NAK with hook"}.isdisjoint(cell.fault.name for cell in cells)
    made = {(each.outcome.cell.fault.name, each.outcome.cell.lease): each for each in answers()}
    told = learn_profile(
        [
            replace(
                made[cell.fault.name, cell.lease],
                outcome=replace(made[cell.fault.name, cell.lease].outcome, cell=cell),
            )
            for cell in cells
        ]
    )
    trigger = told["trigger"]
    assert (trigger.value, trigger.how) == ("ACKNOWLEDGE", "not measured")
    assert told["dialog"].value is True
    assert told.unknown == ()


def test_without_a_cell_there_is_nothing_to_learn() -> None:
    with pytest.raises(ValueError, match="nothing was played"):
        learn_profile([])


# The file ----------------------------------------------------------------------------------------

MADE: tuple[dict[tuple[str, int], Seen], ...] = (
    {},
    NEVER,
    BY_KERNEL | FROM_REQUEST,
    AFTER_PROBING,
    {("frozen", 30): KERNEL},
    {("ACK delayed", 30): Seen(-3)},
    {key: Seen(unknown="no\nway\x07") for key in USUAL if key[0] != "NAK"},
)


@pytest.mark.parametrize("changes", MADE)
def test_the_file_is_a_profile_and_every_line_says_on_what_it_stands(
    changes: dict[tuple[str, int], Seen],
) -> None:
    told = learn(changes)
    text = toml(told, ["busybox 1.35.0"])
    profile = parse(text, "learned.toml", "learned")
    assert profile.facts() == told.profile.facts()
    assert (profile.name, profile.title) == ("udhcpc", CLIENT.title)
    assert profile.sources == ("measured", "busybox 1.35.0")
    why = dict(profile.why)
    for key in FACTS:
        measured = told[key].how == "measured"
        assert why[key].startswith("measured: " if measured else f"assumed: {told[key].how}; ")


# What a record shows besides ---------------------------------------------------------------------


def asked(when: float, hardware: bytes = A) -> Captured:
    return Captured(at(when), encode_frame(EVERYONE, hardware, probe(hardware, LEASED)))


def probed_in(made: Record) -> float | None:
    messages = list(decode_messages(made))
    return probe_length(made, messages, next(iter(terms_of(made, messages, A))))


@pytest.mark.parametrize(
    ("frames", "seconds"),
    [((asked(2),), 5.0), ((), None), ((asked(0.5), asked(7)), None), ((asked(2, B),), None)],
)
def test_an_address_is_probed_between_the_ack_and_its_use(
    frames: tuple[Captured, ...], seconds: float | None
) -> None:
    assert probed_in(record(said(1), *frames, seen=(added(6), removed(9)))) == seconds


def lifetime_in(*seen: Change | HostAddresses) -> float | None:
    made = record(said(1), seen=seen)
    (term,) = terms_of(made, list(decode_messages(made)), A)
    return lifetime(made, term)


def test_a_lifetime_is_the_last_one_that_was_set() -> None:
    assert lifetime_in(added(2, 12), removed(9)) == 3
    assert lifetime_in(added(2, 12), added(3, 9), removed(9)) == 1
    assert lifetime_in(added(2, 12), added(3), removed(9)) is None


def test_the_kernel_rounds_a_lifetime_up_and_the_looks_tell() -> None:
    """Said again at 2.9, of a lifetime that began at 2; seen to have ten seconds left at 3."""
    looked = HostAddresses(at(2.95), at(3), "a", {HELD: 9})
    elsewhere = HostAddresses(at(2.95), at(3), "b", {HELD: 1})
    assert lifetime_in(added(2, 10), added(2.9, 10), looked, elsewhere, removed(12)) == 1


def test_what_was_not_measured_shows_nothing_besides() -> None:
    cell = questions(CLIENT)[0]
    assert answer(Outcome(cell, Unknown("no program"), Path("nowhere"))).probed is None


# A device ----------------------------------------------------------------------------------------


def from_wire(*changes: dict[tuple[str, int], Seen]) -> Learned:
    """The same of a device: who removed an address is not told, and some cells are not there."""
    seen = dict(USUAL)
    for change in changes:
        seen |= change
    told = [
        replace(each, outcome=replace(each.outcome, cell=cell))
        for each in answers(*changes)
        for cell in questions(CLIENT, Cable(interface="eth1"))
        if (cell.fault, cell.lease) == (each.outcome.cell.fault, each.outcome.cell.lease)
    ]
    found = []
    for each in told:
        result = each.outcome.result
        if isinstance(result, Measurement):
            result = replace(result, enforcer="")
        found.append(replace(each, outcome=replace(each.outcome, result=result)))
    return learn_profile(found)


def test_nothing_is_asked_of_a_device_that_is_done_inside_of_it() -> None:
    asked = [cell.fault.name for cell in questions(CLIENT, Cable(interface="eth1"))]
    assert sorted(asked) == [
        *("ACK delayed", "ACK delayed less", "NAK", "NAK unicast", "foreign xid", "renewed"),
        *("server killed", "server killed"),
    ]


UNTOLD = {
    "enforcer": "PROCESS",
    "clock": "WALL",
    "trigger": "ACKNOWLEDGE",
    "kernel_late": 0,
    "margin": 0,
    "restart": "LEAVE",
}
"""What the wire does not tell, and its worst value."""


def test_what_the_wire_cannot_tell_is_assumed_worst_and_said() -> None:
    told = from_wire()
    assert told.unknown == ()
    for key, worst in UNTOLD.items():
        assert (told[key].value, told[key].how) == (worst, "not measured"), key
    assert "the wire does not tell" in told["enforcer"].why
    text = toml(told)
    assert parse(text, "device", "device").enforcer == "PROCESS"
    assert "assumed: not measured; as the worst: the wire does not tell who" in text


@pytest.mark.parametrize(
    ("key", "changes", "value"),
    [
        ("anchor", {}, "ACK"),
        ("anchor", FROM_REQUEST, "REQUEST"),
        ("floor", {("server killed", 10): Seen(17)}, 27),
        ("late", {key: Seen(3.5) for key in USUAL if not key[0].startswith("NAK")}, 4),
        ("heeds_nak", {}, "ALWAYS"),
        ("heeds_nak", {("NAK", 30): Seen(0, after_nak=15)}, "UNICAST"),
        ("checks_xid", {}, True),
        ("checks_xid", {("foreign xid", 30): Seen(0)}, False),
    ],
)
def test_what_it_tells_is_measured(
    key: str, changes: dict[tuple[str, int], Seen], value: object
) -> None:
    found = from_wire(changes)[key]
    assert (found.value, found.how) == (value, "measured"), found


def test_a_device_that_never_lets_go_is_one() -> None:
    told = from_wire(NEVER)
    assert (told["trigger"].value, told["trigger"].how) == ("NEVER", "measured")


def test_a_device_that_lets_go_in_some_cells_only_is_unknown() -> None:
    told = from_wire({("server killed", 10): Seen(FOREVER)})
    assert "late" in [each.key for each in told.unknown]
