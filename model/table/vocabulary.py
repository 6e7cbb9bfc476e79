"""The words of the lease table: its sorts, the state it speaks of, and what a run holds fixed.

Every variable and constant names its source.  `Address` and `Host` are sets of any size; a reading
decides how many members they have.  `Message` is a slot for a datagram in flight.
"""

from holdover.model.table.expr import (
    BOOL,
    DURATION,
    INSTANT,
    RATIO,
    Constant,
    Expr,
    Sort,
    Variable,
    constant,
    lift,
    parameter,
)

# Sorts -------------------------------------------------------------------------------------------

HOST = Sort("Host", indexes=True)
ADDRESS = Sort("Address", indexes=True)
MESSAGE = Sort("Message", indexes=True)

INDEX_SORTS = (HOST, ADDRESS, MESSAGE)

ONE = lift(1, RATIO)

PHASE = Sort(
    "Phase",
    (
        "INIT",
        "SELECTING",
        "REQUESTING",
        "PROBING",
        "BOUND",
        "RENEWING",
        "REBINDING",
        "INIT_REBOOT",
        "REBOOTING",
    ),
)
PROCESS = Sort("Process", ("RUNS", "FROZEN", "DEAD"))
NOTICE = Sort("Notice", ("SILENT", "DUE", "SHOWN"))
KIND = Sort("Kind", ("FREE", "DISCOVER", "OFFER", "REQUEST", "ACK", "NAK", "DECLINE", "RELEASE"))
ANCHOR = Sort("Anchor", ("REQUEST", "ACK", "PROBE"))
TRIGGER = Sort("Trigger", ("LAPSE", "ACKNOWLEDGE", "RETRY", "NEVER"))
ENFORCER = Sort("Enforcer", ("PROCESS", "KERNEL"))
HEED = Sort("Heed", ("ALWAYS", "UNICAST", "NEVER"))
CLOCK = Sort("Clock", ("BOOTTIME", "MONOTONIC", "WALL"))
RESTART = Sort("Restart", ("REMAINDER", "REMOVE", "LEAVE"))
AFTER_NAK = Sort("AfterNak", ("REMOVE", "WAIT", "LEAVE"))

# State -------------------------------------------------------------------------------------------

NOW = Variable("now", INSTANT, None, "0", "true time", "RFC 2131 §3.3")
now = NOW()

phase = Variable(
    "phase", PHASE, HOST, "INIT", "the client's state in Figure 5, and PROBING between ACK and use",
    "RFC 2131 §4.4 Figure 5; RFC 5227 §2.1",
)  # fmt: skip
process = Variable(
    "process", PROCESS, HOST, "RUNS", "whether the client's process runs, is stopped, or is gone",
    "RFC is silent; measured (frozen, kill -9)",
)  # fmt: skip
asleep = Variable(
    "asleep", BOOL, HOST, "false", "the host is suspended: nothing runs and nothing answers ARP",
    "RFC is silent; RFC 2131 §3.3 assumes clocks that run",
)  # fmt: skip
notice = Variable(
    "notice", NOTICE, HOST, "SILENT", "what tells the user of the lapse: dialog, hook, event",
    "Q151387 SYMPTOMS",
)  # fmt: skip
wants = Variable(
    "wants", ADDRESS, HOST, "none", "the address asked for or leased (option 50, ciaddr)",
    "RFC 2131 §4.3.2",
)  # fmt: skip
holds = Variable(
    "holds", ADDRESS, HOST, "none", "the address configured on the interface: the kernel answers "
    "ARP for it", "RFC 2131 §1.6; Q151387 SYMPTOMS",
)  # fmt: skip
beside = Variable(
    "beside",
    ADDRESS,
    HOST,
    "none",
    "an address on the interface without a lease: set by hand, or "
    "left over when the client took another one",
    "RFC is silent; reported",
)
refused = Variable(
    "refused",
    BOOL,
    HOST,
    "false",
    "a DHCPNAK has said that the address may not be used, and it is used all the same",
    "RFC 2131 §4.4.5",
)
refused_at = Variable(
    "refused_at", INSTANT, HOST, "unset", "when that DHCPNAK came", "RFC 2131 §4.4.5"
)
asked = Variable(
    "asked", INSTANT, HOST, "unset", "when the first DHCPREQUEST of the present exchange was sent",
    "RFC 2131 §4.4.1, §4.4.5",
)  # fmt: skip
renew_at = Variable("renew_at", INSTANT, HOST, "unset", "T1", "RFC 2131 §4.4.5")
rebind_at = Variable("rebind_at", INSTANT, HOST, "unset", "T2", "RFC 2131 §4.4.5")
lease_end = Variable(
    "lease_end", INSTANT, HOST, "unset", "when the client's clock shows the end of its lease",
    "RFC 2131 §4.4.1, §4.4.5",
)  # fmt: skip
kernel_end = Variable(
    "kernel_end", INSTANT, HOST, "unset", "when the address's kernel lifetime (valid_lft) is over",
    "RFC is silent; Linux IFA_CACHEINFO",
)  # fmt: skip
probing_since = Variable(
    "probing_since", INSTANT, HOST, "unset", "when the client began to probe, or woke up probing",
    "RFC 5227 §2.1.1",
)  # fmt: skip
contested = Variable(
    "contested",
    BOOL,
    HOST,
    "false",
    "the client has heard that another host uses its address",
    "RFC 5227 §2.4",
)
contested_at = Variable(
    "contested_at", INSTANT, HOST, "unset", "when it has first heard that", "RFC 5227 §2.4"
)
stepped = Variable(
    "stepped", BOOL, HOST, "false", "the wall clock was set back within this lease",
    "RFC is silent; measured (clock step)",
)  # fmt: skip

