"""Clients and their surroundings as data: what a run of the lease table holds fixed.

A `Profile` is one client, read from TOML; its keys are the constants of `vocabulary.py`.  Its
table `why` says of each constant how it is known, and from where.  An
`Environment` is the lease, the server, the network, and which faults happen.  Times are seconds
(exact fractions); `constants` turns both into the numbers of a reading, in seconds or in ticks.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal, localcontext
from fractions import Fraction
from functools import cache
from importlib import resources
from math import ceil
from pathlib import Path

from holdover.model.clients.rules import contradiction, follow
from holdover.model.errors import InputError, nearest
from holdover.model.inputs import harmful, printable, show_value, text_of
from holdover.model.table.expr import BOOL, DURATION, Constant, Expr
from holdover.model.table.vocabulary import CONSTANTS, MEANINGS

Seconds = Fraction


@dataclass(frozen=True)
class Profile:
    """A client as the lease table sees it; the defaults are RFC 2131's.

    `unstated` are the facts that nobody has stated of it: they have RFC 2131's values here, and a
    verdict says whether it hangs on that (`holdover.proofs.verdicts.unstated`).
    """

    name: str
    title: str = ""
    sources: tuple[str, ...] = ()
    notes: str = ""
    why: tuple[tuple[str, str], ...] = ()
    anchor: str = "REQUEST"
    floor: Seconds = Fraction(0)
    late: Seconds = Fraction(0)
    trigger: str = "LAPSE"
    retries_for: Seconds = Fraction(0)
    dialog: bool = False
    enforcer: str = "PROCESS"
    kernel_late: Seconds = Fraction(0)
    margin: Seconds = Fraction(0)
    clock: str = "BOOTTIME"
    checks_xid: bool = True
    hears_renewing: bool = True
    heeds_nak: str = "ALWAYS"
    after_nak: str = "REMOVE"
    nak_late: Seconds = Fraction(0)
    heeds_shorter: bool = False
    probes: bool = False
    probe_time: Seconds = Fraction(0)
    gives_way: bool = False
    gives_way_within: Seconds = Fraction(0)
    drops_to_renew: bool = False
    keeps_old: bool = False
    asks_for: Seconds = Fraction(60)
    restart: str = "REMOVE"
    releases: bool = False
    unstated: tuple[str, ...] = ()

    def facts(self) -> dict[str, object]:
        """The constants of the table that the client fixes."""
        return {name: getattr(self, name) for name in FACTS}

    @property
    def fitted(self) -> tuple[str, ...]:
        """The constants that were fitted to measurements: `why` says so of each."""
        return tuple(name for name, reason in self.why if reason.startswith("fitted: "))

    def to_toml(self) -> str:
        """The profile as a file to start from, each key with its meaning.

        What is not stated is a comment: a file that is made of a file states no more than that.
        """
        lines = [f"name = {quote(self.name)}", f"title = {quote(self.title)}"]
        sources = ", ".join(quote(source) for source in self.sources)
        lines += [f"sources = [{sources}]"]
        if self.notes:
            lines.append(f"notes = {quote(self.notes)}")
        lines.append("")
        for name in FACTS:
            value, sort = getattr(self, name), CONSTANTS[name].sort
            choices = f": {' | '.join(v.lower() for v in sort.values)}" if sort.values else ""
            unit = " (seconds)" if sort is DURATION else ""
            said = "# not stated: " if name in self.unstated else ""
            meaning = f"{MEANINGS[name][0]}{unit}{choices}"
            lines.append(f"{said}{name} = {toml_value(value):<15} # {meaning}")
        lines += reasons(self.why)
        return "\n".join(lines) + "\n"


TEXTS = ("name", "title", "sources", "notes", "why")
FACTS = tuple(f.name for f in fields(Profile) if f.name not in (*TEXTS, "unstated"))


@dataclass(frozen=True)
class Environment:
    """The lease, the server, the network and the faults; the defaults are a perfect world.

    `acknowledge_within` is None where the user may never answer.
    """

    lease: Seconds = Fraction(3600)
    shortest: Seconds | None = None
    grace: Seconds = Fraction(0)
    drift: Fraction = Fraction(0)
    delay: Seconds = Fraction(0)
    acknowledge_within: Seconds | None = Fraction(0)
    step: Seconds = Fraction(0)
    server_probes: bool = False
    durable: bool = False
    broadcasts_nak: bool = True
    authoritative: bool = False
    in_order: bool = True
    patient: bool = False
    faults: frozenset[str] = field(default_factory=frozenset)

    def facts(self) -> dict[str, object]:
        """The constants of the table that the surroundings fix."""
        shortest = self.lease if self.shortest is None else self.shortest
        return {
            "full": self.lease,
            "least": shortest,
            "after_t1": self.lease / 2,
            "after_t2": self.lease / 8,
            "grace": self.grace,
            "drift": self.drift,
            "delay": self.delay,
            "acknowledge_within": self.acknowledge_within or Fraction(0),
            "acknowledges": self.acknowledge_within is not None,
            "step": self.step,
            "server_probes": self.server_probes,
            "durable": self.durable,
            "broadcasts_nak": self.broadcasts_nak,
            "authoritative": self.authoritative,
            "in_order": self.in_order,
            "patient": self.patient,
            **{name: name in self.faults for name in FAULTS},
        }

    def and_faults(self, *faults: str) -> Environment:
        """The same surroundings with more faults."""
        return replace(self, faults=self.faults | set(faults))


STANDARD = Environment(
    delay=Fraction(1), acknowledge_within=None, faults=frozenset({"mutes", "loses", "duplicates"})
)
"""What every client meets: a server that may fall silent, a network that loses, duplicates and
delays by up to a second, a user who may never answer; an hour's lease, no grace, no drift."""

