"""A tiny sweep."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.tuning.sweeps import write_sweep


@pytest.fixture
def sweep_file(tmp_path: Path) -> Path:
    """A sweep, its config and its text."""
    return write_sweep(tmp_path)
