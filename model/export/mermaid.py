"""A run as a sequence diagram of Mermaid, which GitHub and many wikis draw.

Theory of operation.  Hosts and server are participants, the first host on the left as in
`sequence_chart.chart`.  A datagram is an arrow, any other step a note over whom it is about; where
time passes, a note over all says what time it is.  A participant is active while its host holds an
address, and the end says who holds what.

What it does not know: how Mermaid draws it; datagrams that take their time are arrows all the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from holdover.model.explorer.sequence_chart import (
    SENT_BY_CLIENT,
    SENT_BY_SERVER,
    ChartEvent,
    show_time,
    steps_of,
)
from holdover.model.readings.finite import name_of
from holdover.model.table.vocabulary import HOST

SERVER = "server"


def mermaid(run: Sequence[ChartEvent], unit: str) -> str:
    """The run as the text of a diagram; ValueError where there is no step."""
    steps = steps_of(run)
    if not steps:
        raise ValueError("a run without steps has no diagram")
    hosts = [name_of(HOST, host) for host in range(len(run[0].holding))]
    return "\n".join(["sequenceDiagram", *(f"  {line}" for line in _lines(steps, hosts, unit)), ""])


def _lines(steps: Sequence[ChartEvent], hosts: Sequence[str], unit: str) -> Iterator[str]:
    for name in (hosts[0], SERVER, *hosts[1:]):
        yield f"participant {name}"
    across = f"{hosts[0]},{hosts[-1] if len(hosts) > 1 else SERVER}"
    holding: tuple[str | None, ...] = (None,) * len(hosts)
    before = None
    for event in steps:
        if event.time != before:
            yield f"Note over {across}: {show_time(event.time, unit)}"
            before = event.time
        yield _step(event, hosts)
        for host, (was, now) in enumerate(zip(holding, event.holding, strict=True)):
            if bool(was) != bool(now):
                yield f"{'activate' if now else 'deactivate'} {hosts[host]}"
        holding = event.holding
    held = [f"{host} holds {a}" for host, a in zip(hosts, holding, strict=True) if a is not None]
    yield f"Note over {across}: now {' and '.join(held) or 'nobody holds an address'}"
    for name, address in zip(hosts, holding, strict=True):  # what is never ended is not drawn
        if address is not None:
            yield f"deactivate {name}"


def _step(event: ChartEvent, hosts: Sequence[str]) -> str:
    host = SERVER if event.host is None else hosts[event.host]
    if event.host is not None and event.action in SENT_BY_CLIENT:
        return f"{host}->>{SERVER}: {SENT_BY_CLIENT[event.action]}"
    if event.host is not None and event.action in SENT_BY_SERVER:
        return f"{SERVER}->>{host}: {SENT_BY_SERVER[event.action]}"
    # A semicolon would end the line, and a hash begins a character's number.
    return f"Note over {host}: {event.sentence.replace(';', ',').replace('#', 'no. ')}"
