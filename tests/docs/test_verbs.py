"""What the documents tell to type after `make` is a verb of the Makefile."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PAGES = [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").glob("*.md")]
VERBS = re.findall(r"^([a-z-]+):.*## ", (REPOSITORY / "Makefile").read_text("utf-8"), re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_verb_exists(page: Path) -> None:
    """In code, by itself or in a line of a block."""
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"(?:`|^ *)make ([a-z-]+)", text, re.MULTILINE)
    assert set(named) <= set(VERBS)


def test_training_has_a_verb_of_its_own() -> None:
    """The tutorial begins with it, and it says how to begin; make takes no folder for it."""
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    assert re.search(r"^\.PHONY: .*\btraining\b", makefile, re.MULTILINE)
    assert "lstm-train run my.txt" in makefile
    assert "`make training` once" in (REPOSITORY / "docs" / "tutorial.md").read_text("utf-8")
