"""What a new user does wrong in the first ten minutes: one line says what, where, and what to do.

Each was made by hand first.  `says`: what is wrong and where; `to_do`: what to do instead.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.reference.commands.running import program, refused, run

FILES = {
    "broken.toml": "late = \n",
    "key.toml": "lat = 1\n",
    "unit.toml": 'late = "1h"\n',
    "negative.toml": "late = -1\n",
    "choice.toml": 'anchor = "acks"\n',
    "clash.toml": 'trigger = "acknowledge"\n',
    "empty.toml": "",
    "site.json": '{"client": []}',
    "site.toml": '[[client]]\nprofil = "rfc2131"\n',
    "fault.toml": '[[client]]\nprofile = "rfc2131"\nfaults = ["freze"]\n',
    "other.log": "Nov 28 client[1]: bound\n",
    "lines.json": '{"a": 1}\n{"a": 2}\n',
    "file": "",
}


@dataclass(frozen=True)
class Mistake:
    """A command line, what is said of it, and what else, that helps."""

    words: str
    says: str
    to_do: str


MISTAKES = (
    # The command line
    Mistake("verfy", "no command 'verfy'", "nearest: verify"),
    Mistake("verify --bogus", "No such option '--bogus'", "see holdover verify --help"),
    Mistake("explore", "Missing argument 'PROFILE'", "see holdover explore --help"),
    Mistake("grace rfc2131", "unexpected extra argument (rfc2131)", "see holdover grace --help"),
    Mistake("export", "Missing argument 'FORMAT'", "tla, promela, smtlib"),
    Mistake("export xml rfc2131", "'FORMAT': 'xml' is not one of", "'tla', 'promela'"),
    Mistake("profiles a b", "unexpected extra argument (b)", "see holdover profiles --help"),
    Mistake("lab --repeat 2 list", "--repeat has no meaning in front of list", "lab --help"),
    # A client
    Mistake("verify wfwg31", "no profile 'wfwg31'", "nearest: wfwg311"),
    Mistake("prove rfc21", "no profile 'rfc21'", "nearest: rfc2131"),
    Mistake("grace --profile udhcp", "no profile 'udhcp'", "nearest: udhcpc"),
    Mistake("explore rfc2131 --beside dhclien", "no profile 'dhclien'", "nearest: dhclient"),
    Mistake("profiles nope", "no profile 'nope'", "there are: connman"),
    Mistake("verify none.toml", "none.toml: No such file", "name a file that has a profile"),
    Mistake("verify ./folder", "folder: Is a directory", "name a file that has a profile"),
    Mistake(
        "verify broken.toml",
        "broken.toml: Invalid value (at line 1, column 8)",
        "`holdover profiles rfc2131` prints one",
    ),
    Mistake("verify key.toml", "key.toml: line 1: lat: no such key", "nearest: late"),
    Mistake("verify unit.toml", "line 1: late: ", "a number of seconds is needed, not '1h'"),
    Mistake("verify negative.toml", "line 1: late: -1 is negative", "a duration in seconds"),
    Mistake("verify choice.toml", "line 1: anchor: 'acks' is no choice", "nearest: ack"),
    Mistake("verify clash.toml", "line 1: trigger: waits for an acknow", "but dialog = false"),
    Mistake("verify binary.toml", "binary.toml: byte 0: not UTF-8", "save the file as UTF-8"),
    # Surroundings
    Mistake("verify rfc2131 --lease 10x", "'--lease': '10x'", "write 90, 1.5, 10m, 1h or 1d"),
    Mistake("verify rfc2131 --lease -5", "'--lease': '-5' is negative", "write 90, 1.5, 10m"),
    Mistake("verify rfc2131 --lease 0", "--lease: a lease of no length", "give seconds above 0"),
    Mistake("verify rfc2131 --fault freeze", "no fault 'freeze'", "nearest: freezes"),
    Mistake("explore rfc2131 --fault freez", "no fault 'freez'", "nearest: freezes"),
    Mistake("verify --lease 1d", "options of the surroundings need a profile", "name one"),
    Mistake("verify rfc2131 --solver yices", "'yices' is not one of", "'z3', 'cvc5', 'both'"),
    Mistake("verify rfc2131 --memory lots", "'lots' is no whole number", "see holdover verify"),
    Mistake("matrix --jobs 0", "'--jobs': 0 is not in the range", "1<=x<=64"),
    # A network
    Mistake("verify --network site.json", "site.json: Invalid statement", "line 1, column 1"),
    Mistake("verify --network site.toml", "client 1: 'profil': no such key", "profile, faults"),
    Mistake("verify --network fault.toml", "fault.toml: client 1: ", "nearest: freezes"),
    Mistake("grace --network empty.toml", "empty.toml: 1 to 64 kinds", "each as [[client]]"),
    Mistake(
        "verify --network none.toml", "none.toml: No such file", "name a file that has a network"
    ),
    Mistake("verify --network folder", "'--network': File 'folder' is a directory", "--help"),
    Mistake("verify rfc2131 --network site.toml", "--network names the clients", "leave PROFILE"),
    # Small networks, and what is written
    Mistake("explore rfc2131 --hosts 99", "'--hosts': 99 is not in the range", "1<=x<=12"),
    Mistake("explore rfc2131 --lease 1h", "'--lease': '1h' is not a valid integer", "--help"),
    Mistake("explore rfc2131 --graph g.png", "--graph g.png", "must end in .graphml, .dot or .svg"),
    Mistake("explore rfc2131 --graph no/g.dot", "--graph no/g.dot", "there is no directory no"),
    Mistake("explore rfc2131 --checkpoint file", "'--checkpoint': Directory 'file'", "--help"),
    Mistake("export dot rfc2131", "dot: ", "-o PATH is needed"),
    Mistake("export tla rfc2131 -o x.tla", "--output x.tla", "to be named Lease.tla"),
    Mistake("export tla rfc2131 -o no/Lease.tla", "--output no/Lease.tla", "No such file"),
    Mistake("export promela rfc2131 --check x", "--check: no property 'x'", "there are: exclusive"),
    Mistake("prove --smtlib file", "'--smtlib': Directory 'file' is a file", "prove --help"),
    # Journals
    Mistake("explain nothing", "no profile 'nothing'", "there are: connman"),
    Mistake("explain other.log", "other.log: no journal", "`holdover client --journal` wrote"),
    Mistake("explain lines.json", "lines.json: line 1: ", "`holdover client --journal` wrote"),
    Mistake("explain folder", "folder: Is a directory", ""),
    # Client and server
    Mistake("client none0", "no interface 'none0'", "there are: "),
    Mistake("client lo", "lo is no Ethernet interface", "choose one that is"),
    Mistake("client lo --timeout -1", "'--timeout': '-1' is negative", "write 90, 1.5, 10m"),
    Mistake("client lo --hostname a_ä", "--hostname 'a_ä'", "no host or domain name"),
    Mistake("client lo --request routr", "--request: no option 'routr'", "nearest: routers"),
    Mistake("client lo --request 999", "--request 999", "numbers from 1 to 254"),
    Mistake("client lo --state-dir file", "'--state-dir': Directory 'file' is a file", "--help"),
    Mistake("client lo --journal folder", "'--journal': File 'folder' is a directory", "--help"),
    Mistake("server lo", "Missing option '--pool'", "see holdover server --help"),
    Mistake("server none0 --pool 10.0.0.5", "no interface 'none0'", "there are: "),
    Mistake("server lo --pool 10.0.0.300", "'10.0.0.300' is no range", "10.0.0.50-10.0.0.99"),
    Mistake("server lo --pool 10.0.0.9-10.0.0.5", "ends before it begins", "server --help"),
    Mistake("server lo --pool 10.0.0.5", "not in a subnet of lo", "127.0.0.0/8"),
    # The lab
    Mistake("lab --client dhclien", "no client 'dhclien'", "nearest: dhclient"),
    Mistake("lab --fault frozn", "no fault 'frozn'", "nearest: frozen"),
    Mistake("lab run --server keo", "no server 'keo'", "nearest: kea"),
    Mistake("lab --out file", "'--out': Directory 'file' is a file", "see holdover lab --help"),
    Mistake("lab replay wfwg311 --out folder", "--out folder: it is there", "name another"),
    Mistake("lab learn", "name one of --client and --device", "see holdover lab learn --help"),
)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the user is."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "binary.toml").write_bytes(b"\xff\x00\x01")
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def one_line(said: str) -> str:
    (line,) = said.splitlines()
    assert line.startswith("error: ")
    return line


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.words)
def test_one_line_says_what_where_and_what_to_do(place: Path, mistake: Mistake) -> None:
    line = one_line(refused(run(*mistake.words.split())))
    assert mistake.says in line
    assert mistake.to_do in line


def test_a_program_that_is_missing_is_named(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(place))
    line = one_line(refused(run("explore", "rfc2131", "--graph", "g.svg")))
    assert "no Graphviz `dot` found; install graphviz or write a .dot" in line


NOBODY = ("unshare", "--net", "sh", "-ec")
WITH_AN_INTERFACE = """\
ip link add e0 type veth peer name e1
exec unshare --user --map-user=1000 --map-group=1000 "$@"
"""
"""A user without any right, who owns our files, on a network of one interface."""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be somebody else")
def test_who_is_not_root_is_told(place: Path) -> None:
    before = (*NOBODY, WITH_AN_INTERFACE, "sh")
    done = program("client", "e0", "--state-dir", str(place), before=before)
    assert (done.returncode, done.stdout) == (2, "")
    assert "root" in one_line(done.stderr) or "CAP_NET_RAW" in one_line(done.stderr)


def test_a_read_only_output_is_told() -> None:
    line = one_line(refused(run("export", "promela", "rfc2131", "-o", "/proc/model.pml")))
    assert "--output /proc/model.pml: " in line
