"""Options that several commands have."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Any

import click
from click.shell_completion import CompletionItem

from holdover.model.clients.profile import builtin_names
from holdover.model.errors import InputError


class DurationType(click.ParamType[Fraction]):
    """Seconds, or with a unit: 90, 1.5, 10m, 1h, 1d."""

    name = "seconds"
    units = {"s": 1, "m": 60, "h": 3600, "d": 86400}  # noqa: RUF012  (never changed)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Fraction:
        """The length in seconds, exactly."""
        if isinstance(value, Fraction):
            return value
        text = str(value).strip().lower()
        unit = self.units.get(text[-1:], None)
        try:
            seconds = Fraction(text[:-1] if unit else text) * (unit or 1)
        except (ValueError, ZeroDivisionError):
            self.fail(f"{value!r} is no length of time: write 90, 1.5, 10m, 1h or 1d", param, ctx)
        if seconds < 0:
            self.fail(f"{value!r} is negative: write 90, 1.5, 10m, 1h or 1d", param, ctx)
        if seconds > 10**9:
            self.fail(f"{value!r} is longer than thirty years", param, ctx)
        return seconds


DURATION = DurationType()


Command = Callable[..., Any]

Completion = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def complete_names(names: Callable[[], Iterable[str]], *, or_file: bool = False) -> Completion:
    """What a shell completes a word to: these names, asked for when it does; else a file."""

    def complete(
        ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        fits = [CompletionItem(name) for name in names() if name.startswith(incomplete)]
        return fits or ([CompletionItem(incomplete, type="file")] if or_file else [])

    return complete


profile_names = complete_names(builtin_names, or_file=True)
"""A client: a built-in profile, or a file."""


def json_option(command: Command) -> Command:
    """`--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")(command)


def jobs_option(command: Command) -> Command:
    """`--jobs`."""
    return click.option(
        "--jobs", type=click.IntRange(1, 64), default=2, show_default=True, help="Processes to use."
    )(command)


LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"


def host_name(option: str, name: str) -> str:
    """The name, of labels of at most 63 characters (RFC 1035 §2.3.4); InputError if it is none."""
    if len(name) > 253 or not re.fullmatch(rf"{LABEL}(\.{LABEL})*", name):
        raise InputError(f"{option} {name!r}: no host or domain name")
    return name
