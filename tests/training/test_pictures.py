"""Pictures, as files."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.pictures import picture


def draw(path: Path, losses: list[float]) -> bytes:
    """A picture's content."""
    with picture(path) as plots:
        next(plots).plot(losses)
    return path.read_bytes()


def test_the_same_figures_give_the_same_bytes(tmp_path: Path) -> None:
    """And others give others."""
    first = draw(tmp_path / "first.png", [3.0, 2.0])
    assert first[:4] == b"\x89PNG"
    assert first == draw(tmp_path / "second.png", [3.0, 2.0])
    assert first != draw(tmp_path / "third.png", [3.0, 1.0])


def test_what_cannot_be_drawn_leaves_no_file(tmp_path: Path) -> None:
    """Half a picture would look like a whole one."""
    path = tmp_path / "half.png"
    with pytest.raises(ZeroDivisionError), picture(path) as plots:
        next(plots).plot([1 / 0])
    assert not path.exists()
