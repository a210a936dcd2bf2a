"""The training loop.

`train` is the whole of it, to be read from top to bottom: windows in reading order, one step per
window, a look at the validation text now and then, a checkpoint now and then. Who watches (bar,
files) and who stops it (Ctrl-C) come in as arguments.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from training.batches.token_files import TokenFiles
from training.loop.interruption import Interruption
from training.loop.trainer import Trainer
from training.loop.vectors import Vectors
from training.loop.workers import ALONE, Workers
from training.runs.checkpoints import BEST, LAST, Checkpoint, Position, RunIdentity
from training.runs.records import EvaluationRecord, Observer, RunRecord, StepRecord

CHECKPOINT_INTERVAL_S = 60.0


@dataclass(frozen=True)
class Outcome:
    """How a call of `train` ended."""

    position: Position
    is_complete: bool
    """False if it was interrupted: the last checkpoint can be resumed."""
    stopped_early: bool
    """Patience ran out before the last epoch did."""
    was_complete: bool = False
    """Nothing was left to be done: a finished run was resumed."""


def train(
    identity: RunIdentity,
    tokens: TokenFiles,
    run_folder: Path,
    observer: Observer,
    interruption: Interruption,
    resume: Checkpoint | None = None,
    workers: Workers = ALONE,
    vectors: Vectors | None = None,
) -> Outcome:
    """Train, from the beginning or from a checkpoint, until done, stale or interrupted.

    Every number that is computed is a function of the identity, the text and the position, so a
    resumed run gives bit for bit the losses of one that was never stopped (same CPU and threads).

    Raises:
        CorpusError: the text is too short for the batch size.
        DivergedError: the loss is no longer finite.
    """
    with denormals_as_zeros():
        trainer = Trainer(identity, tokens, workers, vectors)
        return _train(trainer, workers, run_folder, observer, interruption, resume)


def _train(
    trainer: Trainer,
    workers: Workers,
    run_folder: Path,
    observer: Observer,
    interruption: Interruption,
    resume: Checkpoint | None,
) -> Outcome:
    position = trainer.restore(resume) if resume is not None else Position()
    clock = _Clock(position.wall_time_s)
    saved_at_s = clock.total_s()
    patience = trainer.identity.config.training.patience
    observer.started(_run_record(trainer, position))

    def save(name: str) -> None:
        moment = replace(position, wall_time_s=clock.total_s())
        checkpoint = trainer.checkpoint(moment)
        if workers.is_first:
            checkpoint.save(run_folder / name)

    while not _is_over(position, trainer.num_steps, patience):
        if workers.any(interruption.requested):
            break
        taken = trainer.step(position.step)
        position = position.after_step(taken.loss)
        epoch = position.step / trainer.columns.num_windows
        observer.stepped(
            StepRecord(
                step=position.step,
                epoch=epoch,
                loss=taken.loss,
                gradient_norm=taken.gradient_norm,
                learning_rate=taken.learning_rate,
                num_tokens=taken.num_tokens,
                wall_time_s=clock.total_s(),
            )
        )

        is_evaluated = trainer.is_evaluation_due(position.step)
        if is_evaluated:
            train_loss = position.mean_train_loss
            observer.looking()
            validation_loss = trainer.validation_loss()
            position = position.after_evaluation(validation_loss)
            is_best = position.best_step == position.step
            observer.evaluated(
                EvaluationRecord(
                    step=position.step,
                    epoch=epoch,
                    train_loss=train_loss,
                    validation_loss=validation_loss,
                    is_best=is_best,
                    sample=trainer.sample() if workers.is_first else "",
                    wall_time_s=clock.total_s(),
                )
            )
            if is_best:
                save(BEST)

        if is_evaluated or workers.any(clock.total_s() - saved_at_s > CHECKPOINT_INTERVAL_S):
            save(LAST)
            saved_at_s = clock.total_s()

    is_complete = _is_over(position, trainer.num_steps, patience)
    if not is_complete:
        save(LAST)
    return Outcome(
        position=replace(position, wall_time_s=clock.total_s()),
        is_complete=is_complete,
        stopped_early=is_complete and position.step < trainer.num_steps,
        was_complete=resume is not None and position.step == resume.position.step and is_complete,
    )


@contextmanager
def denormals_as_zeros() -> Iterator[None]:
    """Adam's moments and the tails of saturated gates sink below 1e-38: x86 is 100x slower there.

    Only while training: the mode is the whole process's, and others compute here too.
    """
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


class _Clock:
    """Wall time of a run over all its interruptions."""

    def __init__(self, before_s: float) -> None:
        self._before_s = before_s
        self._started_s = time.monotonic()

    def total_s(self) -> float:
        return self._before_s + time.monotonic() - self._started_s


def _is_over(position: Position, num_steps: int, patience: int | None) -> bool:
    is_stale = patience is not None and position.num_stale_evaluations >= patience
    return is_stale or position.step >= num_steps


def _run_record(trainer: Trainer, position: Position) -> RunRecord:
    return RunRecord(
        name=trainer.identity.config.name,
        num_parameters=trainer.model.num_parameters(),
        vocabulary_size=trainer.model.vocabulary_size,
        num_train_tokens=len(trainer.columns.ids),
        num_validation_tokens=len(trainer.validation_ids),
        num_steps=trainer.num_steps,
        steps_per_epoch=trainer.columns.num_windows,
        precision=trainer.identity.precision,
        first_step=position.step,
    )
