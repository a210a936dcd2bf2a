"""A text of our own and the tiny model that is trained on it."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.batches.token_files import TokenFiles
from training.config.files import parse_config
from training.config.train import TrainConfig
from training.corpora.corpus import Corpus
from training.export.step_graph import able_to_write
from training.models.language_model import RecurrentLanguageModel
from training.publishing.candidate import HeldOut
from training.runs.checkpoints import Checkpoint
from training.runs.run_folder import RunFolder

_NOUNS = ("lamp", "river", "stone", "window", "garden", "letter", "winter", "bird")
_VERBS = ("keeps", "hides", "follows", "forgets", "answers", "paints")


def sentences(num_characters: int) -> str:
    """Simple English without end, the same every time."""
    draws = random.Random(5)
    lines: list[str] = []
    while sum(len(line) + 1 for line in lines) < num_characters:
        one, two = draws.sample(_NOUNS, 2)
        lines.append(f"The {one} {draws.choice(_VERBS)} the {two}.")
    return "\n".join(lines)[: num_characters - 1] + "\n"


def tiny_config(text_file: Path, **training: Any) -> TrainConfig:
    """2x16, 84 steps of 2 epochs in about a second, dropout and <unk> in use."""
    return parse_config(
        {
            "name": "tiny",
            "corpus": {"path": str(text_file)},
            "model": {
                "hidden_size": 16,
                "num_layers": 2,
                "embedding_size": 8,
                "dropout_input": 0.1,
                "dropout_between": 0.1,
                "dropout_output": 0.1,
            },
            "training": {
                "epochs": 2,
                "batch_size": 8,
                "window": 16,
                "learning_rate": 0.01,
                "unknown_rate": 0.01,
                "evaluations_per_epoch": 2,
                "precision": "float32",
                **training,
            },
            "sample": {"prompt": "The ", "num_tokens": 30},
        },
        source="test",
    )


@dataclass(frozen=True)
class TinyRun:
    """A finished run."""

    config: TrainConfig
    corpus: Corpus
    folder: RunFolder
    output: str
    """What a person saw, not in a terminal."""

    @property
    def checkpoint(self) -> Checkpoint:
        """The best one."""
        return Checkpoint.load(self.folder.best)

    @property
    def tokens(self) -> TokenFiles:
        """The text as ids."""
        return self.folder.tokens(self.checkpoint.identity, self.corpus)

    @property
    def held_out(self) -> HeldOut:
        """What was not trained on."""
        return HeldOut(
            "validation",
            self.tokens.validation,
            self.corpus.validation.num_characters,
            self.checkpoint.identity.special_ids.unknown,
        )

    @property
    def model(self) -> RecurrentLanguageModel:
        """The best one's."""
        return able_to_write(self.checkpoint.model())
