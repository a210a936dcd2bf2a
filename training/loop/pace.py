"""How long a training would take here: a few of its real steps, and one look at held-out text."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from training.config.train import TrainConfig
from training.corpora.corpus import Corpus
from training.evaluation.losses import estimated_loss
from training.loop.train import denormals_as_zeros
from training.loop.trainer import Trainer
from training.runs.run_folder import RunFolder, new_identity

_WARM_UP, _FEWEST, _MOST = 2, 3, 40
_ENOUGH_S = 3.0
_LOOKED_AT = 1 << 15


@dataclass(frozen=True)
class Pace:
    """What was measured, and what follows for the whole training.

    Attributes:
        vocabulary_size: Of the tokenizer; of a sample, where the text is long.
        num_parameters: Of the model.
        precision: Number format of the steps.
        num_steps: Of the whole training.
        tokens_per_s: While it trains.
        training_s: For all steps and evaluations, if patience ends none of it.
    """

    vocabulary_size: int
    num_parameters: int
    precision: str
    num_steps: int
    tokens_per_s: float
    training_s: float


def measure_pace(config: TrainConfig, corpus: Corpus, sample: Corpus, folder: Path) -> Pace:
    """Take some steps of a training.

    Args:
        config: Of the training.
        corpus: Its text.
        sample: The text, or a part of it that is small enough to be read for this.
        folder: Where ids may be written.

    Raises:
        TrainingError: it could not begin.
    """
    identity = new_identity(config, sample)
    tokens = RunFolder(folder).tokens(identity, sample)
    training = config.training
    with denormals_as_zeros():
        trainer = Trainer(identity, tokens)
        step_s = _seconds(lambda step: trainer.step(step % trainer.num_steps))
        looked_at = trainer.validation_ids[:_LOOKED_AT]
        look_s = _timed(lambda: estimated_loss(trainer.model, looked_at))
        sample_s = _timed(trainer.sample)
    # The sample has the whole text's tokens per character.
    grown = corpus.train.num_characters / sample.train.num_characters
    rows = int(len(tokens.train) * grown - 1) // training.batch_size
    epochs = training.epochs + sum(cycle.epochs for cycle in training.restarts)
    num_steps = -(-rows // training.window) * epochs
    held_out = len(tokens.validation) * (
        corpus.validation.num_characters / sample.validation.num_characters
    )
    evaluation_s = look_s * held_out / len(looked_at) + sample_s
    return Pace(
        vocabulary_size=identity.tokenizer.vocabulary_size,
        num_parameters=trainer.model.num_parameters(),
        precision=identity.precision,
        num_steps=num_steps,
        tokens_per_s=trainer.columns[0].num_tokens / step_s,
        training_s=num_steps * step_s + epochs * training.evaluations_per_epoch * evaluation_s,
    )


def _seconds(step: Callable[[int], object]) -> float:
    """Of one step, after some that warm up."""
    for number in range(_WARM_UP):
        step(number)
    taken_s: list[float] = []
    while len(taken_s) < _FEWEST or (len(taken_s) < _MOST and sum(taken_s) < _ENOUGH_S):
        number = _WARM_UP + len(taken_s)
        taken_s.append(_timed(partial(step, number)))
    # What else happens on the machine makes a few of them slow.
    return statistics.median(taken_s)


def _timed(work: Callable[[], object]) -> float:
    started_s = time.monotonic()
    work()
    return time.monotonic() - started_s
