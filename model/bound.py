"""How long a client may outstay its lease, and how long a server must wait: the bound of T3.

The bound is written once, as terms over the constants of the table: `holdover grace` evaluates
them, theorem T3 proves them in both directions, the documentation prints them.

    worst holdover = anchor delay + honoured / (1 - drift) + overhang - granted / (1 + drift)
    safe grace     = (1 + drift) x (worst holdover), and never below 0

where *honoured* is the lease as the client counts it (at least its floor), *granted* the shortest
lease that the server's record may hold meanwhile, *anchor delay* how long after the commitment the
client begins to count, and *overhang* how long after its own lease end the address may stay.
For a client that counts from the REQUEST and acts at once this is 2 x drift x lease / (1 - drift).
"""

from holdover.model.client import fastest, honoured, slowest
from holdover.model.expr import DURATION, RATIO, Expr, ite, lift

from holdover.model.words import (  # isort: skip
    ONE,
    acknowledge_within, acknowledges, anchor, checks_xid, clock, crashes, delay, dialog, drift,
    enforcer, forges, forgets, freezes, full, heeds_shorter, kernel_late, late, least, loses,
    margin, patient, probe_time, probes, releases, restarts, retries_for, reuses_early, rival,
    shortens, step, steps, stops, suspends, thaws, trigger,
)  # fmt: skip

ZERO = lift(0, DURATION)


def greatest(first: Expr, second: Expr) -> Expr:
    """The greater of two durations."""
    return ite(first < second, second, first)


# What holds the address back ----------------------------------------------------------------------

process_acts = (
    ~freezes
    & ~crashes
    & ~(suspends & ((clock != "BOOTTIME") | (trigger != "LAPSE")))
    & ((trigger == "LAPSE") | (trigger == "RETRY") | ((trigger == "ACKNOWLEDGE") & acknowledges))
)
kernel_acts = (enforcer == "KERNEL") & ~suspends & ~(steps & (clock == "WALL") & restarts)
anchor_is_bounded = (checks_xid & ((anchor == "REQUEST") | ~(freezes & thaws))) | (
    ~checks_xid & ~(freezes & (thaws | restarts)) & ~releases & ~probes
)

process_overhang = (
    late
    + ite(
        trigger == "RETRY",
        retries_for,
        ite((trigger == "ACKNOWLEDGE") & acknowledges, acknowledge_within, ZERO),
    )
    + ite(steps & (clock == "WALL"), step, ZERO)
)
kernel_overhang = kernel_late - margin

# The bound ---------------------------------------------------------------------------------------

server_keeps = ~forgets & ~forges & ~rival & ~reuses_early
"""The server stands by its leases; without that no grace of the server's helps."""

bounded = anchor_is_bounded & (process_acts | kernel_acts)
"""There is a worst holdover at all."""

anchor_delay = ite(
    (anchor == "REQUEST") & checks_xid,
    ZERO,
    delay + ite(anchor == "PROBE", probe_time, ZERO),
)

overhang = ite(
    process_acts & kernel_acts,
    ite(process_overhang < kernel_overhang, process_overhang, kernel_overhang),
    ite(kernel_acts, kernel_overhang, process_overhang),
)

ack_missed = (
    ~heeds_shorter
    | ~checks_xid
    | ~patient
    | loses
    | freezes
    | crashes
    | (stops & restarts)
    | suspends
)
"""The client may never act on an ACK that moves the server's record back."""


def outstay(counted: Expr, granted: Expr) -> Expr:
    """How long a client holds that counts the one length, past the record of the other."""
    return anchor_delay + slowest(honoured(counted)) + overhang - fastest(granted)


while_under_way = delay - fastest(least)
"""How long a client holds past a record that was moved back, until it hears of that."""

one_lease = greatest(outstay(full, full), outstay(least, least))
"""Past the record of the lease that it counts: longest for a long one, or below the floor."""

worst_holdover = ite(
    shortens,
    ite(ack_missed, outstay(full, least), greatest(one_lease, while_under_way)),
    outstay(full, full),
)


def least_grace() -> Expr:
    """The shortest grace with which no collision is possible, provided `bounded`."""
    needed = worst_holdover * (ONE + drift)
    return ite(needed < ZERO, ZERO, needed)


safe_grace = least_grace()

PREMISES = (
    drift >= lift(0, RATIO),
    drift < ONE,
    least > ZERO,
    least <= full,
    shortens | (least == full),
    (trigger == "ACKNOWLEDGE").implies(dialog),
    heeds_shorter.implies((trigger == "LAPSE") & (clock != "WALL")),
)
"""What the bound assumes: one lease length, unless renewals may shorten it; and of a profile what
`contradiction` (model/profile.py) asks."""
