"""The checker attacked: what is no proof is rejected, whoever wrote it."""

from __future__ import annotations

import re
import subprocess
import sys
import types
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdover.proofs.certificates import check as module
from holdover.proofs.certificates import shelf
from holdover.proofs.certificates.check import HEAD, Proof, check
from holdover.proofs.logic.obligations import Obligation
from holdover.proofs.theorems import t2_safety, t3_grace, t5_agreement
from holdover.proofs.theorems.obligations import PROVED, certified_obligations
from tests.measure import false_proofs
from tests.proofs.certificates.structures import Structure
from tests.proofs.logic.kept_answers import number_of_commits

SOURCE = Path(str(module.__file__))
DECLARED = (
    "(declare-sort A 0)\n(declare-fun a () A)\n(declare-fun b () A)\n(declare-fun p (A) Bool)\n"
)
NUMBERS = "(declare-fun x () Real)\n(declare-fun y () Real)\n"


def certificate(*lines: str) -> str:
    return "\n".join([HEAD, *lines]) + "\n"


@pytest.fixture(scope="module")
def few() -> list[tuple[Obligation, str, str]]:
    """Of one theorem, another one at each commit; and T3's lemma, which has sums of products."""
    known = shelf.read()
    names = [*(case.name for _, case in t2_safety.cases()), "T0", "T6", "T7"]
    name = names[number_of_commits() % len(names)]
    found = [*list(certified_obligations(name))[::20], *t3_grace.lemma()]
    assert found[0].name.startswith(name)
    return [(each, each.smtlib(), known[each.name]) for each in found]


@pytest.fixture(scope="module")
def some() -> list[tuple[Obligation, str, str]]:
    """A twentieth of T2's obligations for `rfc2131`, and a hundredth of each other case.

    Each with the certificate that is kept.
    """
    known, cases = shelf.read(), dict[str, list[Obligation]]()
    for each in certified_obligations():
        cases.setdefault(each.case, []).append(each)
    assert {case.partition("-")[0] for case in cases} == set(PROVED)
    found = [o for case, of in cases.items() for o in of[:: 20 if case == "T2-rfc2131" else 100]]
    return [(each, each.smtlib(), known[each.name]) for each in found]


# What it is --------------------------------------------------------------------------------------


def test_it_is_short_and_stands_alone() -> None:
    source = SOURCE.read_text("utf-8")
    assert len(source.splitlines()) <= 400
    imports = re.findall(r"^(?:import|from) (\w+)", source, re.MULTILINE)
    assert imports
    assert set(imports) <= sys.stdlib_module_names
    assert not re.search(r"\bfloat\b|\d\.\d+ ?[-+*/]", source)


def test_it_runs_where_there_is_nothing_else(
    tmp_path: Path, few: list[tuple[Obligation, str, str]]
) -> None:
    alone = tmp_path / "check.py"
    alone.write_bytes(SOURCE.read_bytes())
    _, text, proof = few[0]
    (tmp_path / "one.smt2").write_text(text)
    (tmp_path / "one.cert").write_text(proof)

    def run(*files: str) -> subprocess.CompletedProcess[str]:
        python = [sys.executable, "-I", "-S", str(alone)]
        return subprocess.run(
            [*python, *files], cwd=tmp_path, capture_output=True, text=True, check=False
        )

    assert run("one.smt2", "one.cert").stdout == "1 accepted, 0 rejected\n"
    assert run(".").returncode == 0
    for wrong in (("one.smt2", "none.cert"), (), ("one.smt2",), ("a", "b", "c")):
        told = run(*wrong)
        assert (told.returncode, told.stdout) == (2, "")
        assert re.fullmatch(r"check\.py OBLIGATION.*: (no such pair|.*none\.cert).*\n", told.stderr)
    (tmp_path / "one.cert").write_bytes(proof.encode() + b"\xff\xfe\n")
    bad = run("one.smt2", "one.cert")
    assert (bad.returncode, bad.stderr) == (1, "")
    assert bad.stdout.startswith("rejected: one.cert: ")


