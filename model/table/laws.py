"""Laws of the lease table: what every state, every act and every passing of time respects.

`properties.py` has what a deployment is for.  Here is what makes the rows what they are: who may
act, what a datagram says, what is remembered, by when something happens.  A law knows no rows.  It
compares the state before with the state after, so that a row which does what is nobody's to do is
convicted by a sentence, and not by a number of states that has changed.

A law of acts (`laws_of_acts.py`) says what may change while no time passes; a law of time what may
pass, and for whom.
"""

from holdover.model.table.client import (
    NO_ADDRESS,
    UNSET,
    counts,
    heeded,
    in_conflict,
    leased,
    may_be_used,
    prompt,
    renewing,
    room,
    runs,
)
from holdover.model.table.environment import dated
from holdover.model.table.expr import Expr, exists, following, forall, is_in, parameter
from holdover.model.table.properties import Property
from holdover.model.table.server import NOBODY
from holdover.model.table.vocabulary import (
    ADDRESS,
    a,
    address,
    after_nak,
    after_t1,
    after_t2,
    asked,
    asks_for,
    asleep,
    client,
    clock,
    contested,
    contested_at,
    enforcer,
    gives_way,
    gives_way_within,
    h,
    holds,
    kernel_end,
    kind,
    late,
    lease_end,
    loses_arp,
    m,
    now,
    owner,
    phase,
    probe_time,
    probing_since,
    process,
    rebind_at,
    refused,
    refused_at,
    renew_at,
    server_end,
    stepped,
    wants,
)

b = parameter("b", ADDRESS)


def to_come(instant: Expr, when: Expr) -> Expr:
    """An instant is this one, or both are past."""
    return ((now <= instant) | (now <= when)).implies(instant == when)


by_kernel = enforcer[h] == "KERNEL"

SOMEBODYS = Property(
    "a datagram is somebody's", "RFC 2131 §2 chaddr",
    "it comes from a client or goes to one",
    forall(m, (kind[m] == "FREE") | (client[m] != NOBODY)),
)  # fmt: skip
ABOUT_AN_ADDRESS = Property(
    "a datagram but DHCPDISCOVER names an address", "RFC 2131 §4.3.2, Table 3",
    "yiaddr, ciaddr or option 50",
    forall(m, is_in(kind[m], "FREE", "DISCOVER") | (address[m] != NO_ADDRESS)),
)  # fmt: skip

STATES = (
    SOMEBODYS,
    ABOUT_AN_ADDRESS,
    Property(
        "a lease has T1 and T2", "RFC 2131 §4.4.5",
        "until they are past they are that long before the lease end; no lease, no T1 and T2",
        forall(h, (leased(h).implies(to_come(renew_at[h], lease_end[h] - after_t1)
                                     & to_come(rebind_at[h], lease_end[h] - after_t2)))
                  & (leased(h) | ((renew_at[h] == UNSET) & (rebind_at[h] == UNSET)))),
    ),
    Property(
        "an address has a lease end", "RFC 2131 §4.4.5",
        "it is kept with the lease or an address that outstays it, and then forgotten, unless the "
        "kernel has removed the address",
        forall(h, (dated.implies(lease_end[h] != UNSET))
                  & (dated | by_kernel | (lease_end[h] == UNSET))),
    ),
    Property(
        "an address has a lifetime", "Linux valid_lft",
        "a kernel lifetime is that of an address held, or about to be; and each of these has one",
        forall(h, ((holds[h] != NO_ADDRESS).implies(kernel_end[h] != UNSET))
                  & ((holds[h] != NO_ADDRESS) | is_in(phase[h], "PROBING", "BOUND")
                     | (kernel_end[h] == UNSET))),
    ),
    Property(
        "a refusal is of an address", "RFC 2131 §4.4.5",
        "it is forgotten with the address or its lease, and by who is gone; and it is of a client "
        "that does not heed it, or not at once",
        forall(h, (refused[h] == (refused_at[h] != UNSET))
                  & (~refused[h] | ((process[h] != "DEAD") & (refused_at[h] <= now)))
                  & (~refused[h] | ~heeded(h)
                     | ((holds[h] != NO_ADDRESS) & ~leased(h) & (after_nak[h] != "REMOVE")))
                  & (~refused[h] | leased(h) | (holds[h] != NO_ADDRESS))),
    ),
    Property(
        "a conflict is known since an instant", "RFC 5227 §2.4",
        "to a client that gives way, and runs",
        forall(h, (contested[h] == (contested_at[h] != UNSET))
                  & (~contested[h] | (gives_way[h] & runs(h) & (contested_at[h] <= now)))),
    ),
    Property(
        "a clock is set back within a lease", "RFC is silent",
        "that is forgotten with the lease, unless the kernel has removed the address",
        forall(h, dated | by_kernel | ~stepped[h]),
    ),
    Property(
        "a record has an owner and an end", "RFC 2131 §2.2",
        "or neither",
        forall(a, (owner[a] == NOBODY) == (server_end[a] == UNSET)),
    ),
)  # fmt: skip
"""Of every state: what belongs together is there together, or is forgotten together."""


