"""Laws of acts: what may change while no time passes, and for whom (`laws.py` has the others).

What is said of a datagram that appears is said of the first one: a copy says the same again.
"""

from holdover.model.table.client import (
    NO_ADDRESS,
    UNSET,
    answered,
    answered_for,
    answers,
    buffered,
    conflict,
    counted_from,
    fastest,
    first_ask,
    for_client,
    heeded,
    honoured,
    in_conflict,
    leased,
    leaves_nothing,
    may_ask_anew,
    may_be_used,
    may_end_sooner,
    renewing,
    runs,
    slowest,
)
from holdover.model.table.expr import Expr, exists, following, forall, is_in
from holdover.model.table.laws import (
    b,
    by_kernel,
    dies,
    ends,
    given_back,
    gives_up,
    goes,
    its_own,
    keeps,
    loses_record,
    moves,
    renews,
    rests,
    set_back,
    stays,
    taken,
    undisturbed,
)
from holdover.model.table.properties import Property, waits_after_nak
from holdover.model.table.server import NOBODY, leased_to, on_offer, unanswered
from holdover.model.table.vocabulary import (
    a,
    address,
    asked,
    asleep,
    authoritative,
    beside,
    checks_xid,
    client,
    clock,
    contested,
    contested_at,
    current,
    duplicates,
    forges,
    forgets,
    g,
    h,
    hears_renewing,
    holds,
    intrudes,
    keeps_old,
    kernel_end,
    kind,
    lease,
    lease_end,
    loses,
    m,
    mutes,
    n,
    notice,
    now,
    owner,
    phase,
    probing_since,
    process,
    rebind_at,
    refused,
    refused_at,
    renew_at,
    rival,
    sent,
    server_end,
    server_probes,
    serving,
    settles,
    stepped,
    trigger,
    wants,
    withheld,
)


def like(n: Expr, m: Expr) -> Expr:
    """Datagram `n` is what `m` is after the step."""
    return (
        (kind[n] == following(kind[m])) & (client[n] == following(client[m]))
        & (address[n] == following(address[m]))
    )  # fmt: skip


def appears(m: Expr, *kinds: str) -> Expr:
    """Such a datagram is in the slot after the step, and was not before; and it is no copy."""
    copied = (kind[m] == "FREE") & exists(n, (kind[n] != "FREE") & like(n, m))
    return is_in(following(kind[m]), *kinds) & (kind[m] != following(kind[m])) & ~copied


BY_CLIENT = ("DISCOVER", "REQUEST", "DECLINE", "RELEASE")


BY_SERVER = ("OFFER", "ACK", "NAK")


