"""A theorem's page, and its line in the README, name every premise that its proof asks for.

The premises are read off the proofs: what a case fixes and assumes, what an instance is made of.
For each, `PAGES` and `README` have the words in which the text says it, or None where it assumes
nothing: the weakest choice, or a table that is generated beside the text.  A premise that nobody
has put into words is an error, and so are words that have gone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction

import pytest

from holdover.model.clients.profile import FAULTS, Environment, Profile
from holdover.model.readings.prose import text
from holdover.model.table.bound import consistent, server_keeps
from holdover.model.table.client import room
from holdover.model.table.expr import Expr, forall
from holdover.model.table.vocabulary import h
from holdover.proofs.logic.obligations import Case
from holdover.proofs.theorems import (
    t0_time_passes,
    t1_refutation,
    t2_safety,
    t3_grace,
    t4_regression,
    t5_agreement,
    t5_state_graph,
    t6_displaced,
    t7_contested,
)
from holdover.proofs.verdicts.claims import claims
from tests.checkout import ROOT

CONSISTENT = text(forall(h, consistent(h)))


def fixed(case: Case) -> Iterator[str]:
    """What a case fixes: faults that may not happen, and other constants with their values."""
    own = t2_safety.choices(Profile(""))
    for name, value in case.fixed.items():
        if name in FAULTS:
            if not value:
                yield f"no {name}"
        elif name not in own or name in ("releases", "keeps_old"):
            yield f"{name} = {value}"


def surroundings(environment: Environment) -> Iterator[str]:
    """What an instance's surroundings are, but for faults that may not happen."""
    for name, value in environment.facts().items():
        if name in FAULTS:
            if value:
                yield f"among {name}"
        elif isinstance(value, bool | Fraction):
            yield f"{name} = {value}"


def sizes(*given: tuple[int, int, int]) -> Iterator[str]:
    """Hosts x addresses x datagrams."""
    yield from ("{}x{}x{}".format(*size) for size in given)


def terms(assumed: Iterable[Expr]) -> Iterator[str]:
    """Assumptions as the documentation writes them; those about all durations are one."""
    for term in assumed:
        said = NAMED.get(id(term)) or text(term)
        yield "durations" if re.fullmatch(r"(∀ h: )?0 ≤ .*", said) else said


NAMED = {
    id(t3_grace.EACH_BOUNDED): "each bounded",
    id(t3_grace.REACHED): "grace reached",
    id(server_keeps): "server keeps",
    id(room): "room",
}


def worlds() -> Iterator[str]:
    """The surroundings of T5's worst holdovers."""
    for _, _, environment in t5_agreement.worlds():
        facts = environment.facts()
        for name in ("full", "delay", "acknowledge_within", "drift", "step"):
            yield f"{name} = {facts[name]}"
        yield from (f"among {name}" for name in environment.faults)


T2 = [case for _, case in t2_safety.cases()]

ASKED: Mapping[str, set[str]] = {
    "t0": {
        *fixed(t0_time_passes.OPEN),
        *terms(t0_time_passes.OPEN.assumptions),
        t0_time_passes.right_within.__name__,
        "finite",
    },
    "t1": {
        *surroundings(t1_refutation.ENVIRONMENT),
        *sizes(t1_refutation.SIZES),
        f"tick = {t1_refutation.TICK}",
        t1_refutation.PROFILE,
    },
    "t2": {
        *set.intersection(*(set(fixed(case)) for case in T2)),
        *(premise for case in T2 for premise in terms(case.assumptions)),
    },
    "t3": {*fixed(t3_grace.sufficient()), *terms(t3_grace.sufficient().assumptions)},
    "t4": {
        *surroundings(t4_regression.ENVIRONMENT),
        *sizes(*t4_regression.SIZES),
        f"tick = {t4_regression.TICK}",
        *t4_regression.NEVER,
    },
    "t6": {
        *set.intersection(*(set(fixed(case)) for case, _ in t6_displaced.cases())),
        *terms(t6_displaced.ENOUGH),
    },
    "t7": {*fixed(t7_contested.CASE), *terms(t7_contested.CASE.assumptions)},
    "t5": {*worlds(), f"fits = {t5_state_graph.FITS}", f"tick = {t5_agreement.TICK}"},
}
"""The premises of each theorem."""

Words = Mapping[str, str | None]

