"""How many steps wfwg311 is at least away from a collision: a bound that says so of each state.

A collision has two parts.  `h` overstays: it gets a lease, asks in vain for more time on it while
the server is silent, lets it lapse, and shows a notice.  Then `g` is given the address, by a server
that is back.  The bound is a sum: what is left for `h` to do, for the server to be silenced and
brought back, and for `g` to do.  For other runs it says too little, which does no harm.

In ticks time passes step by step as well, and the ticks until the record is over are added.

The numbers count rows of the lease table.  Nothing here is believed: a solver proves that no row
lowers the bound by more than one, before anything is made of it (`steps_left.py`).
"""

from __future__ import annotations

from holdover.model.table.client import NO_ADDRESS, leased
from holdover.model.table.expr import DURATION, Expr, exists, is_in, ite, lift
from holdover.model.table.vocabulary import (
    a,
    client,
    full,
    g,
    h,
    holds,
    kind,
    m,
    notice,
    now,
    owner,
    phase,
    server_end,
    serving,
)


def steps(number: int) -> Expr:
    """So many steps.  The language has no numbers but durations, and so has no other sort."""
    return lift(number, DURATION)


def first(*cases: tuple[Expr, Expr], otherwise: Expr) -> Expr:
    """The value of the first of these cases."""
    for condition, number in reversed(cases):
        otherwise = ite(condition, number, otherwise)
    return otherwise


def under_way(h: Expr, *kinds: str) -> Expr:
    """A datagram of such a kind, from the client or to it, is in flight."""
    return exists(m, (client[m] == h) & is_in(kind[m], *kinds))


def overstays(h: Expr) -> Expr:
    """The client holds an address, and its lease is over."""
    return ~leased(h) & (holds[h] != NO_ADDRESS)


def to_lease(h: Expr) -> Expr:
    """DHCPDISCOVER, the offer, DHCPREQUEST, the commitment, the lease."""
    return first(
        (under_way(h, "DISCOVER"), steps(4)),
        (under_way(h, "OFFER"), steps(3)),
        (under_way(h, "REQUEST"), steps(2)),
        (under_way(h, "ACK"), steps(1)),
        (phase[h] == "REQUESTING", steps(3)),  # it sends its DHCPREQUEST again
        otherwise=steps(5),
    )


def to_notice(h: Expr) -> Expr:
    """With a lease: to renew, to rebind, both in vain; the lapse and the notice."""
    in_vain = ite(under_way(h, "REQUEST", "ACK"), 1, steps(0))
    return first(
        (overstays(h), ite(notice[h] == "SHOWN", 0, steps(1))),
        (phase[h] == "BOUND", steps(6)),
        (phase[h] == "RENEWING", steps(4) + in_vain),
        (phase[h] == "REBINDING", steps(2) + in_vain),
        otherwise=to_lease(h) + steps(6),
    )


def to_silence(h: Expr) -> Expr:
    """The server has yet to fall silent, and so to be back, for `h` to ask in vain."""
    asks = is_in(phase[h], "BOUND", "RENEWING") | under_way(h, "REQUEST", "ACK")
    return first(
        (overstays(h), steps(0)),
        (leased(h) | under_way(h, "ACK"), ite(asks & serving(), 2, steps(0))),
        otherwise=steps(2),
    )


def to_be_given(g: Expr) -> Expr:
    """The server is back, if it is silent and has not answered yet; and `g` gets a lease."""
    silent = ~(serving() | under_way(g, "ACK"))
    return ite(leased(g), 1, to_lease(g) + ite(silent, 1, steps(0)))


def ticks_to_reuse(h: Expr, a: Expr) -> Expr:
    """Ticks until the server may give `a` to another: one past the end of the lease."""
    ahead = server_end[a] - now + steps(1)
    return first(
        (~(overstays(h) | leased(h) | under_way(h, "ACK")), full + steps(1)),
        ((owner[a] == h) & (steps(0) < ahead), ahead),
        otherwise=steps(0),
    )


IN_SECONDS = to_notice(h) + to_silence(h) + to_be_given(g)
"""Rows until `h` and `g` collide, in whatever time."""

IN_TICKS = IN_SECONDS + ticks_to_reuse(h, a)
"""Rows and ticks until `h` and `g` collide over `a`."""
