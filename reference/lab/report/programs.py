"""What `holdover lab list` prints; apart from other reports, since it is to be there at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text

from holdover.reference.console.output import Output, grid


def print_programs(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Clients, servers and faults as tables."""
    out = Output()
    of_clients = ("client", "usual", "profile", "lease")
    for what, heads in (("clients", of_clients), ("servers", ("server",))):
        cells = grid(*heads, "version", "what it is")
        for each in found[what]:
            here = each["version"] or "here"
            if each["missing"] is not None:
                here = Text("not here", style="yellow")
            get = "" if each["missing"] is None else f"; package {each['package']}"
            more = []
            if what == "clients":
                usual = "yes" if each["usual"] else ""
                more = [usual, str(each["profile"]), f"{each['lease']} s"]
            cells.add_row(each["name"], *more, here, f"{each['title']}{get}")
        out.print(cells)
        out.say()
    cells = grid("fault", "usual", "in the table", "what happens")
    for each in found["faults"]:
        ours = " (with our own server only)" if each["ours"] else ""
        cells.add_row(
            each["name"], "yes" if each["usual"] else "", each["row"] or "", each["sentence"] + ours
        )
    out.print(cells)
