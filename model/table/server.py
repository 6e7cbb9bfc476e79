"""The server's rows of the lease table: what a server commits, refuses, reuses and loses.

A server leases to a client identifier (RFC 2131 §2): hosts that have one together (`clones`) are
one client to it.  The server is one party, whatever machines it runs on; `rival_offer`,
`rival_ack` and `rival_nak` are a second one that shares its pool and not its records.  An ACK
moves a running lease's end only forward, unless the environment lets renewals shorten it.  A reply
takes the slot of the request it answers.
"""

from holdover.model.table.client import UNSET, answered, clear, fastest, measures, send
from holdover.model.table.expr import (
    TRUE,
    Action,
    Effect,
    Expr,
    becomes,
    everywhere,
    forall,
    ite,
    none,
)
from holdover.model.table.vocabulary import (
    HOST,
    a,
    address,
    authoritative,
    client,
    clones,
    durable,
    forges,
    forgets,
    full,
    g,
    grace,
    h,
    jumps,
    kind,
    lease,
    least,
    length,
    loses_arp,
    m,
    mutes,
    now,
    owner,
    reuses_early,
    rival,
    sent,
    server_end,
    server_probes,
    serving,
    shortens,
    skew,
    step,
    withheld,
)

NOBODY = none(HOST)


def over(a: Expr) -> Expr:
    """The lease on `a` is over on the server's clock, and so is the grace, strictly.

    At the instant itself the last client may still hold: "at" on both sides would collide.
    """
    return now - server_end[a] > fastest(grace)


def reusable(a: Expr) -> Expr:
    """The server may lease `a`, which is on record for one client, to another."""
    return reuses_early | over(a)


def same_client(g: Expr, h: Expr) -> Expr:
    """The two hosts have one client identifier, and so are one client to the server."""
    return (g == h) | (clones[g] & clones[h])


def leased_to(a: Expr, h: Expr) -> Expr:
    """The server has a lease on `a` on record for the client that `h` is to it."""
    to_a_clone = clones[h] & ~forall(g, (owner[a] != g) | ~clones[g])
    return (owner[a] == h) | to_a_clone


def unanswered(h: Expr, a: Expr) -> Expr:
    """The server's own probe before an offer finds nobody but, perhaps, the client (§3.1(2))."""
    return (server_probes & ~loses_arp).implies(~answered(h, a))


def available(h: Expr, a: Expr) -> Expr:
    """What the server chooses from for `h`: its own address, a free one, one whose time is over."""
    return ~withheld[a] & (leased_to(a, h) | (owner[a] == NOBODY) | reusable(a))


def on_offer(h: Expr, a: Expr) -> Expr:
    """The server may offer `a` to `h`."""
    return available(h, a) & unanswered(h, a)


def grants(m: Expr, h: Expr, a: Expr) -> tuple[Expr, ...]:
    """What every commitment asks: a request for `a` before a server that serves."""
    return (kind[m] == "REQUEST", client[m] == h, address[m] == a, serving(), ~withheld[a],
            least <= length, length <= full, measures(length, skew))  # fmt: skip


def committed(m: Expr, h: Expr, a: Expr) -> tuple[Effect, ...]:
    """Record first, then DHCPACK (§3.1(4)): the lease runs from now on the server's clock."""
    return (
        becomes(owner[a], h),
        becomes(server_end[a], now + length + skew),
        becomes(kind[m], "ACK"),
        becomes(lease[m], length),
        becomes(sent[m], now),
    )


def freed(a: Expr) -> tuple[Effect, ...]:
    """The record of the lease on `a` is gone."""
    return (becomes(owner[a], NOBODY), becomes(server_end[a], UNSET))


