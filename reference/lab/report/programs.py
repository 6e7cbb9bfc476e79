"""What `holdover lab list` prints; apart from other reports, since it is to be there at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from rich.text import Text

from holdover.model.clients.fault_names import IN_THE_TABLE
from holdover.reference.console.output import Output, grid
from holdover.reference.lab.experiments.faults import FAULTS
from holdover.reference.lab.testbed.client_program import ClientProgram
from holdover.reference.lab.testbed.clients import CLIENTS
from holdover.reference.lab.testbed.servers import SERVERS, ServerProgram


def list_data(usual: Collection[str], *, versions: bool) -> dict[str, list[dict[str, Any]]]:
    """Clients, servers and faults for programs; `usual`: the faults that are."""

    def asked(program: ClientProgram | ServerProgram) -> str | None:
        if not versions:
            return None
        from holdover.reference.lab.report.report import version_of

        return version_of(program)

    return {
        "clients": [
            {
                "name": each.name,
                "title": each.title,
                "version": asked(each),
                "missing": each.missing(),
                "package": each.package,
                "profile": each.profile,
                "lease": each.lease,
                "usual": each.usual,
            }
            for each in CLIENTS.values()
        ],
        "servers": [
            {
                "name": each.name,
                "title": each.title,
                "version": asked(each),
                "missing": each.missing(),
                "package": each.package,
                "shortest": each.shortest,
            }
            for each in SERVERS.values()
        ],
        "faults": [
            {
                "name": each.name,
                "sentence": each.sentence,
                "usual": each.name in usual,
                "ours": each.needs_own_server,
                "row": IN_THE_TABLE.get(each.name),
                "device": not each.needs_access,
            }
            for each in FAULTS.values()
        ],
    }


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
                more = [usual, each["profile"] or "", f"{each['lease']} s"]
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