serving = Variable(
    "serving", BOOL, None, "true", "the server is available on the network", "Q151387 CAUSE"
)
owner = Variable(
    "owner", HOST, ADDRESS, "none", "the host to which the server last committed the address",
    "RFC 2131 §2.2, §4.3.1",
)  # fmt: skip
server_end = Variable(
    "server_end", INSTANT, ADDRESS, "unset", "when the server's clock shows the end of that lease",
    "RFC 2131 §4.3.1",
)  # fmt: skip
withheld = Variable(
    "withheld", BOOL, ADDRESS, "false", "the server withholds a declined address",
    "RFC 2131 §4.3.3",
)  # fmt: skip

kind = Variable("kind", KIND, MESSAGE, "FREE", "what is in flight here", "RFC 2131 Table 2")
client = Variable(
    "client", HOST, MESSAGE, "none", "the client it comes from or goes to", "RFC 2131 §2 chaddr"
)
address = Variable(
    "address", ADDRESS, MESSAGE, "none", "yiaddr, ciaddr or option 50", "RFC 2131 §2, §4.3.2"
)
sent = Variable("sent", INSTANT, MESSAGE, "unset", "when it was sent", "RFC 2131 §4.4.1")
lease = Variable("lease", DURATION, MESSAGE, "unset", "option 51 of an ACK", "RFC 2132 §9.2")
current = Variable(
    "current", BOOL, MESSAGE, "false", "it carries the xid of its client's present exchange",
    "RFC 2131 §4.4.1",
)  # fmt: skip

VARIABLES = (
    NOW, phase, process, asleep, notice, wants, holds, beside, asked, renew_at, rebind_at,
    lease_end, kernel_end, refused, refused_at, probing_since, contested, contested_at, stepped,
    serving, owner, server_end, withheld, kind, client, address, sent, lease, current,
)  # fmt: skip

# What a run holds fixed --------------------------------------------------------------------------

MEANINGS: dict[str, tuple[str, str]] = {}
CONSTANTS: dict[str, Expr | Constant] = {}


def _fixed(name: str, sort: Sort, meaning: str, source: str) -> Expr:
    MEANINGS[name] = (meaning, source)
    CONSTANTS[name] = found = constant(name, sort)
    return found


def _of_host(name: str, sort: Sort, meaning: str, source: str) -> Constant:
    MEANINGS[name] = (meaning, source)
    CONSTANTS[name] = found = Constant(name, sort, HOST)
    return found


