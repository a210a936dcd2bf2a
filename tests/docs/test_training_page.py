"""The page about configs says what the config takes."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

from training.config.model import VectorsConfig
from training.config.text import CleaningConfig, CorpusConfig, TokenizerConfig

PAGE = Path(__file__).parents[2] / "docs" / "training.md"
SECTIONS: dict[str, type[BaseModel]] = {
    "corpus": CorpusConfig,
    "cleaning": CleaningConfig,
    "tokenizer": TokenizerConfig,
    "vectors": VectorsConfig,
}
BLOCKS = [
    tomllib.loads(block)
    for block in re.findall(r"```toml\n(.*?)```", PAGE.read_text("utf-8"), re.S)
]


def test_there_is_one_block_for_each_section() -> None:
    """No more, no less."""
    assert [key for block in BLOCKS for key in block] == list(SECTIONS)


@pytest.mark.parametrize("name", SECTIONS)
def test_blocks_are_valid(name: str) -> None:
    """As a config would have them."""
    [values] = [block[name] for block in BLOCKS if name in block]
    found = SECTIONS[name].model_validate(values).model_dump()
    assert values == {key: found[key] for key in values}


def test_every_field_of_texts_and_tokens_is_named() -> None:
    """In a block or in a sentence."""
    page = PAGE.read_text(encoding="utf-8")
    fields = {field for section in SECTIONS.values() for field in section.model_fields}
    named = set(re.findall(r"(?:^|`)(\w+)(?: = |`)", page, re.MULTILINE))
    assert fields - named == {"name"}, "which is what the README's models are trained by"