LATE: Seconds = Fraction(1)
"""Seconds that a conforming client's timer may be late on a machine with other work.

RFC 2131 §4.4.5 says "immediately".  Whoever judges a real client grants so much
(`reference/validation`, `reference/audit`)."""


KNOWN: Mapping[str, str] = {
    "read": "in the client's source code, at the lines given",
    "documented": "in an RFC, a manual or an article",
    "measured": "of this client, by an experiment apart from those that predictions stand beside",
    "fitted": "to measurements that predictions stand beside: no prediction of these",
    "assumed": "nobody has looked",
}
"""How a constant of a profile is known: the first word of its reason in `why`."""


FAULTS = (
    "mutes",
    "loses",
    "duplicates",
    "freezes",
    "thaws",
    "crashes",
    "stops",
    "restarts",
    "suspends",
    "steps",
    "forgets",
    "shortens",
    "reuses_early",
    "forges",
    "rival",
    "clones",
    "jumps",
    "settles",
    "intrudes",
    "loses_arp",
)


def in_seconds(profile: Profile, environment: Environment) -> dict[str, object]:
    """All constants of the table, durations in seconds, exactly."""
    return {**profile.facts(), **environment.facts()}


def in_ticks(profile: Profile, environment: Environment, tick: Seconds) -> dict[str, object]:
    """All constants of the table, durations in ticks of `tick` seconds, rounded up.

    Rounding up makes every client later and every fault longer: what holds in ticks need not hold
    in seconds nor the reverse, so a collision found in ticks is confirmed in seconds (`realise`).
    """
    return {
        name: ceil(value / tick)
        if isinstance(value, Fraction) and CONSTANTS[name].sort is DURATION
        else value
        for name, value in in_seconds(profile, environment).items()
    }


def mix_constants(hosts: Sequence[Mapping[str, object]]) -> dict[str, object]:
    """The constants of hosts, one after the other, each with those of its own client.

    What is the same for all is given once, else as a tuple; ValueError if it is not about hosts.
    """
    found: dict[str, object] = {}
    for name, first in hosts[0].items():
        each = tuple(constants[name] for constants in hosts)
        alike = all(value == first for value in each)
        if not alike and isinstance(CONSTANTS[name], Expr):
            raise ValueError(f"{name} is the same for all hosts, not {each}")
        found[name] = first if alike else each
    return found


# TOML --------------------------------------------------------------------------------------------


@cache
def builtin_names() -> tuple[str, ...]:
    """The profiles that come with the project."""
    folder = resources.files("holdover.model.clients") / "profiles"
    files = (f.name for f in folder.iterdir() if f.name.endswith(".toml"))
    return tuple(sorted(name.removesuffix(".toml") for name in files))


def load(name: str) -> Profile:
    """A profile by its name, or from a file if `name` looks like a path; InputError if neither."""
    if name.endswith(".toml") or "/" in name:
        path = Path(name)
        return parse(text_file(path, "a profile"), name, printable(path.stem))
    if name not in builtin_names():
        raise InputError(f"no profile {show_value(name)}; {nearest(name, builtin_names())}")
    return _builtin(name)


@cache
def _builtin(name: str) -> Profile:
    """A profile that comes with the project; the proofs ask for each a dozen times."""
    folder = resources.files("holdover.model.clients") / "profiles"
    return parse((folder / f"{name}.toml").read_text("utf-8"), f"profiles/{name}.toml", name)


def text_file(path: Path, what: str) -> str:
    """The text of a user's file; InputError if it is none."""
    try:
        return text_of(path, LARGEST, what)
    except OSError as error:
        raise InputError(
            f"{path}: {error.strerror or error}; name a file that has {what}"
        ) from error
    except ValueError as error:
        raise InputError(f"{path}: {error}") from error