def test_each_rule_proves_what_it_should() -> None:
    both = "(assert (forall ((v A)) (p v)))\n(assert (not (forall ((v A)) (p v))))\n"
    swapped = "(assert (forall ((v A)) (p v)))\n(assert (not (forall ((w A)) (p w))))\n"
    assert check(DECLARED + both, certificate("use 1", "use 2")) == ""
    proof = certificate("use 1", "use 2", "some 2", "every 1 !2")
    assert check(DECLARED + swapped, proof) == ""
    sums = NUMBERS + "(assert (< x y))\n(assert (< (* 2.0 y) (+ x x)))\n"
    assert check(sums, certificate("use 1", "use 2", "sum 2*-1 1*-2")) == ""
    products = NUMBERS + "(assert (< 0.0 x))\n(assert (< 0.0 y))\n(assert (<= (* x y) 0.0))\n"
    lines = ("use 1", "use 2", "use 3", "sum 1*-1*-2 1*3")
    assert check(products, certificate(*lines)) == ""
    quotient = NUMBERS + "(assert (< 0.0 y))\n(assert (= x (/ 1.0 y)))\n(assert (= x 0.0))\n"
    assert check(quotient, certificate("use 1", "use 2", "use 3")).startswith("nothing fails")
    kinds = "(declare-datatypes ((K 0)) (((U) (V))))\n(declare-fun k () K)\n"
    neither = kinds + "(assert (not (= k U)))\n(assert (not (= k V)))\n"
    assert check(neither, certificate("use 1", "use 2", "values k")) == ""
    assert check(neither, certificate("use 1", "use 2")) == "nothing fails in the end"


# Certificates that are none ----------------------------------------------------------------------


@pytest.mark.kept("seeded defects of the checker")
def test_what_is_kept_is_accepted(some: list[tuple[Obligation, str, str]]) -> None:
    assert [check(text, proof) for _, text, proof in some] == [""] * len(some)


@pytest.mark.kept("seeded defects of the checker")
def test_no_line_of_it_can_be_left_out(some: list[tuple[Obligation, str, str]]) -> None:
    for obligation, text, proof in some:
        lines = proof.splitlines()
        for place in range(len(lines)):
            less = "\n".join(lines[:place] + lines[place + 1 :]) + "\n"
            assert check(text, less), f"{obligation.name} without {lines[place]}"


@pytest.mark.kept("seeded defects of the checker")
def test_no_multiplier_can_be_another(some: list[tuple[Obligation, str, str]]) -> None:
    """Negated, a half more, or none; where all are, nothing has changed, so one alone stays.

    Each multiplier is changed in one of these ways, and the next one in the next way.
    """
    count = 0
    for _, text, proof in some:
        for found in re.finditer(r"(?<=[ ])(\d+)(?=\*)", proof):
            line = proof[: found.start()].rsplit("\n", 1)[1] + proof[found.start() :].split("\n")[0]
            other = (f"-{found[1]}", f"{2 * int(found[1]) + 1}/2", "0")[count % 3]
            changed = proof[: found.start()] + other + proof[found.end() :]
            assert check(text, changed) or (other[0] not in "-0" and line.count("*") == 1)
            count += 1
    assert count > 20


@pytest.mark.kept("seeded defects of the checker")
def test_no_sign_of_a_sum_can_be_another(some: list[tuple[Obligation, str, str]]) -> None:
    count = 0
    for _, text, proof in some:
        for found in re.finditer(r"\*(-?)(?=\d)", proof):
            sign = "*" if found[1] else "*-"
            assert check(text, proof[: found.start()] + sign + proof[found.end() :])
            count += 1
    assert count > 10


@pytest.mark.kept("seeded defects of the checker")
def test_a_certificate_is_of_its_obligation(some: list[tuple[Obligation, str, str]]) -> None:
    """Another's is no proof, but where it proves it as well: two may speak of the same."""
    wrong = same = 0
    for _, text, _ in some:
        for _, other, proof in some:
            if other != text:
                wrong += bool(check(text, proof))
                same += not check(text, proof)
    assert wrong > 20 * same


@pytest.mark.kept("seeded defects of the checker")
def test_a_goal_is_needed(some: list[tuple[Obligation, str, str]]) -> None:
    """But where a row never fires: there the premises contradict each other."""
    without, own = set(), [each for each in some if each[0].case == "T2-rfc2131"]
    for obligation, text, proof in own:
        goal = text.rindex("(assert ")
        if not check(text[:goal] + "(assert true)\n(check-sat)\n", proof):
            without.add(obligation.row)
    assert without <= t5_agreement.never_fire("rfc2131")
    assert len(without) < len(own) / 5


