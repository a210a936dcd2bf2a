"""TensorBoard event files, for those who have the package: `lstm-train train --tensorboard`."""

from __future__ import annotations

from pathlib import Path

from training.errors import ConfigError
from training.runs.records import EvaluationRecord, RunRecord, StepRecord


class TensorBoardLog:
    """An observer that writes scalars and samples."""

    def __init__(self, folder: Path) -> None:
        """Write into `folder` once the run starts.

        Raises:
            ConfigError: the package `tensorboard` is not installed.
        """
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise ConfigError(
                "--tensorboard needs the package 'tensorboard': pip install tensorboard"
            ) from error
        self._new_writer = SummaryWriter
        self._folder = folder
        self._writer: SummaryWriter | None = None

    def started(self, record: RunRecord) -> None:
        """Open; what an interrupted run wrote after its checkpoint is hidden."""
        self._writer = self._new_writer(str(self._folder), purge_step=record.first_step + 1)

    def stepped(self, record: StepRecord) -> None:
        """Write loss, gradient norm and learning rate."""
        self._scalar("train/loss", record.loss, record.step)
        self._scalar("train/gradient_norm", record.gradient_norm, record.step)
        self._scalar("train/learning_rate", record.learning_rate, record.step)

    def looking(self) -> None:
        """Nothing is known yet."""

    def evaluated(self, record: EvaluationRecord) -> None:
        """Write the validation loss and the sample."""
        self._scalar("validation/loss", record.validation_loss, record.step)
        if self._writer is not None:
            self._writer.add_text("sample", f"```\n{record.sample}\n```", record.step)

    def finished(self) -> None:
        """Close."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _scalar(self, tag: str, value: float, step: int) -> None:
        if self._writer is not None:
            self._writer.add_scalar(tag, value, step)