def parse(text: str, where: str, default_name: str) -> Profile:
    """A profile from TOML text.  InputError names the file, the line and the key."""
    try:
        data = tomllib.loads(text, parse_float=exactly)
    except ValueError as error:  # TOMLDecodeError is one, and so is what `exactly` raises
        hint = "a profile is TOML, as `holdover profiles rfc2131` prints one"
        raise InputError(f"{where}: {error}; {hint}") from error
    except RecursionError as error:
        raise InputError(
            f"{where}: nested too deeply; a profile is a list of `key = value`"
        ) from error
    values: dict[str, object] = {"name": default_name}
    for key, value in data.items():
        at = Place(where, text, key)
        if key == "why":
            values[key] = why_value(value, text, where)
        elif key in TEXTS:
            values[key] = text_value(value, key, at)
        elif key in FACTS:
            values[key] = fact(value, CONSTANTS[key], at)
        else:
            raise InputError(f"{at}: no such key; {nearest(key, TEXTS + FACTS)}")
    profile = Profile(**values)  # type: ignore[arg-type]
    problem = contradiction(profile.facts())
    if problem:
        key, message = problem
        raise InputError(f"{where}: line {line_of(text, key)}: {key}: {message}")
    stated = values.keys() & set(FACTS)
    known = stated | follow(profile.facts(), stated)
    return replace(profile, unstated=tuple(name for name in FACTS if name not in known))


@dataclass(frozen=True)
class Place:
    """Where a file has a key, for an error: the line is looked for when it is said."""

    where: str
    text: str
    key: str
    of: str = ""

    def __str__(self) -> str:
        key = self.key if self.key.isidentifier() else show_value(self.key)
        return f"{self.where}: line {line_of(self.text, self.key)}: {self.of}{key}"


def text_value(value: object, key: str, at: Place) -> object:
    """A text key's value."""
    if key == "sources":
        if isinstance(value, list) and all(isinstance(v, str) for v in value):
            return tuple(harmless(v, key, at) for v in value)
        raise InputError(f"{at}: a list of texts is needed, not {show_value(value)}")
    if isinstance(value, str):
        return harmless(value, key, at)
    raise InputError(f"{at}: a text is needed, not {show_value(value)}")


def why_value(value: object, text: str, where: str) -> tuple[tuple[str, str], ...]:
    """How each constant is known, in the order of the file."""
    begins = line_of_table(text, "why")
    if not isinstance(value, dict):
        at = f"{where}: line {begins}: why"
        raise InputError(f"{at}: a table is needed, [why], not {show_value(value)}")
    after = "\n" * begins + "\n".join(text.splitlines()[begins:])
    for key, reason in value.items():
        place = Place(where, after, key, "why: ")
        if key not in FACTS:
            raise InputError(f"{place}: no such constant; {nearest(key, FACTS)}")
        known, _, source = str(text_value(reason, key, place)).partition(": ")
        if known not in KNOWN or not source.strip():
            raise InputError(
                f"{place}: {show_value(reason)} does not say how it is known; "
                f'write "{" | ".join(KNOWN)}", a colon, and from where'
            )
    return tuple(value.items())


def line_of_table(text: str, name: str) -> int:
    """The line of a table's head, counted from 1."""
    head = re.compile(rf"\s*\[\s*{name}\s*\]")
    for number, line in enumerate(text.splitlines(), 1):
        if head.match(line):
            return number
    return line_of(text, name)


def reasons(why: Sequence[tuple[str, str]]) -> list[str]:
    """The table `why` of a file; no line where there is nothing to say."""
    return ["", "[why]", *(f"{key} = {quote(reason)}" for key, reason in why)] if why else []


def harmless(text: str, key: str, at: Place | str) -> str:
    """The text; InputError where it has what a terminal obeys.  Notes may have several lines."""
    found = harmful(text, "\n\t" if key == "notes" else "")
    if found is not None:
        raise InputError(f"{at}: the control character {found}; write it without")
    return text


def fact(value: object, word: Expr | Constant, at: Place) -> object:
    """A constant's value, checked against its sort."""
    if word.sort is BOOL:
        if isinstance(value, bool):
            return value
        raise InputError(f"{at}: true or false is needed, not {show_value(value)}")
    if word.sort is DURATION:
        if isinstance(value, bool) or not isinstance(value, int | Fraction):
            raise InputError(f"{at}: a number of seconds is needed, not {show_value(value)}")
        if value < 0:
            raise InputError(f"{at}: {value} is negative; a duration in seconds is needed")
        return Fraction(value)
    choices = word.sort.values
    if isinstance(value, str) and value.upper() in choices:
        return value.upper()
    hint = nearest(
        show_value(value).strip("'").lower(), tuple(choice.lower() for choice in choices)
    )
    raise InputError(f"{at}: {show_value(value)} is no choice; {hint}")


def line_of(text: str, key: str) -> int:
    """The line of a top-level key, counted from 1."""
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(rf"""\s*["']?{re.escape(key)}["']?\s*=""", line):
            return number
    return 1


def quote(text: str) -> str:
    """A TOML basic string."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def toml_value(value: object) -> str:
    """A fact as TOML; durations lose no digit."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Fraction):
        with localcontext(prec=100):
            return format(Decimal(value.numerator) / Decimal(value.denominator), "f")
    return quote(str(value).lower())


def exactly(text: str) -> Fraction:
    """A TOML float as an exact fraction; ValueError for what is no length of time."""
    number = Decimal(text)
    if not number.is_finite() or abs(number.adjusted()) > LARGEST_EXPONENT:
        raise ValueError(f"{text} is no number of seconds")
    return Fraction(number)


LARGEST = 1 << 16
"""Bytes of a file of a profile; those that come with the project have a few thousand at most."""

LARGEST_EXPONENT = 18
