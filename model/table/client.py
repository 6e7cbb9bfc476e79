"""The client's rows of the lease table: Figure 5 of RFC 2131, and what the RFC leaves out.

A row reads: name, source, the sentence that tells it, parameters, guards, effects; what is not
named keeps its value.  All right sides read the state before the step.  A client acts only while
its process runs on a host that is awake (`runs`); what happens to it from outside, and what the
kernel does without it, is in `environment.py`.

A fresh exchange has an xid that no datagram in flight carries (RFC 2131 §4.4.1 "random"), so an
xid is modelled by what it decides: `current[m]`, whether `m` belongs to its client's present
exchange.
"""

from holdover.model.table.expr import (
    DURATION,
    FALSE,
    INSTANT,
    TRUE,
    Action,
    Due,
    Effect,
    Expr,
    becomes,
    everywhere,
    forall,
    is_in,
    ite,
    lift,
    none,
)
from holdover.model.table.vocabulary import (
    ADDRESS,
    HOST,
    NOTICE,
    ONE,
    PHASE,
    a,
    acknowledge_within,
    acknowledges,
    address,
    after_nak,
    after_t1,
    after_t2,
    anchor,
    asked,
    asks_for,
    asleep,
    beside,
    broadcasts_nak,
    checks_xid,
    client,
    contested,
    contested_at,
    current,
    dialog,
    drift,
    drops_to_renew,
    enforcer,
    floor,
    g,
    gives_way,
    gives_way_within,
    h,
    hears_renewing,
    heeds_nak,
    heeds_shorter,
    holds,
    in_order,
    keeps_old,
    kernel_end,
    kind,
    late,
    lease,
    lease_end,
    loses_arp,
    m,
    margin,
    n,
    nak_late,
    notice,
    now,
    patient,
    phase,
    probe_time,
    probes,
    probing_since,
    process,
    rebind_at,
    refused,
    refused_at,
    releases,
    renew_at,
    retries_for,
    sent,
    skew,
    stepped,
    trigger,
    wants,
)

UNSET = none(INSTANT)
NO_ADDRESS = none(ADDRESS)

LEASED = ("PROBING", "BOUND", "RENEWING", "REBINDING", "INIT_REBOOT", "REBOOTING")

# Words -------------------------------------------------------------------------------------------


def runs(h: Expr) -> Expr:
    """The client's process is there, is not stopped, and its host is awake."""
    return (process[h] == "RUNS") & ~asleep[h]


def leased(h: Expr) -> Expr:
    """The client believes that a lease is running, in use or remembered; its ends are set."""
    return is_in(phase[h], *LEASED)


def first_ask(h: Expr) -> Expr:
    """The client has asked for an address that it does not use under a lease it renews."""
    return is_in(phase[h], "REQUESTING", "REBOOTING")


def renewing(h: Expr) -> Expr:
    """The client has asked for more time on the lease it uses."""
    return is_in(phase[h], "RENEWING", "REBINDING")


def answered_for(h: Expr) -> Expr:
    """The client has an answer to its exchange, and nothing to ask for yet."""
    return is_in(phase[h], "PROBING", "BOUND")


def counts(h: Expr) -> Expr:
    """When the request was sent is of use yet: an ACK may begin a lease there, or cut it short."""
    return first_ask(h) | renewing(h) | (heeds_shorter[h] & answered_for(h))


def answers(h: Expr, a: Expr) -> Expr:
    """The kernel of `h` answers ARP for `a`: the host has it, leased or not, and is awake."""
    return ((holds[h] == a) | (beside[h] == a)) & ~asleep[h]


def answered(h: Expr, a: Expr) -> Expr:
    """Another host's kernel answers a probe by `h` for `a` (RFC 5227 §2.1.1)."""
    return ~forall(g, (g == h) | ~answers(g, a))


def conflict(h: Expr, a: Expr) -> Expr:
    """A probe by `h` for `a` is answered, or meets somebody else's probe (RFC 5227 §2.1.1).

    A probe that is about to be sent meets nobody's: two hosts that probe for one address need not
    see each other, and the first to use it is seen by the other.
    """
    seen = answers(g, a) | ((phase[g] == "PROBING") & (wants[g] == a) & ~asleep[g])
    return ~forall(g, (g == h) | ~seen)


