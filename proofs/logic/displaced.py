"""Why a host whose address the server has given away soon lets go: the invariants of T6.

A host is *displaced* while it holds an address that the server has on record for another.
`REFUSED` is the argument for a client that asks at T1 and hears the DHCPNAK; `EXPIRES` for any
other whose lease ends.  Neither says a word on why the server did it: it may have lost its records,
jumped in time, believed a forged DHCPRELEASE, or reused too early.

Each conjunct is about hosts of that kind (`soon_refused`, `soon_over`), whatever the others are.
Those that follow the clock say by when something is over; those with `given_at` say
that it is over in time, seen from the server's commitment to the other host.
"""

from __future__ import annotations

from dataclasses import replace

from holdover.model.table.bound import (
    ZERO,
    after_refusal,
    anchor_delay,
    displaced_for,
    kernel_acts,
    overhang,
    process_acts,
    soon_over,
    soon_refused,
    to_lease_end,
)
from holdover.model.table.client import (
    NO_ADDRESS,
    answered_for,
    counts,
    heeded,
    honoured,
    leased,
    may_be_used,
    renewing,
    slowest,
)
from holdover.model.table.expr import Expr, forall, is_in, ite, none
from holdover.model.table.properties import Property, waits_after_nak
from holdover.model.table.server import NOBODY
from holdover.model.table.vocabulary import (
    MESSAGE,
    a,
    acknowledges,
    address,
    after_nak,
    after_t1,
    after_t2,
    asked,
    asks_for,
    asleep,
    checks_xid,
    client,
    current,
    delay,
    full,
    h,
    heeds_shorter,
    holds,
    kernel_end,
    kind,
    late,
    lease_end,
    m,
    margin,
    mutes,
    nak_late,
    notice,
    now,
    owner,
    phase,
    probe_time,
    probing_since,
    rebind_at,
    refused,
    refused_at,
    renew_at,
    sent,
    serving,
    trigger,
    wants,
)
from holdover.proofs.logic.invariants import (
    LEASED,
    ONE_EXCHANGE,
    ack_ends,
    ack_to,
    claims,
    given_at,
    gives,
    limit,
    over,
    request,
)


def given_away(h: Expr, a: Expr) -> Expr:
    """The server has committed `a` to another host, and not to `h` since."""
    return (owner[a] != NOBODY) & (owner[a] != h)


def among(kind_of: Expr, each: Property) -> Property:
    """The property, of hosts `h` of this kind alone."""

    def narrowed(term: Expr) -> Expr:
        if term.op != "forall":
            return kind_of.implies(term) if any(name is h for name in term.free) else term
        bound, body = term.args
        assert isinstance(bound, Expr)
        assert isinstance(body, Expr)
        return forall(bound, narrowed(body))

    return replace(each, term=narrowed(each.term))


def lets_go(within: Expr) -> Property:
    """That a host is displaced for no longer than this."""
    return Property(
        "displaced",
        "RFC 2131 §4.4.5, §4.3.2",
        "who holds an address that the server has given to another lets go within the bound",
        over(
            h,
            a,
            body=((holds[h] == a) & ~asleep[h] & given_away(h, a)).implies(
                now <= given_at[a] + within
            ),
        ),
    )


REFUSED_SOON = among(soon_refused(h), lets_go(displaced_for(h)))
OVER_SOON = among(soon_over(h), lets_go(to_lease_end(h) + after_refusal(h)))
"""What follows from the invariants `REFUSED` and `EXPIRES`."""

hears = soon_refused(h)
to_t1 = anchor_delay(h) + slowest(honoured(h, full)) - after_t1
"""From a commitment to the latest T1 of its lease."""

probe_over = probing_since[h] + probe_time[h] + late[h]


def own(*kinds: str) -> Expr:
    """The datagram is one of these, of the exchange of `h`."""
    return (client[m] == h) & current[m] & is_in(kind[m], *kinds)