NOT_NEGATIVE = "durations are at least 0"
IN_ORDER = "T1 and T2 lie before the lease end in their order"
NUMBERS: Words = {
    "durations": NOT_NEGATIVE,
    "after_t1 < full": IN_ORDER,
    "after_t2 < after_t1": IN_ORDER,
    "0 < after_t2": IN_ORDER,
    "least ≤ full": None,  # what the words mean
}
WEAKEST: Words = {
    "acknowledges = False": None,
    "patient = False": None,
    "durable = False": None,  # guards `forget` alone
    "authoritative = False": None,
}
NOTHING_ELSE: Words = {
    "patient = False": None,
    "durable = False": None,
    "authoritative = False": None,
    "step = 0": None,
    "acknowledge_within = 0": None,  # the user may never answer
    "in_order = True": None,  # nobody sends RELEASE or DECLINE
    "after_t1 = 1800": "T1, T2 and the end are apart",
    "after_t2 = 450": "T1, T2 and the end are apart",
    "broadcasts_nak = True": "DHCPNAK is broadcast",
    "grace = 0": "the server reuses as soon as its record is over",
}

PAGES: Mapping[str, Words] = {
    "t0": {
        **NUMBERS,
        "0 < least": "least lease is longer than nothing",
        "drift < 1": "a rate below one",
        "right_within": "Clocks are right within their bounds",
        "finite": "A network is finite",
    },
    "t1": {
        **NOTHING_ELSE,
        "2x1x1": "two hosts, one address, one datagram",
        "acknowledges = False": "a user who may never answer",
        "among mutes": "a server that may fall silent",
        "wfwg311": "profile `wfwg311`",
        "full = 3600": "A lease is an hour",
        "least = 3600": "A lease is an hour",
        "tick = 1200": "in ticks it is three",
        "delay = 0": "Datagrams arrive at once",
        "drift = 0": "clocks are exact",
        "server_probes = False": "Neither the client nor the server probes",
    },
    "t2": {
        **NUMBERS,
        **WEAKEST,
        "0 < least": "a lease is longer than nothing",
        "drift < 1": None,
        "drift = 0": "Perfect clocks",
        "floor = 0": "no floor",
        "late = 0": "no lateness of the process",
        "∀ h: kernel_late[h] ≤ margin[h]": "a kernel that is no later than its margin",
        "no forgets": "it does not forget",
        "no forges": "no forged RELEASE arrives",
        "no rival": "no second server shares the pool",
        "no clones": "no two hosts have one client identifier",
        **dict.fromkeys(("no settles", "no intrudes"), "Nobody configures an address by hand"),
        "no jumps": "nobody sets its clock forward",
        "no reuses_early": "it does not reuse early",
        "no shortens": "a renewal never moves its record of the lease backward",
        **dict.fromkeys(("no steps", "no loses_arp"), "Only the faults listed happen"),
        "in_order = True": "a client's DISCOVER does not overtake its own RELEASE or DECLINE",
        "broadcasts_nak = True": "DHCPNAK is broadcast",
        "server_probes = False": "the server does not probe",
        "releases = True": "each client may also send DHCPRELEASE",
        "keeps_old = False": None,  # as the profiles say
    },
    "t3": {
        **NUMBERS,
        "0 < least": "0 < least",
        "least ≤ full": "least ≤ full",
        "drift < 1": "drift < 1",
        "shortens ∨ least = full": "shortens ∨ least = full",
        CONSISTENT: CONSISTENT,
        **dict.fromkeys(
            ("no forgets", "no forges", "no rival", "no reuses_early", "no jumps"),
            "The server stands by its leases: `server_keeps`",
        ),
        "server keeps": "The server stands by its leases: `server_keeps`",
        "no clones": "No two hosts have one client identifier: `clones`",
        **dict.fromkeys(
            ("no settles", "no intrudes", "keeps_old = False"),
            "Each address in use is a leased one",
        ),
        "in_order = True": "DISCOVER does not overtake its own RELEASE or DECLINE: `in_order`",
        "each bounded": "`bounded(h)` and `grace ≥ safe_grace(h)` for every host `h`",
        "grace reached": "`bounded(h)` and `grace ≥ safe_grace(h)` for every host `h`",
    },
    "t4": {
        **NOTHING_ELSE,
        "1x1x1": "1x1x1",
        "1x2x1": "1x2x1",
        "2x1x1": "2x1x1",
        "acknowledges = False": "a user who may never answer",
        "among mutes": "A server that may fall silent",
        "full = 3600": "a lease of an hour",
        "least = 3600": "a lease of an hour",
        "tick = 1200": "in three ticks",
        "delay = 0": "Datagrams arrive at once",
        "drift = 0": "clocks are exact",
        "server_probes = False": "Neither servers nor clients probe",
        "nobody probes": "Neither servers nor clients probe",
        "nobody releases": "releasing",
        "no process is started again": "restarts",
        "no host sleeps": "suspend",
        "neither client heeds a shorter lease": "shorter leases",
        "both clients heed each DHCPNAK": "heed each DHCPNAK",
        "neither client gives way": "neither gives way",
    },
    "t5": {
        "full = 24": "a lease of 24 s",
        "delay = 8": "take up to 8 s",
        "acknowledge_within = 16": "answers within 16 s",
        "among mutes": "a silent server",
        "drift = 0": None,
        "step = 0": None,
        "drift = 1/4": "drift 1/4",
        "full = 120": "a lease of 120 s",
        "among freezes": "frozen",
        "among steps": "clock set back",
        "step = 16": "set back by 16 s",
        "fits = 20000": "more than 20,000 states",
        "tick = 1200": "ticks of 1200 s",
    },
    "t6": {
        **NUMBERS,
        "0 < least": "leases are positive",
        "drift < 1": "drift is a rate below one",
        "shortens ∨ least = full": "one length unless renewals may shorten it",
        CONSISTENT: "a client that waits for an acknowledgement shows a notice",
        "no rival": "There is no second server beside the first",
        "room": "A client that is to ask finds room for its datagram",
    },
    "t7": {
        **NUMBERS,
        "0 < least": "T3's bound on durations and drift",
        "drift < 1": "T3's bound on durations and drift",
        "shortens ∨ least = full": "T3's bound on durations and drift",
        CONSISTENT: "T3's bound on durations and drift",
        "no loses_arp": "No ARP is lost (`loses_arp`)",
        "room": "The client finds room for its DHCPDECLINE",
    },
}
"""The words for each premise on the theorem's page; None: it assumes nothing."""

