"""T1's lemmas: what every state of wfwg311 has in common, so that a solver need not find it again.

Seven are sentences of T3's argument (`invariants.LEASED`) that wfwg311 keeps as well.  The others
are of this client, which holds on where that argument says that it leaves; of a network whose
datagrams arrive at once; and of surroundings in which nobody releases or declines an address.

They are what the bounds on the steps that are left (`t1_steps_left.py`) need.  Nothing here is
believed: `check_depth` has each proved in ticks before it uses it, and `known_in_seconds` all of
them in real time.
"""

from __future__ import annotations

from holdover.model.table.client import NO_ADDRESS, leased, renewing
from holdover.model.table.expr import forall, is_in
from holdover.model.table.properties import Property
from holdover.model.table.vocabulary import (
    a,
    address,
    after_t1,
    after_t2,
    asked,
    asks_for,
    client,
    contested,
    current,
    h,
    holds,
    kind,
    lease_end,
    m,
    notice,
    now,
    owner,
    phase,
    rebind_at,
    renew_at,
    server_end,
    wants,
    withheld,
)
from holdover.proofs.logic.invariants import LEASED, over

OF_THE_ARGUMENT = (
    "covered",
    "asked_before",
    "ack_covered",
    "none_beside",
    "granted",
    "in_flight",
    "faults_only",
)
"""The sentences of T3's argument that are needed here."""

OF_THIS_CLIENT = (
    Property(
        "held_in_silence",
        "Q151387 SYMPTOMS",
        "who holds an address, and has no notice to show, has a lease on the server's record",
        over(
            h,
            a,
            body=((holds[h] == a) & (notice[h] == "SILENT")).implies((owner[a] == h) & leased(h)),
        ),
    ),
    Property(
        "notice_at_once",
        "Q151387 SYMPTOMS",
        "while the notice is due, no time has passed since the lapse",
        forall(h, ((notice[h] == "DUE") & (holds[h] != NO_ADDRESS)).implies(now <= lease_end[h])),
    ),
    Property(
        "leased_address",
        "RFC 2131 §4.4.1",
        "who has a lease, or asks for one, has an address in mind",
        forall(h, (leased(h) | (phase[h] == "REQUESTING")).implies(wants[h] != NO_ADDRESS)),
    ),
    Property(
        "asks_on_schedule",
        "RFC 2131 §4.4.5",
        "a client asks for more time a fixed while before its lease ends",
        forall(
            h,
            leased(h).implies(
                (renew_at[h] == lease_end[h] - after_t1) & (rebind_at[h] == lease_end[h] - after_t2)
            ),
        ),
    ),
    Property(
        "asks_when_due",
        "RFC 2131 §4.4.5, §3.1(5)",
        "a client has asked as soon as it was time to, and goes on to what comes next in time",
        forall(
            h,
            (phase[h] == "BOUND").implies(now <= renew_at[h])
            & (phase[h] == "RENEWING").implies(
                (renew_at[h] <= asked[h]) & (asked[h] < rebind_at[h]) & (now <= rebind_at[h])
            )
            & (phase[h] == "REBINDING").implies(
                (rebind_at[h] <= asked[h]) & (asked[h] < lease_end[h]) & (now <= lease_end[h])
            )
            & (phase[h] == "REQUESTING").implies(now <= asked[h] + asks_for[h]),
        ),
    ),
    Property(
        "answered_at_once",
        "RFC 2131 §4.4.5",
        "while a request for more time, or its ACK, is in flight, no time passes",
        over(
            m,
            h,
            body=((client[m] == h) & is_in(kind[m], "REQUEST", "ACK") & renewing(h)).implies(
                now <= asked[h]
            ),
        ),
    ),
    Property(
        "ack_on_record",
        "RFC 2131 §3.1(4)",
        "what an ACK in flight grants is on the server's record",
        over(
            m,
            h,
            a,
            body=((kind[m] == "ACK") & (client[m] == h) & (address[m] == a)).implies(
                (owner[a] == h) & (now < server_end[a])
            ),
        ),
    ),
    Property(
        "in_its_exchange",
        "RFC 2131 §4.4.1, §4.3.1",
        "a datagram in flight belongs to its client's exchange, and is about an address unless it "
        "is a DISCOVER",
        forall(
            m,
            (kind[m] == "FREE")
            | (current[m] & ((kind[m] == "DISCOVER") | (address[m] != NO_ADDRESS))),
        ),
    ),
    Property(
        "none_given_back",
        "RFC 2131 §4.3.3, §4.3.4; RFC 5227 §2.4",
        "no address is released, declined or withheld, and nobody heeds a conflict",
        forall(m, ~is_in(kind[m], "RELEASE", "DECLINE"))
        & forall(a, ~withheld[a])
        & forall(h, ~contested[h]),
    ),
)

LEMMAS = (*(each for each in LEASED if each.name in OF_THE_ARGUMENT), *OF_THIS_CLIENT)
