"""curves.png: training and validation loss over the epochs, the best point marked."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from training.errors import CheckpointError
from training.pictures import PALE_BLUE, RED, picture
from training.runs.metrics import METRICS_FILE, History, read_history
from training.runs.records import EvaluationRecord, RunRecord, StepRecord

CURVES_FILE = "curves.png"
_TRAIN, _VALIDATION = PALE_BLUE, RED


def draw_curves(history: History, title: str, path: Path) -> None:
    """Draw a run.

    Raises:
        CheckpointError: nothing has been measured yet.
    """
    if not history.steps or not history.evaluations:
        raise CheckpointError("there are no metrics to draw: metrics.jsonl has no evaluation")
    with picture(path) as plots:
        axes = next(plots)
        epochs = np.asarray([step.epoch for step in history.steps])
        losses = np.asarray([step.loss for step in history.steps])
        smooth_epochs, smooth_losses = _smoothed(epochs, losses)
        axes.plot(epochs, losses, color=_TRAIN, alpha=0.25, linewidth=0.6)
        axes.plot(
            smooth_epochs,
            smooth_losses,
            color=_TRAIN,
            linewidth=1.8,
            label="training (with dropout)",
        )
        seen = [evaluation.epoch for evaluation in history.evaluations]
        validation = [evaluation.validation_loss for evaluation in history.evaluations]
        axes.plot(
            seen,
            validation,
            color=_VALIDATION,
            marker="o",
            markersize=4,
            linewidth=1.5,
            label="validation",
        )
        best = int(np.argmin(validation))
        axes.plot(seen[best], validation[best], marker="*", markersize=15, color=_VALIDATION)
        axes.annotate(
            f"best {validation[best]:.3f}",
            (seen[best], validation[best]),
            xytext=(0, 14),
            textcoords="offset points",
            ha="right",
            color=_VALIDATION,
        )

        # The first steps fall from ln V; they would press all the rest into a line.
        upper = float(np.quantile(smooth_losses, 0.97))
        lower = min(float(smooth_losses.min()), min(validation))
        margin = 0.08 * max(upper - lower, 0.05)
        axes.set_ylim(lower - margin, max(upper, max(validation)) + margin)
        axes.set_xlim(0.0, float(epochs[-1]) * 1.02)
        axes.set(title=title, xlabel="epoch", ylabel="nats per token")
        axes.legend(frameon=False)


def _smoothed(
    epochs: np.typing.NDArray[np.float64], losses: np.typing.NDArray[np.float64]
) -> tuple[np.typing.NDArray[np.float64], np.typing.NDArray[np.float64]]:
    """Means over about 1/50 of the run, each drawn at the middle of its stretch."""
    width = max(1, len(losses) // 50)
    kernel = np.full(width, 1.0 / width)
    return np.convolve(epochs, kernel, "valid"), np.convolve(losses, kernel, "valid")


class CurvesDrawing:
    """An observer that redraws curves.png from metrics.jsonl at every evaluation.

    It has to come after the `MetricsLog` of the same folder.
    """

    def __init__(self, folder: Path, title: str) -> None:
        """Draw what `folder` holds."""
        self._folder = folder
        self._title = title

    def started(self, record: RunRecord) -> None:
        """Nothing to draw yet."""

    def stepped(self, record: StepRecord) -> None:
        """A point more is not worth a picture."""

    def looking(self) -> None:
        """Nothing is known yet."""

    def evaluated(self, record: EvaluationRecord) -> None:  # noqa: ARG002  all of it is in the file
        """Draw."""
        draw_curves(
            read_history(self._folder / METRICS_FILE), self._title, self._folder / CURVES_FILE
        )

    def finished(self) -> None:
        """All is drawn."""
