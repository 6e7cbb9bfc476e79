"""The world's rows of the lease table: kernel, process, host, clock, network, and time itself.

Each fault is guarded by the switch of the environment that allows it.  A datagram leaves its slot
by being acted upon, or by `lose`, `miss` or `ignore`; none stays longer than `delay`, except in the
socket buffer of a frozen process, where nothing but the process takes it out.
"""

from holdover.model.table.client import (
    NO_ADDRESS,
    UNSET,
    buffered,
    clear,
    end_lease,
    expects,
    for_client,
    leased,
    runs,
    start_over,
    uncontested,
    unrefused,
)
from holdover.model.table.expr import FALSE, Action, Due, Expr, becomes, forall, is_in, ite, lift
from holdover.model.table.server import NOBODY
from holdover.model.table.vocabulary import (
    PHASE,
    a,
    address,
    asked,
    asleep,
    beside,
    client,
    clock,
    crashes,
    current,
    delay,
    duplicates,
    enforcer,
    freezes,
    g,
    h,
    holds,
    intrudes,
    kernel_end,
    kernel_late,
    kind,
    lease,
    lease_end,
    loses,
    m,
    n,
    now,
    owner,
    phase,
    probing_since,
    process,
    rebind_at,
    renew_at,
    restart,
    restarts,
    sent,
    serving,
    settles,
    step,
    stepped,
    steps,
    stops,
    suspends,
    thaws,
    trigger,
    wants,
)


def for_server(m: Expr) -> Expr:
    """The datagram is on its way to the server."""
    return is_in(kind[m], "DISCOVER", "REQUEST", "DECLINE", "RELEASE")


def wakes_expired(h: Expr) -> Expr:
    """On resume the deadline has passed on a clock that ran through the suspend.

    Assumed: the timer fires before the link is up again, so that nothing is answered in between.
    """
    return (
        (clock[h] == "BOOTTIME")
        & (process[h] == "RUNS")
        & leased(h)
        & (trigger[h] != "NEVER")
        & (now >= lease_end[h])
    )


remembers = (restart[h] == "REMAINDER") & (phase[h] == "INIT_REBOOT") & (now < lease_end[h])
left = remembers | (restart[h] == "LEAVE")
dated = leased(h) | (holds[h] != NO_ADDRESS)
stored = leased(h) & (phase[h] != "PROBING")
# A pause says nothing of how long its probing then takes, but that it is no longer than another's.
probing_anew = becomes(probing_since[h], ite(phase[h] == "PROBING", now, UNSET))