def keeps(*terms: Expr) -> Expr:
    """Each term is worth the same after the step."""
    first, *others = (following(term) == term for term in terms)
    for other in others:
        first = first & other
    return first


def stays(instant: Expr) -> Expr:
    """An instant is as far from now as before, or is unset as before."""
    unset = (instant == UNSET) & following(instant == UNSET)
    set_ = (instant != UNSET) & following(instant != UNSET)
    return unset | (set_ & (following(instant - now) == instant - now))


def goes(m: Expr) -> Expr:
    """A datagram leaves its slot, or makes room for its answer."""
    return (kind[m] != "FREE") & (following(kind[m]) != kind[m])


def taken(m: Expr, h: Expr, *kinds: str) -> Expr:
    """Such a datagram of `h` goes."""
    return goes(m) & is_in(kind[m], *kinds) & (client[m] == h)


rests = ~runs(h) & keeps(process[h], asleep[h])
undisturbed = forall(m, keeps(kind[m]))  # nothing is sent or received
set_back = ~stepped[h] & following(stepped[h])
its_own = following(client[m]) == h
gives_up = (holds[h] != NO_ADDRESS) & following(holds[h] == NO_ADDRESS)
dies = (process[h] != "DEAD") & following(process[h] == "DEAD")
moves = ~keeps(phase[h], wants[h]) | ~stays(lease_end[h])
ends = leased(h) & ~following(leased(h))
renews = ~keeps(phase[h]) & following(renewing(h) | (phase[h] == "REBOOTING"))
given_back = exists(m, taken(m, h, "RELEASE", "DECLINE") & (address[m] == a))
loses_record = (owner[a] != NOBODY) & following(owner[a] == NOBODY)


TIME = (
    Property(
        "no client oversleeps T1", "RFC 2131 §4.4.5",
        "while it runs, can send and need not wait, time stands until it has asked to renew",
        forall(h, (prompt(h) & (phase[h] == "BOUND") & (now < rebind_at[h])).implies(
            following(now <= renew_at[h]))),
    ),
    Property(
        "no client oversleeps T2", "RFC 2131 §4.4.5",
        "while it runs, can send and need not wait, time stands until it has asked any server",
        forall(h, (prompt(h) & is_in(phase[h], "BOUND", "RENEWING") & (now < lease_end[h])).implies(
            following(now <= rebind_at[h]))),
    ),
    Property(
        "no client asks longer than it says", "RFC 2131 §3.1(5)",
        "while it runs, time stands until it has begun again",
        forall(h, (runs(h) & (phase[h] == "REQUESTING")).implies(
            following(now <= asked[h] + asks_for[h]))),
    ),
    Property(
        "no client probes longer than it says", "RFC 5227 §2.1.1",
        "while it runs, can send and its lease goes on, time stands until it uses the address",
        forall(h, (runs(h) & room & (phase[h] == "PROBING") & may_be_used(h)).implies(
            following(now <= probing_since[h] + probe_time[h] + late[h]))),
    ),
    Property(
        "no client that gives way overlooks a conflict", "RFC 5227 §2.4",
        "while it runs and ARP is not lost, time stands until it has heard of the other host",
        forall(h, (runs(h) & gives_way[h] & ~loses_arp & in_conflict(h)).implies(contested[h])),
    ),
    Property(
        "no client lets a conflict go on longer than it says", "RFC 5227 §2.4 (a), (b)",
        "while it runs and can send, time stands until it has given way; and a conflict that is "
        "over is forgotten",
        forall(h, contested[h].implies(
            in_conflict(h) & (~room | following(now <= contested_at[h] + gives_way_within[h])))),
    ),
    Property(
        "suspend stops CLOCK_MONOTONIC and the kernel's lifetimes", "RFC is silent; measured",
        "while a host sleeps, what they count to stays as far away",
        forall(h, asleep[h].implies(
            ((clock[h] != "MONOTONIC") | ~leased(h)
             | (stays(lease_end[h]) & stays(renew_at[h]) & stays(rebind_at[h])))
            & ((clock[h] != "MONOTONIC") | ~counts(h) | stays(asked[h]))
            & ((clock[h] != "MONOTONIC") | stays(refused_at[h]))
            & ((clock[h] != "MONOTONIC") | (holds[h] == NO_ADDRESS) | stays(lease_end[h]))
            & (~by_kernel | (holds[h] == NO_ADDRESS) | stays(kernel_end[h])))),
    ),
)  # fmt: skip
"""Of every step in which time passes."""
