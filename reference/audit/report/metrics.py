"""What an audit that goes on has found, as OpenMetrics text, and who serves it.

Theory of operation.  `open_metrics` is a function of an audit.  `holdover_seconds` is a gauge for
each finding that is about a holdover; `duplicate_seconds_total` a counter for each address, which
adds up all that was seen of two hosts with it; `addresses_in_conflict` counts the addresses that
have had two hosts at once.  The verdict is a state set: each of the three words, and 1 for the one
that it is.

`MetricsServer` answers GET /metrics on a thread of its own, with the standard library.  It is
handed a text when there is a new one, and touches nothing else: whoever asks neither waits for the
audit nor makes it wait.

What it does not know: authentication and TLS; who may ask is for the address that it listens on.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import get_args

from holdover.model.errors import InputError
from holdover.proofs.result import Outcome
from holdover.reference.audit.monitor.results import Audit
from holdover.reference.audit.report.words import show_hardware
from holdover.reference.core.instants import SECOND

CONTENT_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"

MOST_PORT = 0xFFFF


def open_metrics(audit: Audit) -> str:
    """The text of an exposition, to its end."""
    return "".join(f"{line}\n" for line in lines(audit))


def lines(audit: Audit) -> Iterator[str]:
    """Families, each with its type and help, and the end."""
    yield "# TYPE holdover_seconds gauge"
    yield "# UNIT holdover_seconds seconds"
    yield "# HELP holdover_seconds How long a host used an address after its lease had ended."
    worst: dict[tuple[str, str, str], float] = {}
    for finding in audit.findings:
        if finding.holdover_s is not None:
            who = show_hardware(finding.hardware) or ""
            key = (str(finding.address), who, finding.kind)
            worst[key] = max(worst.get(key, finding.holdover_s), finding.holdover_s)
    for (address, mac, kind), seconds in worst.items():
        yield f"holdover_seconds{labels(address=address, mac=mac, kind=kind)} {seconds!r}"
    both: dict[str, float] = defaultdict(float)
    for line in audit.addresses:
        for begin, end, _, _ in line.overlaps:
            both[str(line.address)] += (end - begin) / SECOND
    yield "# TYPE duplicate_seconds counter"
    yield "# UNIT duplicate_seconds seconds"
    yield "# HELP duplicate_seconds How long two hosts were seen to use an address at once."
    for address, seconds in both.items():
        yield f"duplicate_seconds_total{labels(address=address)} {seconds!r}"
    yield "# TYPE addresses_in_conflict gauge"
    yield "# HELP addresses_in_conflict Addresses that two hosts were seen to use at once."
    yield f"addresses_in_conflict {len(both)}"
    yield "# TYPE findings gauge"
    yield "# HELP findings What somebody is at fault for."
    kinds: dict[str, int] = defaultdict(int)
    for finding in audit.findings:
        kinds[finding.kind] += 1
    for kind, number in kinds.items():
        yield f"findings{labels(kind=kind)} {number}"
    yield "# TYPE verdict stateset"
    yield "# HELP verdict What the audit comes to; unknown is no pass."
    for word in get_args(Outcome):
        yield f"verdict{labels(verdict=word)} {int(word == audit.verdict)}"
    yield "# EOF"


def labels(**values: str) -> str:
    """Names and values, with the escapes of OpenMetrics."""
    escaped = {
        name: value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        for name, value in values.items()
    }
    return "{" + ",".join(f'{name}="{value}"' for name, value in escaped.items()) + "}"


class MetricsServer:
    """Serves the last text that it was handed; `port` is the one that it has."""

    def __init__(self, address: str):
        host, port = listening(address)
        self._text = b"# EOF\n"
        served = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path.partition("?")[0] not in ("/metrics", "/"):
                    self.send_error(404)
                    return
                text = served._text
                self.send_response(200)
                self.send_header("Content-Type", CONTENT_TYPE)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *args: object) -> None:
                """Who asks is nobody's business."""

        try:
            self._server = ThreadingHTTPServer((host, port), Handler)
        except OSError as error:
            raise InputError(f"--metrics {address}: {error.strerror}") from error
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="metrics", daemon=True
        )
        self._thread.start()

    def tell(self, text: str) -> None:
        """The text from now on."""
        self._text = text.encode()

    def close(self) -> None:
        """Answer nobody any more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def listening(text: str) -> tuple[str, int]:
    """The host and port of ":9100" or "127.0.0.1:9100"; InputError where it is none."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > MOST_PORT:
        raise InputError(f"--metrics {text!r}: write :9100, or 127.0.0.1:9100")
    return host.strip("[]"), int(port)
