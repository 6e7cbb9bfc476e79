"""The command line of `holdover`: which commands there are, and how each of them ends.

A command is a module of `commands/`, imported when it is asked for: `client` needs no solver, and
`verify` no netlink.

Exit status: 0 holds, 1 violated, 2 usage or bad input, 3 unknown; 70 an error of holdover itself,
130 when interrupted, 141 when nobody reads on.  Results go to standard output (`--json` as one JSON
document), progress to standard error and only on a terminal.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import click
from click.exceptions import NoArgsIsHelpError

from holdover.model.errors import InputError, UnfinishedError, nearest
from holdover.model.inputs import printable
from holdover.reference import signals
from holdover.reference.console.exit import EXIT, INTERNAL, INTERRUPTED, UNREAD

LONGEST = 2000
"""Characters of an error that are shown: it may repeat what the user gave."""


COMMANDS = {
    "verify": "Judge clients, or, with no name, check every claim.",
    "explore": "Search every state of a small network.",
    "export": "Hand the model to other tools.",
    "prove": "Prove the theorems, or one profile's invariant.",
    "explain": "Tell a client's shortest collision, or judge a journal.",
    "grace": "Print how long a server must wait before reuse.",
    "matrix": "Print which safeguard cures which fault.",
    "situations": "List what people report, or judge one situation.",
    "profiles": "List the built-in profiles, or print one as TOML.",
    "client": "Lease an address, and let go of it in time.",
    "server": "Serve leases on an Ethernet interface.",
    "lab": "Measure how long clients keep an address after their lease.",
    "audit": "Say who used which address when, and who is at fault.",
}
"""In the order in which a reader meets them; each is a module of `commands/`.

The line is the first of the command's own help: so that the list is printed at once, it stands
here as well.
"""

ON_A_NETWORK = ("client", "server", "lab")
"""These handle signals themselves and drop privileges, which each thread has: none may be older."""

JUDGES = "verify"
"""As a program it keeps what it makes of the lease table; called from Python it does not."""

REPORTS_AT_THE_END = "audit"
"""Ctrl-C ends its reading; the report so far is written by the same thread."""


class Main(click.Group):
    """The commands, imported when asked for; bad input ends with status 2."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In their order."""
        return list(COMMANDS)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Their lines, for which none of them is imported."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The command of this name."""
        if name not in COMMANDS:
            return None
        module = importlib.import_module(f"holdover.reference.commands.{name}")
        command: click.Command = getattr(module, name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command, or the nearest names."""
        name = args[0]
        if name in ON_A_NETWORK and sys.platform != "linux":
            raise InputError(f"holdover {name} needs Linux: it asks its kernel. The others do not")
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            ctx.fail(f"no command {name!r}; {nearest(name, tuple(self.list_commands(ctx)))}")
        return super().resolve_command(ctx, args)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run as a program: Ctrl-C ends it at once, and no encoding makes it fail."""
        if sys.argv[1:2] not in [[name] for name in (*ON_A_NETWORK, REPORTS_AT_THE_END)]:
            signals.watch()
        for name in ("stdout", "stderr"):
            if getattr(sys, name) is None:  # closed by who wants the exit status alone
                setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115 -- as a stream
            getattr(sys, name).reconfigure(errors="replace")
        if sys.argv[1:2] == [JUDGES]:
            with suppress(ModuleNotFoundError):  # the command itself says what is not installed
                from holdover.proofs.verdicts.processes import begin_alone

                begin_alone()
        try:
            return self.main(*args, **kwargs)
        finally:
            gc.freeze()  # as the process ends, Python would look through all objects once more

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; where nobody reads its output, end quietly."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return UNREAD

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run; nothing that goes wrong leaves a traceback, or a status that is a verdict."""
        kwargs["standalone_mode"] = False
        given = args[0] if args else kwargs.get("args")
        words = list(sys.argv[1:] if given is None else given)
        try:
            result = super().main(*args, **kwargs)
        except InputError as error:
            click.echo(f"error: {describe_error(error)}", err=True)
            tell_of_audit(words)
            sys.exit(2)
        except NoArgsIsHelpError as error:
            error.show()
            sys.exit(error.exit_code)
        except click.ClickException as error:
            click.echo(f"error: {describe_usage(error)}", err=True)
            tell_of_audit(words)
            sys.exit(error.exit_code)
        except (click.Abort, KeyboardInterrupt):
            click.echo("interrupted", err=True)
            sys.exit(INTERRUPTED)
        except UnfinishedError as error:
            click.echo(f"unknown: {describe_error(error)}", err=True)
            sys.exit(EXIT["unknown"])
        except OSError as error:
            where = "" if error.filename is None else f"{printable(str(error.filename))}: "
            click.echo(f"error: {where}{error.strerror or error}", err=True)
            sys.exit(2)
        except Exception as error:
            from holdover.reference.console.crash import describe_crash
            from holdover.reference.console.missing import describe_missing

            if (lack := describe_missing(error)) is not None:
                click.echo(f"error: {lack}", err=True)
                sys.exit(2)

            try:
                click.echo(describe_crash(error), err=True)
            except Exception:  # of the report: both are told, where anybody listens
                with suppress(OSError):
                    traceback.print_exc()
            sys.exit(INTERNAL)
        sys.exit(result if isinstance(result, int) else 0)


def tell_of_audit(words: Sequence[str]) -> None:
    """Whoever has handed a capture to another command is told which one reads it."""
    from holdover.reference.console.captures import hint

    if (said := hint(words)) is not None:
        click.echo(said, err=True)


def describe_usage(error: click.ClickException) -> str:
    """A wrong command line in one line: what is wrong, and which help says what is right."""
    said = printable(" ".join(error.format_message().split())).rstrip(".")
    context = error.ctx if isinstance(error, click.UsageError) else None
    return said if context is None else f"{said}; see {context.command_path} --help"


def describe_error(error: Exception) -> str:
    """What an error says; what the user gave may stand in it, and is not to command a terminal."""
    text = printable(str(error))
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


@click.group("holdover", cls=Main, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="holdover")
def main() -> None:
    """Prove or refute that a DHCP client never outstays its lease.

    Start with `holdover verify wfwg311`, a client that does, or describe your own: `holdover
    profiles rfc2131 > my.toml`, change it, `holdover verify my.toml`.

    Exit status: 0 holds, 1 violated, 2 bad input, 3 unknown; 70 an error of holdover itself.
    """