def in_conflict(h: Expr) -> Expr:
    """Another host's kernel answers for the address that `h` uses (RFC 5227 §2.4)."""
    return (holds[h] != NO_ADDRESS) & answered(h, holds[h])


def recognised(h: Expr, m: Expr) -> Expr:
    """The client takes this reply for an answer to its present exchange."""
    return current[m] | ~checks_xid[h]


def deaf(h: Expr) -> Expr:
    """The client does not hear what answers it now."""
    return (phase[h] == "RENEWING") & ~hears_renewing[h]


def honoured(h: Expr, length: Expr) -> Expr:
    """The lease time as the client counts it: never below its floor."""
    return ite(length < floor[h], floor[h], length)


def slowest(length: Expr) -> Expr:
    """The most true time in which a clock within 1 ± drift shows `length`."""
    return length / (ONE - drift)


def fastest(length: Expr) -> Expr:
    """The least true time in which a clock within 1 ± drift shows `length`."""
    return length / (ONE + drift)


def measures(length: Expr, skew: Expr) -> Expr:
    """A clock within 1 ± drift may show `length` when `length + skew` of true time has passed."""
    return (fastest(length) <= length + skew) & (length + skew <= slowest(length))


def to_be_probed(h: Expr) -> Expr:
    """A probe follows, or is on, before the address is used under an ACK taken now."""
    return first_ask(h) | (phase[h] == "PROBING")


def counted_from(h: Expr) -> Expr:
    """The anchor: where the client's lease begins.  Only a first ACK is followed by probing."""
    received = ite((anchor[h] == "PROBE") & to_be_probed(h), now + probe_time[h], now)
    return ite(anchor[h] == "REQUEST", asked[h], received)


def ends_by(h: Expr, m: Expr) -> Expr:
    """When the lease in ACK `m` would end on a perfect clock."""
    return counted_from(h) + honoured(h, lease[m])


def leaves_nothing(h: Expr, m: Expr) -> Expr:
    """On some clock of this drift the lease in ACK `m` leaves no time in which to use it."""
    early = ite(enforcer[h] == "KERNEL", margin[h], lift(0, DURATION))
    return fastest(honoured(h, lease[m])) <= now + early - counted_from(h)


def may_end_sooner(h: Expr, m: Expr) -> Expr:
    """On some clock of this drift the lease in ACK `m` ends sooner than the client's."""
    return fastest(honoured(h, lease[m])) < lease_end[h] - counted_from(h)


def leaves_less(h: Expr, m: Expr) -> Expr:
    """ACK `m` leaves less than the client has, on whatever clock of this drift."""
    return slowest(honoured(h, lease[m])) < lease_end[h] - counted_from(h)


def meant_for(h: Expr, a: Expr) -> Expr:
    """An ACK for `a` is about what the client has asked for, or has (§4.4.5)."""
    return first_ask(h) | ((renewing(h) | answered_for(h)) & (wants[h] == a))


def expects(h: Expr, m: Expr, a: Expr) -> Expr:
    """The client would act on reply `m`, about address `a`, in its present phase.

    Whoever `heeds_shorter` acts on each answer to its question, whatever that leaves; and once more
    on one that leaves less than the first, since the server's record has moved back with it.
    """
    asks = first_ask(h) | renewing(h)
    told = (asks & (heeds_shorter[h] | in_time(h, ends_by(h, m)))) | (
        heeds_shorter[h] & answered_for(h) & leaves_less(h, m)
    )
    return (
        recognised(h, m)
        & ~deaf(h)
        & (
            ((kind[m] == "OFFER") & (phase[h] == "SELECTING"))
            | ((kind[m] == "ACK") & meant_for(h, a) & told)
            | ((kind[m] == "NAK") & asks)
        )
    )


