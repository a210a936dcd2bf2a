"""Recipes for a text of one's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.config.recipes import recipe_for


@pytest.mark.parametrize(
    ("num_characters", "epochs", "columns"),
    [(4_000, 30, 15), (180_000, 11, 32), (3_000_000, 3, 32)],
)
def test_recipe(num_characters: int, epochs: int, columns: int, tmp_path: Path) -> None:
    """Shorter texts are read more often, and cut into fewer columns."""
    config = recipe_for("mine", tmp_path / "t.txt", num_characters)
    assert (config.training.epochs, config.training.batch_size) == (epochs, columns)
