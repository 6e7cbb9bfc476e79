"""The numbers by which the compiled walk and Python understand each other: columns and codes.

Theory of operation.  The walk writes rows of whole numbers; a column is the place of one of them.
What is a code here (a link, a status, why an index ended) is a small number, for compiled code has
no enums.

What it does not know: who fills the rows (`runs.py`, `messages.py`, `frames.py`).
"""

from __future__ import annotations

HARDWARE, KEY, SINCE, UNTIL, FRAMES, FIRST, LAST = range(7)
RUN_COLUMNS = 7
"""Of a run.  KEY: the address, how it was used, and the VLANs."""

HOW_AT, VLAN_AT = 32, 34
BY_ARP, BY_IP, BY_PROBE = 0, 1, 2
"""In KEY: bits 0 to 31 are the address, then two bits say how, then the VLANs (12 bits each)."""

(
    NUMBER,
    AT,
    SOURCE_HARDWARE,
    TO_HARDWARE,
    SOURCE,
    DESTINATION,
    VLANS,
    INTERFACE,
    PORT,
    STATUS,
    PAYLOAD_AT,
    PAYLOAD_SIZE,
    OP,
    KIND,
    XID,
    SECS,
    FLAGS,
    CIADDR,
    YIADDR,
    GIADDR,
    REQUESTED,
    SERVER,
    LEASE,
    T1,
    T2,
    CHADDR_SIZE,
    ID_SIZE,
    OTHERS_SIZE,
    SIDE_AT,
    PRINT,
    CHADDR,
    CLIENT,
) = range(32)
MESSAGE_COLUMNS = 32
"""Of a message; -1: it has none.  In `side`, from SIDE_AT: chaddr, client-id, other options.

CHADDR: of six bytes, as a number.  CLIENT: likewise of a client-id that is 1 and six bytes, an
Ethernet address (RFC 2132 §9.14).  What is a number is not in `side`, and its SIZE is 0."""

PLAIN, FRAGMENT, CUT, IP_LENGTH, UDP_LENGTH, CHECKSUM, ODD = range(7)
"""STATUS: the row is all of the message; why it is none; ODD: `reference/wire` has to read it."""

MORE, FULL, DAMAGED, OTHER = range(4)
"""Why an index ended: it needs more bytes; the batch is full; no record is there; another block."""

SIMPLE_TIME = -(1 << 63)
"""The time of a frame that has none (Simple Packet Block)."""

ETHERNET, SLL, SLL2, RAW, NULL, FOREIGN = range(6)
"""What is in front of the network's header."""

LINK, FORM, FACTOR, OFFSET = range(4)
TIMES, PER, BINARY = range(3)
"""Of an interface: its link, and how its time becomes nanoseconds: FORM and FACTOR; OFFSET."""

NO_TIME = (1 << 63) - 1
"""The least time of a batch in which no frame has one."""