def may_ask_anew(h: Expr) -> Expr:
    """Where clients are patient: nothing of an exchange that `h` has begun is under way."""
    return patient.implies(forall(n, (client[n] != h) | ~is_in(kind[n], "REQUEST", "ACK", "NAK")))


def overstays(h: Expr, reason: str) -> Expr:
    """The client holds the address of a lapsed lease, and this is what it waits for."""
    return (trigger[h] == reason) & ~leased(h) & (holds[h] != NO_ADDRESS)


def heeded(h: Expr) -> Expr:
    """A DHCPNAK, sent as this server sends it, ends a lease in use."""
    return (heeds_nak[h] == "ALWAYS") | ((heeds_nak[h] == "UNICAST") & ~broadcasts_nak)


def outlasts_nak(h: Expr) -> Expr:
    """The address of a lease in use stays for a time when a DHCPNAK ends the lease."""
    return renewing(h) & (after_nak[h] != "REMOVE") & (holds[h] != NO_ADDRESS)


def in_time(h: Expr, end: Expr) -> Expr:
    """It is worth configuring an address whose lease ends at `end`: its lifetime is not over."""
    return now < end - ite(enforcer[h] == "KERNEL", margin[h], lift(0, DURATION))


def may_be_used(h: Expr) -> Expr:
    """Neither the lease of a probed address nor its kernel lifetime is over."""
    return (now < lease_end[h]) & (enforcer[h] == "KERNEL").implies(now < kernel_end[h])


def patience(h: Expr) -> Expr:
    """How long past its deadline a process holds that does not release at the lapse."""
    return ite(trigger[h] == "ACKNOWLEDGE", acknowledge_within, retries_for[h])


def for_client(m: Expr) -> Expr:
    """The datagram is on its way to its client."""
    return is_in(kind[m], "OFFER", "ACK", "NAK")


def buffered(m: Expr) -> Expr:
    """The datagram waits in the socket buffer of a frozen process."""
    return for_client(m) & ~forall(h, (client[m] != h) | (process[h] != "FROZEN") | asleep[h])


# Some slot is free, or will be: not every one is taken by a datagram that a frozen process keeps.
room = ~forall(n, buffered(n))


def prompt(h: Expr) -> Expr:
    """The client asks as soon as its time has come and, if it is patient, nothing is under way."""
    return runs(h) & room & may_ask_anew(h)


# Effects that several rows share ------------------------------------------------------------------


def send(m: Expr, h: Expr, message: str, a: Expr) -> tuple[Effect, ...]:
    """The client puts a datagram into the free slot `m`, under its present xid."""
    return (
        becomes(kind[m], message),
        becomes(client[m], h),
        becomes(address[m], a),
        becomes(sent[m], now),
        becomes(current[m], True),
    )


def clear(m: Expr) -> tuple[Effect, ...]:
    """The datagram is gone; its slot is free."""
    return (
        becomes(kind[m], "FREE"),
        becomes(client[m], none(HOST)),
        becomes(address[m], NO_ADDRESS),
        becomes(sent[m], UNSET),
        becomes(lease[m], none(DURATION)),
        becomes(current[m], False),
    )


def new_exchange(h: Expr) -> tuple[Effect, ...]:
    """A fresh xid: nothing that is in flight carries it."""
    return everywhere(n, client[n] == h, becomes(current[n], False))


def ask(m: Expr, h: Expr, a: Expr, state: str) -> tuple[Effect, ...]:
    """DHCPREQUEST under a fresh xid; the lease will count from here (§4.4.1, §4.4.5)."""
    return (
        *new_exchange(h),
        becomes(phase[h], state),
        becomes(asked[h], now),
        *send(m, h, "REQUEST", a),
    )


def unrefused(h: Expr) -> tuple[Effect, ...]:
    """No address is in use that a DHCPNAK has refused."""
    return (becomes(refused[h], False), becomes(refused_at[h], UNSET))


def forget_lease(h: Expr) -> tuple[Effect, ...]:
    """Nothing is left of the lease but, perhaps, the address on the interface."""
    return (
        becomes(wants[h], NO_ADDRESS),
        becomes(asked[h], UNSET),
        becomes(renew_at[h], UNSET),
        becomes(rebind_at[h], UNSET),
        becomes(lease_end[h], UNSET),
        becomes(kernel_end[h], UNSET),
        becomes(probing_since[h], UNSET),
        *unrefused(h),
        becomes(stepped[h], False),
    )


