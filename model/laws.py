"""Laws of the lease table: what every step respects, whatever the row.

`properties.py` has what a deployment is for.  Here is what makes the rows what they are: who may
act, what a datagram says, what is remembered.  A law knows no rows.  It compares the state before a
step with the state after it, so that a row which does what is nobody's to do is convicted by a
sentence, and not by a number of states that has changed.

What is said of a datagram that appears is said of the first one: a copy says the same again.
"""

from holdover.model.client import (
    NO_ADDRESS,
    UNSET,
    buffered,
    first_ask,
    for_client,
    leased,
    renewing,
    runs,
)
from holdover.model.expr import Expr, exists, following, forall, is_in
from holdover.model.properties import Property
from holdover.model.server import on_offer

from holdover.model.words import (  # isort: skip
    a, address, asleep, checks_xid, client, clock, current, enforcer, forges, forgets, full, h,
    holds, kernel_end, kind, lease, lease_end, least, loses, m, n, notice, now, owner, phase,
    process, rebind_at, renew_at, rival, sent, server_end, serving, stepped, wants,
    withheld,
)  # fmt: skip

dated = leased(h) | (holds[h] != NO_ADDRESS)

REMEMBERED = (
    Property(
        "no lease, no T1 and T2", "RFC 2131 §4.4.5",
        "only a client that believes in a lease has times at which to extend it",
        forall(h, leased(h) | ((renew_at[h] == UNSET) & (rebind_at[h] == UNSET))),
    ),
    Property(
        "no lease and no address, no lease end", "RFC 2131 §4.4.5",
        "a lease end is kept with the lease, or with an address that outstays it",
        forall(h, dated | (lease_end[h] == UNSET)),
    ),
    Property(
        "no address, no lifetime", "Linux valid_lft",
        "a kernel lifetime is that of an address held, or about to be",
        forall(h, (holds[h] != NO_ADDRESS) | is_in(phase[h], "PROBING", "BOUND")
                  | (kernel_end[h] == UNSET)),
    ),
    Property(
        "a clock is set back within a lease", "RFC is silent",
        "that is forgotten with the lease, but where the kernel has removed the address",
        forall(h, dated | (enforcer[h] == "KERNEL") | ~stepped[h]),
    ),
)  # fmt: skip
"""Of every state: nothing is remembered of what is over."""


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


def appears(m: Expr, *kinds: str) -> Expr:
    """Such a datagram is in the slot after the step, and was not before; and it is no copy."""
    like = (
        (kind[n] == following(kind[m])) & (client[n] == following(client[m]))
        & (address[n] == following(address[m]))
    )  # fmt: skip
    copied = (kind[m] == "FREE") & exists(n, (kind[n] != "FREE") & like)
    return is_in(following(kind[m]), *kinds) & (kind[m] != following(kind[m])) & ~copied


def goes(m: Expr) -> Expr:
    """A datagram leaves its slot, or makes room for its answer."""
    return (kind[m] != "FREE") & (following(kind[m]) != kind[m])


BY_CLIENT = ("DISCOVER", "REQUEST", "DECLINE", "RELEASE")
BY_SERVER = ("OFFER", "ACK", "NAK")

rests = ~runs(h) & keeps(process[h], asleep[h])
forged = forges & (following(kind[m]) == "RELEASE")
moves = ~keeps(phase[h], wants[h]) | ~stays(lease_end[h])
its_own = following(client[m]) == h

