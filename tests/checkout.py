"""Where the checkout is that the tests belong to, and whether CI runs them."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

IN_CI = os.environ.get("CI") == "true"
"""As conftest.py has it, of which a family of kept.py would depend for a word."""
