"""Why no two hosts hold an address: what every reachable state has in common.

Two arguments are written out.  `LEASED` is the argument of RFC 2131: whoever holds an address holds
it under a lease, leaves it in time, and the server's record, with its grace, outlasts him; or, in
`HEARING`, he is about to hear that the record has moved back.
`PROBED` is the argument of RFC 5227: nobody takes an address that somebody answers for.  Each is a
conjunction; each conjunct is needed (tests/proofs drops them one by one), and says in a sentence
what it holds.

Either `LEASED` or `HEARING` is inductive for every client and environment for which
`bound.bounded` and the grace is at least `bound.safe_grace`: that is theorem T3.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

from holdover.model.table.bound import ZERO, ack_missed, kernel_acts, overhang, process_acts
from holdover.model.table.client import (
    NO_ADDRESS,
    answers,
    counts,
    fastest,
    first_ask,
    honoured,
    in_time,
    leased,
    recognised,
    renewing,
    slowest,
)
from holdover.model.table.expr import (
    FALSE,
    INSTANT,
    Action,
    Expr,
    Variable,
    becomes,
    forall,
    is_in,
    ite,
    none,
)
from holdover.model.table.properties import EXCLUSIVE, Property
from holdover.model.table.server import NOBODY
from holdover.model.table.vocabulary import (
    ADDRESS,
    HOST,
    MESSAGE,
    a,
    acknowledges,
    address,
    anchor,
    asked,
    asleep,
    beside,
    checks_xid,
    client,
    clock,
    crashes,
    current,
    delay,
    enforcer,
    freezes,
    full,
    g,
    grace,
    h,
    holds,
    kernel_end,
    kind,
    lease,
    lease_end,
    least,
    m,
    margin,
    notice,
    now,
    owner,
    patient,
    phase,
    probe_time,
    probes,
    process,
    releases,
    restarts,
    sent,
    server_end,
    step,
    stepped,
    steps,
    stops,
    suspends,
    thaws,
    trigger,
    wants,
    withheld,
)


def over(*names: Expr, body: Expr) -> Expr:
    """`body` for all members of these sorts."""
    for name in reversed(names):
        body = forall(name, body)
    return body


def true_end(h: Expr) -> Expr:
    """The lease end as an unstepped clock would show it."""
    return ite(stepped[h], lease_end[h] - step, lease_end[h])


def limit(h: Expr) -> Expr:
    """The last instant at which `h` may hold the address of its lease."""
    return true_end(h) + overhang(h)


def reuse_from(a: Expr) -> Expr:
    """The server does not reuse `a` up to this instant."""
    return server_end[a] + fastest(grace)


def claims(h: Expr, a: Expr) -> Expr:
    """`h` holds `a`, or may come to hold it under the lease it has."""
    lives = (process[h] != "DEAD") | restarts[h]
    return (leased(h) & (wants[h] == a) & lives) | (holds[h] == a)


def asking(h: Expr) -> Expr:
    """An ACK may be taken."""
    return first_ask(h) | renewing(h)


def gives(h: Expr, a: Expr) -> Expr:
    """An ACK for `a` may give more time."""
    return first_ask(h) | (renewing(h) & (wants[h] == a))


def exchanging(h: Expr) -> Expr:
    """A reply may be taken."""
    return asking(h) | (phase[h] == "SELECTING")


def ack_ends(h: Expr, m: Expr) -> Expr:
    """The latest end of a lease that `h` may yet count from ACK `m`."""
    probing = ite(anchor[h] == "PROBE", probe_time[h], ZERO)
    received = sent[m] + delay + probing
    begun = ite((anchor[h] == "REQUEST") & checks_xid[h], asked[h], received)
    return begun + slowest(honoured(h, lease[m]))


def ack_to(m: Expr, h: Expr, a: Expr) -> Expr:
    """`m` is an ACK for `a` that `h` takes for an answer."""
    return (kind[m] == "ACK") & (client[m] == h) & (address[m] == a) & recognised(h, m)


word = Variable(
    "word",
    MESSAGE,
    ADDRESS,
    "none",
    "the DHCPACK that told of the address's last commitment",
    "RFC 2131 §3.1(4)",
)
given_at = Variable(
    "given_at",
    INSTANT,
    ADDRESS,
    "unset",
    "when the address was committed to the host that has it on record",
    "RFC 2131 §3.1(4)",
)
request = Variable(
    "request",
    MESSAGE,
    HOST,
    "none",
    "the DHCPREQUEST by which the client asks for more time, and then its answer",
    "RFC 2131 §4.4.5",
)

NOTES = {
    "commit": (becomes(word[a], m), becomes(given_at[a], now)),
    "prolong": (becomes(word[a], m),),
    "reuse": (becomes(word[a], m), becomes(given_at[a], now)),
    "renew": (becomes(request[h], m),),
    "rebind": (becomes(request[h], m),),
}
"""What rows set of the history variables, which no row reads and only proofs know."""


@lru_cache(1024)
def remembering(action: Action) -> Action:
    """The row, which also notes what the history variables remember; cases have one in common."""
    return replace(action, then=(*action.then, *NOTES.get(action.name, ())))


def coming(h: Expr, a: Expr) -> Expr:
    """The server's last word on `a` will take `h` back into the record, while that lasts."""
    m = word[a]
    return (
        ~ack_missed(h)
        & (m != none(MESSAGE))
        & ack_to(m, h, a)
        & (sent[m] + delay <= reuse_from(a))
        & (ack_ends(h, m) + overhang(h) <= reuse_from(a))
    )


