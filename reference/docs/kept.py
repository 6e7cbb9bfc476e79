"""Which heavy regions need not be generated today: of the same sources they were, and are kept.

Theory of operation.  A heavy region is a function of the sources: of the model, of the proofs, and
of what writes pages.  So `regions.json` has, beside their digest, the digest of each such region's
text.  A region is taken from its page only where both digests are the same and it is not its turn;
else it is generated (`proofs/kept.py`, decision 68).  `--write` generates all, and keeps them.

What it does not know: which Python runs.  What is generated in its turn looks for that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from hashlib import sha256
from importlib import metadata, resources
from pathlib import Path

from holdover.proofs.kept import digest_of, names_in_turn

FILE = Path(__file__).with_name("regions.json")

SOURCES = (
    "holdover.model",
    "holdover.proofs",
    "holdover.reference.commands",
    "holdover.reference.console",
    "holdover.reference.docs",
)
PACKAGES = ("z3-solver", "networkx", "numpy", "numba")

REGION = re.compile(
    r"^<!-- generated: (?P<name>[\w-]+) -->$(?P<text>.*?)^<!-- end -->$", re.MULTILINE | re.DOTALL
)


def sources() -> str:
    """SHA-256 of all that a heavy region depends on."""
    folders = {package: Path(str(resources.files(package))) for package in SOURCES}
    return digest_of(folders, (f"{name} {metadata.version(name)}" for name in PACKAGES))


def texts(pages: Iterable[str], names: Iterable[str]) -> dict[str, str]:
    """What stands in these pages in the regions of these names."""
    wanted = set(names)
    found = (each for page in pages for each in REGION.finditer(page))
    return {each["name"]: each["text"].strip() for each in found if each["name"] in wanted}


def kept_texts(texts: Mapping[str, str], turn: int | None, file: Path | None = None) -> set[str]:
    """The regions whose text is the one that was generated; none, if `turn` is None."""
    if turn is None:
        return set()
    record = json.loads((file or FILE).read_text(encoding="utf-8"))
    if record["sources"] != sources():
        return set()
    again = names_in_turn(sorted(record["regions"]), turn)
    return {
        name
        for name, text in texts.items()
        if name not in again and record["regions"].get(name) == digest(text)
    }


def digest(text: str) -> str:
    """SHA-256 of a region's text."""
    return sha256(text.encode()).hexdigest()


def write(texts: Mapping[str, str], file: Path | None = None) -> None:
    """Keep these, which have just been generated."""
    regions = {name: digest(text) for name, text in sorted(texts.items())}
    record = {"sources": sources(), "regions": regions}
    (file or FILE).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
