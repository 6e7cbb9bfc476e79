"""How long a client may outstay its lease, and how long a server must wait: the bound of T3.

The bound is written once, as terms over the constants of the table: `holdover grace` evaluates
them, theorem T3 proves them in both directions, the documentation prints them.  Each term is about
one host, whatever clients the others have; a server needs the grace of the host that needs most.

    worst holdover = anchor delay + honoured / (1 - drift) + overhang - granted / (1 + drift)
    safe grace     = (1 + drift) x (worst holdover), and never below 0

where *honoured* is the lease as the client counts it (at least its floor), *granted* the shortest
lease that the server's record may hold meanwhile, *anchor delay* how long after the commitment the
client begins to count, and *overhang* how long after its own lease end the address may stay.
For a client that counts from the REQUEST and acts at once this is 2 x drift x lease / (1 - drift).
"""

from holdover.model.table.client import fastest, heeded, honoured, slowest
from holdover.model.table.expr import DURATION, RATIO, Expr, forall, ite, lift
from holdover.model.table.vocabulary import (
    ONE,
    acknowledge_within,
    acknowledges,
    after_nak,
    after_t1,
    anchor,
    asks_for,
    authoritative,
    checks_xid,
    clock,
    clones,
    crashes,
    delay,
    dialog,
    drift,
    enforcer,
    forges,
    forgets,
    freezes,
    full,
    gives_way,
    gives_way_within,
    h,
    hears_renewing,
    heeds_shorter,
    intrudes,
    jumps,
    keeps_old,
    kernel_late,
    late,
    least,
    loses,
    loses_arp,
    margin,
    mutes,
    nak_late,
    patient,
    probe_time,
    probes,
    releases,
    restarts,
    retries_for,
    reuses_early,
    rival,
    settles,
    shortens,
    step,
    steps,
    stops,
    suspends,
    thaws,
    trigger,
)

ZERO = lift(0, DURATION)


def greatest(first: Expr, second: Expr) -> Expr:
    """The greater of two durations."""
    return ite(first < second, second, first)


# What holds the address back ----------------------------------------------------------------------


def process_acts(h: Expr) -> Expr:
    """The process removes the address in the end, whatever happens to it."""
    answered = (trigger[h] == "ACKNOWLEDGE") & acknowledges
    return (
        ~freezes[h]
        & ~crashes[h]
        & ~(suspends[h] & ((clock[h] != "BOOTTIME") | (trigger[h] != "LAPSE")))
        & (checks_xid[h] | (after_nak[h] == "REMOVE"))
        & ((trigger[h] == "LAPSE") | (trigger[h] == "RETRY") | answered)
    )


def kernel_acts(h: Expr) -> Expr:
    """The kernel removes it in the end."""
    set_back = steps[h] & (clock[h] == "WALL") & restarts[h]
    return (enforcer[h] == "KERNEL") & ~suspends[h] & ~set_back


def anchor_is_bounded(h: Expr) -> Expr:
    """There is an end to how late an ACK may be from which the client counts."""
    return (checks_xid[h] & ((anchor[h] == "REQUEST") | ~(freezes[h] & thaws[h]))) | (
        ~checks_xid[h] & ~(freezes[h] & (thaws[h] | restarts[h])) & ~releases[h] & ~probes[h]
    )


def process_overhang(h: Expr) -> Expr:
    """How long after its lease end the process may hold the address."""
    answered = ite((trigger[h] == "ACKNOWLEDGE") & acknowledges, acknowledge_within, ZERO)
    waits = ite(trigger[h] == "RETRY", retries_for[h], answered)
    return late[h] + waits + ite(steps[h] & (clock[h] == "WALL"), step, ZERO)


def kernel_overhang(h: Expr) -> Expr:
    """How long after its lease end the kernel may; less than nothing where it is told early."""
    return kernel_late[h] - margin[h]


def overhang(h: Expr) -> Expr:
    """How long after its lease end anybody may: until the first of those who act has."""
    process, kernel = process_overhang(h), kernel_overhang(h)
    first = ite(process < kernel, process, kernel)
    return ite(process_acts(h) & kernel_acts(h), first, ite(kernel_acts(h), kernel, process))


# The bound ---------------------------------------------------------------------------------------

server_keeps = ~forgets & ~forges & ~rival & ~reuses_early & ~jumps
"""The server stands by its leases; without that no grace of the server's helps."""


def known_alone(h: Expr) -> Expr:
    """The server takes no other host for this one, and nobody has given another its address."""
    return ~clones[h] & ~settles[h] & ~intrudes[h]


def leased_alone(h: Expr) -> Expr:
    """What the host has on its interface is what the server leases to it, and to nobody else."""
    return known_alone(h) & ~keeps_old[h]


def bounded(h: Expr) -> Expr:
    """There is a worst holdover at all, and the server knows whose lease it is."""
    return leased_alone(h) & anchor_is_bounded(h) & (process_acts(h) | kernel_acts(h))


def anchor_delay(h: Expr) -> Expr:
    """How long after the server's commitment the client begins to count."""
    probing = ite(anchor[h] == "PROBE", probe_time[h], ZERO)
    return ite((anchor[h] == "REQUEST") & checks_xid[h], ZERO, delay + probing)


