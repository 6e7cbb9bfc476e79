"""What numba has kept is not taken for what the files say now."""

from __future__ import annotations

import shutil
from pathlib import Path

from holdover.model.engine import kernel as engine
from holdover.reference.audit.inputs.kernel import compiled, frames, places, runs

ROOM, FLAGS = Path(compiled.__file__).parent, Path(engine.__file__)


def test_a_change_in_any_file_is_another_version(tmp_path: Path) -> None:
    room = tmp_path / "room"
    shutil.copytree(ROOM, room, ignore=shutil.ignore_patterns("__pycache__"))
    before = compiled.fingerprint(room, FLAGS)
    assert f"audit-{before}" == compiled.VERSION
    files = sorted(room.glob("*.py"))
    assert len(files) == 8
    for file in files:
        text = file.read_bytes()
        file.write_bytes(text + b"#")
        assert compiled.fingerprint(room, FLAGS) != before, file.name
        file.write_bytes(text)
    assert compiled.fingerprint(room, FLAGS) == before


def test_what_is_compiled_is_kept_under_its_version() -> None:
    for function in (frames.look, places.index_pcap, places.index_pcapng, runs.sweep):
        kept = Path(function.stats.cache_path)
        assert engine.COMPILED is None or kept.parent == engine.COMPILED / compiled.VERSION


def test_the_engine_s_own_is_kept_where_it_was() -> None:
    kept = Path(engine.expand.stats.cache_path)
    assert engine.COMPILED is None or kept.parent == engine.COMPILED