ACTS = (
    Property(
        "who acts changes something", "a transition system",
        "no act leaves everything as it was, but of a server that forgets and had no record",
        forgets | ~(
            forall(h, keeps(phase[h], process[h], asleep[h], notice[h], wants[h], holds[h],
                            beside[h], refused[h], contested[h], stepped[h])
                      & stays(refused_at[h]) & stays(contested_at[h])
                      & stays(asked[h]) & stays(renew_at[h]) & stays(rebind_at[h])
                      & stays(lease_end[h]) & stays(kernel_end[h]) & stays(probing_since[h]))
            & keeps(serving())
            & forall(a, keeps(owner[a], withheld[a]) & stays(server_end[a]))
            & forall(m, keeps(kind[m], client[m], address[m], current[m], lease[m])
                        & stays(sent[m]))
        ),
    ),
    # Who acts.
    Property(
        "who does not run does nothing", "RFC is silent; measured (frozen, kill -9, suspend)",
        "a client that is stopped or gone, or whose host sleeps, does not move, tell or remove",
        forall(h, rests.implies(
            keeps(phase[h], wants[h], notice[h])
            & (set_back | (stays(renew_at[h]) & stays(rebind_at[h])))
            & (keeps(holds[h]) | (by_kernel & ~asleep[h])))),
    ),
    Property(
        "who does not run sends nothing", "RFC is silent; measured",
        "a datagram of a client that does not run is somebody else's, or a copy",
        forall(h, forall(m, (rests & appears(m, *BY_CLIENT) & its_own).implies(
            forges & following(kind[m] == "RELEASE")))),
    ),
    Property(
        "who is frozen takes nothing", "RFC is silent; measured",
        "what waits in the buffer of a frozen process stays there, unless it is lost",
        forall(h, forall(m, (rests & buffered(m) & (client[m] == h)).implies(~goes(m) | loses))),
    ),
    Property(
        "who sleeps is not touched", "RFC is silent; measured",
        "the process of a host that sleeps neither ends nor begins, stops nor goes on",
        forall(h, (asleep[h] & following(asleep[h])).implies(keeps(process[h]))),
    ),
    Property(
        "who wakes up past its lease end may find it over at once", "RFC 2131 §4.4.5",
        "if its clock ran meanwhile and its process runs; everybody else wakes up as he was",
        forall(h, (asleep[h] & following(~asleep[h])).implies(
            keeps(phase[h], wants[h], holds[h], notice[h])
            | ((clock[h] == "BOOTTIME") & (process[h] == "RUNS") & (now >= lease_end[h])))),
    ),
    Property(
        "who goes on probing begins anew", "RFC 5227 §2.1.1",
        "a process that was stopped, or whose host slept, probes from then on as long as another",
        forall(h, (~runs(h) & following(runs(h) & (phase[h] == "PROBING"))).implies(
            following(probing_since[h] == now))),
    ),
    Property(
        "a silent server says and does nothing", "Q151387 CAUSE",
        "it answers nobody, and its record stays unless it restarts without",
        forall(m, (serving() | ~appears(m, *BY_SERVER) | rival))
        & forall(a, serving() | forgets | (keeps(owner[a])
                    & ((server_end[a] == UNSET) | following(server_end[a] != UNSET))))
        & forall(a, serving() | withheld[a] | following(~withheld[a])),
    ),
    Property(
        "a server falls silent only as a fault", "Q151387 CAUSE",
        "where the environment allows it",
        (serving() & following(~serving())).implies(mutes),
    ),
    Property(
        "an authoritative server answers each DHCPREQUEST", "RFC 2131 §4.3.2",
        "while it is there, no DHCPREQUEST goes without DHCPACK or DHCPNAK, unless it is lost",
        forall(m, (authoritative & serving() & (kind[m] == "REQUEST")).implies(
            loses | following(is_in(kind[m], "REQUEST", "ACK", "NAK")))),
    ),
    Property(
        "a datagram is copied only as a fault", "RFC 2131 §4.1",
        "an answer takes the slot of its question; another one is a copy",
        duplicates | forall(m, (kind[m] != "FREE") | ~following(is_in(kind[m], *BY_SERVER))),
    ),
    # What is received.
    Property(
        "a datagram is for its client alone", "RFC 2131 §4.1 chaddr",
        "nobody moves by what is on its way to another",
        forall(m, forall(h, (goes(m) & for_client(m) & (client[m] != h)).implies(~moves))),
    ),
    Property(
        "an answer to another exchange is discarded", "RFC 2131 §4.4.1",
        "a client that checks xids does not move by a reply that is not of its exchange",
        forall(m, forall(h, (taken(m, h, *BY_SERVER) & checks_xid[h] & ~current[m]).implies(
            ~moves & keeps(refused[h])))),
    ),
    Property(
        "an answer about another address is discarded", "RFC 2131 §4.4.5",
        "a client that has a lease does not move by a DHCPACK for another address",
        forall(m, forall(h, (taken(m, h, "ACK") & (renewing(h) | answered_for(h))
                             & (address[m] != wants[h])).implies(~moves))),
    ),
    Property(
        "a lease ends as its DHCPACK says", "RFC 2131 §4.4.1, §3.3",
        "the lease end that a DHCPACK sets lies its length past the anchor, on a clock that runs "
        "within the drift",
        forall(m, forall(h, (taken(m, h, "ACK") & following(leased(h))
                             & ~(keeps(phase[h]) & stays(lease_end[h]))).implies(
            (fastest(honoured(h, lease[m])) <= following(lease_end[h] - now)
             + (now - counted_from(h)))
            & (following(lease_end[h] - now) + (now - counted_from(h))
               <= slowest(honoured(h, lease[m])))))),
    ),
    Property(
        "a second DHCPACK takes effect if it leaves less", "RFC 2131 §4.4.5 is silent",
        "a client that has an answer does not move by another which leaves as much",
        forall(m, forall(h, (taken(m, h, "ACK") & answered_for(h) & moves).implies(
            may_end_sooner(h, m)))),
    ),
    Property(
        "a DHCPACK takes an address away if it leaves nothing", "RFC 2131 §4.4.5",
        "one that leaves time begins a lease or shortens it",
        forall(m, forall(h, (taken(m, h, "ACK") & ~keeps(phase[h])
                             & following(phase[h] == "INIT")).implies(leaves_nothing(h, m)))),
    ),
    Property(
        "a DHCPNAK is about what was asked", "RFC 2131 §3.1(5), §3.2(3)",
        "it ends a first request, and a lease in use of a client that heeds it",
        forall(m, forall(h, (taken(m, h, "NAK") & moves).implies(
            first_ask(h) | (renewing(h) & heeded(h))))),
    ),
    Property(
        "who hears nothing while RENEWING takes no answer then", "RFC 2131 §4.4.5; measured",
        "neither DHCPACK nor DHCPNAK changes its lease, nor what it knows of a refusal",
        forall(m, forall(h, (taken(m, h, "ACK", "NAK") & (phase[h] == "RENEWING")
                             & ~hears_renewing[h]).implies(~moves & keeps(refused[h])))),
    ),
    Property(
        "a refusal that leaves the address is remembered", "RFC 2131 §4.4.5",
        "from the instant at which a client takes the DHCPNAK that answers its renewal; and until "
        "the address is gone, another lease begins, or the process ends",
        forall(h, (~refused[h] & following(refused[h])).implies(
            exists(m, taken(m, h, "NAK")) & renewing(h) & runs(h)
            & following((refused_at[h] == now) & (holds[h] != NO_ADDRESS))))
        & forall(h, (refused[h] & ~following(refused[h])).implies(
            gives_up | dies | ends | exists(m, taken(m, h, "ACK"))))
        & forall(h, (keeps(process[h]) & (holds[h] != NO_ADDRESS) & following(
            (holds[h] != NO_ADDRESS) & ~leased(h)) & exists(m, taken(m, h, "NAK"))
            & renewing(h) & moves).implies(following(refused_at[h] == now))),
    ),
    Property(
        "a conflict is heard, and ends", "RFC 5227 §2.4",
        "a client that runs hears of it, from then on, while there is one; and who knows of one "
        "gives its address up, and says so, or goes on until that is over or itself stands still",
        forall(h, (~contested[h] & following(contested[h])).implies(
            runs(h) & in_conflict(h) & following(contested_at[h] == now)))
        & forall(h, (contested[h] & ~following(contested[h])).implies(
            ~in_conflict(h) | following(~runs(h))
            | (gives_up & exists(m, appears(m, "DECLINE") & its_own))))
        & forall(h, (contested[h] & following(contested[h])).implies(stays(contested_at[h])))
        & forall(h, forall(m, (appears(m, "DECLINE") & its_own & gives_up).implies(
            contested[h] & in_conflict(h)))),
    ),
    # What is sent.
    Property(
        "what is sent is sent now", "RFC 2131 §4.4.1",
        "a datagram that appears carries this instant",
        forall(m, appears(m, *BY_CLIENT, *BY_SERVER).implies(following(sent[m] == now))),
    ),
    Property(
        "who asks names what it wants", "RFC 2131 §4.3.2, Table 4",
        "a DHCPREQUEST is for the address that its client wants",
        forall(m, forall(h, (appears(m, "REQUEST") & its_own).implies(
            following(address[m]) == following(wants[h])))),
    ),
    Property(
        "who gives up names what it had", "RFC 2131 §3.1(5), §3.1(6)",
        "a DHCPDECLINE or DHCPRELEASE, unless it is forged, is of the address its client wanted",
        forall(m, forall(h, (appears(m, "DECLINE", "RELEASE") & its_own & ~keeps(phase[h])).implies(
            (following(address[m]) == wants[h]) | (following(address[m]) == holds[h])))),
    ),
    Property(
        "who declines has seen another", "RFC 2131 §3.1(5), RFC 5227 §2.1.1",
        "a probe was answered, or somebody else probes, or uses the address that it uses",
        forall(m, forall(h, forall(a, (appears(m, "DECLINE") & its_own
                                       & (following(address[m]) == a)).implies(conflict(h, a))))),
    ),
    Property(
        "who releases has a lease", "RFC 2131 §4.4.6",
        "it is not over yet; and who forges a DHCPRELEASE names a lease on record",
        forall(m, forall(h, forall(a, (appears(m, "RELEASE") & its_own
                                       & (following(address[m]) == a)).implies(
            (leased(h) & (now < lease_end[h]) & ~keeps(phase[h]))
            | (forges & (owner[a] == h)))))),
    ),
    Property(
        "an offer is accepted as it was made", "RFC 2131 §3.1(3)",
        "the address in the DHCPREQUEST is the one offered",
        forall(m, ((kind[m] == "OFFER") & (following(kind[m]) == "REQUEST")).implies(
            keeps(address[m], client[m]))),
    ),
    Property(
        "who asks begins an exchange, or goes on with its own", "RFC 2131 §4.4.1",
        "what a client sends, but a DHCPDECLINE, carries its xid; so does what is forged",
        forall(m, appears(m, "DISCOVER", "REQUEST", "RELEASE").implies(following(current[m]))),
    ),
    Property(
        "who begins to ask has asked", "RFC 2131 Figure 5",
        "into a phase that waits for an answer leads a datagram that asks for it",
        forall(h, (~keeps(phase[h]) & following(first_ask(h) | renewing(h))).implies(
            exists(m, following((kind[m] == "REQUEST") & (client[m] == h) & current[m])))),
    ),
    Property(
        "who is patient asks anew when nothing is under way", "RFC 2131 §4.1",
        "no DHCPREQUEST of the client is in flight, and no answer to one",
        forall(h, renews.implies(may_ask_anew(h))),
    ),
    Property(
        "who has sent DHCPDISCOVER waits for offers", "RFC 2131 Figure 5",
        "the phase after it is SELECTING",
        forall(m, forall(h, (appears(m, "DISCOVER") & its_own).implies(
            following(phase[h]) == "SELECTING"))),
    ),
    # Address, lease and notice.
    Property(
        "an address without a lease is set by hand or left over", "RFC is silent; reported",
        "by hand: one that nobody has yet, or one that is leased to another; left over by who "
        "takes another one; and it ends as the address of a lease",
        forall(h, forall(a, ((beside[h] != a) & following(beside[h] == a)).implies(
            (keeps_old[h] & (holds[h] == a) & ~following(holds[h] == a))
            | ((beside[h] == NO_ADDRESS) & keeps(holds[h])
               & ((intrudes[h] & exists(g, (owner[a] == g) & (g != h)))
                  | (settles[h] & (owner[a] == NOBODY)
                     & forall(g, ~answers(g, a) & (wants[g] != a))
                     & forall(m, address[m] != a)))))))
        & forall(h, forall(a, ((beside[h] == a) & following(beside[h] != a)).implies(
            following(wants[h] == a) | (keeps_old[h] & (following(beside[h]) == holds[h]))))),
    ),
    Property(
        "who keeps the old address keeps it when it takes another", "RFC is silent; reported",
        "the one that is still configured stays beside the new one",
        forall(h, forall(a, (keeps_old[h] & (holds[h] == a) & exists(m, taken(m, h, "ACK"))
                             & following((wants[h] != a) & leased(h))).implies(
            following(beside[h] == a)))),
    ),
    Property(
        "who begins to use an address has it", "RFC 2131 §3.1(4)",
        "whoever is BOUND then has configured the address of its lease, and has time to use it",
        forall(h, (~keeps(phase[h]) & following(phase[h] == "BOUND")).implies(
            following((holds[h] == wants[h]) & may_be_used(h)))),
    ),
    Property(
        "T1, T2 and the end in their order", "RFC 2131 §4.4.5",
        "RENEWING begins between T1 and T2, REBINDING between T2 and the lease end",
        forall(h, (~keeps(phase[h])).implies(
            ((following(phase[h]) != "RENEWING") | ((renew_at[h] <= now) & (now < rebind_at[h])))
            & ((following(phase[h]) != "REBINDING")
               | ((rebind_at[h] <= now) & (now < lease_end[h]))))),
    ),
    Property(
        "a lapse is told", "RFC 2131 §3.7; Q151387 RESOLUTION",
        "a lease that no datagram ends is over; then, and where a DHCPACK ends it, a notice is due",
        forall(h, (ends & undisturbed & keeps(process[h])).implies(
            (now >= lease_end[h]) & following(notice[h] == "DUE")))
        & forall(h, forall(m, (ends & taken(m, h, "ACK")).implies(following(notice[h] == "DUE")))),
    ),
    Property(
        "an address outstays its lease until what it waits for", "Q151387 SYMPTOMS, CAUSE",
        "the notice is acknowledged, or no new lease was to be had; or it is the kernel's",
        forall(h, (gives_up & ~leased(h) & undisturbed & keeps(process[h])).implies(
            by_kernel | (trigger[h] == "RETRY") | waits_after_nak(h)
            | ((trigger[h] == "ACKNOWLEDGE") & (notice[h] == "SHOWN")
               & following(notice[h] == "SILENT")))),
    ),
    Property(
        "an address that goes takes its lease end along", "RFC 2131 §4.4.5",
        "once the lease is over, or the process that had none is gone",
        forall(h, (((gives_up & ~leased(h)) | dies)
                   & following(~leased(h) & (holds[h] == NO_ADDRESS))).implies(
            following(lease_end[h] == UNSET))),
    ),
    # What the server does.
    Property(
        "a server offers what is to be had", "RFC 2131 §4.3.1",
        "the client's own address, a free one, or one whose lease is over; none that is withheld; "
        "and, if it probes, none that another host answers for",
        forall(m, forall(h, forall(a, (appears(m, "OFFER") & its_own
                                       & (following(address[m]) == a)).implies(
            unanswered(h, a) & (rival | on_offer(h, a)))))),
    ),
    Property(
        "an address is withheld for a reason", "RFC 2131 §4.3.3, §3.1(2)",
        "it is declined, or another host answers the server's probe",
        forall(a, (~withheld[a] & following(withheld[a])).implies(exists(h, exists(m,
            (taken(m, h, "DECLINE") & (address[m] == a))
            | (server_probes & (kind[m] == "DISCOVER") & (client[m] == h)
               & answered(h, a)))))),
    ),
    Property(
        "what its owner declines is withheld", "RFC 2131 §4.3.3 MUST",
        "by a server that serves, if the datagram is not lost",
        forall(h, forall(a, (exists(m, taken(m, h, "DECLINE") & (address[m] == a))
                             & leased_to(a, h) & serving() & ~loses).implies(
            following(withheld[a])))),
    ),
    Property(
        "a request for a lease on record is answered", "RFC 2131 §4.3.2",
        "by a server that serves, if the datagram is not lost",
        forall(m, forall(h, forall(a, (taken(m, h, "REQUEST") & (address[m] == a)
                                       & leased_to(a, h) & serving() & ~loses).implies(
            following(is_in(kind[m], "ACK", "NAK")))))),
    ),
    Property(
        "an answer is to the client and address that asked", "RFC 2131 §4.3.1, Table 3",
        "DHCPACK and DHCPNAK take the place of their DHCPREQUEST",
        forall(m, appears(m, "ACK", "NAK").implies(
            (kind[m] == "REQUEST") & keeps(client[m], address[m], current[m]))),
    ),
    Property(
        "a record is of who has asked", "RFC 2131 §3.1(4)",
        "what a server confirms it has on record for that host, and for no clone of it",
        forall(m, forall(h, forall(a, (appears(m, "ACK") & its_own & (address[m] == a)
                                       & ~rival).implies(following(owner[a]) == h)))),
    ),
    Property(
        "a record ends as its DHCPACK says", "RFC 2131 §4.3.1, §3.3",
        "its length from now, on a clock that runs within the drift",
        forall(m, forall(a, (appears(m, "ACK") & (address[m] == a) & ~rival).implies(
            (fastest(following(lease[m])) <= following(server_end[a] - now))
            & (following(server_end[a] - now) <= slowest(following(lease[m])))))),
    ),
    Property(
        "a record that is lost is lost with all others", "RFC 2131 §4",
        "one alone goes by its client's word; a restart takes what was withheld along",
        forall(a, (loses_record & forall(h, ~given_back)).implies(
            forgets & forall(b, following((owner[b] == NOBODY) & ~withheld[b])))),
    ),
)  # fmt: skip
"""Of every step in which no time passes."""