def start_over(h: Expr) -> tuple[Effect, ...]:
    """Release the address, forget the lease, begin again."""
    return (becomes(phase[h], "INIT"), becomes(holds[h], NO_ADDRESS), *forget_lease(h))


def drop_if(condition: Expr, h: Expr) -> tuple[Effect, ...]:
    """Where `condition`, the address of a lapsed lease goes, and its ends with it."""
    return (
        becomes(holds[h], ite(condition, NO_ADDRESS, holds[h])),
        becomes(lease_end[h], ite(condition, UNSET, lease_end[h])),
        becomes(kernel_end[h], ite(condition, UNSET, kernel_end[h])),
        becomes(refused[h], refused[h] & ~condition),
        becomes(refused_at[h], ite(condition, UNSET, refused_at[h])),
        becomes(stepped[h], ite(condition, FALSE, stepped[h])),
    )


def end_lease(h: Expr) -> tuple[Effect, ...]:
    """The lease is over.  RFC 2131 §4.4.5 and Q151387 RESOLUTION: release, *then* the notice.

    With another trigger than LAPSE the address stays and so do its ends, until `acknowledge`,
    `relinquish` or the kernel removes it: Q151387 SYMPTOMS.
    """
    return (*start_over(h), *drop_if(trigger[h] == "LAPSE", h), becomes(notice[h], "DUE"))


def uncontested(h: Expr) -> tuple[Effect, ...]:
    """The client knows of no other host that uses its address."""
    return (becomes(contested[h], False), becomes(contested_at[h], UNSET))


def drop_to_renew(h: Expr) -> tuple[Effect, ...]:
    """Where the client is like that, the address goes when it asks for more time on its lease."""
    return (
        becomes(holds[h], ite(drops_to_renew[h], NO_ADDRESS, holds[h])),
        becomes(kernel_end[h], ite(drops_to_renew[h], UNSET, kernel_end[h])),
    )


def answered_once(h: Expr) -> Effect:
    """When the request was sent is kept only by who heeds a second answer that leaves less."""
    return becomes(asked[h], ite(heeds_shorter[h], asked[h], UNSET))


def ends_at(h: Expr, end: Expr) -> tuple[Effect, ...]:
    """The instants of a lease that ends at `end`."""
    return (
        becomes(renew_at[h], end - after_t1),
        becomes(rebind_at[h], end - after_t2),
        becomes(lease_end[h], end),
        becomes(kernel_end[h], end - margin[h]),
    )


def begin_lease(h: Expr, end: Expr) -> tuple[Effect, ...]:
    """A lease that ends at `end`, on a clock that has not been set back within it."""
    return (answered_once(h), *ends_at(h, end), *unrefused(h), becomes(stepped[h], False))


def take(h: Expr, a: Expr) -> tuple[Effect, ...]:
    """Use `a`: at once, or after a probe where the client probes and does not hold it already."""
    untried = probes[h] & (holds[h] != a)
    return (
        becomes(phase[h], ite(untried, "PROBING", lift("BOUND", PHASE))),
        becomes(wants[h], a),
        becomes(holds[h], ite(untried, NO_ADDRESS, a)),
        becomes(probing_since[h], ite(untried, now, UNSET)),
    )


def leave_beside(h: Expr, a: Expr) -> Effect:
    """Another address that is still configured when `h` takes `a` goes, or stays beside it."""
    left_over = keeps_old[h] & (holds[h] != NO_ADDRESS) & (holds[h] != a)
    return becomes(beside[h], ite(left_over, holds[h], ite(beside[h] == a, NO_ADDRESS, beside[h])))


# The rows ----------------------------------------------------------------------------------------

lapsed = now >= lease_end[h]

