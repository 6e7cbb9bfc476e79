"""The pinned configurations: the cheap ones come to their numbers, a changed number is reported.

The others are explored by `holdover verify`.
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from holdover.model.clients.profile import load
from holdover.model.explorer import configurations as manifest
from holdover.model.explorer.configurations import (
    Configuration,
    ExplorationCounts,
    as_toml,
    configurations,
    differences,
    main,
    run,
)
from holdover.model.table.table import LEASE_TABLE
from holdover.proofs.mutation.small_worlds import SmallWorld
from holdover.proofs.theorems import t1_refutation, t4_regression

CHEAP = tuple(c for c in configurations() if c.states < 20_000)
PINNED = Path(manifest.__file__).with_name("configurations.toml").read_text(encoding="utf-8")


def named(name: str) -> Configuration:
    return next(c for c in configurations() if c.name == name)


def as_pinned(configuration: Configuration) -> ExplorationCounts:
    """What an exploration that comes to the pinned numbers has seen."""
    c = configuration
    return ExplorationCounts(
        c.states, c.steps, c.depth, c.broken, c.sometimes, c.eventually, complete=True
    )


@pytest.mark.parametrize("configuration", CHEAP, ids=lambda c: c.name)
def test_cheap_configuration_comes_to_its_pinned_numbers(configuration: Configuration) -> None:
    seen, _ = run(configuration)
    assert differences(configuration, seen) == []
    assert as_toml(configuration, seen) in PINNED


def test_cheap_configurations_cover_what_can_be_pinned() -> None:
    assert len(CHEAP) > 10
    assert any(c.broken for c in CHEAP)
    assert any(c.eventually for c in CHEAP)
    assert len({c.name for c in configurations()}) == len(configurations())


CHANGES = {
    "states": 1,
    "steps": 2,
    "depth": 3,
    "broken": {"exclusive": 7},
    "sometimes": ("nothing",),
    "eventually": ("never",),
}


@pytest.mark.parametrize("name", CHANGES)
def test_each_changed_number_is_reported(name: str) -> None:
    configuration = named("rfc2131")
    seen = replace(as_pinned(configuration), **{name: CHANGES[name]})  # type: ignore[arg-type]
    pinned = getattr(configuration, name)
    assert differences(configuration, seen) == [f"{name}: {CHANGES[name]!r}, pinned {pinned!r}"]


def test_unchanged_numbers_are_not_reported() -> None:
    assert differences(named("rfc2131"), as_pinned(named("rfc2131"))) == []


def test_a_search_that_was_cut_off_differs_though_its_numbers_agree() -> None:
    seen = replace(as_pinned(named("rfc2131")), complete=False)
    assert differences(named("rfc2131"), seen) == [f"cut off after {seen.states} states"]


def test_a_changed_client_is_noticed() -> None:
    """The bug planted in the fixed client's place breaks what is pinned to hold."""
    pinned = named("wfwg311-fixed")
    seen, _ = run(replace(pinned, profile="wfwg311", eventually=()))
    assert not pinned.broken
    assert set(seen.broken) == {"exclusive", "released_first", "within_lease"}
    assert any(line.startswith("broken: ") for line in differences(pinned, seen))


@pytest.mark.parametrize(
    ("faults", "lasting"),
    [(("freezes", "mutes"), ()), (("crashes",), ("told",)), (("stops",), ("told",))],
    ids=["frozen", "dead", "ended"],
)
def test_what_no_longer_comes_about_is_noticed(
    faults: tuple[str, ...], lasting: tuple[str, ...]
) -> None:
    """A frozen client neither recovers nor tells; a dead one need not tell.

    While a server answers a client that runs has no lapse to tell of: hence the silent one.
    """
    pinned = named("one host, every passing fault")
    planted = replace(pinned, faults=faults)
    seen, _ = run(planted)
    assert seen.eventually == lasting
    assert f"eventually: {lasting!r}, pinned {pinned.eventually!r}" in differences(planted, seen)


def test_nothing_lasts_in_a_search_that_was_cut_off() -> None:
    pinned = named("one host, every passing fault")
    _, found = run(replace(pinned, faults=()))
    assert manifest.lasting(found, pinned.eventually) == pinned.eventually
    found.complete = False
    assert manifest.lasting(found, pinned.eventually) == ()


def test_printed_manifest_is_read_back_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    few = tuple(named(name) for name in ("server forgets", "networkd", "two kinds of client"))

    def cheap() -> Iterator[Configuration]:
        yield from few

    monkeypatch.setattr(manifest, "configurations", cheap)
    main()
    printed = capsys.readouterr().out
    assert printed.startswith(manifest.HEADER)
    assert PINNED.startswith(manifest.HEADER)
    read = tomllib.loads(printed)["configuration"]
    lists = ("faults", "sometimes", "eventually", "beside")
    assert [{**entry, **{k: tuple(entry.get(k, ())) for k in lists}} for entry in read] == [
        asdict(configuration) for configuration in few
    ]


# The grid ----------------------------------------------------------------------------------------


def told_apart(constants: Mapping[str, object]) -> bool:
    """T1 comes before T2, and T2 before the end: in two ticks a lease, T1 and T2 are one."""
    full, after_t1, after_t2 = (
        int(str(constants[name])) for name in ("full", "after_t1", "after_t2")
    )
    return 0 < after_t2 < after_t1 < full


@pytest.mark.parametrize("pinned", configurations(), ids=lambda c: c.name)
def test_a_tick_tells_t1_t2_and_the_end_apart(pinned: Configuration) -> None:
    assert told_apart(pinned.instance().constants)
    assert not told_apart(replace(pinned, ticks=2).instance().constants)


def test_so_does_that_of_the_theorems_and_of_the_mutants() -> None:
    instances = [
        t1_refutation.instance(),
        *(t4_regression.instance("wfwg311-fixed", sizes) for sizes in t4_regression.SIZES),
        SmallWorld("as it comes", load("rfc2131")).instance(LEASE_TABLE),
    ]
    assert all(told_apart(instance.constants) for instance in instances)
