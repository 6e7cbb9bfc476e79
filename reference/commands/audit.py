"""`holdover audit`: who used which address when, and who is at fault.

Theory of operation.  Options become sources; `reference/audit/course.py` reads them once and has
the monitor think about each observation; `reference/audit/report` tells what it comes to.  Files
that are written (`--html`, `--annotate`) are opened before anything is read, so that no hour of
reading is lost to a wrong path; they take their place when they are whole.

What it does not know: formats, rules, reports.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from holdover.model.errors import InputError, nearest
from holdover.reference.console.exit import EXIT
from holdover.reference.console.options import complete_names, profile_names
from holdover.reference.console.output import document

if TYPE_CHECKING:
    from holdover.reference.audit.course import Sources
    from holdover.reference.audit.monitor.results import Audit

STANDARD_INPUT = "-"

HERE = "here"
"""`--cluster` without an address: processes of this machine."""

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
WRITTEN = click.Path(dir_okay=False, path_type=Path)


def rule_names() -> tuple[str, ...]:
    """R1 to R43."""
    from holdover.model.clients.requirements import protocol

    return tuple(each.id for each in protocol())


def rules_of(
    context: click.Context, parameter: click.Parameter, given: Sequence[str]
) -> tuple[str, ...]:
    """The rules of `--rule R3,R5 --rule R9`."""
    names = [name.strip().upper() for each in given for name in each.split(",")]
    known = rule_names()
    for name in names:
        if name not in known:
            raise click.BadParameter(f"no rule {name!r}; {nearest(name, known)}")
    return tuple(dict.fromkeys(names))


@click.command(
    epilog="Example: holdover audit office.pcap --leases kea-leases4.csv --html out.html"
)
@click.argument(
    "captures",
    metavar="[CAPTURE]...",
    nargs=-1,
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
)
@click.option(
    "--host-log",
    "host_logs",
    multiple=True,
    type=FILE,
    help="What a host's own kernel said of its addresses: `ip -ts monitor address`, with a first "
    "line '# mac aa:bb:cc:dd:ee:ff', or the lab's link.ndjson.  May be repeated, as --leases.",
)
@click.option(
    "--leases",
    "leases",
    multiple=True,
    type=FILE,
    help="What a server has on record: ISC dhcpd.leases, Kea's CSV or legal log, dnsmasq.leases, "
    "Windows DhcpSrvLog, Zeek's dhcp.log.",
)
@click.option(
    "--profile",
    metavar="PROFILE",
    shell_complete=profile_names,
    help="What is known of the clients, as `holdover lab learn` writes it: judged more tightly.",
)
@click.option(
    "--complete",
    is_flag=True,
    help="The captures have every DHCP message of the link, as on the server itself or a mirror "
    "port.  Without it, what a few missed messages would explain is no finding.",
)
@click.option(
    "--drift-ppm",
    type=click.FloatRange(0, 100_000),
    help="How far clocks run off at most, in millionths.  [default: 100]",
)
@click.option(
    "--rule",
    "rules",
    multiple=True,
    metavar="R3,R5",
    callback=rules_of,
    shell_complete=complete_names(rule_names),
    help="Judge by these rules alone (docs/rules.md).",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--sarif", "as_sarif", is_flag=True, help="Print SARIF 2.1.0.")
@click.option("--html", type=WRITTEN, help="Write a page with timelines there as well.")
@click.option(
    "--annotate",
    type=WRITTEN,
    help="Write a copy of the captures there, as pcapng, with comments at the frames of evidence.",
)
@click.option(
    "--follow", metavar="INTERFACE", help="Watch an interface, until Ctrl-C; needs root, and Linux."
)
@click.option(
    "--metrics", metavar="[HOST]:PORT", help="With --follow: serve OpenMetrics there, as :9100."
)
@click.option(
    "--workers",
    type=click.IntRange(1, 256),
    help="Read files and judge addresses by so many processes, for many large files.",
)
@click.option(
    "--cluster",
    is_flag=False,
    flag_value=HERE,
    metavar="[ADDRESS]",
    help="The same by the workers of a Dask cluster: that of the scheduler at ADDRESS, or one of "
    "processes of this machine.",
)
@click.option(
    "--spool",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where --workers and --cluster keep what was read, which all workers must reach.  "
    "[default: the place for temporary files]",
)
def audit(
    captures: Sequence[str],
    host_logs: Sequence[Path],
    leases: Sequence[Path],
    profile: str | None,
    rules: Sequence[str],
    html: Path | None,
    annotate: Path | None,
    follow: str | None,
    metrics: str | None,
    drift_ppm: float | None,
    workers: int | None,
    cluster: str | None,
    spool: Path | None,
    *,
    complete: bool,
    as_json: bool,
    as_sarif: bool,
) -> int:
    r"""Say who used which address when, and who is at fault.

    For whoever has "duplicate IP address" in a log.  Record what happens on the network, for longer
    than a lease, and have it judged:

    \b
      tcpdump -i eth0 -w office.pcap
      holdover audit office.pcap

    CAPTURE is pcap or pcapng, also under gzip or zstd; "-" is standard input.  Several are merged
    in order of time.  It is told who used an address without a right to it, by which frames that is
    seen, and what to do; or why it cannot be told.  Ctrl-C: the report of what was read so far.

    Exit status: 0 nobody was at fault, 1 somebody was, 2 bad input, 3 it cannot be told.
    """
    check_options(captures, host_logs, leases, annotate, follow, metrics, (as_json, as_sarif))
    check_workers(captures, follow, workers, cluster, spool)
    from holdover.reference.audit.collector import rarely_collected
    from holdover.reference.audit.course import Grounding, Sources

    sources = Sources(tuple(captures), tuple(host_logs), tuple(leases))
    drift = None if drift_ppm is None else Fraction(drift_ppm) / 10**6
    grounding = Grounding.of(profile, complete=complete, drift=drift)
    with ExitStack() as whole:
        if follow is None:
            whole.enter_context(rarely_collected())
        with ExitStack() as opened:
            page = None if html is None else opened.enter_context(open_new(html, "--html", sources))
            copy = None
            if annotate is not None:
                copy = opened.enter_context(open_new(annotate, "--annotate", sources))
            if follow is not None:
                from holdover.reference.audit.following import follow_interface

                found = follow_interface(follow, sources, grounding, metrics, tell=not as_json)
            elif workers is not None or cluster is not None:
                from holdover.reference.audit.partition.partitioned import run_partitioned

                found = run_partitioned(sources, grounding, workers, cluster, spool)
            else:
                from holdover.reference.audit.course import run_course

                found = run_course(sources, grounding)
            if rules:
                from holdover.reference.audit.report.words import choose_rules

                found = choose_rules(found, rules)
            if page is not None:
                from holdover.reference.audit.report.page import audit_page

                page.write(audit_page(found).encode())
            if copy is not None:
                copy_captures(found, captures, copy)
        report(found, as_json=as_json, as_sarif=as_sarif)
    for path in filter(None, (html, annotate)):
        click.echo(f"written: {path}", err=True)
    return EXIT[found.verdict]


def check_options(
    captures: Sequence[str],
    host_logs: Sequence[Path],
    leases: Sequence[Path],
    annotate: Path | None,
    follow: str | None,
    metrics: str | None,
    printed: tuple[bool, bool],
) -> None:
    """UsageError for what does not go together, or says nothing."""
    if all(printed):
        raise click.UsageError("--json and --sarif: choose one of them")
    if metrics is not None and follow is None:
        raise click.UsageError("--metrics is for --follow INTERFACE")
    if follow is not None and captures:
        raise click.UsageError("--follow watches an interface; audit captures without it")
    if not (captures or host_logs or leases or follow):
        raise click.UsageError("give a capture, as office.pcap, or --follow INTERFACE")
    if captures.count(STANDARD_INPUT) > 1:
        raise click.UsageError("'-' is standard input, which can be read once")
    if annotate is not None and (not captures or STANDARD_INPUT in captures):
        raise click.UsageError("--annotate copies captures: name them as files")


def check_workers(
    captures: Sequence[str],
    follow: str | None,
    workers: int | None,
    cluster: str | None,
    spool: Path | None,
) -> None:
    """UsageError for what many workers cannot do."""
    if workers is None and cluster is None:
        if spool is not None:
            raise click.UsageError("--spool is for --workers or --cluster")
        return
    if follow is not None or STANDARD_INPUT in captures:
        raise click.UsageError(
            "--workers and --cluster read files; '-' and --follow are one stream"
        )
    if cluster not in (None, HERE) and spool is None:
        raise click.UsageError("--cluster ADDRESS takes --spool DIR, which all machines reach")


@contextmanager
def open_new(path: Path, option: str, sources: Sources) -> Iterator[IO[bytes]]:
    """A file that takes the place of `path` when all went well; InputError where it cannot."""
    read = [*sources.captures, *sources.host_logs, *sources.leases]
    names = [each for each in map(str, read) if each != STANDARD_INPUT]
    if path.exists() and any(path.samefile(each) for each in names):
        raise InputError(f"{option} {path}: it is read as well; name another file")
    try:
        if path.exists() and not path.is_file():  # a device, or a pipe
            with path.open("wb") as file:
                yield file
            return
        number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    except OSError as error:
        raise InputError(f"{option} {path}: {error.strerror}; name another file") from error
    made = Path(name)
    try:
        with open(number, "wb") as file:  # noqa: PTH123 -- a descriptor
            yield file
        usual = os.umask(0o077)
        os.umask(usual)
        made.chmod(0o666 & ~usual)
        made.replace(path)
    except BaseException:
        made.unlink(missing_ok=True)
        raise


def copy_captures(found: Audit, captures: Sequence[str], out: IO[bytes]) -> None:
    """Each capture, with the comments of the audit, one after another."""
    from holdover.reference.audit.course import open_capture
    from holdover.reference.audit.report.annotate import comments_of, copy_with_comments

    comments = comments_of(found)
    for name in captures:
        with open_capture(name) as source:
            copy_with_comments(source, comments.get(name, {}), out, name)


def report(found: Audit, *, as_json: bool, as_sarif: bool) -> None:
    """On standard output."""
    if as_json:
        from holdover.reference.audit.report.data import SCHEMA, audit_data

        document(SCHEMA, audit_data(found))
    elif as_sarif:
        import json

        from holdover.reference.audit.report.sarif import sarif

        click.echo(json.dumps(sarif(found), indent=2, ensure_ascii=False))
    else:
        from holdover.reference.audit.report.text import print_audit

        print_audit(found)
