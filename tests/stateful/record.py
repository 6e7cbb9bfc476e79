"""`python -m tests.stateful.record`: write down which check of the random runs finds each defect.

The documentation shows it (`reference/refinement/random.json`).  Rounds have fixed seeds, so the
same versions of this project and of Hypothesis find the same.
"""

from __future__ import annotations

import json
import sys

from holdover.reference.refinement.defects import defects_of, mutant
from tests.checkout import ROOT
from tests.stateful.machine import hunt

RECORD = ROOT / "reference" / "refinement" / "random.json"
SECONDS = 60.0


def main() -> int:
    """Hunt each defect; 1 if one is not found."""
    found = {}
    for defect in defects_of("client"):
        kill = hunt(mutant(defect), SECONDS)
        found[defect.name] = None if kill is None else {"kind": kill.kind, "scene": kill.scene}
    lines = (f"{json.dumps(name)}: {json.dumps(fate)}" for name, fate in found.items())
    RECORD.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    return 1 if None in found.values() else 0


if __name__ == "__main__":
    sys.exit(main())
