"""A run of the lab as other programs count tests: JUnit XML, and TAP.

Theory of operation.  A cell is a test.  One that is late or wrong fails, one that is unknown is an
error: neither format has a word for *unknown*, and none may count it as passed or skipped.  Each
says how late the client was in words, how long the cell took, and what its programs have said.

What it does not know: how a verdict is reached.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree as Xml

from holdover.model.seconds import show_seconds
from holdover.reference.lab.experiments.verdict import Verdict, is_refusal
from holdover.reference.lab.record.measure import Measurement

LOGS = ("client.log", "server.log")
"""What programs have said (testbed/account.py)."""


def sentence(each: Verdict) -> str:
    """What was seen of a cell, and what is to be said of it."""
    return "; ".join(filter(None, (describe_measured(each), each.reason)))


def describe_measured(each: Verdict) -> str:
    """What was measured, in words; "": nothing was."""
    if each.shared is not None:
        if not each.shared.shared:
            return "no two hosts had the address at once"
        return f"two hosts had the address at once {lasting(each.shared.shared)}"
    if each.measured is None:
        return ""
    words = [describe_end(each.measured)]
    if is_refusal(each.cell.fault) and each.measured.after_nak is not None:
        words.append(f"it was kept {lasting(each.measured.after_nak)} after the DHCPNAK")
    return "; ".join(words)


def lasting(seconds: float) -> str:
    """For how long."""
    return "to the end of the watch" if seconds == math.inf else f"for {show_seconds(seconds)}"


def describe_end(result: Measurement) -> str:
    """Until when the address was held."""
    if result.holdover == math.inf:
        watched = show_seconds(result.at_least)
        return f"the address was held to the end of the watch, {watched} after the lease end"
    side = "after" if result.holdover > 0 else "before"
    return f"the address was held until {show_seconds(abs(result.holdover))} {side} the lease end"


def title(each: Verdict) -> str:
    """A test's name."""
    cell = each.cell
    return f"{cell.fault.name}, {cell.lease} s, run {cell.repeat}"


# JUnit -------------------------------------------------------------------------------------------


def write_junit(path: Path, verdicts: Sequence[Verdict], conditions: Mapping[str, str]) -> None:
    """A test case a cell; the conditions are properties of the suite."""
    suite = Xml.Element(
        "testsuite",
        name="holdover lab",
        tests=str(len(verdicts)),
        failures=str(sum(each.says in ("late", "wrong") for each in verdicts)),
        errors=str(sum(each.says == "unknown" for each in verdicts)),
        time=f"{sum(each.outcome.took for each in verdicts):.3f}",
    )
    add_properties(suite, conditions)
    for each in verdicts:
        add_case(suite, each)
    Xml.indent(suite)
    Xml.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)


def add_case(suite: Xml.Element, each: Verdict) -> None:
    """A cell as a test case."""
    cell = each.cell
    case = Xml.SubElement(
        suite,
        "testcase",
        classname=f"{cell.client.label}.{cell.server.label}",
        name=title(each),
        time=f"{each.outcome.took:.3f}",
    )
    add_properties(case, facts(each))
    if each.says != "holds":
        kind = "error" if each.says == "unknown" else "failure"
        Xml.SubElement(case, kind, type=each.says, message=f"{each.words}: {sentence(each)}")
    output = Xml.SubElement(case, "system-out")
    output.text = printable("\n".join([sentence(each) or each.words, *logs(each)]))


def add_properties(into: Xml.Element, values: Mapping[str, str]) -> None:
    """Names and values."""
    properties = Xml.SubElement(into, "properties")
    for name, value in values.items():
        Xml.SubElement(properties, "property", name=name, value=printable(value))


def facts(each: Verdict) -> dict[str, str]:
    """What a program may want of a cell, without lab.json."""
    found: dict[str, str] = {"verdict": each.says, "severity": each.severity}
    if each.measured is not None:
        found["holdover"] = figure(each.measured.holdover)
        found["uncertainty"] = figure(each.measured.uncertainty)
        found["removed_by"] = each.measured.enforcer
    if each.worst is not None:
        found["predicted"] = figure(each.worst)
    return found


def figure(value: float) -> str:
    """Seconds; "unbounded" as in JSON."""
    return "unbounded" if value == math.inf else f"{value:.3f}"


def logs(each: Verdict) -> Iterator[str]:
    """What the client and the server have said."""
    for name in LOGS:
        path = each.outcome.record / name
        if path.is_file():
            yield f"--- {name}"
            yield path.read_text(encoding="utf-8", errors="replace").rstrip("\n")


def printable(text: str) -> str:
    """Without characters that XML does not have."""
    return "".join(c if c.isprintable() or c in "\n\t" else ascii(c)[1:-1] for c in text)


# TAP ---------------------------------------------------------------------------------------------


def tap(verdicts: Sequence[Verdict]) -> str:
    """TAP version 13: a line a cell, and below each that does not hold why."""
    lines = ["TAP version 13", f"1..{len(verdicts)}"]
    for number, each in enumerate(verdicts, 1):
        cell = each.cell
        name = f"{cell.client.label}, {cell.server.label}, {title(each)}"
        word = "ok" if each.says == "holds" else "not ok"
        lines.append(f"{word} {number} - {escape_name(name)}")
        if each.says != "holds":
            lines += [
                "  ---",
                f"  verdict: {each.says}",
                f"  severity: {json.dumps(each.severity)}",
                f"  message: {json.dumps(sentence(each))}",
                f"  duration_ms: {each.outcome.took * 1000:.0f}",
                "  ...",
            ]
    return "\n".join(lines) + "\n"


def escape_name(name: str) -> str:
    """A test's name, in which # and a line's end have no meaning."""
    return name.replace("\\", "\\\\").replace("#", "\\#").replace("\n", " ")
