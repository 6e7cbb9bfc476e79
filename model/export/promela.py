"""The Promela reading: the lease table as a model for SPIN, so that nobody has to take our word.

Theory of operation.  The text has one array for each variable of the table and one process with one
loop.  Each option of the loop is one row for one binding: the guards, `->`, the effects, inside
`d_step`, which SPIN executes as one transition without states in between; control is at the head of
the loop before and after it.  Hence SPIN's stored states are the explorer's states and its depth
counts steps.  What it calls transitions is stored plus matched states, one more than the steps: the
initial state is stored and no step leads to it.  Everything is read off the table of the instance;
a mutant is exported as well as the table itself.

* Sorts.  Enumerations are `mtype`s, references are bytes with `NONE`, and instants are whole ticks
  relative to `now`, which is 0 and not stored: as in the finite reading, a row that lets time pass
  shifts every instant back, and none further than `PAST`.  `UNSET` is a number out of reach.
* Terms.  Quantifiers are unrolled, and what the constants decide is decided.  SPIN has no
  fractions: `x / (3/2) <= y` is written `x * 2 <= y * 3`.
* Effects.  All right sides read the state before the step, but Promela assigns one after another.
  So what a row does is first brought to one right side for each place that it sets; then a place
  is assigned when no right side still to come reads it.  If they read each other in a circle, the
  right sides go through further variables, which are 0 again after the step and so add no state.
  (`hidden` variables are no way out: SPIN does not search models with them breadth first.)
* Properties.  For each property in `check` the loop has one more option, enabled where the property
  is broken, whose assertion fails.  It changes nothing, so it adds no state, and one transition for
  each state that breaks the property.  The depth that `pan` reports with it is the length of the
  run; the trail has that failing option as one step more.
* Names are the table's; SPIN refuses what is no name to it.  Replayed (`spin -t`), each step of a
  counterexample prints its row and binding.

What it does not know: properties of steps, and what comes about eventually.  Comparing an unset
instant is a mistake in the table, which the finite reading raises; SPIN compares `UNSET` as the
number it is.  SPIN computes in 32 bits, and what could leave them is not exported (ValueError); an
instant that a row moves out of the range of its variable is not noticed.

    spin -a lease.pml && gcc -O2 -DSAFETY -DNOREDUCE -o pan pan.c && ./pan -m1000000

counts states and transitions; with `-DBFS` added, the first counterexample is a shortest one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from textwrap import wrap

from holdover.model.export.promela_terms import INT, NOTHING, ROOM, SHORT, Place, Promela, Written
from holdover.model.readings.finite import INITIAL, Instance, name_of
from holdover.model.table.expr import BOOL, DURATION, INSTANT, Action, Expr, Sort, Variable
from holdover.model.table.properties import Property
from holdover.model.table.vocabulary import INDEX_SORTS, MEANINGS, NOW


class Exporter:
    """An instance as Promela text, part by part."""

    def __init__(self, instance: Instance, check: Sequence[Property]):
        self.instance, self.check = instance, check
        self.bounds, self.constants = instance.bounds, instance.constants
        self.variables = [v for v in instance.table.variables if v is not NOW]
        self.terms = Promela(self.constants, self.bounds)
        self.number = "short" if ROOM * self.bounds.past < SHORT else "int"
        self.through: set[Variable] = set()

    def text(self, title: str) -> str:
        """The whole model."""
        options, silent = self.options()
        parts = [
            self.heading(title),
            self.fixed(),
            self.words(),
            self.state(),
            self.properties(),
            comment("Rows that cannot fire here, in no state:", ", ".join(silent) or "none"),
            "active proctype rows()\n{\nend_table: /* a state that no row leaves is no error */\n"
            "  do\n" + "\n".join(options) + "  od\n}\n",
        ]
        return "\n".join(part for part in parts if part)

    def heading(self, title: str) -> str:
        """What this is, and what it is not."""
        b = self.bounds
        return comment(
            title or "The lease table",
            "Written by holdover from its lease table; not meant to be edited.",
            f"hosts {b.hosts}, addresses {b.addresses}, datagrams in flight {b.messages}, "
            f"lease lengths {list_numbers(b.lengths)}, errors of a clock {list_numbers(b.skews)}.",
            "All times are in ticks.  Instants are relative to now, which is 0 and not stored: "
            f"when time passes, they move back, and none further than {b.past} ticks.",
            "One option of the loop is one row of the table for one binding, and one step.",
        )

    def fixed(self) -> str:
        """The constants; their values are already in the guards."""
        lines = ["What this run holds fixed (the values stand in the guards already):"]
        for name, value in sorted(self.constants.items()):
            meaning, source = MEANINGS.get(name, ("", ""))
            lines.append(f"  {name} = {value}: {meaning} [{source}]")
        return comment(*lines)

    def words(self) -> str:
        """Names for members, the sentinels, and the enumerations."""
        lines = [
            f"#define {name_of(sort, i)} {i}"
            for sort in INDEX_SORTS
            for i in range(self.bounds.size(sort))
        ]
        unset = -SHORT if self.number == "short" else -INT
        lines += [
            f"#define NONE {NOTHING} /* no host, no address */",
            f"#define UNSET ({unset}) /* no instant, no duration */",
            f"#define PAST {self.bounds.past} /* as far back as an instant goes */",
        ]
        sorts = dict.fromkeys(v.sort for v in self.variables if v.sort.values)
        lines += [f"mtype = {{ {', '.join(sort.values)} }}; /* {sort} */" for sort in sorts]
        return "\n".join([*lines, ""])

    def type_of(self, sort: Sort) -> str:
        """How a value of the sort is stored."""
        if sort in (INSTANT, DURATION):
            return self.number
        return "bool" if sort is BOOL else "mtype" if sort.values else "byte"

    def size_of(self, variable: Variable) -> str:
        """Its array's size in brackets, or nothing."""
        return f"[{self.bounds.size(variable.index)}]" if variable.index else ""

    def state(self) -> str:
        """The variables with their meaning, their source and what they are at first."""
        lines = []
        for v in self.variables:
            first = v.initial if v.initial in v.sort.values else INITIAL[v.initial]
            declared = f"{self.type_of(v.sort)} {v.name}{self.size_of(v)}"
            lines.append(comment(f"{v.meaning} [{v.source}]"))
            lines.append(f"{declared} = {self.terms.known(first, v.sort).text};")
        for v in (v for v in self.variables if v in self.through):
            name = f"{self.type_of(v.sort)} next_{v.name}{self.size_of(v)}"
            lines.append(f"{name}; /* on the way to {v.name} within a step; 0 between steps */")
        return "\n".join([*lines, ""])

    def properties(self) -> str:
        """The predicates; `_holds` is what SPIN reports of a broken one: never set, it fails."""
        lines = []
        for checked in self.check:
            term = self.terms.read(checked.term, {})
            body = " \\\n  && ".join(term.parts if term.chain == "and" else (term.text,))
            name = identifier(checked)
            lines.append(comment(f"{checked.says} [{checked.source}]"))
            lines += [f"#define {name} ({body})", f"bool {name}_holds = false;", ""]
        return "\n".join(lines)

    def options(self) -> tuple[list[str], list[str]]:
        """The options of the loop, and the names of the rows that have none."""
        options, silent = [], []
        for action in self.instance.table.actions:
            rows = [self.option(action, binding) for binding in self.instance.bindings(action)]
            if not any(rows):
                silent.append(action.name)
                continue
            options.append(comment(f"{action.name}: {action.says}", f"[{action.source}]"))
            options += [row for row in rows if row]
        for checked in self.check:
            name = identifier(checked)
            options.append(f"  :: d_step {{ !({name}) -> assert({name}_holds) }}\n")
        return options, silent

    def option(self, action: Action, binding: tuple[int, ...]) -> str:
        """One row for one binding; empty if a guard forbids it in every state."""
        given = dict(zip(action.given, binding, strict=True))
        bound = {p: self.terms.known(v, p.sort) for p, v in given.items()}
        guard = self.terms.joined("and", (self.terms.read(when, bound) for when in action.when))
        if guard.known and not guard.value:
            return ""
        guards = guard.parts if guard.chain == "and" else (guard.text,)
        said = ", ".join(f"{p.args[0]}={bound[p].text}" for p in given)
        effects = self.effects(action, bound)
        lines = [
            "  :: d_step {",
            "       (" + "\n        && ".join(guards) + ") ->",
            *(f"         {effect};" for effect in effects),
            f'         printf("{action.name}({said})\\n")',
            "     }",
            "",
        ]
        return "\n".join(lines)

    def effects(self, action: Action, bound: Mapping[Expr, Written]) -> list[str]:
        """What the row does, as assignments of which each reads the state before the step."""
        after, passed = self.terms.changes(action, bound)
        lines = self.in_order(after)
        if passed:
            lines += self.shift(passed)
        return lines

    def in_order(self, after: Mapping[Place, Written]) -> list[str]:
        """The assignments in an order in which no right side reads what was already set."""
        waiting = {p: v for p, v in after.items() if v.text != self.terms.place(*p)}
        lines = []
        while waiting:
            free = [
                place
                for place in waiting
                if not any(place in v.reads for other, v in waiting.items() if other != place)
            ]
            if not free:
                break
            lines += [f"{self.terms.place(*p)} = {waiting.pop(p).text}" for p in free]
        self.through.update(variable for variable, _ in waiting)
        lines += [f"next_{self.terms.place(*p)} = {v.text}" for p, v in waiting.items()]
        lines += [f"{self.terms.place(*p)} = next_{self.terms.place(*p)}" for p in waiting]
        lines += [f"next_{self.terms.place(*p)} = 0" for p in waiting]
        return lines

    def shift(self, passed: int) -> list[str]:
        """Time has passed: every instant is that much further back, down to `PAST`."""
        lines = []
        for variable in self.variables:
            if variable.sort is INSTANT:
                for i in range(self.bounds.size(variable.index) if variable.index else 1):
                    at = self.terms.place(variable, i)
                    moved = f"({at} - {passed} < -PAST -> -PAST : {at} - {passed})"
                    lines.append(f"{at} = ({at} == UNSET -> UNSET : {moved})")
        return lines


def identifier(checked: Property) -> str:
    """The name of a property as one word."""
    return checked.name.replace(" ", "_")


def break_comment_marks(text: str) -> str:
    """Text that ends no comment."""
    return text.replace("*/", "* /").replace("/*", "/ *")


def comment(*lines: str) -> str:
    """Lines as a comment."""
    wrapped = [
        part
        for line in lines
        for part in wrap(break_comment_marks(line), 94, subsequent_indent="    ")
    ]
    return "/* " + "\n   ".join(wrapped) + " */"


def list_numbers(numbers: Iterable[int]) -> str:
    """Numbers with commas."""
    return ", ".join(str(number) for number in numbers)


def promela(instance: Instance, *, check: Sequence[Property] = (), title: str = "") -> str:
    """The model of an instance for SPIN; it looks for states that break a property in `check`."""
    return Exporter(instance, check).text(title)
