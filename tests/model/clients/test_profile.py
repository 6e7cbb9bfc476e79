"""Profiles: what is wrong with a file is said with file, line and key; what is right survives."""

import tomllib
from dataclasses import fields, replace
from fractions import Fraction
from importlib import resources
from pathlib import Path

import pytest

from holdover.model.clients.profile import (
    FACTS,
    FAULTS,
    Environment,
    Profile,
    builtin_names,
    in_seconds,
    in_ticks,
    load,
    parse,
)
from holdover.model.errors import InputError
from holdover.model.table.vocabulary import CONSTANTS

FILE = "clients/mine.toml"


# Bad input ---------------------------------------------------------------------------------------

WRONG: dict[str, tuple[str, str]] = {
    "unknown key": (
        'title = "x"\nanhcor = "ack"\n',
        "line 2: anhcor: no such key; nearest: anchor",
    ),
    "unknown key, nothing near": (
        "zzz = 1\n",
        "line 1: zzz: no such key; there are: name, title, sources, notes, why, anchor, ",
    ),
    "unknown choice": ('\n\nanchor = "akc"\n', "line 3: anchor: 'akc' is no choice; nearest: ack"),
    "unknown choice, nothing near": (
        'clock = "x"\n',
        "line 1: clock: 'x' is no choice; there are: boottime, monotonic, wall",
    ),
    "a number for a choice": (
        "trigger = 3\n",
        "line 1: trigger: 3 is no choice; there are: lapse, acknowledge, retry, never",
    ),
    "a text for a truth": (
        '# a comment\ndialog = "yes"\n',
        "line 2: dialog: true or false is needed, not 'yes'",
    ),
    "a number for a truth": ("probes = 1\n", "line 1: probes: true or false is needed, not 1"),
    "a text for seconds": (
        'late = "1 s"\n',
        "line 1: late: a number of seconds is needed, not '1 s'",
    ),
    "a truth for seconds": (
        "floor = true\n",
        "line 1: floor: a number of seconds is needed, not True",
    ),
    "negative": (
        'anchor = "ack"\nlate = -2\n',
        "line 2: late: -2 is negative; a duration in seconds is needed",
    ),
    "negative fraction": ("late = -0.5\n", "line 1: late: -1/2 is negative"),
    "a text for sources": (
        'sources = "RFC 2131"\n',
        "line 1: sources: a list of texts is needed, not 'RFC 2131'",
    ),
    "numbers for sources": ("sources = [2131]\n", "line 1: sources: a list of texts is needed"),
    "a number for a text": ("title = 311\n", "line 1: title: a text is needed, not 311"),
    "a table": ("[anchor]\nx = 1\n", "line 1: anchor: {'x': 1} is no choice"),
    "anchor without probing": (
        'title = "x"\nanchor = "probe"\n',
        "line 2: anchor: counts from the end of probing, but probes = false",
    ),
    "probing time without probing": (
        "probe_time = 7\n",
        "line 1: probe_time: a probing time, but probes = false",
    ),
    "retries without retrying": (
        "retries_for = 60\n",
        'line 1: retries_for: a time to retry, but trigger = "lapse"',
    ),
    "kernel without kernel": (
        "late = 1\nkernel_late = 2.5\n",
        'line 2: kernel_late: speaks of the kernel lifetime, but enforcer = "process"',
    ),
    "margin without kernel": (
        "margin = 2.5\n",
        'line 1: margin: speaks of the kernel lifetime, but enforcer = "process"',
    ),
    "waits for no dialog": (
        'trigger = "acknowledge"\n',
        "line 1: trigger: waits for an acknowledgement, but dialog = false",
    ),
    "quoted key": ('"late" = -1\n', "line 1: late: -1 is negative"),
    "no value": ('title = "x"\nlate =\n', "(at line 2, column 7)"),
    "twice": ("late = 1\nlate = 2\n", "(at line 2, column 9)"),
    "a reason for no constant": (
        'late = 1\n[why]\nlaet = "read: x.c 1"\n',
        "line 3: why: laet: no such constant; nearest: late",
    ),
    "a reason without its kind": (
        'late = 1\n\n[why]\nlate = "x.c 1"\n',
        "line 4: why: late: 'x.c 1' does not say how it is known; write \"read | documented | ",
    ),
    "a reason from nowhere": ('[why]\nlate = "read: "\n', "line 2: why: late: 'read: ' does not"),
    "a number for a reason": ("[why]\nlate = 1\n", "line 2: why: late: a text is needed, not 1"),
    "a text for reasons": ('why = "read: x"\n', "line 1: why: a table is needed, [why], not"),
    "a reason that rings": ('[why]\nlate = "read: \\u0007"\n', "line 2: why: late: the control"),
    "no TOML": ("DHCP\n", "(at line 1, column 5)"),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_a_mistake_is_named_with_its_place(mistake: str) -> None:
    text, message = WRONG[mistake]
    with pytest.raises(InputError) as caught:
        parse(text, FILE, "mine")
    assert str(caught.value).startswith(f"{FILE}: ")
    assert message in str(caught.value)


def test_no_value_is_infinite_or_no_number() -> None:
    for value in ("inf", "nan", "-inf"):
        with pytest.raises(InputError, match=r"mine\.toml: "):
            parse(f"late = {value}\n", FILE, "mine")


def test_an_unknown_profile_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError) as caught:
        load("wfwg31")
    assert str(caught.value).startswith("no profile 'wfwg31'; nearest: wfwg311")
    with pytest.raises(InputError, match="there are: connman, dhclient"):
        load("qqqqqq")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "none.toml"
    with pytest.raises(InputError) as caught:
        load(str(path))
    assert str(caught.value) == f"{path}: No such file or directory; name a file that has a profile"


