"""What several tests of commands are given."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reference.commands.running import MINE


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "my.toml"
    path.write_text(MINE)
    return path
