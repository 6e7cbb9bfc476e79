"""Makes the recordings of the audit again: `python -m tests.reference.audit.recordings.make`.

Theory of operation.  With names, those alone.  Each `Staged` (staging.py) is played by the lab, all
at once, in namespaces of its own; its record (frames, addresses, marks) goes into `NAME.zip` beside
this file, where the tests read it.  What was not played as it is told is named, and no file is
written: a recording of something else would be worse than none.

What it does not know: what the audit says of them.  The instants are those of the machine's clock
since its start, so two recordings of one name are never the same bytes.
"""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from holdover.reference.lab.experiments.experiment import FAILURES, Cell, Run, play_cell
from holdover.reference.lab.record.record import FRAMES, LINK, MARKS, read
from holdover.reference.lab.testbed import sandbox
from holdover.reference.lab.testbed.netns import Host, Links
from holdover.reference.lab.testbed.scene import Scene
from holdover.reference.lab.testbed.servers import SERVERS
from tests.checkout import ROOT
from tests.reference.audit.recordings.staging import SECOND_SERVER, STAGED, Staged, talk

PLACE = ROOT / "tests/reference/audit/recordings"
"""Where the recordings are."""

SINCE = (1980, 1, 1, 0, 0, 0)
"""The date of a file in the archives: they tell no other."""

AT_ONCE = 12


class PreparedLinks(Links):
    """Links with what a recording wants besides: a host more, and what is done beforehand."""

    other: Host

    def __init__(self, place: Path, staged: Staged) -> None:
        super().__init__(place)
        self._staged = staged

    def __call__(self, plugged: str | None = None, /, **hosts: str | None) -> dict[str, Host]:
        if self._staged.second is not None:
            hosts["other"] = str(SECOND_SERVER)
        made = super().__call__(plugged, **hosts)
        if self._staged.second is not None:
            self.other = made.pop("other")
        if self._staged.before is not None:
            self._staged.before(made)
        return made


def play(staged: Staged, place: Path) -> str:
    """Play one and keep its record; what went wrong, or ""."""
    place.mkdir()
    links = PreparedLinks(place, staged)
    fault, begun = staged.fault, staged.fault.play

    def acted(scene: Scene) -> None:
        if staged.talks:
            talk(scene.a)
            scene.wait(1.5)
        if staged.second is not None:
            staged.second(scene, links.other)
        else:
            begun(scene)

    cell = Cell(
        client=staged.client,
        server=SERVERS[staged.server],
        fault=replace(fault, play=acted),
        lease=staged.lease,
        rival=staged.rival,
        window=staged.window,
    )
    if cell.impossible is not None:
        return cell.impossible
    try:
        play_cell(cell, links, place, Run())
    except FAILURES as error:
        return str(error).partition("\n")[0] or repr(error)
    finally:
        links.close()
    record = read(place / "record")
    if record.gap is not None:
        return record.gap
    keep(place / "record", PLACE / f"{staged.name}.zip")
    return ""


def keep(record: Path, archive: Path) -> None:
    """The files of a record in one, as small as may be."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_LZMA) as written:
        for name in (FRAMES, LINK, MARKS):
            written.writestr(
                zipfile.ZipInfo(name, SINCE), (record / name).read_bytes(), zipfile.ZIP_LZMA
            )


def play_all(names: list[str], place: Path) -> int:
    """Play those, so many at once; 0 where all went well."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        said = pool.map(lambda name: play(STAGED[name], place / name), names)
        wrong = {name: why for name, why in zip(names, said, strict=True) if why}
    for name, why in wrong.items():
        print(f"{name}: {why}", flush=True)
    return bool(wrong)


def alone(arguments: list[str]) -> int:
    """Run it once more, in namespaces of its own (reference/lab/testbed/sandbox.py)."""
    spaces = sandbox.check_namespaces()
    with sandbox.make_place() as place:
        inner = (sys.executable, "-m", "tests.reference.audit.recordings.make", *arguments)
        prepared = ("sh", "-ec", sandbox.PREPARED, "sh", place, *inner)
        return subprocess.run(
            ["unshare", *spaces, *prepared],
            cwd=ROOT,
            env=os.environ | {sandbox.PLACE: place},
            check=False,
        ).returncode


def main() -> int:
    """All recordings, or those that are named."""
    names = sys.argv[1:]
    if unknown := [name for name in names if name not in STAGED]:
        print(f"no recording {unknown[0]!r}; there are: {', '.join(STAGED)}", file=sys.stderr)
        return 2
    if (place := sandbox.inside()) is None:
        return alone(names)
    with suppress(KeyboardInterrupt):
        return play_all(names or list(STAGED), place)
    return 130


if __name__ == "__main__":
    sys.exit(main())
