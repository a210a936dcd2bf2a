"""What a training run tells to whoever watches it: values, not sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class RunRecord:
    """The run as it starts, or starts again."""

    name: str
    num_parameters: int
    vocabulary_size: int
    num_train_tokens: int
    num_validation_tokens: int
    num_steps: int
    steps_per_epoch: int
    precision: str
    first_step: int
    """0, or where the resumed checkpoint stands."""


@dataclass(frozen=True)
class StepRecord:
    """One optimiser step. Steps are counted from 1 here: how many have been taken."""

    step: int
    epoch: float
    loss: float
    """Mean cross-entropy of the window in nats, with dropout."""
    gradient_norm: float
    """Before clipping."""
    learning_rate: float
    num_tokens: int
    wall_time_s: float


@dataclass(frozen=True)
class EvaluationRecord:
    """One look at the validation text."""

    step: int
    epoch: float
    train_loss: float
    """Mean over the steps since the last evaluation, in nats, with dropout."""
    validation_loss: float
    """`evaluation.losses.estimated_loss` in nats."""
    is_best: bool
    sample: str
    wall_time_s: float


class Observer(Protocol):
    """Watches a run; the loop does not know whether a bar, a file or a test listens."""

    def started(self, record: RunRecord) -> None:
        """The run begins."""

    def stepped(self, record: StepRecord) -> None:
        """A step was taken."""

    def looking(self) -> None:
        """A look at the validation text begins; `evaluated` is its end."""

    def evaluated(self, record: EvaluationRecord) -> None:
        """The validation text was looked at."""

    def finished(self) -> None:
        """The run ended or was stopped; called exactly once, also after an error."""


class Observers:
    """Several observers as one."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        """Tell all of `observers`, in this order."""
        self._observers = observers

    def started(self, record: RunRecord) -> None:
        """Tell all."""
        for observer in self._observers:
            observer.started(record)

    def stepped(self, record: StepRecord) -> None:
        """Tell all."""
        for observer in self._observers:
            observer.stepped(record)

    def looking(self) -> None:
        """Tell all."""
        for observer in self._observers:
            observer.looking()

    def evaluated(self, record: EvaluationRecord) -> None:
        """Tell all."""
        for observer in self._observers:
            observer.evaluated(record)

    def finished(self) -> None:
        """Tell all."""
        for observer in self._observers:
            observer.finished()