WORLD_ACTIONS = (
    Action("kernel_removes", "RFC is silent; Linux removes an address at valid_lft",
        "the kernel of {h} removes the address",
        (h,),
        when=(enforcer[h] == "KERNEL", holds[h] != NO_ADDRESS, ~asleep[h], now >= kernel_end[h]),
        then=(becomes(holds[h], NO_ADDRESS), becomes(kernel_end[h], UNSET),
              *unrefused(h),
              becomes(lease_end[h], ite(leased(h), lease_end[h], UNSET))),
        due=Due((enforcer[h] == "KERNEL") & (holds[h] != NO_ADDRESS) & ~asleep[h],
                kernel_end[h] + kernel_late[h])),

    Action("freeze", "measured: SIGSTOP, swapping, a debugger: a dialog that nobody clicks",
        "the client process of {h} is frozen",
        (h,),
        when=(freezes[h], process[h] == "RUNS", ~asleep[h]),
        then=(becomes(process[h], "FROZEN"), *uncontested(h))),

    Action("thaw", "measured",
        "the client process of {h} runs again",
        (h,),
        when=(thaws[h], process[h] == "FROZEN", ~asleep[h]),
        then=(becomes(process[h], "RUNS"), probing_anew)),

    Action("crash", "RFC 2131 §3.2: what is stored survives; measured: kill -9",
        "the client process of {h} is killed",
        (h,),
        when=(crashes[h], process[h] != "DEAD", ~asleep[h]),
        then=(becomes(process[h], "DEAD"),
              becomes(phase[h], ite(stored, "INIT_REBOOT", lift("INIT", PHASE))),
              becomes(wants[h], ite(stored, wants[h], NO_ADDRESS)),
              becomes(asked[h], UNSET),
              becomes(renew_at[h], ite(stored, renew_at[h], UNSET)),
              becomes(rebind_at[h], ite(stored, rebind_at[h], UNSET)),
              becomes(lease_end[h], ite(dated & (phase[h] != "PROBING"), lease_end[h], UNSET)),
              becomes(kernel_end[h], ite(holds[h] != NO_ADDRESS, kernel_end[h], UNSET)),
              *unrefused(h), *uncontested(h),
              becomes(probing_since[h], UNSET))),

    Action("stop", "RFC is silent, and clients differ: for one that leaves its address see `crash`",
        "the client process of {h} ends in order: the address goes, the lease is remembered",
        (h,),
        when=(stops[h], runs(h)),
        then=(becomes(process[h], "DEAD"),
              becomes(phase[h], ite(stored, "INIT_REBOOT", lift("INIT", PHASE))),
              becomes(wants[h], ite(stored, wants[h], NO_ADDRESS)),
              becomes(holds[h], NO_ADDRESS),
              becomes(asked[h], UNSET),
              becomes(renew_at[h], ite(stored, renew_at[h], UNSET)),
              becomes(rebind_at[h], ite(stored, rebind_at[h], UNSET)),
              becomes(lease_end[h], ite(stored, lease_end[h], UNSET)),
              becomes(kernel_end[h], UNSET),
              *unrefused(h), *uncontested(h),
              becomes(probing_since[h], UNSET))),

    Action("restart", "RFC 2131 §3.2(3); measured: what is done with an address found",
        "the client process of {h} is started again",
        (h,),
        when=(restarts[h], process[h] == "DEAD", ~asleep[h]),
        then=(*start_over(h),
              becomes(process[h], "RUNS"),
              becomes(phase[h], ite(remembers, "INIT_REBOOT", lift("INIT", PHASE))),
              becomes(wants[h], ite(remembers, wants[h], NO_ADDRESS)),
              becomes(holds[h], ite(left, holds[h], NO_ADDRESS)),
              becomes(renew_at[h], ite(remembers, renew_at[h], UNSET)),
              becomes(rebind_at[h], ite(remembers, rebind_at[h], UNSET)),
              becomes(lease_end[h], ite(left, lease_end[h], UNSET)),
              becomes(kernel_end[h], ite(left, kernel_end[h], UNSET)),
              becomes(stepped[h], ite(left, stepped[h], FALSE)))),

    Action("suspend", "RFC is silent; measured",
        "{h} is suspended",
        (h,),
        when=(suspends[h], ~asleep[h]),
        then=(becomes(asleep[h], True), *uncontested(h))),

    Action("resume", "RFC is silent; measured",
        "{h} wakes up",
        (h,),
        when=(asleep[h], ~wakes_expired(h)),
        then=(becomes(asleep[h], False), probing_anew)),

    Action("wake_expired", "RFC 2131 §4.4.5 MUST; Figure 5 draws no such edge",
        "{h} wakes up past its lease end, and its timer fires at once: the lease lapses",
        (h,),
        when=(asleep[h], wakes_expired(h)),
        then=(*end_lease(h), becomes(asleep[h], False))),

    Action("set_back", "RFC is silent; measured: the clock stepped back an hour",
        "the wall clock of {h} is set back",
        (h,),
        when=(steps[h], clock[h] == "WALL", leased(h), ~stepped[h]),
        then=(becomes(lease_end[h], lease_end[h] + step), becomes(renew_at[h], renew_at[h] + step),
              becomes(rebind_at[h], rebind_at[h] + step), becomes(stepped[h], True))),

    Action("settle", "RFC 2131 §2.2; reported: a host with a static address within the pool",
        "somebody configures {a} on {h} by hand, before a server gives it to anybody",
        (h, a),
        when=(settles[h], beside[h] == NO_ADDRESS, owner[a] == NOBODY,
              forall(g, (wants[g] != a) & (holds[g] != a) & (beside[g] != a)),
              forall(m, address[m] != a)),
        then=(becomes(beside[h], a),)),

    Action("intrude", "RFC 5227 §2.4; reported",
        "somebody configures {a} on {h} by hand, which is leased to {g}",
        (h, a, g),
        when=(intrudes[h], beside[h] == NO_ADDRESS, owner[a] == g, g != h),
        then=(becomes(beside[h], a),)),

    Action("lose", "RFC 2131 §4.1: UDP loses datagrams",
        "the {kind[m]} of {h} is lost",
        (m, h),
        when=(loses, kind[m] != "FREE", client[m] == h),
        then=clear(m)),

    Action("miss", "Q151387 CAUSE; a server that is mute, a host that sleeps, a client that died",
        "nobody is there for the {kind[m]} of {h}",
        (m, h),
        when=(client[m] == h,
              (for_server(m) & ~serving())
              | (for_client(m) & (asleep[h] | (process[h] == "DEAD")))),
        then=clear(m)),

    Action("ignore", "RFC 2131 §4.4.1, §4.4.5: what is not expected is discarded",
        "{h} discards a {kind[m]} that it does not expect",
        (m, h, a),
        when=(for_client(m), client[m] == h, address[m] == a, runs(h), ~expects(h, m, a)),
        then=clear(m)),

    Action("duplicate", "RFC 2131 §4.1: UDP may duplicate",
        "the {kind[m]} of {h} is duplicated",
        (m, n, h),
        when=(duplicates, kind[m] != "FREE", client[m] == h, kind[n] == "FREE"),
        then=(becomes(kind[n], kind[m]), becomes(client[n], client[m]),
              becomes(address[n], address[m]), becomes(sent[n], sent[m]),
              becomes(lease[n], lease[m]), becomes(current[n], current[m]))),
)  # fmt: skip

in_flight = Due((kind[m] != "FREE") & ~buffered(m), sent[m] + delay)