README: Mapping[str, Words] = {
    "t0": {"finite": "finite network", "right_within": "clocks right within their bounds"},
    "t1": {
        "2x1x1": "two hosts, one address and one datagram",
        "drift = 0": "exact clocks",
        "delay = 0": "prompt delivery",
        "wfwg311": "wfwg311 collides",
    },
    "t2": {
        "drift = 0": "perfect clocks",
        "floor = 0": "counts no lease longer than it is",
        "late = 0": "a process that is never late",
        "∀ h: kernel_late[h] ≤ margin[h]": "a kernel no later than its margin",
        "in_order = True": "no DISCOVER that overtakes its own RELEASE or DECLINE",
        **dict.fromkeys(
            ("no forgets", "no forges", "no rival", "no reuses_early", "no jumps", "no shortens"),
            "a server that stands by its leases",
        ),
        "no clones": "a client identifier for each host",
        **dict.fromkeys(("no settles", "no intrudes"), "no address configured by hand"),
    },
    "t3": {
        "no clones": "no two hosts have one client identifier",
        **dict.fromkeys(("no settles", "no intrudes"), "nobody configures an address by hand"),
        "keeps_old = False": "or keeps an old one beside a new one",
        "grace reached": "the server's grace reaches the bound of every host",
        "each bounded": "every host has a bound",
        "server keeps": "stands by its leases",
        "in_order = True": "no DISCOVER overtakes its own RELEASE or DECLINE",
    },
    "t4": {
        "2x1x1": "in small networks",
        "tick = 1200": "a lease in three ticks",
        "nobody probes": "nobody probing",
    },
    "t5": {},
    "t6": {"no rival": "No second server"},
    "t7": {"no loses_arp": "ARP is not lost", "room": "finds room for its DHCPDECLINE"},
}
"""The same in the README's line, which leaves to the page what it has no words for."""


def plain(said: str) -> str:
    """A text in one line."""
    return " ".join(said.split())


def page(name: str) -> str:
    """A theorem's page."""
    return plain((ROOT / "docs/theorems" / f"{name}.md").read_text("utf-8"))


def line(name: str) -> str:
    """A theorem's line in the README."""
    lines = (ROOT / "README.md").read_text("utf-8").splitlines()
    (found,) = (each for each in lines if each.startswith(f"| {name.upper()} |"))
    return plain(found)


def left_out(said: str, words: Words) -> set[str]:
    """The premises for which a text has no words."""
    return {name for name, wanted in words.items() if wanted is not None and wanted not in said}


def test_each_theorem_is_asked_about() -> None:
    pages = {path.stem for path in (ROOT / "docs/theorems").glob("*.md")}
    assert pages == set(ASKED) == set(PAGES) == set(README)
    listed = {claim.group.lower() for claim in claims() if claim.group.startswith("T")}
    assert pages == listed


@pytest.mark.parametrize("name", ASKED)
def test_each_premise_has_words_and_each_word_a_premise(name: str) -> None:
    assert set(PAGES[name]) == ASKED[name]
    assert set(README[name]) <= ASKED[name]


@pytest.mark.parametrize("name", ASKED)
def test_page_and_readme_say_what_is_assumed(name: str) -> None:
    assert left_out(page(name), PAGES[name]) == set()
    assert left_out(line(name), README[name]) == set()


@pytest.mark.parametrize("name", ASKED)
def test_a_premise_that_is_dropped_from_the_text_is_noticed(name: str) -> None:
    for said, words in ((page(name), PAGES[name]), (line(name), README[name])):
        for premise, wanted in words.items():
            if wanted is not None:
                assert premise in left_out(said.replace(wanted, ""), words)
