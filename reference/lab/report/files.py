"""The files of a run of the lab: the page, JSON, JUnit, TAP, the records, and the conditions.

What it does not know: what is played, and what is printed.
"""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from holdover.model.errors import InputError
from holdover.reference.console.output import text_of_document
from holdover.reference.lab.experiments.experiment import Cell
from holdover.reference.lab.experiments.verdict import Verdict
from holdover.reference.lab.record import record
from holdover.reference.lab.record.timeline import timeline
from holdover.reference.lab.record.wire_view import seen_from_wire
from holdover.reference.lab.report import junit, page, report
from holdover.reference.lab.testbed.client_program import ClientProgram
from holdover.reference.lab.testbed.scene import LEASED
from holdover.reference.lab.testbed.servers import ServerProgram


def conditions_of(wanted: Sequence[Cell], jobs: int, took: float, again: int = 0) -> dict[str, str]:
    """Under which a measurement was made; `again`: how many cells were played once more."""
    programs = {each.label: each for cell in wanted for each in (cell.client, cell.server)}
    versions = {name: report.version_of(program) for name, program in programs.items()}
    return {
        "command": shlex.join(["holdover", *sys.argv[1:]]),
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "system": f"{platform.system()} {platform.release()}, {len(os.sched_getaffinity(0))} cores",
        "versions": ", ".join(f"{name} {said}" for name, said in versions.items() if said),
        "cells": f"{len(wanted)}, {min(jobs, len(wanted))} at once",
        "took": f"{took:.0f} s",
        "again": f"{again} cells",
    }


def full_title(program: ClientProgram | ServerProgram) -> str:
    """What it is in words, and of which root file system."""
    return program.title if program.root is None else f"{program.title}, {program.root.name}"


def check_directory(out: Path) -> None:
    """InputError where the directory has what the lab has not written."""
    if out.is_dir() and any(out.iterdir()) and not (out / "lab.json").exists():
        raise InputError(f"--out {out}: it has other files; name another directory")
    make_directory(out)


def make_directory(out: Path) -> None:
    """Before anything is played, so that nothing that was is lost; InputError with the path."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--out {out}: {error.strerror}; name another directory") from error


def write(out: Path, verdicts: Sequence[Verdict], conditions: dict[str, str]) -> None:
    """The page, JSON, JUnit, TAP, and the records, in the place of an earlier run's."""
    text = text_of_document("lab", report.data(verdicts, conditions))
    (out / "lab.json").write_text(text + "\n", encoding="utf-8")
    junit.write_junit(out / "lab.xml", verdicts, conditions)
    (out / "lab.tap").write_text(junit.tap(verdicts), encoding="utf-8")
    title = "How long clients kept an address after their lease"
    told_by = page.WIRE if any(each.cell.cable for each in verdicts) else page.KERNEL
    text = page.page([page_cell(each) for each in verdicts], title, conditions, told_by)
    (out / "lab.html").write_text(text, encoding="utf-8")
    records = out / "records"
    shutil.rmtree(records, ignore_errors=True)
    for each in verdicts:
        if each.outcome.record.is_dir():
            shutil.copytree(each.outcome.record, records / report.slug(each))


def page_cell(each: Verdict) -> page.Shown:
    """A cell as the page has it; a record that cannot be read has no timeline."""
    cell, seen, line = each.cell, each.measured, None
    if each.outcome.record.is_dir():
        with suppress(InputError, KeyError):  # KeyError: no device asked
            made = record.read(each.outcome.record)
            seen_as = made if cell.cable is None else seen_from_wire(made, LEASED)
            line = timeline(seen_as, "a", LEASED)
    return page.Shown(
        client=full_title(cell.client),
        server=full_title(cell.server),
        fault=cell.fault.name,
        sentence=cell.fault.sentence,
        lease=cell.lease,
        repeat=cell.repeat,
        says=each.says,
        severity=each.severity,
        reason=each.reason,
        predicted=each.worst,
        timeline=line,
        holdover=None if seen is None else seen.holdover,
        uncertainty=0.0 if seen is None else seen.uncertainty,
        enforcer="" if seen is None else seen.enforcer,
        after_nak=None if seen is None else seen.after_nak,
        displaced=None if seen is None else seen.displaced,
        predicted_displaced=each.kept,
        duplicate=0.0 if seen is None else seen.duplicate,
        answered=0 if seen is None else seen.answered,
        shared=each.shared,
        predicted_shared=each.shared_for,
    )
