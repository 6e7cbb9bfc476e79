"""The certificates that are kept: one text for each case, in `kept/`.

A text is certificates one after another, in the order of their obligations' names, each after a
line `obligation NAME`.  One that the checker does not accept for the obligation as it is now is
built anew; where none is found, `NoProofError` says for which.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from holdover.proofs.certificates.build import build
from holdover.proofs.certificates.check import check
from holdover.proofs.logic.obligations import Obligation

FOLDER = Path(__file__).parent / "kept"
TITLE = "obligation "


def read(folder: Path = FOLDER) -> dict[str, str]:
    """The kept certificates, by their obligations' names."""
    found: dict[str, str] = {}
    for file in sorted(folder.glob("*.txt")):
        for part in f"\n{file.read_text('ascii')}".split(f"\n{TITLE}")[1:]:
            name, _, certificate = part.partition("\n")
            found[name] = certificate.removesuffix("\n") + "\n"
    return found


def write(certificates: dict[str, str], folder: Path = FOLDER) -> None:
    """Keeps these and no others."""
    cases: dict[str, list[str]] = {}
    for name, certificate in sorted(certificates.items()):
        cases.setdefault(name.partition("/")[0], []).append(f"{TITLE}{name}\n{certificate}")
    folder.mkdir(exist_ok=True)
    for file in folder.glob("*.txt"):
        if file.stem not in cases:
            file.unlink()
    for case, parts in cases.items():
        (folder / f"{case}.txt").write_text("".join(parts), "ascii")


@dataclass(frozen=True)
class Certified:
    """An obligation's text, a certificate that the checker accepts, and whether it was kept."""

    obligation: str
    text: str
    kept: bool


def with_certificate(obligation: Obligation, kept: dict[str, str]) -> Certified:
    """The kept certificate if the checker accepts it, else one that is built; or NoProofError."""
    said, text = obligation.smtlib(), kept.get(obligation.name, "")
    accepted = not check(said, text)
    return Certified(said, text if accepted else build(obligation), accepted)
