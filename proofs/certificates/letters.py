"""The letters of a proof as Z3's terms, and its clauses: what the checker knows, without numbers.

Theory of operation.  To Z3 a comparison is a name, and numbers are things as any other of which it
knows which are equal.  So whatever it says follows from the checker's clauses and from equality.

What it does not know: what sums say; they are clauses that somebody has to add.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from holdover.proofs.certificates.check import Proof

NAMES = ("and", "or", "ite", "=", "<=", "forall")
"""Letters of which Z3 is told no more than their clauses."""


class Letters:
    """A solver that is told the clauses of a proof."""

    def __init__(self) -> None:
        import z3

        self.z3: Any = z3
        self.own = z3.Context()
        self.solver = z3.SimpleSolver(ctx=self.own)
        self.solver.set("smt.dack", 0)
        self.sorts: dict[str, Any] = {"Bool": z3.BoolSort(self.own)}
        self.terms: dict[int, Any] = {}
        self.numbers: dict[int, int] = {}
        self.missing: dict[tuple[int, int], None] = {}
        self.constants: dict[str, int] = {}
        self.atoms: list[Any] = [None]
        self.back: dict[int, int] = {}
        self.alive: list[Any] = []
        self.told: set[int] = set()

    def sort(self, name: str) -> Any:
        """A sort of things that may be equal."""
        if name not in self.sorts:
            self.sorts[name] = self.z3.DeclareSort(f"S_{name}", self.own)
        return self.sorts[name]

    def term(self, proof: Proof, number: int) -> Any:
        """A term; what the checker does not look into is a name."""
        if number not in self.terms:
            op, args, sort = proof.keys[number]
            if op in ("true", "false"):
                found = self.z3.BoolVal(op == "true", self.own)
            elif args and op not in ("!", "ite", "forall"):
                own = [self.term(proof, arg) for arg in args]
                of = [each.sort() for each in own]
                found = self.z3.Function(f"{op}_{len(own)}_{sort}", *of, self.sort(sort))(*own)
            else:
                found = self.z3.Const(f"t_{number}", self.sort(sort))
            self.terms[number] = found
            self.numbers[found.get_id()] = number
        return self.terms[number]

    def literal(self, proof: Proof, letter: int) -> Any:
        """A letter, or its negation."""
        while len(self.atoms) <= abs(letter):
            new = len(self.atoms)
            number = proof.says[new]
            op, args, _ = proof.keys[number]
            if op == "=" and proof.keys[args[0]][2] != "Bool":
                left, right = self.term(proof, args[0]), self.term(proof, args[1])
                atom = left == right
                self.alive.append(right == left)
                self.back[self.alive[-1].get_id()] = new
            elif op in NAMES:
                atom = self.z3.Bool(f"l_{new}", self.own)
            else:
                atom = self.term(proof, number)
            self.atoms.append(atom)
            self.back[atom.get_id()] = new
        atom = self.atoms[abs(letter)]
        return atom if letter > 0 else self.z3.Not(atom)

    def clause(self, literals: Iterable[Any]) -> tuple[int, ...] | None:
        """The letters of a clause of Z3's; None if it speaks of more, or of values alone.

        If it is of terms whose equality has no letter, they are `missing`.
        """
        found = []
        for each in literals:
            negated = self.z3.is_not(each)
            atom = each.arg(0) if negated else each
            letter = self.back.get(atom.get_id())
            if letter is None and self.z3.is_eq(atom):
                pair = [self.numbers.get(side.get_id(), -1) for side in atom.children()]
                if min(pair) >= 0:
                    self.missing[min(pair), max(pair)] = None
            if letter is None or (letter == 0 and negated):
                return None
            if letter:
                found.append(-letter if negated else letter)
        return tuple(found)

    def tell(self, proof: Proof, guard: Any = None) -> None:
        """The clauses that it has not been told, which hold where `guard` does; what differs."""
        if len(proof.says) > 1:
            self.literal(proof, len(proof.says) - 1)  # and each before it
        by_sort: dict[str, list[int]] = {}
        for term in proof.constants:
            by_sort.setdefault(proof.keys[term][2], []).append(term)
        for sort, constants in by_sort.items():
            if sort != "Bool" and self.constants.get(sort, 1) < len(constants):
                self.constants[sort] = len(constants)
                terms = [self.term(proof, each) for each in constants]
                self.solver.add(self.z3.Distinct(*terms))
                for left in terms:
                    for right in terms:
                        self.alive.append(left == right)
                        self.back.setdefault(self.alive[-1].get_id(), 0)
        for clauses in list(proof.clauses.values()):
            for clause in clauses:
                if id(clause) not in self.told:
                    self.told.add(id(clause))
                    said = [self.literal(proof, each) for each in clause]
                    said += [] if guard is None else [self.z3.Not(guard)]
                    self.solver.add(self.z3.Or(*said))

    def check(self, *guards: Any) -> bool:
        """Whether the clauses contradict each other."""
        return unsat(self.solver, guards)

    def guard(self, place: int) -> Any:
        """A name under which clauses can be told, for `check`."""
        return self.z3.Bool(f"k_{place}", self.own)

    def core(self) -> set[int]:
        """The places of the guards `k_PLACE` that contradict each other."""
        return {int(str(name)[2:]) for name in self.solver.unsat_core()}

    def chosen(self, proof: Proof) -> list[int]:
        """Letters that fulfil all clauses, as Z3 has found them; none without which they do."""
        model, true = self.solver.model(), self.z3.BoolVal(True, self.own)
        held = list[int]()
        for letter in range(1, len(proof.says)):
            said = model.eval(self.literal(proof, letter), model_completion=True)
            held.append(letter if said.eq(true) else -letter)
        return fewest(proof, held)


def fewest(proof: Proof, held: Sequence[int]) -> list[int]:
    """Those of these letters that fulfil all clauses; what is of numbers is left out first."""
    clauses = {id(c): c for each in proof.clauses.values() for c in each}.values()
    kept, of = set(held), dict[int, list[int]]()
    count = {id(clause): len(kept & set(clause)) for clause in clauses}
    for clause in clauses:
        for letter in set(clause):
            of.setdefault(letter, []).append(id(clause))
    numbers = {x for x in held if proof.keys[proof.says[abs(x)]][0] in ("<=", "=")}
    for letter in sorted(held, key=lambda x: (x not in numbers, x)):
        if all(count[each] > 1 for each in of.get(letter, ())):
            kept.discard(letter)
            for each in of.get(letter, ()):
                count[each] -= 1
    return [letter for letter in held if letter in kept]


def unsat(solver: Any, assumed: Sequence[Any]) -> bool:
    """Whether Z3 refutes what is assumed; as `solver.check`, which looks at each of many twice."""
    import z3

    own = solver.ctx.ref()
    array = (z3.Ast * len(assumed))(*[each.as_ast() for each in assumed])
    found = z3.Z3_solver_check_assumptions(own, solver.solver, len(assumed), array)
    return bool(found == z3.Z3_L_FALSE)