def ack_missed(h: Expr) -> Expr:
    """The client may never act on an ACK that moves the server's record back."""
    return (
        ~heeds_shorter[h]
        | ~checks_xid[h]
        | ~patient
        | loses
        | freezes[h]
        | crashes[h]
        | (stops[h] & restarts[h])
        | suspends[h]
    )


def outstay(h: Expr, counted: Expr, granted: Expr) -> Expr:
    """How long a client holds that counts the one length, past the record of the other."""
    return anchor_delay(h) + slowest(honoured(h, counted)) + overhang(h) - fastest(granted)


while_under_way = delay - fastest(least)
"""How long a client holds past a record that was moved back, until it hears of that."""


def one_lease(h: Expr) -> Expr:
    """Past the record of the lease that it counts: longest for a long one, or below the floor."""
    return greatest(outstay(h, full, full), outstay(h, least, least))


def worst_holdover(h: Expr) -> Expr:
    """How long the client on `h` holds past the server's record at most."""
    heard = greatest(one_lease(h), while_under_way)
    shortened = ite(ack_missed(h), outstay(h, full, least), heard)
    return ite(shortens, shortened, outstay(h, full, full))


def safe_grace(h: Expr) -> Expr:
    """The shortest grace with which no collision is possible through `h`, provided `bounded`."""
    needed = worst_holdover(h) * (ONE + drift)
    return ite(needed < ZERO, ZERO, needed)


# When a server has given the address away ---------------------------------------------------------


def asks_and_hears(h: Expr) -> Expr:
    """The client asks at T1, and nothing keeps a DHCPNAK from ending its lease and its use."""
    works = ~freezes[h] & ~crashes[h] & ~suspends[h] & ~(stops[h] & restarts[h])
    keeps_time = (trigger[h] == "LAPSE") & ~(steps[h] & (clock[h] == "WALL"))
    heeds = checks_xid[h] & heeded(h) & (after_nak[h] != "LEAVE")
    hears = hears_renewing[h] & patient & ~loses
    return works & keeps_time & heeds & hears & authoritative & ~mutes


def settled(h: Expr) -> Expr:
    """Even of the shortest lease, all that it began with is over by T1: datagrams, and a probe."""
    probing = ite(probes[h], probe_time[h], ZERO)
    begun = asks_for[h] + probing + late[h] + delay + delay
    shortest = honoured(h, least)
    return (begun <= fastest(shortest) - after_t1) & (margin[h] + delay + delay < shortest)


def to_lease_end(h: Expr) -> Expr:
    """From a commitment to the last instant at which the client may use that lease."""
    return anchor_delay(h) + slowest(honoured(h, full)) + overhang(h)


def to_refusal(h: Expr) -> Expr:
    """From a commitment to the last instant at which a DHCPNAK ends the lease, asked for at T1."""
    return anchor_delay(h) + slowest(honoured(h, full)) - after_t1 + delay + delay


def after_refusal(h: Expr) -> Expr:
    """How long the address may stay when a DHCPNAK that the client heeds has ended its lease."""
    return ite((after_nak[h] == "WAIT") & heeded(h), nak_late[h], ZERO)


def soon_refused(h: Expr) -> Expr:
    """A host that lets go when it asks for more time."""
    return leased_alone(h) & asks_and_hears(h) & settled(h)


def soon_over(h: Expr) -> Expr:
    """A host that lets go when its lease ends, or so long after a DHCPNAK that it heeds."""
    in_time = (after_nak[h] == "WAIT") & process_acts(h) & ~suspends[h]
    return bounded(h) & ((after_nak[h] == "REMOVE") | ~heeded(h) | in_time)


def displaced_for(h: Expr) -> Expr:
    """How long a host holds an address at most that its server has given to another.

    There is such a time where a host is `soon_refused` or `soon_over`.
    """
    return ite(soon_refused(h), to_refusal(h), to_lease_end(h)) + after_refusal(h)


# When another host uses the address ---------------------------------------------------------------


def soon_gives_way(h: Expr) -> Expr:
    """A client that hears of any other host which uses its address, and lets go."""
    return gives_way[h] & ~loses_arp & ~freezes[h] & ~crashes[h] & ~suspends[h]


def contested_for(h: Expr) -> Expr:
    """How long an address is in use by `h` and another host at most, if it `soon_gives_way`.

    Each time: whoever lets go may ask for an address again, and be given the same.
    """
    return gives_way_within[h]


def consistent(h: Expr) -> Expr:
    """What the bound needs of a profile that does not contradict itself (clients/profile.py)."""
    return (trigger[h] == "ACKNOWLEDGE").implies(dialog[h]) & heeds_shorter[h].implies(
        (trigger[h] == "LAPSE") & (clock[h] != "WALL") & hears_renewing[h]
    )


PREMISES = (
    drift >= lift(0, RATIO),
    drift < ONE,
    least > ZERO,
    least <= full,
    shortens | (least == full),
    forall(h, consistent(h)),
)
"""What the bound assumes: one lease length, unless renewals may shorten it, and such clients."""
