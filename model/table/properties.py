"""What must hold: of every state, of every step, of some state, and in the end.

`always` properties are terms over a state, `steps` over the state before and after; a reading
decides what checks them.  `sometimes` guard against vacuity.  `eventually` properties are in
`explore.py`, since they speak of whole runs.
"""

from dataclasses import dataclass

from holdover.model.table.client import LEASED, NO_ADDRESS, answers, leased
from holdover.model.table.expr import DURATION, Expr, exists, following, forall, is_in, ite, lift
from holdover.model.table.server import NOBODY, leased_to
from holdover.model.table.vocabulary import (
    a,
    address,
    after_nak,
    asleep,
    client,
    clones,
    enforcer,
    g,
    h,
    holds,
    kernel_late,
    kind,
    late,
    lease_end,
    m,
    margin,
    nak_late,
    notice,
    now,
    owner,
    phase,
    process,
    refused,
    refused_at,
    server_end,
)

ZERO = lift(0, DURATION)


def declared_error(h: Expr) -> Expr:
    """How late whatever removes the address may be, as the profile declares it."""
    kernel = kernel_late[h] - margin[h]
    return ite((enforcer[h] == "KERNEL") & (late[h] < kernel), kernel, late[h])


def waits_after_nak(h: Expr) -> Expr:
    """A DHCPNAK has ended the lease, and the client has declared how long the address may stay."""
    return (after_nak[h] == "WAIT") & ~leased(h) & refused[h]


@dataclass(frozen=True)
class Property:
    """A statement about states or steps, with the sentence it stands for."""

    name: str
    source: str
    says: str
    term: Expr


EXCLUSIVE = Property(
    "exclusive", "RFC 2131 §1.6",
    "no address is in use by more than one host at a time",
    forall(a, forall(h, forall(g, (answers(h, a) & answers(g, a)).implies(h == g)))),
)  # fmt: skip

WITHIN_LEASE = Property(
    "within_lease", "RFC 2131 §4.4.5 MUST",
    "no host holds past its own lease end, but for its declared enforcement error",
    forall(h, ((holds[h] != NO_ADDRESS) & ~asleep[h])
              .implies((now <= lease_end[h] + declared_error(h))
                       | (waits_after_nak(h) & (now <= refused_at[h] + nak_late[h])))),
)  # fmt: skip

OBEYS_NAK = Property(
    "obeys_nak",
    "RFC 2131 §4.4.5 MUST, §3.2(3)",
    "no host holds an address that a DHCPNAK has refused it, but for its declared delay",
    forall(
        h,
        (refused[h] & (holds[h] != NO_ADDRESS) & ~asleep[h]).implies(
            waits_after_nak(h) & (now <= refused_at[h] + nak_late[h])
        ),
    ),
)

RELEASED_FIRST = Property(
    "released_first", "Q151387 RESOLUTION",
    "while a notice of a lapse is due or on the screen, the lapsed address is not held",
    forall(h, ((notice[h] != "SILENT") & (holds[h] != NO_ADDRESS)).implies(leased(h))),
)  # fmt: skip

ALWAYS = (EXCLUSIVE, WITHIN_LEASE, OBEYS_NAK, RELEASED_FIRST)

# A lease is given up by its client's RELEASE or DECLINE, which is the only datagram that goes then;
# to the server a clone is that client, and what it commits to a clone it commits to that client.
_of_client = (client[m] == h) | (clones[h] & exists(g, (client[m] == g) & clones[g]))
_to_client = clones[h] & exists(g, (following(owner[a]) == g) & clones[g])
_given_up = exists(
    m,
    ((kind[m] == "RELEASE") | (kind[m] == "DECLINE"))
    & _of_client
    & (address[m] == a)
    & (following(kind[m]) == "FREE"),
)

ONE_COMMITMENT = Property(
    "one_commitment", "RFC 2131 §2.2",
    "a running lease ends only by its own client's RELEASE or DECLINE",
    forall(h, forall(a, ((owner[a] == h) & (following(owner[a]) != h) & ~_given_up
                         & ~_to_client)
                     .implies(server_end[a] < now))),
)  # fmt: skip

KEEPS = Property(
    "keeps",
    "RFC 2131 §4.4.5",
    "while its process and its lease go on, a client keeps the address, but for its declared "
    "margin",
    forall(
        h,
        (
            (holds[h] != NO_ADDRESS)
            & (following(holds[h]) == NO_ADDRESS)
            & leased(h)
            & is_in(following(phase[h]), *LEASED)
            & (following(process[h]) == process[h])
        ).implies(lease_end[h] - margin[h] <= now),
    ),
)

STEPS = (ONE_COMMITMENT, KEEPS)

_both_hold = (holds[h] != NO_ADDRESS) & (holds[g] != NO_ADDRESS)
holding_two = exists(h, exists(g, (h != g) & _both_hold & (holds[h] != holds[g])))
SOMETIMES = (
    Property("two addresses in use", "RFC 2131 §1.6",
             "two hosts hold different addresses at once", holding_two),
)  # fmt: skip

moves = exists(h, exists(g, exists(a, (owner[a] == h) & (following(owner[a]) == g) & (h != g))))
"""Of a step: an address goes from one host to another (a `sometimes` of steps)."""

HOLDOVER_CASES = ((holds[h] == a) & leased_to(a, h) & ~asleep[h], now - server_end[a])
"""When a host outstays the server's record of its lease, and by how much (design: *holdover*)."""

__all__ = ["ALWAYS", "HOLDOVER_CASES", "NOBODY", "SOMETIMES", "STEPS", "Property", "moves"]
