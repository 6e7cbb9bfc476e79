"""OpenMetrics: names, escapes, the end; and who serves it."""

import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace

import pytest

from holdover.model.errors import InputError
from holdover.reference.audit.report.metrics import (
    CONTENT_TYPE,
    MetricsServer,
    labels,
    listening,
    open_metrics,
)
from tests.reference.audit.report.audits import FINDING, HOLDS, ODD, VIOLATED

SAMPLE = re.compile(
    r'([a-z_]+)(\{([a-z]+="([^"\\\n]|\\["\\n])*"(,(?!\}))?)*\})? -?[0-9]+(\.[0-9]+)?(e-?[0-9]+)?'
)


@pytest.mark.parametrize("audit", [VIOLATED, HOLDS, ODD])
def test_each_line_is_a_sample_of_a_family_or_tells_of_it(audit: object) -> None:
    text = open_metrics(audit)  # type: ignore[arg-type]
    assert text.endswith("# EOF\n")
    families: dict[str, str] = {}
    for line in text.splitlines()[:-1]:
        if line.startswith("# "):
            _, what, name, said = line.split(" ", 3)
            if what == "TYPE":
                assert name not in families
                families[name] = said
            assert name in families
            continue
        found = SAMPLE.fullmatch(line)
        assert found, line
        name = found[1].removesuffix("_total")
        assert families[name] == "counter" if found[1].endswith("_total") else name in families


def test_it_has_what_was_found() -> None:
    lines = open_metrics(VIOLATED).splitlines()
    who = 'address="10.0.0.57",mac="02:00:00:00:00:01",kind="client_holdover"'
    assert f"holdover_seconds{{{who}}} 12.4" in lines
    assert 'duplicate_seconds_total{address="10.0.0.57"} 7.25' in lines
    assert "addresses_in_conflict 1" in lines
    assert 'verdict{verdict="violated"} 1' in lines
    assert 'verdict{verdict="holds"} 0' in lines


def test_two_findings_about_one_host_are_one_sample_and_the_worst_counts() -> None:
    worse = replace(FINDING, holdover_s=99.5)
    text = open_metrics(replace(VIOLATED, findings=(worse, FINDING)))
    assert [line for line in text.splitlines() if line.startswith("holdover_seconds{")] == [
        'holdover_seconds{address="10.0.0.57",mac="02:00:00:00:00:01",kind="client_holdover"} 99.5'
    ]


def test_a_label_is_escaped() -> None:
    assert labels(a='x"y\\z\n') == '{a="x\\"y\\\\z\\n"}'


# Who serves it -----------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[MetricsServer]:
    made = MetricsServer("127.0.0.1:0")
    yield made
    made.close()


def ask(server: MetricsServer, path: str) -> tuple[str, str]:
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=60) as answer:
        return answer.headers["Content-Type"], answer.read().decode()


def test_it_serves_the_last_text(server: MetricsServer) -> None:
    assert ask(server, "/metrics") == (CONTENT_TYPE, "# EOF\n")
    server.tell(open_metrics(VIOLATED))
    assert ask(server, "/metrics")[1] == open_metrics(VIOLATED)


def test_it_has_nothing_else(server: MetricsServer) -> None:
    with pytest.raises(urllib.error.HTTPError, match="404"):
        ask(server, "/etc/passwd")


def test_a_port_that_is_taken_is_told(server: MetricsServer) -> None:
    with pytest.raises(InputError, match=r"--metrics 127\.0\.0\.1:\d+: "):
        MetricsServer(f"127.0.0.1:{server.port}")


@pytest.mark.parametrize("text", ["", "9100", ":", ":x", "a:b:", ":65536", ":-1", ":٣"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="write :9100"):
        listening(text)


def test_a_host_may_be_left_out() -> None:
    assert listening(":9100") == ("", 9100)
    assert listening("[::1]:80") == ("::1", 80)