@pytest.mark.parametrize(
    ("obligation", "lines"),
    [
        ("(assert (p a))\n", ("use 2",)),
        ("(assert (p a))\n", ("use 0",)),
        ("(assert (p a))\n", ("use -1",)),
        ("(assert (not (p a)))\n", ("use 1", "step -1")),  # a letter is what it says
        ("(assert (forall ((v A)) (p v)))\n", ("use 1", "some 1", "every 1 !2")),
        ("(assert (forall ((v A)) (p v)))\n", ("use 1", "every -1 a")),
        ("(assert (forall ((v A)) (p v)))\n", ("use 1", "every 1 true")),  # another sort
        ("(assert (forall ((v A)) (p v)))\n", ("use 1", "every 1 v")),
        ("(assert (forall ((v A)) (p v)))\n", ("use 1", "every 1 c")),
        ("(assert (p a))\n", ("use 1", "atom (p p)")),
        ("(assert (p a))\n", ("use 1", "atom (= a true)")),
        ("(assert (p a))\n", ("use 1", "atom (and)")),
        ("(assert (p a))\n", ("use 1", "atom (let ((z a)) (p z))")),
        ("(assert (p a))\n", ("use 1", "values a")),
        ("(assert (p a))\n", ("use 1", "sum 1*1")),
        ("(assert (p a))\n", ("use 1", "sum")),
        ("(assert (p a))\n", ("use 1", "step")),
        ("(assert (p a))\n", ("use 1", "")),
        ("(assert (p a))\n", ("use 1", "believe 1")),
        ("(assert (= a b))\n", ("use 1", "atom (= 1 01)")),
        ("(assert (= a b))\n", ("use 1", "atom (= 0.0 00.0)")),
        ("(assert (= a b))\n", ("use 1", "atom (= 1 1.0)")),
    ],
)
def test_a_line_that_breaks_a_rule_is_no_proof(obligation: str, lines: tuple[str, ...]) -> None:
    assert check(DECLARED + obligation, certificate(*lines))


@pytest.mark.parametrize(
    "text",
    [
        DECLARED + "(assert (p a))(assert (not (p a)))\n",  # one line is one command
        DECLARED + "(assert (p a))\n(push 1)\n(assert (not (p a)))\n",
        DECLARED + "(assert (p a)) ; (assert (not (p a)))\n",
        DECLARED + '(assert (p |a|))\n(set-info :x "\n(assert (not (p a)))\n")\n',
        DECLARED + "(declare-fun a () A)\n(assert (p a))\n(assert (not (p a)))\n",
        DECLARED + "(declare-fun and (A) Bool)\n(assert (p a))\n(assert (not (p a)))\n",
        DECLARED + "(assert (p a))\n(assert (not (p a))\n",
        DECLARED + "(define-fun q () Bool (p a))\n(assert q)\n(assert (not (p a)))\n",
        DECLARED + "(assert (forall ((a A)) (p a)))\n(assert (not (p a)))\n",
    ],
)
def test_a_text_that_it_does_not_know_is_not_read_as_another(text: str) -> None:
    assert check(text, certificate("use 1", "use 2")) not in ("", "nothing fails in the end")


def test_a_variable_that_is_bound_again_is_another() -> None:
    """In a `let` stands a closed `forall` that has the name of the variable around."""
    text = (
        "(assert (let ((z (forall ((v A)) (p v)))) (forall ((v A)) (or z (not (p v))))))\n"
        "(assert (p a))\n(assert (not (p b)))\n"
    )
    right = certificate("use 1", "use 2", "use 3", "every 1 a", "every 5 b")
    assert check(DECLARED + text, right) == ""
    poor = certificate("use 1", "use 3", "every 1 b", "every 1 a")
    assert check(DECLARED + text, poor) == "nothing fails in the end"


# Hostile ones ------------------------------------------------------------------------------------

NEST = "(" * 5000 + "p" + ")" * 5000
POWER = "(* (+ x y) " * 400 + "x" + ")" * 400
SQUARE = "x"
for _ in range(10):
    SQUARE = f"(* (+ {SQUARE} y) (+ {SQUARE} 1.0))"


@pytest.mark.parametrize(
    "line",
    [
        f"atom {NEST}",
        "atom " + "(not " * 3000 + "true" + ")" * 3000,
        f"atom (= {POWER} x)",
        "atom (= x " + "9" * 5000 + ")",
        f"atom (= x {SQUARE[:15000]})",
        "sum " + "1*1 " * 4000,
        "sum 1e999999999*1",
        f"sum {'9' * 5000}*1",
        f"step {'1 ' * 9000}",
        "use " + "9" * 5000,
        "step \u0661",
        "use \u0661",
        "(" * 19000,
        ")" * 19000,
        "every 1 " + "(f " * 2000 + "x" + ")" * 2000,
    ],
    ids=range(15),
)
def test_a_hostile_line_ends_in_a_rejection(line: str) -> None:
    text = NUMBERS + "(assert (= (+ x y) (* x y)))\n(assert (forall ((v Real)) (= v x)))\n"
    assert check(text, certificate("use 1", "use 2", line))


def test_work_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_WORK", 200_000)
    text = "(declare-fun x () Real)\n(declare-fun f (Real) Real)\n"
    text += "(assert (forall ((v Real)) (< (f v) v)))\n"
    lines = [f"every 1 (+ x {n}.0)" for n in range(1, 500)]
    assert "too much work" in check(text, certificate("use 1", *lines))
    wide = "(* (+ (f 1.0) (+ (f 2.0) (+ (f 3.0) (f 4.0)))) " * 60 + "x" + ")" * 60
    assert "too much work" in check(text, certificate("use 1", f"atom (<= {wide} x)", "sum 1*2"))