def hearing(*names: Expr, body: Expr) -> Expr:
    """`body` of each host that asks and hears, and of all other members."""
    return over(h, *names, body=hears.implies(body))


def ending(*names: Expr, body: Expr) -> Expr:
    """`body` of each host whose lease ends, and of all other members."""
    return over(h, *names, body=soon_over(h).implies(body))


_kept = {each.name: each for each in LEASED}
KEPT = (
    "held_as_leased",
    "asked_before",
    "granted",
    "not_too_far",
    "answers_follow",
    "in_flight",
    "faults_only",
)
"""What the argument of RFC 2131 says and no mistake of the server's changes."""

_question = request[h]
_repeated = ite(renewing(h), ZERO, asks_for[h])

REFUSED_OWN = (
    Property(
        "t1_before_the_end",
        "RFC 2131 §4.4.5",
        "T1 and T2 lie as long before the lease end as was said, and the end of the kernel "
        "lifetime of an address that is probed",
        hearing(
            body=answered_for(h).implies(
                (renew_at[h] == lease_end[h] - after_t1)
                & (rebind_at[h] == lease_end[h] - after_t2)
                & (phase[h] == "PROBING").implies(kernel_end[h] == lease_end[h] - margin[h])
            )
        ),
    ),
    Property(
        "asks_in_time",
        "RFC 2131 §4.4.5",
        "T1 of a lease in use is not past",
        hearing(body=(phase[h] == "BOUND").implies(now <= renew_at[h])),
    ),
    Property(
        "probe_over_by_t1",
        "RFC 5227 §2.1.1",
        "a probe is over before T1",
        hearing(
            body=(phase[h] == "PROBING").implies(
                (probe_over <= renew_at[h]) & may_be_used(h).implies(now <= probe_over)
            )
        ),
    ),
    Property(
        "over_by_t1",
        "RFC 2131 §4.1",
        "what is under way when a lease begins is over by its T1",
        hearing(
            m,
            body=answered_for(h).implies(
                (own("REQUEST").implies(sent[m] + delay + delay <= renew_at[h]))
                & own("ACK", "NAK").implies(sent[m] + delay <= renew_at[h])
            ),
        ),
    ),
    Property(
        "asked_for_so_long",
        "RFC 2131 §3.1(5)",
        "a question is repeated for so long, and answered within the delay",
        hearing(
            m,
            body=counts(h).implies(
                own("REQUEST").implies(sent[m] <= asked[h] + _repeated)
                & own("ACK", "NAK").implies(sent[m] <= asked[h] + _repeated + delay)
            ),
        ),
    ),
    Property(
        "requests_end",
        "RFC 2131 §3.1(5)",
        "who asks for a first lease gives up in the end; a probe begins before that, or with the "
        "answer to a renewal",
        hearing(
            body=(phase[h] == "REQUESTING").implies(now <= asked[h] + asks_for[h])
            & ((phase[h] == "PROBING") & heeds_shorter[h]).implies(
                probing_since[h] <= asked[h] + asks_for[h] + delay + delay
            )
        ),
    ),
    Property(
        "answer_comes",
        "RFC 2131 §4.3.2",
        "who asks for more time has the question under way, or its answer",
        hearing(
            body=renewing(h).implies(
                (_question != none(MESSAGE))
                & (client[_question] == h)
                & current[_question]
                & is_in(kind[_question], "REQUEST", "ACK", "NAK")
                & (address[_question] == wants[h])
            )
        ),
    ),
    Property(
        "t1_in_time",
        "RFC 2131 §4.4.5",
        "T1 of a lease on an address that was given away is not later than of one granted then",
        hearing(
            a,
            body=(answered_for(h) & (wants[h] == a) & given_away(h, a)).implies(
                renew_at[h] <= given_at[a] + to_t1
            ),
        ),
    ),
    Property(
        "asked_in_time",
        "RFC 2131 §4.4.5",
        "who asks for more time on such an address asked by then",
        hearing(
            a,
            body=(renewing(h) & (wants[h] == a) & given_away(h, a)).implies(
                asked[h] <= given_at[a] + to_t1
            ),
        ),
    ),
    Property(
        "granted_before",
        "RFC 2131 §4.4.1",
        "what an ACK in flight still gives of such an address has its T1 by then",
        hearing(
            m,
            a,
            body=(ack_to(m, h, a) & gives(h, a) & given_away(h, a)).implies(
                ack_ends(h, m) - after_t1 <= given_at[a] + to_t1
            ),
        ),
    ),
    Property(
        "refused_in_time",
        "RFC 2131 §4.4.5",
        "an address without a lease is one that was refused, which goes after its wait",
        hearing(
            a,
            body=((holds[h] == a) & ~leased(h)).implies(
                refused[h]
                & (after_nak[h] == "WAIT")
                & (refused_at[h] <= now)
                & (now <= refused_at[h] + nak_late[h])
                & given_away(h, a).implies(refused_at[h] <= given_at[a] + to_t1 + delay + delay)
            ),
        ),
    ),
    Property(
        "serves", "Q151387 CAUSE", "a server that never falls silent serves", mutes | serving()
    ),
)
"""What the argument says of its own about a host that asks and hears."""