# The client of each host, from its profile.
anchor = _of_host(
    "anchor", ANCHOR, "the instant the client counts its lease from", "RFC 2131 §4.4.1"
)
floor = _of_host("floor", DURATION, "the shortest lease the client honours", "RFC is silent")
late = _of_host(
    "late", DURATION, "how late the process may act on its deadline, and the kernel on its word",
    "RFC is silent",
)  # fmt: skip
trigger = _of_host(
    "trigger", TRIGGER, "what makes the process release the address", "RFC 2131 §4.4.5; Q151387"
)
retries_for = _of_host(
    "retries_for", DURATION, "how long a lapsed client tries for a new lease while holding",
    "Q151387 CAUSE, second sentence",
)  # fmt: skip
dialog = _of_host("dialog", BOOL, "the notice stays until it is acknowledged", "Q151387 SYMPTOMS")
enforcer = _of_host(
    "enforcer", ENFORCER, "what removes the address: the process alone, or the kernel as well",
    "RFC is silent; Linux valid_lft",
)  # fmt: skip
kernel_late = _of_host(
    "kernel_late", DURATION, "how late the kernel may remove it, by its timer, because it began "
    "the lifetime late, or for its networking lock", "measured",
)  # fmt: skip
margin = _of_host("margin", DURATION, "how early the kernel lifetime is set", "RFC is silent")
clock = _of_host("clock", CLOCK, "the clock of the client's deadline", "RFC 2131 §3.3")
checks_xid = _of_host("checks_xid", BOOL, "replies with a foreign xid are discarded", "§4.4.1")
hears_renewing = _of_host(
    "hears_renewing",
    BOOL,
    "what answers the client while it is RENEWING reaches it; else only while it is REBINDING",
    "RFC 2131 §4.4.5; measured",
)
heeds_nak = _of_host(
    "heeds_nak", HEED, "which DHCPNAK ends a lease in use", "RFC 2131 §4.3.2, Figure 5; measured"
)
after_nak = _of_host(
    "after_nak",
    AFTER_NAK,
    "what becomes of the address when a DHCPNAK ends a lease in use",
    "RFC 2131 §4.4.5: it goes at once; measured",
)
nak_late = _of_host(
    "nak_late",
    DURATION,
    "how long after a DHCPNAK that it heeds the client may wait until the address goes",
    "RFC 2131 §4.4.5: not at all",
)
heeds_shorter = _of_host(
    "heeds_shorter", BOOL, "an ACK of its exchange that leaves less, or nothing, takes effect",
    "RFC 2131 §4.4.5 for a renewal; silent on a second ACK",
)  # fmt: skip
probes = _of_host("probes", BOOL, "the client probes an address before use", "RFC 5227 §2.1")
probe_time = _of_host("probe_time", DURATION, "how long probing lasts at most", "RFC 5227 §1.1")
gives_way = _of_host(
    "gives_way",
    BOOL,
    "the client gives its address up when another host uses it",
    "RFC 5227 §2.4 (a), (b)",
)
gives_way_within = _of_host(
    "gives_way_within",
    DURATION,
    "how long after it has heard of that host the client lets go at most",
    "RFC 5227 §2.4: (a) at once, (b) at the second conflict within ten seconds",
)
drops_to_renew = _of_host(
    "drops_to_renew",
    BOOL,
    "the address goes when the client asks to renew its lease",
    "RFC 2131 §4.4.5: it stays; reported",
)
keeps_old = _of_host(
    "keeps_old",
    BOOL,
    "an address that is still configured stays beside the next one",
    "RFC is silent; reported",
)
asks_for = _of_host(
    "asks_for", DURATION, "how long a client repeats a DHCPREQUEST before it starts over",
    "RFC 2131 §3.1(5): four retransmissions, sixty seconds",
)  # fmt: skip
restart = _of_host(
    "restart", RESTART, "what a restarted process does with the address it finds",
    "RFC 2131 §3.2(3)",
)  # fmt: skip
releases = _of_host("releases", BOOL, "the client may send DHCPRELEASE", "RFC 2131 §4.4.6")

# The lease and the server.
least = _fixed("least", DURATION, "the shortest lease the server grants", "RFC 2131 §4.3.1")
full = _fixed("full", DURATION, "the longest lease the server grants", "RFC 2131 §4.3.1")
after_t1 = _fixed("after_t1", DURATION, "from T1 to the lease end", "RFC 2131 §4.4.5")
after_t2 = _fixed("after_t2", DURATION, "from T2 to the lease end", "RFC 2131 §4.4.5")
grace = _fixed("grace", DURATION, "how long the server waits after its lease end", "RFC is silent")
server_probes = _fixed("server_probes", BOOL, "the server probes before it offers", "§3.1(2)")
broadcasts_nak = _fixed("broadcasts_nak", BOOL, "DHCPNAK is broadcast", "RFC 2131 §4.3.2")
authoritative = _fixed(
    "authoritative",
    BOOL,
    "the server refuses what it has no record of, and is never silent on it",
    "RFC 2131 §4.3.2 asks for silence, in INIT-REBOOT; dhcpd's `authoritative`",
)
durable = _fixed("durable", BOOL, "the server's leases survive its restart", "RFC 2131 §4")