SERVER_ACTIONS = (
    Action("offer", "RFC 2131 §3.1(2), §4.3.1",
        "the server offers {a} to {h}",
        (m, h, a),
        when=(kind[m] == "DISCOVER", client[m] == h, serving(), on_offer(h, a)),
        then=(becomes(kind[m], "OFFER"), becomes(address[m], a), becomes(sent[m], now))),

    Action("commit", "RFC 2131 §3.1(4), §4.3.2",
        "the server commits {a} to {h} and sends DHCPACK",
        (m, h, a, length, skew),
        when=(*grants(m, h, a), owner[a] == NOBODY),
        then=committed(m, h, a)),

    Action("prolong", "RFC 2131 §4.3.2; §3.3 for a shorter lease",
        "the server prolongs the lease of {h} on {a} and sends DHCPACK",
        (m, h, a, length, skew),
        when=(*grants(m, h, a), leased_to(a, h),
              shortens | (server_end[a] <= now + length + skew)),
        then=committed(m, h, a)),

    Action("reuse", "RFC 2131 §2.2, §4.3.1; Q151387 CAUSE",
        "the server reuses {a}, once leased to {g}: it commits it to {h} and sends DHCPACK",
        (m, h, a, g, length, skew),
        when=(*grants(m, h, a), owner[a] == g, ~same_client(g, h), reusable(a)),
        then=committed(m, h, a)),

    Action("refuse", "RFC 2131 §4.3.2, §3.1(4)",
        "the server refuses {a} to {h} with DHCPNAK",
        (m, h, a),
        when=(kind[m] == "REQUEST", client[m] == h, address[m] == a, serving(),
              ~leased_to(a, h) | withheld[a]),
        then=(becomes(kind[m], "NAK"), becomes(sent[m], now))),

    Action("find_none", "RFC 2131 §3.1(2) \"may respond\", §4.3.1: one on offer to another is kept",
        "the server finds no address for {h} and does not answer",
        (m, h),
        when=(kind[m] == "DISCOVER", client[m] == h, serving()),
        then=clear(m)),

    Action("set_aside", "RFC 2131 §2.2, §3.1(2); silent on what becomes of the address",
        "the server probes {a} for {h}, is answered by another host, and withholds it",
        (m, h, a),
        when=(kind[m] == "DISCOVER", client[m] == h, serving(), server_probes, available(h, a),
              answered(h, a)),
        then=(becomes(withheld[a], True),)),

    Action("stay_silent", "RFC 2131 §4.3.2 MUST: no record, no answer",
        "the server has no record of {h} on {a} and does not answer",
        (m, h, a),
        when=(kind[m] == "REQUEST", client[m] == h, address[m] == a, serving(),
              ~leased_to(a, h), ~authoritative),
        then=clear(m)),

    Action("free", "RFC 2131 §4.3.4",
        "the server frees {a}, released by {h}",
        (m, h, a),
        when=(kind[m] == "RELEASE", client[m] == h, address[m] == a, serving()),
        then=(becomes(owner[a], ite(leased_to(a, h), NOBODY, owner[a])),
              becomes(server_end[a], ite(leased_to(a, h), UNSET, server_end[a])),
              *clear(m))),

    Action("withhold", "RFC 2131 §4.3.3 MUST",
        "the server withholds {a}, declined by {h}",
        (m, h, a),
        when=(kind[m] == "DECLINE", client[m] == h, address[m] == a, serving(),
              leased_to(a, h) | (owner[a] == NOBODY)),
        then=(*freed(a), becomes(withheld[a], True), *clear(m))),

    Action("disregard", "RFC 2131 §4.3.3 \"the suggested network address\"; else it is silent",
        "the server disregards that {h} declines {a}, which is not leased to it",
        (m, h, a),
        when=(kind[m] == "DECLINE", client[m] == h, address[m] == a, serving(),
              ~leased_to(a, h)),
        then=clear(m)),

    Action("reinstate", "RFC 2131 §4.3.3 is silent on how long; servers use timers",
        "the server takes {a} back into its pool",
        (a,),
        when=(withheld[a],),
        then=(becomes(withheld[a], False),)),

    Action("mute", "Q151387 CAUSE: \"not available on the network\"",
        "the server falls silent",
        (),
        when=(mutes, serving()),
        then=(becomes(serving(), False),)),

    Action("unmute", "Q151387 CAUSE, second paragraph",
        "the server is back",
        (),
        when=(~serving(),),
        then=(becomes(serving(), True),)),

    Action("forget", "RFC 2131 §4 asks for permanent storage; measured: leases lost",
        "the server restarts without its leases",
        (),
        when=(forgets, ~durable),
        then=everywhere(a, TRUE, *freed(a), becomes(withheld[a], False))),

    Action("jump", "RFC is silent; reported: a clock that GPS or NTP sets after the server's start",
        "the server's clock is set forward: to it, each running lease ends that much sooner",
        (),
        when=(jumps, ~forall(a, (owner[a] == NOBODY) | over(a))),
        then=everywhere(a, (owner[a] != NOBODY) & ~over(a),
                        becomes(server_end[a], server_end[a] - step))),

    Action("forge", "RFC 2131 §7",
        "somebody sends DHCPRELEASE for {a} in the name of {h}",
        (m, h, a),
        when=(forges, kind[m] == "FREE", owner[a] == h),
        then=send(m, h, "RELEASE", a)),

    Action("rival_offer", "RFC 2131 §2.2, §3.1(2)",
        "a second server offers {a} to {h}",
        (m, h, a),
        when=(rival, kind[m] == "DISCOVER", client[m] == h, unanswered(h, a)),
        then=(becomes(kind[m], "OFFER"), becomes(address[m], a), becomes(sent[m], now))),

    Action("rival_ack", "RFC 2131 §2.2",
        "a second server, which does not know the first one's leases, sends {h} DHCPACK for {a}",
        (m, h, a, length),
        when=(rival, kind[m] == "REQUEST", client[m] == h, address[m] == a,
              least <= length, length <= full),
        then=(becomes(kind[m], "ACK"), becomes(lease[m], length), becomes(sent[m], now))),

    Action("rival_nak", "RFC 2131 §4.3.2; silent on a server that the client has not chosen",
        "a second server, which does not know the first one's leases, refuses {a} to {h} with "
        "DHCPNAK",
        (m, h, a),
        when=(rival, kind[m] == "REQUEST", client[m] == h, address[m] == a),
        then=(becomes(kind[m], "NAK"), becomes(sent[m], now))),
)  # fmt: skip
