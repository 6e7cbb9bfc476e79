"""The words that the table's own modules give to terms, for a reader who would rather see words.

`runs(h)` in the prose of a row is the term that `client.runs` builds; its meaning is the first line
of that function's docstring.  A definition names the same term for other parameters as well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from holdover.model.readings.prose import Name, Prose, text
from holdover.model.table import client, environment, server
from holdover.model.table.expr import Expr
from holdover.model.table.vocabulary import a, full, g, h, lease, lease_end, length, m, skew


@dataclass(frozen=True)
class Definition:
    """A named term: how it is written, what it is, what it means."""

    text: str
    term: Expr
    meaning: str

    @property
    def body(self) -> str:
        """The term, with the other names in it."""
        return text(self.term, Prose(n for n in NAMES if n.text != self.text))


def _of(build: Callable[..., Expr], *given: object) -> Definition:
    called = [
        str(p.args[0]) if isinstance(p, Expr) and p.op == "parameter" else _shown(p) for p in given
    ]
    meaning = " ".join((build.__doc__ or "").partition("\n")[0].split())
    given_text = f"({', '.join(called)})" if called else ""
    return Definition(f"{build.__name__}{given_text}", build(*given), meaning)


def _shown(value: object) -> str:
    return text(value, Prose(_ENDS)) if isinstance(value, Expr) else str(value)


def _plain(name: str, term: Expr, meaning: str) -> Definition:
    return Definition(name, term, meaning)


END = client.ends_by(h, m)
_ENDS = (
    Name("honoured(h, lease[m])", client.honoured(h, lease[m])), Name("ends_by(h, m)", END)
)  # fmt: skip

DEFINITIONS = (
    _of(client.runs, h),
    _of(client.leased, h),
    _of(client.first_ask, h),
    _of(client.renewing, h),
    _of(client.answered_for, h),
    _of(client.counts, h),
    _of(client.answers, h, a),
    _of(client.answered, h, a),
    _of(client.conflict, h, a),
    _of(client.recognised, h, m),
    _of(client.heeded, h),
    _of(client.outlasts_nak, h),
    _of(client.honoured, h, lease[m]),
    _of(client.measures, length, skew),
    _of(client.to_be_probed, h),
    _of(client.counted_from, h),
    _of(client.ends_by, h, m),
    _of(client.in_time, h, lease_end[h]),
    _of(client.leaves_less, h, m),
    _of(client.may_end_sooner, h, m),
    _of(client.leaves_nothing, h, m),
    _of(client.meant_for, h, a),
    _of(client.expects, h, m, a),
    _of(client.may_ask_anew, h),
    _of(client.overstays, h, "ACKNOWLEDGE"),
    _of(client.overstays, h, "RETRY"),
    _of(client.patience, h),
    _of(server.over, a),
    _of(server.reusable, a),
    _of(server.same_client, g, h),
    _of(server.leased_to, a, h),
    _of(server.unanswered, h, a),
    _of(server.available, h, a),
    _of(server.on_offer, h, a),
    _of(environment.for_server, m),
    _of(client.for_client, m),
    _of(client.buffered, m),
    _of(environment.wakes_expired, h),
    _plain("remembers", environment.remembers, "A restarted process goes on with the remainder."),
    _plain("left", environment.left, "A restarted process leaves the address that it finds."),
    _plain("dated", environment.dated, "The lease has its ends: it runs, or its address is held."),
    _plain("stored", environment.stored, "The lease is in the client's lease file."),
)  # fmt: skip

# The same terms for the other parameters that the table uses.
_ALSO = (
    _of(client.runs, g),
    _of(client.leased, g),
    _of(client.answers, g, a),
    _of(client.honoured, h, full),
    _of(client.measures, client.honoured(h, lease[m]), skew),
    _of(client.in_time, h, END),
    _of(client.in_time, h, END + skew),
)

NAMES = tuple(Name(d.text, d.term) for d in (*DEFINITIONS, *_ALSO) if d.term.op != "literal")


@cache
def in_words() -> Prose:
    """The prose reading with these names."""
    return Prose(NAMES)