def in_answer(m: Expr, h: Expr) -> Expr:
    """`m` belongs to an exchange in which `h`, which checks that, asks for more time."""
    return (client[m] == h) & current[m] & checks_xid[h] & renewing(h)


OWNED = Property(
    "owned",
    "RFC 2131 §2.2",
    "whoever answers for an address is the host to which the server last committed it",
    over(h, a, body=answers(h, a).implies(owner[a] == h)),
)


def leased_argument(hears: Callable[[Expr, Expr], Expr]) -> tuple[Property, ...]:
    """The argument of RFC 2131; `hears` says which hosts will hear that the record moved back."""
    return (
        EXCLUSIVE,
        OWNED,
        Property(
            "held_under_lease",
            "RFC 2131 §4.4.5",
            "an address is held under a lease, or until an event that must come",
            forall(
                h,
                (holds[h] != NO_ADDRESS).implies(
                    leased(h)
                    | (kernel_acts(h) & ~process_acts(h))
                    | (trigger[h] == "RETRY")
                    | ((trigger[h] == "ACKNOWLEDGE") & acknowledges & (notice[h] != "SILENT"))
                ),
            ),
        ),
        Property(
            "held_as_leased",
            "RFC 2131 §4.4.5 MUST NOT",
            "the address held is the one leased, and none is held while probing",
            over(
                h,
                a,
                body=((holds[h] == a) & leased(h)).implies(
                    (wants[h] == a) & (phase[h] != "PROBING")
                ),
            ),
        ),
        Property(
            "leaves_in_time",
            "RFC 2131 §4.4.5 MUST",
            "no awake host holds past its limit",
            forall(h, ((holds[h] != NO_ADDRESS) & ~asleep[h]).implies(now <= limit(h))),
        ),
        Property(
            "covered",
            "RFC 2131 §3.3",
            "while its limit is ahead, a claim is on the server's record and outlasted by it, or "
            "the client is about to hear of another limit",
            over(
                h,
                a,
                body=(claims(h, a) & (now <= limit(h))).implies(
                    (owner[a] == h) & ((limit(h) <= reuse_from(a)) | hears(h, a))
                ),
            ),
        ),
        Property(
            "asked_before",
            "RFC 2131 §4.4.1",
            "the request of the present exchange lies in the past",
            forall(h, counts(h).implies(asked[h] <= now)),
        ),
        Property(
            "ack_covered",
            "RFC 2131 §4.4.1",
            "a lease that an ACK in flight can still give is on the server's record, and covered",
            over(
                m,
                h,
                a,
                body=(ack_to(m, h, a) & (gives(h, a) | ~checks_xid[h])).implies(
                    (
                        (owner[a] == h)
                        & ((ack_ends(h, m) + overhang(h) <= reuse_from(a)) | hears(h, a))
                    )
                    | ~in_time(h, ack_ends(h, m))
                ),
            ),
        ),
        Property(
            "none_beside",
            "RFC 2131 §2.2",
            "no host has an address beside the one that it has leased",
            forall(h, beside[h] == NO_ADDRESS),
        ),
        Property(
            "asks_for_its_own",
            "RFC 2131 §4.3.2",
            "who renews asks for the address that it has leased",
            over(
                m,
                h,
                body=(in_answer(m, h) & (kind[m] == "REQUEST")).implies(address[m] == wants[h]),
            ),
        ),
        Property(
            "refused_late",
            "RFC 2131 §4.3.2",
            "a DHCPNAK that answers a renewal comes when the client holds no address any more",
            over(m, h, body=(in_answer(m, h) & (kind[m] == "NAK")).implies(limit(h) < now)),
        ),
        Property(
            "withheld_late",
            "RFC 2131 §4.3.3",
            "an address is withheld that is on record for nobody, or whose record is over",
            forall(a, withheld[a].implies((owner[a] == NOBODY) | (reuse_from(a) < now))),
        ),
        Property(
            "granted",
            "RFC 2131 §4.3.1",
            "an ACK carries a lease length that the server grants",
            forall(m, (kind[m] == "ACK").implies((least <= lease[m]) & (lease[m] <= full))),
        ),
        Property(
            "not_too_far",
            "RFC 2131 §4.4.1",
            "no lease ends later than a full one that is counted from now",
            forall(
                h,
                (leased(h) | (holds[h] != NO_ADDRESS)).implies(
                    true_end(h)
                    <= now
                    + ite(anchor[h] == "PROBE", probe_time[h], ZERO)
                    + slowest(honoured(h, full))
                ),
            ),
        ),
        Property(
            "answers_follow",
            "RFC 2131 §4.4.1",
            "while selecting, nothing in flight answers a request of the present exchange",
            over(
                m,
                h,
                body=(
                    (client[m] == h) & recognised(h, m) & checks_xid[h] & (phase[h] == "SELECTING")
                ).implies(is_in(kind[m], "FREE", "DISCOVER", "OFFER", "RELEASE", "DECLINE")),
            ),
        ),
        Property(
            "given_up",
            "RFC 2131 §3.1(5), §3.1(6)",
            "whose RELEASE or DECLINE is in flight has no lease and waits",
            over(
                m,
                h,
                body=((client[m] == h) & is_in(kind[m], "RELEASE", "DECLINE")).implies(
                    (phase[h] == "INIT")
                    & (holds[h] == NO_ADDRESS)
                    & ((kind[m] != "RELEASE") | releases[h])
                    & ((kind[m] != "DECLINE") | probes[h])
                ),
            ),
        ),
        Property(
            "in_flight",
            "RFC 2131 §4.1",
            "what a client may yet take is not delayed longer, unless a frozen process had it",
            over(
                m,
                h,
                body=((kind[m] != "FREE") & (client[m] == h)).implies(
                    (sent[m] <= now)
                    & (
                        (now <= sent[m] + delay)
                        | (
                            freezes[h]
                            & (
                                thaws[h]
                                | (process[h] != "RUNS")
                                | (restarts[h] & ~(exchanging(h) & current[m]))
                            )
                        )
                    )
                ),
            ),
        ),
        Property(
            "kernel_set",
            "Linux valid_lft",
            "the kernel lifetime is over by its margin before the lease end",
            forall(
                h,
                (
                    (enforcer[h] == "KERNEL")
                    & kernel_acts(h)
                    & ((holds[h] != NO_ADDRESS) | (phase[h] == "PROBING"))
                ).implies(kernel_end[h] <= true_end(h) - margin[h]),
            ),
        ),
        Property(
            "faults_only",
            "the environment's switches",
            "a process is frozen or dead, a host asleep, a clock stepped, only where that happens; "
            "who ends in order holds nothing",
            forall(
                h,
                ((process[h] != "FROZEN") | freezes[h])
                & ((process[h] != "DEAD") | crashes[h] | (stops[h] & (holds[h] == NO_ADDRESS)))
                & ((process[h] != "DEAD") | is_in(phase[h], "INIT", "INIT_REBOOT"))
                & (suspends[h] | ~asleep[h])
                & ((phase[h] != "PROBING") | probes[h])
                & (
                    ~is_in(phase[h], "INIT_REBOOT", "REBOOTING")
                    | (process[h] == "DEAD")
                    | (restarts[h] & (crashes[h] | stops[h]))
                )
                & (~stepped[h] | (steps[h] & (clock[h] == "WALL"))),
            ),
        ),
    )


LEASED = leased_argument(lambda h, a: FALSE)
"""Where the record never moves back, or no client is sure to hear of it (`ack_missed`)."""

ONE_EXCHANGE = Property(
    "one_exchange",
    "RFC 2131 §4.1",
    "where clients are patient, nothing of an older exchange is under way",
    over(
        m,
        h,
        body=(patient & (client[m] == h) & is_in(kind[m], "REQUEST", "ACK", "NAK")).implies(
            current[m]
        ),
    ),
)

HEARING = (*leased_argument(coming), ONE_EXCHANGE)
"""The same where each client hears of it in time; for tables with the history variable."""

PROBED = (
    EXCLUSIVE,
    Property(
        "awake",
        "the environment's switches",
        "hosts sleep only where that happens",
        over(g, body=suspends[g] | ~asleep[g]),
    ),
)