written = st.tuples(st.integers(0, 10_000), st.integers(0, 3), st.binary(max_size=4))


@given(st.integers(0, 1000), st.lists(written, min_size=1, max_size=4))
def test_fuzzed_bytes_are_rejected(
    few: list[tuple[Obligation, str, str]], which: int, changes: list[tuple[int, int, bytes]]
) -> None:
    """Whatever is written over a certificate: it is rejected, or the same proof in other words."""
    _, text, proof = few[which % len(few)]
    raw = bytearray(proof.encode())
    for at, length, new in changes:
        place = at % len(raw)
        raw[place : place + length] = new
    changed = raw.decode("ascii", "replace")
    without = text[: text.rindex("(assert ")] + "(assert true)\n(check-sat)\n"
    if not check(text, changed) and check(without, proof):  # else the premises exclude each other
        assert check(without, changed)


@given(st.binary(max_size=300))
def test_any_bytes_are_rejected(raw: bytes) -> None:
    text = DECLARED + "(assert (p a))\n(assert (not (p a)))\n"
    body = raw.decode("ascii", "replace")
    assert check(text, body)
    assert not check(text, certificate("use 1", "use 2"))
    assert check(DECLARED + "(assert (p a))\n", certificate("use 1", *body.splitlines()))


# Satisfiable obligations -------------------------------------------------------------------------


@pytest.mark.kept("seeded defects of the checker")
def test_there_is_no_proof_of_what_is_not_so() -> None:
    """`python -m tests.measure.false_proofs` has a hundred thousand of them."""
    count = false_proofs.hunt(400, 3)
    assert count.wrong == []
    assert min(count.lines[kind] for kind in ("use", "some", "every", "values", "sum", "step")) > 20


DEFECTS = {
    "a sum is strict, always": ("(end == 0 and strictly)", "(end == 0)"),
    "a sum has unknowns left": ("need(not total and (", "need((not total or True) and ("),
    "no direction": ("args[:: 1 if letter > 0 else -1]", "args[::-1]"),
    "a polynomial is another's": ("setdefault(term, found)", "setdefault(term // 2, found)"),
    "or is and": ('-1 if op == "or" else 1', "1"),
    "ite the other way": ("self.add([when, -sign * new", "self.add([-when, -sign * new"),
    "an instance proves its forall": (
        'if kind == "some" else [-letter, body]',
        'if kind == "some" else [letter, -body]',
    ),
    "a witness proves its forall false": (
        '[letter, -body] if kind == "some"',
        '[-body] if kind == "some"',
    ),
    "an old constant as a witness": (
        'self.make("!", self.keys[args[0]][2], self.says[letter])',
        'self.make("a" if self.keys[args[0]][2] == "A" else "b", self.keys[args[0]][2])',
    ),
    "different classes differ": ("pair <= fixed.keys()", "pair & fixed.keys()"),
    "what may differ differs": ("if letter in self.value}", "if letter not in self.value}"),
    "a step is never undone": ("del self.value[letter], self.value[-letter]", "continue"),
    "a step is taken on trust": ("need(self.propagate(), f", "need(self.propagate() or True, f"),
    "two letters are left": (
        "if len(left) == 1:\n            self.note(*left)",
        "if left:\n            self.note(min(left))",
    ),
    "one value is missing": ("for x in values])", "for x in values[1:]])"),
    "a clause is turned": ("clause.append(-letter)", "clause.append(letter)"),
    "a quotient by 0": (
        "pairs = (args[1], zero), (product, args[0])",
        "pairs = ((product, args[0]),)",
    ),
}


@pytest.mark.kept("seeded defects of the checker")
@pytest.mark.parametrize("defect", DEFECTS)
def test_a_defect_of_the_checker_is_noticed(defect: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted ones: a rule that is wrong is found by the hunt."""
    old, new = DEFECTS[defect]
    source = SOURCE.read_text("utf-8")
    assert source.count(old) == 1, old
    changed = types.ModuleType("changed")
    exec(compile(source.replace(old, new), "changed", "exec"), changed.__dict__)
    for name, method in vars(changed.Proof).items():
        if isinstance(method, types.FunctionType):
            monkeypatch.setattr(Proof, name, method)
    assert false_proofs.hunt(2000, 5).wrong


def test_the_referee_knows_a_witness_and_a_quantifier() -> None:
    proof = Proof(DECLARED + "(assert (not (forall ((v A)) (p v))))\n")
    proof.line("use 1")
    proof.line("some 1")
    structure = Structure(proof, {"A": [0, 1]}, lambda name, args, sort: args == (0,))
    forall = proof.says[1]
    witness = proof.make("!", "A", forall)
    assert structure.value(forall) is False
    assert structure.value(witness) == 1