REFUSED = (*(among(hears, _kept[name]) for name in KEPT), ONE_EXCHANGE, *REFUSED_OWN)
"""That a host which asks and hears is displaced for no longer than its bound."""

EXPIRES_OWN = (
    Property(
        "held_until_it_goes",
        "RFC 2131 §4.4.5",
        "an address is held under a lease, or until an event that must come",
        ending(
            body=(holds[h] != NO_ADDRESS).implies(
                leased(h)
                | (heeded(h) & waits_after_nak(h))
                | (kernel_acts(h) & ~process_acts(h))
                | (trigger[h] == "RETRY")
                | ((trigger[h] == "ACKNOWLEDGE") & acknowledges & (notice[h] != "SILENT"))
            )
        ),
    ),
    Property(
        "goes_in_time",
        "RFC 2131 §4.4.5 MUST",
        "no awake host holds past its limit, but for its wait after a DHCPNAK that came before",
        ending(
            body=((holds[h] != NO_ADDRESS) & ~asleep[h]).implies(
                (now <= limit(h))
                | (heeded(h) & waits_after_nak(h) & (now <= refused_at[h] + nak_late[h]))
            )
        ),
    ),
    Property(
        "ends_in_time",
        "RFC 2131 §3.3",
        "a lease on an address that was given away is not longer than one granted then",
        ending(
            a,
            body=(claims(h, a) & given_away(h, a)).implies(
                limit(h) <= given_at[a] + to_lease_end(h)
            ),
        ),
    ),
    Property(
        "refused_before_the_end",
        "RFC 2131 §4.4.5",
        "who heeds a DHCPNAK has no lease after it, and it came before the limit of that lease",
        ending(
            body=(heeded(h) & refused[h]).implies(
                ~leased(h) & ((holds[h] != NO_ADDRESS).implies(refused_at[h] <= limit(h)))
            )
        ),
    ),
    Property(
        "ack_ends_in_time",
        "RFC 2131 §4.4.1",
        "nor is a lease longer that an ACK in flight can still give",
        ending(
            m,
            a,
            body=(ack_to(m, h, a) & (gives(h, a) | ~checks_xid[h]) & given_away(h, a)).implies(
                ack_ends(h, m) + overhang(h) <= given_at[a] + to_lease_end(h)
            ),
        ),
    ),
)
"""What it says of its own about a host whose lease ends."""

EXPIRES = (*(among(soon_over(h), _kept[name]) for name in (*KEPT, "kernel_set")), *EXPIRES_OWN)
"""The same of a host that hears nothing, and whose lease ends."""
