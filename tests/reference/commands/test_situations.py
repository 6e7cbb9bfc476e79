"""`holdover situations`, and `--situation` of the commands that judge a client."""

from __future__ import annotations

from pathlib import Path

from holdover.model.clients.situations import list_unexpressed, situations
from tests.reference.commands.running import as_json, run, told


def test_the_list_has_each_with_its_sentence_and_what_is_left() -> None:
    shown = " ".join(told(run("situations"), 0).split())
    for each in situations():
        assert f"{each.name} {each.says} {len(each.reports)}" in shown
    for left in list_unexpressed():
        assert left.why in shown


def test_one_is_told_with_verdict_story_cures_advice_and_reports() -> None:
    shown = told(run("situations", "clones"), 1)
    assert "violated - two hosts hold one address after 10 steps: another host has" in shown
    assert "cured, by proof: a probe by every client" in shown
    assert "on dnsmasq: --dhcp-ignore-clid" in shown
    assert "systemd/systemd #3361, #9609" in shown
    assert "holds" in told(run("situations", "identity-changes"), 0)


def test_a_harm_of_one_client_is_told_in_ticks() -> None:
    shown = told(run("situations", "drops-to-renew"), 1)
    assert "keeps the address" in shown
    assert "1 tick  h1 asks its server to renew a1" in shown
    assert "cured, by proof" not in shown


def test_a_wrong_name_is_told_the_nearest() -> None:
    for words in (("situations", "clone"), ("verify", "rfc2131", "--situation", "clone")):
        ended = run(*words)
        assert (ended.exit_code, ended.stdout) == (2, "")
        assert "no situation 'clone'" in ended.stderr
        assert "clones" in ended.stderr


def test_a_network_is_judged_in_a_situation_of_its_file(tmp_path: Path) -> None:
    site = tmp_path / "site.toml"
    client = '[[client]]\nprofile = "rfc2131"\n'
    site.write_text(f"{client}[surroundings]\nsituation = 'clones'\n")
    shown = told(run("verify", "--network", site), 1)
    assert "another host has the client identifier of this one" in shown
    site.write_text(f"{client}[surroundings]\nsituation = 'clone'\n")
    assert "no situation 'clone'" in run("verify", "--network", site).stderr
    site.write_text(f"{client}[surroundings]\nsituation = 1\n")
    assert "a name is needed, not 1" in run("verify", "--network", site).stderr


def test_a_client_is_judged_in_a_situation() -> None:
    """With its faults, its lease and its grace, unless the command line has others."""
    plain = as_json(run("verify", "rfc2131", "--fault", "clones", "--json"), 1)
    assert as_json(run("verify", "rfc2131", "--situation", "clones", "--json"), 1) == plain
    judged = as_json(run("verify", "udhcpc", "--situation", "short-lease", "--json"), 1)
    longer = ("verify", "udhcpc", "--situation", "short-lease", "--lease", "1h", "--json")
    assert judged != as_json(run(*longer), 1)
    (found,) = as_json(run("verify", "networkd", "--situation", "nak-ignored", "--json"), 1)[
        "judgements"
    ]
    outcomes = {each["property"]: each["outcome"] for each in found["by_itself"]}
    assert outcomes == {"obeys_nak": "violated", "keeps": "holds", "recovers": "holds"}