CLIENT_ACTIONS = (
    Action("discover", "RFC 2131 §4.4.1, §4.1: the same xid when sent again; §3.1(5) for the wait "
        "after DECLINE, silent for RELEASE",
        "{h} broadcasts DHCPDISCOVER",
        (h, m),
        when=(runs(h), is_in(phase[h], "INIT", "SELECTING"), kind[m] == "FREE", may_ask_anew(h),
              in_order.implies(
                  forall(n, (client[n] != h) | ~is_in(kind[n], "RELEASE", "DECLINE")))),
        then=(*everywhere(n, (client[n] == h) & (phase[h] == "INIT"), becomes(current[n], False)),
              becomes(phase[h], "SELECTING"),
              *send(m, h, "DISCOVER", NO_ADDRESS))),

    Action("select", "RFC 2131 §3.1(3), §4.4.1",
        "{h} selects the offer of {a} and sends DHCPREQUEST",
        (h, m, a),
        when=(runs(h), phase[h] == "SELECTING", kind[m] == "OFFER", client[m] == h, address[m] == a,
              recognised(h, m)),
        then=(becomes(phase[h], "REQUESTING"), becomes(wants[h], a), becomes(asked[h], now),
              *send(m, h, "REQUEST", a))),

    Action("ask_again", "RFC 2131 §3.1(5), §4.1: the same xid, so the lease counts from the first",
        "{h}, unanswered, sends its DHCPREQUEST for {a} again",
        (h, m, a),
        when=(runs(h), first_ask(h), wants[h] == a, kind[m] == "FREE"),
        then=send(m, h, "REQUEST", a)),

    Action("give_up", "RFC 2131 §3.1(5)",
        "{h}, unanswered, returns to INIT",
        (h,),
        when=(runs(h), phase[h] == "REQUESTING"),
        then=(becomes(phase[h], "INIT"), becomes(wants[h], NO_ADDRESS), becomes(asked[h], UNSET)),
        due=Due(runs(h) & (phase[h] == "REQUESTING"), asked[h] + asks_for[h])),

    Action("bind", "RFC 2131 §4.4.1, §3.2(3); RFC 5227 §2.1",
        "{h} receives DHCPACK and takes {a}",
        (h, m, a, skew),
        when=(runs(h), first_ask(h), kind[m] == "ACK", client[m] == h, address[m] == a,
              recognised(h, m), measures(honoured(h, lease[m]), skew),
              in_time(h, ends_by(h, m) + skew)),
        then=(*take(h, a), leave_beside(h, a), *begin_lease(h, ends_by(h, m) + skew), *clear(m))),

    Action("use", "RFC 5227 §2.1.1; RFC 2131 §3.1(5)",
        "no probe was answered: {h} uses {a}",
        (h, a),
        when=(runs(h), phase[h] == "PROBING", wants[h] == a, may_be_used(h),
              loses_arp | ~answered(h, a)),
        then=(becomes(phase[h], "BOUND"), becomes(holds[h], a), becomes(probing_since[h], UNSET)),
        due=Due(runs(h) & room & (phase[h] == "PROBING") & may_be_used(h),
                probing_since[h] + probe_time[h] + late[h])),

    Action("decline", "RFC 2131 §3.1(5) MUST; RFC 5227 §2.1.1",
        "{h} finds {a} in use and sends DHCPDECLINE",
        (h, m, a),
        when=(runs(h), phase[h] == "PROBING", wants[h] == a, kind[m] == "FREE", conflict(h, a)),
        then=(*start_over(h), *send(m, h, "DECLINE", a))),

    Action("renew", "RFC 2131 §4.4.5 RENEWING, §4.3.2",
        "{h} asks its server to renew {a}",
        (h, m, a),
        when=(runs(h), is_in(phase[h], "BOUND", "RENEWING"), wants[h] == a, now >= renew_at[h],
              now < rebind_at[h], kind[m] == "FREE", may_ask_anew(h)),
        then=(*ask(m, h, a, "RENEWING"), *drop_to_renew(h)),
        due=Due(prompt(h) & (phase[h] == "BOUND") & (now < rebind_at[h]), renew_at[h])),

    Action("rebind", "RFC 2131 §4.4.5 REBINDING, §4.3.2",
        "{h} asks any server to extend {a}",
        (h, m, a),
        when=(runs(h), is_in(phase[h], "BOUND", "RENEWING", "REBINDING"), wants[h] == a,
              now >= rebind_at[h], now < lease_end[h], kind[m] == "FREE", may_ask_anew(h)),
        then=ask(m, h, a, "REBINDING"),
        due=Due(prompt(h) & is_in(phase[h], "BOUND", "RENEWING") & (now < lease_end[h]),
                rebind_at[h])),

    Action("extend", "RFC 2131 §4.4.5; RFC 5227 §2.1 where the address is gone",
        "{h} receives DHCPACK: more time on {a}",
        (h, m, a, skew),
        when=(runs(h), renewing(h), wants[h] == a, kind[m] == "ACK", client[m] == h,
              address[m] == a, recognised(h, m), ~deaf(h), measures(honoured(h, lease[m]), skew),
              in_time(h, ends_by(h, m) + skew)),
        then=(*take(h, a), *begin_lease(h, ends_by(h, m) + skew), *clear(m))),

    Action("cut_short", "RFC 2131 §3.3, §4.4.5; silent on a second answer, Figure 5 discards it",
        "{h} receives another DHCPACK, which leaves less time on {a}",
        (h, m, a, skew),
        when=(runs(h), heeds_shorter[h], answered_for(h), wants[h] == a, kind[m] == "ACK",
              client[m] == h, address[m] == a, recognised(h, m),
              measures(honoured(h, lease[m]), skew), ends_by(h, m) + skew < lease_end[h],
              in_time(h, ends_by(h, m) + skew)),
        then=(*ends_at(h, ends_by(h, m) + skew), *clear(m))),

    Action("cut_off", "RFC 2131 §4.4.5: the lease expires asked + lease, which is now or is past",
        "{h} receives DHCPACK, which leaves no time on {a}",
        (h, m, a),
        when=(runs(h), heeds_shorter[h], meant_for(h, a), kind[m] == "ACK", client[m] == h,
              address[m] == a, recognised(h, m),
              answered_for(h).implies(may_end_sooner(h, m)), leaves_nothing(h, m)),
        then=(*start_over(h), becomes(notice[h], "DUE"), *clear(m))),

    Action("obey_nak", "RFC 2131 §3.1(5), §3.2(3), §4.4.5",
        "{h} receives DHCPNAK: its lease, or its request for one, is over",
        (h, m),
        when=(runs(h), kind[m] == "NAK", client[m] == h, recognised(h, m), ~deaf(h),
              first_ask(h) | (renewing(h) & heeded(h))),
        then=(*start_over(h), *drop_if(leased(h) & ~outlasts_nak(h), h),
              becomes(refused[h], outlasts_nak(h) | (refused[h] & ~leased(h))),
              becomes(refused_at[h],
                      ite(outlasts_nak(h), now, ite(leased(h), UNSET, refused_at[h]))),
              *clear(m))),

    Action("disregard_nak", "RFC 2131 §4.4.5 MUST NOT; measured: a broadcast one is not heard",
        "{h} receives DHCPNAK and goes on as if it had not",
        (h, m),
        when=(runs(h), kind[m] == "NAK", client[m] == h, recognised(h, m), ~deaf(h), renewing(h),
              ~heeded(h)),
        then=(becomes(refused[h], refused[h] | (holds[h] != NO_ADDRESS)),
              becomes(refused_at[h], ite(~refused[h] & (holds[h] != NO_ADDRESS), now,
                                         refused_at[h])),
              *clear(m))),

    Action("drop_refused", "RFC 2131 §4.4.5 MUST; measured: later",
        "{h} removes the address that a DHCPNAK had refused it",
        (h,),
        when=(runs(h), after_nak[h] == "WAIT", refused[h], ~leased(h)),
        then=drop_if(TRUE, h),
        due=Due(runs(h) & (after_nak[h] == "WAIT") & refused[h] & ~leased(h),
                refused_at[h] + nak_late[h])),

    Action("hear_conflict", "RFC 5227 §2.4",
        "{h} hears that another host uses its address",
        (h,),
        when=(runs(h), gives_way[h], in_conflict(h), ~contested[h]),
        then=(becomes(contested[h], True), becomes(contested_at[h], now)),
        due=Due(runs(h) & gives_way[h] & ~loses_arp & in_conflict(h) & ~contested[h], now)),

    Action("conflict_ends", "RFC 5227 §2.4: a conflict is of an address in use by two",
        "only {h} uses its address, or it does not any more",
        (h,),
        when=(contested[h], ~in_conflict(h)),
        then=uncontested(h),
        due=Due(contested[h] & ~in_conflict(h), now)),

    Action("yield_address", "RFC 5227 §2.4 (a), (b); RFC 2131 §3.1(5) for DHCPDECLINE",
        "{h} gives {a} up, which another host uses, and sends DHCPDECLINE",
        (h, m, a),
        when=(runs(h), contested[h], in_conflict(h), holds[h] == a, kind[m] == "FREE"),
        then=(*start_over(h), *uncontested(h), *send(m, h, "DECLINE", a)),
        due=Due(runs(h) & room & contested[h], contested_at[h] + gives_way_within[h])),

    Action("lapse", "RFC 2131 §4.4.5 MUST, §3.7; Q151387 SYMPTOMS, RESOLUTION",
        "the lease of {h} lapses",
        (h,),
        when=(runs(h), leased(h), trigger[h] != "NEVER", lapsed),
        then=end_lease(h),
        due=Due(runs(h) & leased(h) & (trigger[h] != "NEVER"), lease_end[h] + late[h])),

    Action("notify", "Q151387 SYMPTOMS; RFC 2131 §3.7",
        "the notice of the lapse goes up on {h}",
        (h,),
        when=(runs(h), notice[h] == "DUE"),
        then=(becomes(notice[h], ite(dialog[h], "SHOWN", lift("SILENT", NOTICE))),),
        due=Due(runs(h) & (notice[h] == "DUE"), now)),

    Action("acknowledge", "Q151387 SYMPTOMS",
        "the user acknowledges the notice on {h}",
        (h,),
        when=(runs(h), notice[h] == "SHOWN"),
        then=(becomes(notice[h], "SILENT"), *drop_if(overstays(h, "ACKNOWLEDGE"), h)),
        due=Due(runs(h) & (notice[h] == "SHOWN") & overstays(h, "ACKNOWLEDGE") & acknowledges,
                lease_end[h] + late[h] + patience(h))),

    Action("relinquish", "Q151387 CAUSE: \"if it fails to get a new lease as well\"",
        "{h} fails to get a new lease and relinquishes the address",
        (h,),
        when=(runs(h), overstays(h, "RETRY")),
        then=drop_if(TRUE, h),
        due=Due(runs(h) & overstays(h, "RETRY"), lease_end[h] + late[h] + patience(h))),

    Action("release", "RFC 2131 §3.1(6), §4.4.6",
        "{h} stops using {a} and sends DHCPRELEASE",
        (h, m, a),
        when=(runs(h), releases[h], leased(h), wants[h] == a, now < lease_end[h],
              kind[m] == "FREE"),
        then=(*start_over(h), *send(m, h, "RELEASE", a))),

    Action("reboot", "RFC 2131 §3.2(1), §4.3.2 INIT-REBOOT",
        "{h}, restarted, asks to go on with {a}",
        (h, m, a),
        when=(runs(h), phase[h] == "INIT_REBOOT", wants[h] == a, kind[m] == "FREE",
              may_ask_anew(h)),
        then=ask(m, h, a, "REBOOTING")),

    Action("keep_remainder", "RFC 2131 §3.2(3) MAY; RFC 5227 §2.1",
        "{h}, unanswered, goes on with {a} for what remains of its lease",
        (h, a),
        when=(runs(h), phase[h] == "REBOOTING", wants[h] == a, in_time(h, lease_end[h])),
        then=(*take(h, a), answered_once(h),
              becomes(kernel_end[h], lease_end[h] - margin[h]))),
)  # fmt: skip