def test_a_directory_is_no_profile(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Is a directory"):
        load(f"{tmp_path}/")


def test_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    path = tmp_path / "latin.toml"
    path.write_bytes(b'title = "caf\xe9"\n')
    with pytest.raises(InputError) as caught:
        load(str(path))
    assert str(caught.value) == f"{path}: byte 12: not UTF-8; save the file as UTF-8"


# Good input --------------------------------------------------------------------------------------


def test_an_empty_file_is_a_client_as_the_rfc_wants_it() -> None:
    assert parse("", FILE, "mine") == Profile("mine", unstated=FACTS)


def test_a_file_is_read_under_its_own_name(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('anchor = "ack"\nlate = 0.1\n')
    found = load(str(path))
    assert (found.name, found.anchor, found.late) == ("mine", "ACK", Fraction(1, 10))
    assert "late" not in found.unstated


def test_seconds_are_exact() -> None:
    """0.1 is a tenth, not the nearest binary fraction."""
    assert parse("late = 0.1\n", FILE, "x").late == Fraction(1, 10)


@pytest.mark.parametrize("name", builtin_names())
def test_a_builtin_profile_survives_printing(name: str) -> None:
    profile = load(name)
    assert parse(profile.to_toml(), FILE, "another name") == profile


def test_every_fact_survives_printing() -> None:
    """With no default among them, so that nothing is lost in silence."""
    profile = Profile(
        "mine",
        'a "title"',
        ("one", "two\\three"),
        "first line\nsecond line\tand no more",
        anchor="PROBE",
        floor=Fraction(20),
        late=Fraction(1, 8),
        trigger="RETRY",
        retries_for=Fraction(60),
        dialog=True,
        enforcer="KERNEL",
        kernel_late=Fraction(5, 2),
        margin=Fraction(3),
        clock="WALL",
        checks_xid=False,
        hears_renewing=False,
        heeds_nak="NEVER",
        after_nak="WAIT",
        nak_late=Fraction(28),
        probes=True,
        probe_time=Fraction(7),
        gives_way=True,
        gives_way_within=Fraction(10),
        drops_to_renew=True,
        keeps_old=True,
        asks_for=Fraction(30),
        restart="LEAVE",
        releases=True,
    )
    plain = Profile("mine")
    heeding = replace(plain, heeds_shorter=True)  # contradicts some of the others
    for name in FACTS:
        other = heeding if name == "heeds_shorter" else profile
        assert getattr(other, name) != getattr(plain, name)
    for each in (profile, heeding):
        assert parse(each.to_toml(), FILE, "another name") == each


@pytest.mark.parametrize("late", ["0.1", "86400", "0.000001", "10000000000000000.0001"])
def test_seconds_survive_printing(late: str) -> None:
    profile = replace(Profile("mine"), late=Fraction(late))
    assert parse(profile.to_toml(), FILE, "mine") == profile


@pytest.mark.parametrize("name", builtin_names())
def test_a_builtin_profile_names_title_and_sources(name: str) -> None:
    profile = load(name)
    assert profile.name == name
    assert profile.title
    assert profile.sources
    assert all(len(source) > len("read: ") for source in profile.sources)


@pytest.mark.parametrize("name", builtin_names())
def test_a_builtin_profile_says_how_each_of_its_constants_is_known(name: str) -> None:
    text = (resources.files("holdover.model.clients") / "profiles" / f"{name}.toml").read_text(
        "utf-8"
    )
    why = dict(load(name).why)
    assert {key for key in tomllib.loads(text) if key in FACTS} <= why.keys()
    usual = Profile(name)
    assert {
        fact for fact in FACTS if getattr(load(name), fact) != getattr(usual, fact)
    } <= why.keys()


LABS_PAGES = ("league.md", "given-away.md", "two-hosts.md", "never-late.md", "device.md")
"""Pages that have measurements of the lab beside what a profile predicts."""


@pytest.mark.parametrize("name", builtin_names())
def test_a_prediction_stands_on_no_figure_that_it_is_held_to_unless_it_says_fitted(
    name: str,
) -> None:
    for constant, reason in load(name).why:
        known, _, source = reason.partition(": ")
        if known != "fitted":
            assert not any(page in source for page in LABS_PAGES), (constant, reason)
        if known == "measured":
            assert "docs/" in source, f"{constant}: {reason}: where?"


def test_what_was_fitted_is_told_from_what_was_read() -> None:
    text = 'late = 1\nfloor = 2\n[why]\nlate = "fitted: 0.9 s"\nfloor = "read: fitted.c 1"\n'
    assert parse(text, FILE, "mine").fitted == ("late",)
    assert "kernel_late" in load("dhcpcd").fitted


def test_the_profiles_of_the_article_are_there() -> None:
    article = {"wfwg311", "wfwg311-fixed", "wfwg311-thereafter", "rfc2131", "reference"}
    assert article <= set(builtin_names())


# Constants ---------------------------------------------------------------------------------------


def test_profile_and_environment_fix_every_constant() -> None:
    constants = in_seconds(load("rfc2131"), Environment())
    assert constants.keys() == CONSTANTS.keys()
    assert not load("rfc2131").facts().keys() & Environment().facts().keys()


def test_every_fact_of_a_profile_is_a_word_of_the_table() -> None:
    assert {f.name for f in fields(Profile)} - {
        "name",
        "title",
        "sources",
        "notes",
        "why",
        "unstated",
    } == set(FACTS)
    assert set(FACTS) <= CONSTANTS.keys()
    assert set(FAULTS) <= CONSTANTS.keys()


def test_ticks_are_whole_and_rounded_up() -> None:
    profile = Profile("x", late=Fraction(1), kernel_late=Fraction(5, 2), enforcer="KERNEL")
    ticks = in_ticks(profile, Environment(Fraction(24)), Fraction(2))
    assert (ticks["full"], ticks["least"], ticks["after_t1"], ticks["after_t2"]) == (12, 12, 6, 2)
    assert (ticks["late"], ticks["kernel_late"], ticks["grace"]) == (1, 2, 0)
    assert ticks.keys() == CONSTANTS.keys()


def test_a_user_who_may_never_answer_is_no_user_who_answers_at_once() -> None:
    never = Environment(acknowledge_within=None).facts()
    at_once = Environment(acknowledge_within=Fraction(0)).facts()
    assert (never["acknowledges"], at_once["acknowledges"]) == (False, True)


def test_faults_are_switched_on_one_by_one() -> None:
    facts = Environment().and_faults("mutes").and_faults("loses", "mutes").facts()
    assert {fault for fault in FAULTS if facts[fault]} == {"mutes", "loses"}
