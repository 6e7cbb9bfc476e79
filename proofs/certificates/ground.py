"""Which instances refute an obligation: what Z3 finds among those that speak of its own terms.

Theory of operation.  A `forall` is taken for a name.  Its instances are made for the closed terms
that stand in what there is so far (for a number, those that a function is applied to), in rounds;
after each Z3 is asked whether the instances, without any quantifier, refute the obligation.  Where
they do, its core says which of them it takes, and what is not needed is left out one by one.
What Z3 says is not trusted: `check.py` is asked about all that is made of it.

What it does not know: which instances a proof takes that speaks of terms which stand nowhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from holdover.proofs.certificates.check import Proof

MOST_ROUNDS, MOST_ITEMS = 4, 6000


@dataclass(frozen=True)
class Item:
    """A line of a certificate that asserts something: what it says, and the term that is true.

    `use` of an assertion's number, or of a `forall` its witness (`some`) or an instance (`every`).
    """

    kind: str
    about: int
    by: int
    says: int


def subterms(terms: Proof, roots: Iterable[int]) -> Iterator[int]:
    """Each term in these, once, but for what stands in a quantifier or a witness."""
    seen, waiting = set[int](), list(roots)
    while waiting:
        one = waiting.pop()
        if one in seen:
            continue
        seen.add(one)
        yield one
        if terms.keys[one][0] not in ("forall", "!"):
            waiting += terms.keys[one][1]


def polarities(terms: Proof, root: int) -> Iterator[tuple[int, bool]]:
    """Each `forall` in a truth-valued term, with each side on which it stands: True as it is."""
    seen, waiting = set[tuple[int, bool]](), [(root, True)]
    while waiting:
        one, side = waiting.pop()
        if (one, side) in seen:
            continue
        seen.add((one, side))
        op, args, _ = terms.keys[one]
        if op == "forall":
            yield one, side
        elif op == "not":
            waiting.append((args[0], not side))
        elif op in ("and", "or"):
            waiting += [(arg, side) for arg in args]
        else:
            waiting += [(arg, each) for arg in args for each in (True, False)]


class InstanceSearch:
    """The items that there are so far for some assertions."""

    def __init__(self, terms: Proof, used: Sequence[tuple[int, int]]):
        self.terms = terms
        self.items: list[Item] = []
        self.made: set[tuple[str, int, int]] = set()
        self.quantified: set[int] = set()
        self.by_sort: dict[str, dict[int, None]] = {}
        self.walked: set[int] = set()
        for number, term in used:
            self.put(Item("use", number, 0, term))

    def put(self, item: Item) -> None:
        """One more, unless it says nothing; witnesses of what it denies."""
        key = (item.kind, item.about, item.by)
        if key in self.made or self.empty(item.says):
            return
        self.made.add(key)
        self.items.append(item)
        denied = []
        for forall, side in polarities(self.terms, item.says):
            if side:
                self.quantified.add(forall)
            else:
                denied.append(forall)
        self.collect(item.says)
        for forall in denied:
            variable, body = self.terms.keys[forall][1]
            new = self.terms.make("!", self.terms.keys[variable][2], forall)
            says = self.terms.replace(body, {variable: new})
            negated = self.terms.make("not", "Bool", says)
            self.put(Item("some", forall, 0, negated))

    def empty(self, term: int) -> bool:
        """Whether it holds since it says that something is itself."""
        op, args, _ = self.terms.keys[term]
        if op == "=":
            return bool(args[0] == args[1])
        return op == "or" and any(self.empty(arg) for arg in args)

    def collect(self, root: int) -> None:
        """The closed terms in it, by sort; numbers only where a function is applied to them."""
        waiting = [root]
        while waiting:
            one = waiting.pop()
            if one in self.walked:
                continue
            self.walked.add(one)
            op, args, sort = self.terms.keys[one]
            waiting += args
            numbers = [arg for arg in args if op in self.terms.declared]
            numbers = [arg for arg in numbers if self.terms.keys[arg][2] in ("Real", "Int")]
            own = sort not in ("Real", "Bool", "Int") and op not in self.terms.sorts[sort]
            for each in (*numbers, *([one] if own else [])):
                if not self.terms.free[each]:
                    self.by_sort.setdefault(self.terms.keys[each][2], {})[each] = None

    def round(self) -> bool:
        """The instances for the terms that there were; whether there are new ones."""
        before = len(self.items)
        known = {sort: list(found) for sort, found in self.by_sort.items()}
        done = set[int]()
        while todo := self.quantified - done:
            for forall in sorted(todo):
                done.add(forall)
                variable, body = self.terms.keys[forall][1]
                for by in known.get(self.terms.keys[variable][2], ()):
                    says = self.terms.replace(body, {variable: by})
                    self.put(Item("every", forall, by, says))
                if len(self.items) > MOST_ITEMS:
                    return True
        return len(self.items) > before


def needed_items(search: InstanceSearch, sorts: str) -> list[Item] | None:
    """The items that refute, none of them without need; None if all of them do not."""
    items = search.items
    found = core(search.terms, items, sorts)
    while found is not None and len(found) < len(items):
        items, found = found, core(search.terms, found, sorts)
    if found is None:
        return None
    return smaller(search.terms, found, sorts)


def core(terms: Proof, items: Sequence[Item], sorts: str) -> list[Item] | None:
    """Items that together have no model, or None if Z3 does not find that."""
    import z3

    solver = z3.Solver(ctx=z3.Context())
    solver.set("rlimit", 20_000_000)
    solver.from_string(text_of(terms, items, sorts))
    names = [z3.Bool(f"k{place}", solver.ctx) for place in range(len(items))]
    if solver.check(*names) != z3.unsat:
        return None
    kept = {int(str(name)[1:]) for name in solver.unsat_core()}
    return [item for place, item in enumerate(items) if place in kept]


def smaller(terms: Proof, items: list[Item], sorts: str) -> list[Item]:
    """What is left when each that is not needed is left out, the last first."""
    import z3

    solver = z3.Solver(ctx=z3.Context())
    solver.set("rlimit", 20_000_000)
    solver.from_string(text_of(terms, items, sorts))
    kept = dict(enumerate(z3.Bool(f"k{place}", solver.ctx) for place in range(len(items))))
    for place in reversed(range(len(items))):
        if place in kept:
            rest = [name for other, name in kept.items() if other != place]
            if solver.check(*rest) == z3.unsat:
                core = {int(str(name)[1:]) for name in solver.unsat_core()}
                kept = {other: name for other, name in kept.items() if other in core}
    return [items[place] for place in sorted(kept)]


def text_of(terms: Proof, items: Sequence[Item], sorts: str) -> str:
    """What the items say, each under the name of its place, as SMT-LIB."""
    declared: dict[str, None] = {}
    lines: list[str] = []
    names: dict[int, str] = {}

    def name(term: int) -> str:
        if term in names:
            return names[term]
        op, args, sort = terms.keys[term]
        if op in ("forall", "!"):
            said = f"{'all' if op == 'forall' else 'some'}_{term}"
            declared[f"(declare-fun {said} () {sort})"] = None
        elif not args:
            said = op
            if op in terms.declared and op not in ("true", "false", *terms.sorts[sort]):
                declared[f"(declare-fun {said} () {sort})"] = None
        else:
            inner = " ".join(map(name, args))
            if op in terms.declared:
                of = " ".join(terms.keys[arg][2] for arg in args)
                declared[f"(declare-fun {op} ({of}) {sort})"] = None
            said = f"t_{term}"
            lines.append(f"(define-fun {said} () {sort} ({op} {inner}))")
        names[term] = said
        return said

    for place, item in enumerate(items):
        said = name(item.says)
        if item.kind == "every":
            said = f"(=> {name(item.about)} {said})"
        elif item.kind == "some":
            said = f"(or {name(item.about)} {said})"
        lines.append(f"(declare-fun k{place} () Bool)(assert (=> k{place} {said}))")
    return sorts + "\n".join([*declared, *lines])


def sorts_of(text: str) -> str:
    """The lines of an obligation that declare sorts."""
    kept = ("(declare-sort", "(declare-datatypes")
    return "".join(line + "\n" for line in text.splitlines() if line.startswith(kept))


def ground(terms: Proof, used: Sequence[tuple[int, int]], sorts: str) -> list[Item] | None:
    """The items that refute these assertions, in an order in which they can be said."""
    search = InstanceSearch(terms, used)
    for _ in range(MOST_ROUNDS):
        more = search.round()
        found = needed_items(search, sorts)
        if found is not None:
            return in_order(search, found)
        if not more or len(search.items) > MOST_ITEMS:
            break
    return None


def in_order(search: InstanceSearch, needed: Sequence[Item]) -> list[Item]:
    """These, each after what it speaks of; with others, where none of these brings that in."""
    terms, there = search.terms, set[int]()
    waiting, found = sorted(needed, key=lambda item: item.kind != "use"), list[Item]()
    while waiting:
        ready = next((item for item in waiting if spoken_of(terms, item) <= there), None)
        if ready is None:
            missing = spoken_of(terms, waiting[0]) - there
            waiting[:0] = [next(i for i in search.items if brought_in(terms, i) & missing)]
            continue
        waiting.remove(ready)
        there |= brought_in(terms, ready)
        found.append(ready)
    return found


def spoken_of(terms: Proof, item: Item) -> set[int]:
    """What must be there before: the `forall` that it is about, and witnesses."""
    if item.kind == "use":
        return set()
    found = {each for each in subterms(terms, [item.by]) if terms.keys[each][0] == "!"}
    return found | {item.about}


def brought_in(terms: Proof, item: Item) -> set[int]:
    """What may be spoken of after it: each `forall` in what it says, and its witness."""
    found = {each for each in subterms(terms, [item.says]) if terms.keys[each][0] == "forall"}
    if item.kind == "some":
        variable, _ = terms.keys[item.about][1]
        found.add(terms.make("!", terms.keys[variable][2], item.about))
    return found
