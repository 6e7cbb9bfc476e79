"""The course of an audit: sources are read once, each observation is thought about, then concluded.

Theory of operation.  `run_course` ties the rooms together: `inputs` gives observations in order of
time, the monitor takes each of them, and its conclusions are the audit.  Where the reading is
interrupted, what would have come is a gap, and the audit is of what was read so far.

While an interface is followed, conclusions are drawn now and then of a copy of the monitor, for
whoever asks for metrics and to tell of each new finding at once.  That takes longer the more there
is to conclude from, so the next time is `REST` times as far away as the last one took.

What it does not know: formats, rules, and how an audit is told.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import click

from holdover.model.clients.profile import load
from holdover.model.inputs import printable
from holdover.reference.audit.inputs.stream import Bytes, open_bytes
from holdover.reference.audit.interruption import Interruption
from holdover.reference.audit.monitor.context import DRIFT, default_premises
from holdover.reference.audit.monitor.monitor import Monitor
from holdover.reference.audit.monitor.results import Audit
from holdover.reference.audit.observations import Coverage, Gap, Observation, Where
from holdover.reference.audit.report.metrics import MetricsServer, open_metrics
from holdover.reference.console.progress import Progress

EVERY = 0.5
"""Seconds between two words of progress."""

LOOK, REST = 5.0, 20
"""Seconds between two conclusions while an interface is followed, and how much longer than one of
them takes that is at least."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What is audited: captures ("-" is standard input), hosts' logs, servers' records; or what
    comes from the interface `follow`."""

    captures: tuple[str, ...] = ()
    host_logs: tuple[Path, ...] = ()
    leases: tuple[Path, ...] = ()
    follow: str | None = None
