"""DHCP clients of PyPI and npm that programs embed, and why the lab plays none but pyroute2's.

Theory of operation.  An embedder gets a library, and sets the address himself.  A client is played
where its README shows how: then what is measured is what a reader of it has.  Whose README shows
nothing of it would be played with a script of ours, and the figure would be that of the script.
The table was made by reading their sources and READMEs, and by playing the one whose README does.

What it does not know: libraries that are not in the two registries' lists by the word DHCP; newer
versions; other languages.
"""

from __future__ import annotations

from holdover.reference.docs.markdown import table

NO_END = "it has no timer, and asks for no renewal; its README sets no address"

EMBEDDED = (
    ("dhcppython", "PyPI", "0.1.4", "`get_lease()` returns the datagrams of one exchange", NO_END),
    (
        "dora-dhcp-client",
        "PyPI",
        "0.1.3",
        "a command that prints a lease that dhcppython got",
        NO_END,
    ),
    ("pydhcp3", "PyPI", "0.0.6", "`request_assignment()` returns address, mask and lease", NO_END),
    (
        "pydhcp",
        "PyPI",
        "0.9.1",
        "`dora()` returns the DHCPACK",
        "its README calls it a helper for tests; it has no timer and sets no address",
    ),
    (
        "ScapyDhclient",
        "PyPI",
        "1.0.0",
        "sends single messages of many clients",
        "it is written for Python 2, which this Python does not read; it sets no address",
    ),
    (
        "pydhcplib",
        "PyPI",
        "0.6.2",
        "builds and reads datagrams",
        "it is written for Python 2, which this Python does not read",
    ),
    (
        "massdhclient",
        "PyPI",
        "0.0.1",
        "emulates many clients",
        "it cannot be installed: the archive lacks a file that its own setup reads",
    ),
    (
        "dhcpcanon",
        "PyPI",
        "0.8.2",
        "a client that sets its address",
        "its dependency dbus-python was not to be built here; Debian's 0.8.5 is in the table above",
    ),
    (
        "dhcp",
        "npm",
        "0.2.20",
        "the event `bound`, at which its README runs `ip address add`; no timer: a TODO",
        "played as its README shows, with two servers: it asks for an answer to the address that "
        "the host has not got yet, and its socket does not hear the offer",
    ),
)
"""Name, registry, version, what an embedder gets, and why it is not played."""


def embedded_table() -> str:
    """The table of the page."""
    head = ["library", "of", "version", "what an embedder gets", "why it is not played"]
    return table(head, [list(row) for row in EMBEDDED])