# The world.
drift = _fixed("drift", RATIO, "every clock runs within 1 ± this rate", "RFC 2131 §3.3")
delay = _fixed("delay", DURATION, "how long a datagram is in flight at most", "RFC is silent")
acknowledge_within = _fixed(
    "acknowledge_within", DURATION, "how late the user, or a hook, answers at most", "Q151387"
)
acknowledges = _fixed(
    "acknowledges", BOOL, "the user answers in time; else perhaps never", "Q151387"
)
step = _fixed("step", DURATION, "how far a wall clock, or the server's, is set", "RFC is silent")
in_order = _fixed(
    "in_order", BOOL, "a client's DISCOVER does not overtake its own RELEASE or DECLINE",
    "RFC 2131 §3.1(5): wait ten seconds after DECLINE; silent for RELEASE",
)  # fmt: skip
patient = _fixed(
    "patient", BOOL, "no client asks anew while its DHCPREQUEST, or the answer, is in flight",
    "RFC 2131 §4.1: four seconds before the first retransmission; §4.4.5: sixty",
)  # fmt: skip

# Which faults happen at all; each guards its rows.
mutes = _fixed("mutes", BOOL, "the server falls silent", "Q151387 CAUSE")
loses = _fixed("loses", BOOL, "datagrams are lost", "RFC 2131 §4.1")
duplicates = _fixed("duplicates", BOOL, "datagrams are duplicated", "RFC 2131 §4.1")
loses_arp = _fixed(
    "loses_arp", BOOL, "a probe, or its answer, is lost", "RFC 5227 §1.1: three probes"
)
freezes = _of_host("freezes", BOOL, "a process is frozen", "measured")
thaws = _of_host("thaws", BOOL, "a frozen process runs again", "measured")
crashes = _of_host("crashes", BOOL, "a process is killed", "measured")
stops = _of_host("stops", BOOL, "a process is ended in order", "RFC is silent")
restarts = _of_host("restarts", BOOL, "a process that is gone is started again", "RFC 2131 §3.2")
suspends = _of_host("suspends", BOOL, "a host is suspended and resumed", "measured")
steps = _of_host("steps", BOOL, "the wall clock is set back", "measured")
forgets = _fixed("forgets", BOOL, "the server restarts without its leases", "RFC 2131 §4")
jumps = _fixed(
    "jumps", BOOL, "the server's clock is set forward",
    "RFC is silent; reported (a clock set by GPS or NTP after the server's start)",
)  # fmt: skip
shortens = _fixed("shortens", BOOL, "a renewal may shorten the lease", "RFC 2131 §3.3")
reuses_early = _fixed("reuses_early", BOOL, "the server reuses before its lease end", "§2.2")
forges = _fixed("forges", BOOL, "somebody else sends a client's RELEASE", "RFC 2131 §7")
clones = _of_host(
    "clones", BOOL, "the host has the client identifier of each other such host",
    "RFC 2131 §2: it must be unique; reported (one machine-id on cloned machines)",
)  # fmt: skip
settles = _of_host(
    "settles",
    BOOL,
    "somebody configures the host by hand, with an address that nobody has yet",
    "RFC 2131 §2.2: servers should probe; reported",
)
intrudes = _of_host(
    "intrudes",
    BOOL,
    "somebody configures the host by hand, with an address leased to another",
    "RFC 5227 §2.4; reported",
)
rival = _fixed("rival", BOOL, "a second server grants from the same pool", "RFC 2131 §2.2")

# Names for the things an action speaks of.
h = parameter("h", HOST)
g = parameter("g", HOST)
a = parameter("a", ADDRESS)
m = parameter("m", MESSAGE)
n = parameter("n", MESSAGE)
length = parameter("length", DURATION)
skew = parameter("skew", DURATION)