LAWS = (
    # Who acts.
    Property(
        "who does not run does nothing", "RFC is silent; measured (frozen, kill -9, suspend)",
        "a client that is stopped or gone, or whose host sleeps, does not move, tell or remove",
        forall(h, rests.implies(
            keeps(phase[h], wants[h], notice[h])
            & (keeps(holds[h]) | ((enforcer[h] == "KERNEL") & ~asleep[h])))),
    ),
    Property(
        "who does not run sends nothing", "RFC is silent; measured",
        "a datagram of a client that does not run is somebody else's, or a copy",
        forall(h, forall(m, (rests & appears(m, *BY_CLIENT) & its_own).implies(forged))),
    ),
    Property(
        "who is frozen takes nothing", "RFC is silent; measured",
        "what waits in the buffer of a frozen process stays there, unless it is lost",
        forall(h, forall(m, (rests & buffered(m) & (client[m] == h)).implies(~goes(m) | loses))),
    ),
    Property(
        "a silent server says and does nothing", "Q151387 CAUSE",
        "it answers nobody, and its record stays but where it restarts without",
        forall(m, (serving() | ~appears(m, *BY_SERVER) | rival))
        & forall(a, serving() | forgets | (keeps(owner[a])
                    & ((server_end[a] == UNSET) | following(server_end[a] != UNSET)))),
    ),
    Property(
        "a datagram is for its client alone", "RFC 2131 §4.1 chaddr",
        "nobody moves by what is on its way to another",
        forall(m, forall(h, (goes(m) & for_client(m) & (client[m] != h)).implies(~moves))),
    ),
    Property(
        "an answer to another exchange is discarded", "RFC 2131 §4.4.1",
        "a client that checks xids does not move by a reply that is not of its exchange",
        forall(m, forall(h, (goes(m) & for_client(m) & (client[m] == h) & checks_xid[h]
                             & ~current[m]).implies(~moves))),
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
        "a DHCPDECLINE or DHCPRELEASE is of the address that its client wanted",
        forall(m, forall(h, (appears(m, "DECLINE", "RELEASE") & its_own & ~forged).implies(
            following(address[m]) == wants[h]))),
    ),
    Property(
        "an offer is accepted as it was made", "RFC 2131 §3.1(3)",
        "the address in the DHCPREQUEST is the one offered",
        forall(m, ((kind[m] == "OFFER") & (following(kind[m]) == "REQUEST")).implies(
            keeps(address[m], client[m]))),
    ),
    Property(
        "who asks begins an exchange, or goes on with its own", "RFC 2131 §4.4.1",
        "what a client sends, but a DHCPDECLINE, carries its xid",
        forall(m, (appears(m, "DISCOVER", "REQUEST") | (appears(m, "RELEASE") & ~forges)).implies(
            following(current[m]))),
    ),
    Property(
        "who begins to ask has asked", "RFC 2131 Figure 5",
        "into a phase that waits for an answer leads a datagram that asks for it",
        forall(h, (~keeps(phase[h]) & following(first_ask(h) | renewing(h))).implies(
            exists(m, following((kind[m] == "REQUEST") & (client[m] == h) & current[m])))),
    ),
    Property(
        "who has sent DHCPDISCOVER waits for offers", "RFC 2131 Figure 5",
        "the phase after it is SELECTING",
        forall(m, forall(h, (appears(m, "DISCOVER") & its_own).implies(
            following(phase[h]) == "SELECTING"))),
    ),
    # When.
    Property(
        "T1, T2 and the end in their order", "RFC 2131 §4.4.5",
        "RENEWING begins between T1 and T2, REBINDING between T2 and the lease end",
        forall(h, (~keeps(phase[h])).implies(
            ((following(phase[h]) != "RENEWING") | ((renew_at[h] <= now) & (now < rebind_at[h])))
            & ((following(phase[h]) != "REBINDING")
               | ((rebind_at[h] <= now) & (now < lease_end[h]))))),
    ),
    # What the server does.
    Property(
        "a server offers what is to be had", "RFC 2131 §4.3.1",
        "the client's own address, a free one, or one whose lease is over; none that is withheld",
        forall(m, forall(h, forall(a, (appears(m, "OFFER") & its_own & ~rival
                                       & (following(address[m]) == a)).implies(on_offer(h, a))))),
    ),
    Property(
        "a withheld address is not leased", "RFC 2131 §4.3.3",
        "while it is withheld the server confirms it to nobody",
        forall(m, forall(a, (appears(m, "ACK") & ~rival & (address[m] == a)).implies(
            ~withheld[a]))),
    ),
    Property(
        "a refusal has a reason", "RFC 2131 §4.3.2",
        "the address is not on record for the client, or withheld",
        forall(m, forall(h, forall(a, (appears(m, "NAK") & its_own & (address[m] == a)).implies(
            (owner[a] != h) | withheld[a])))),
    ),
    Property(
        "an answer is to the client and address that asked", "RFC 2131 §4.3.1, Table 3",
        "DHCPACK and DHCPNAK take the place of their DHCPREQUEST",
        forall(m, appears(m, "ACK", "NAK").implies(
            (kind[m] == "REQUEST") & keeps(client[m], address[m], current[m]))),
    ),
    Property(
        "a lease is as long as the server grants", "RFC 2131 §4.3.1",
        "a DHCPACK carries a granted length",
        forall(m, appears(m, "ACK").implies(
            (least <= following(lease[m])) & (following(lease[m]) <= full))),
    ),
    # What time does.
    Property(
        "suspend stops CLOCK_MONOTONIC and the kernel's lifetimes", "RFC is silent; measured",
        "while a host sleeps, what they count to stays as far away",
        forall(h, (asleep[h] & following(asleep[h])).implies(
            ((clock[h] != "MONOTONIC") | ~leased(h)
             | (stays(lease_end[h]) & stays(renew_at[h]) & stays(rebind_at[h])))
            & ((enforcer[h] != "KERNEL") | (holds[h] == NO_ADDRESS) | stays(kernel_end[h])))),
    ),
)  # fmt: skip
"""Of every step."""
