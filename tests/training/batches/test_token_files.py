"""Ids in files: long enough to be measured, before the training and not after it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from tests.training.tiny import TinyRun, sentences
from training.config.model import ModelConfig
from training.config.optimisation import OptimisationConfig
from training.config.text import CorpusConfig, TokenizerConfig
from training.config.train import TrainConfig as Config
from training.corpora.load import load_corpus
from training.errors import ConfigError, CorpusError
from training.pipeline import Desk, WhatToTrain, train_model
from training.runs.run_folder import RunFolder

TINY = ModelConfig(hidden_size=8, embedding_size=8, num_layers=1)


def train_words(
    path: Path, run_dir: Path, *, model: ModelConfig = TINY, **options: object
) -> RunFolder:
    """A tiny model of words."""
    config = Config(
        name="words",
        corpus=CorpusConfig.model_validate({"path": str(path), **options}),
        tokenizer=TokenizerConfig(kind="word"),
        model=model,
        training=OptimisationConfig(epochs=1, batch_size=2, window=16, unknown_rate=0.0),
    )
    folder = RunFolder(run_dir)
    desk = Desk(Console(quiet=True))
    train_model(WhatToTrain(config, load_corpus(config.corpus), folder), desk)
    return folder


def test_too_few_words_are_told_before_the_training(tmp_path: Path) -> None:
    """With a way out that works: 7,000 characters are many, their last tenth in words is not."""
    path = tmp_path / "t.txt"
    path.write_text(sentences(7_000), encoding="utf-8")
    complaint = (
        r"the validation part of t\.txt has 1\d\d tokens; at least 257 are needed to measure a "
        r"model: take a longer text, or a larger corpus\.held_out$"
    )
    with pytest.raises(CorpusError, match=complaint):
        train_words(path, tmp_path / "run")
    assert not RunFolder(tmp_path / "run").last.exists()
    assert train_words(path, tmp_path / "more", held_out=0.3).last.exists()


def test_too_few_words_for_the_clusters_are_told_before_ids_are_written(tmp_path: Path) -> None:
    """How many words there are is known as soon as the tokenizer is made."""
    path = tmp_path / "t.txt"
    path.write_text(sentences(20_000), encoding="utf-8")
    clusters = ModelConfig(
        hidden_size=8, embedding_size=8, num_layers=1, adaptive_cutoffs=(4, 40), tied=True
    )
    with pytest.raises(ConfigError, match=r"adaptive_cutoffs: the last is 40, .* has 20 ids only"):
        train_words(path, tmp_path / "run", model=clusters)
    assert [] == list((tmp_path / "run").rglob("*"))


@pytest.mark.parametrize("short", ["valid", "test"])
def test_short_parts_are_named(tmp_path: Path, short: str) -> None:
    """Also the one that is not looked at while training."""
    for part in ("train", "valid", "test"):
        size = 1_000 if part == short else 6_000
        (tmp_path / f"ptb.{part}.txt").write_text(sentences(size), encoding="utf-8")
    name = {"valid": "validation", "test": "test"}[short]
    with pytest.raises(CorpusError, match=rf"the {name} part .* take a longer {name} text$"):
        train_words(tmp_path, tmp_path / "run", format="ptb")


def test_a_part_is_the_text_as_ids(tiny_run: TinyRun) -> None:
    """All of it, in order."""
    tokenizer = tiny_run.checkpoint.identity.tokenizer
    validation = tokenizer.encode(tiny_run.corpus.validation.read())
    assert np.array_equal(validation, tiny_run.tokens.validation)
    assert np.array_equal(validation, tiny_run.tokens.held_out("validation"))
