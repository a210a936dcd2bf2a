"""Which learning rate to begin with: raise it until the loss explodes, and look where it fell.

Smith 2017, "Cyclical Learning Rates for Training Neural Networks", arXiv:1506.01186, section 3.3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.errors import DivergedError
from training.loop.trainer import Trainer
from training.pictures import PALE_BLUE, RED, picture

_SMOOTHING = 0.9
_EXPLODED = 1.5
"""The end: the smoothed loss is so many times its minimum."""
_MIN_POINTS = 10


@dataclass(frozen=True)
class Point:
    """One step of the search."""

    learning_rate: float
    loss: float
    """Smoothed, in nats."""


@dataclass(frozen=True)
class Finding:
    """What the search has seen.

    Attributes:
        points: One for each step.
        steepest: Where the loss fell fastest; a peak of a schedule with warm-up.
        lowest: Where it was lowest; a little above is too much.
        rose: Whether it rose after that; if not, what is too much was not found.
    """

    points: tuple[Point, ...]
    steepest: float
    lowest: float
    rose: bool


def find_learning_rate(
    trainer: Trainer, *, first: float = 1e-5, last: float = 1.0, num_steps: int = 150
) -> Finding:
    """Train a fresh model at rates that grow from `first` to `last` by equal factors.

    Raises:
        DivergedError: the loss explodes from the beginning on, or num_steps is too small.
    """
    rates = np.geomspace(first, last, num_steps)
    points: list[Point] = []
    smoothed = 0.0
    exploded = False
    for step, rate in enumerate(rates.tolist()):
        loss = trainer.take(step, rate).loss
        if not math.isfinite(loss):
            exploded = True
            break
        smoothed = _SMOOTHING * smoothed + (1.0 - _SMOOTHING) * loss
        # The mean of few values leans towards its beginning, zero (Kingma & Ba 2015, section 3).
        points.append(Point(rate, smoothed / (1.0 - _SMOOTHING ** (step + 1))))
        if points[-1].loss > _EXPLODED * min(point.loss for point in points):
            exploded = True
            break
    if len(points) < _MIN_POINTS:
        raise DivergedError(f"the search was over after {len(points)} steps: too few to tell")
    lowest = _lowest(points)
    rose = exploded or lowest < points[-1].learning_rate
    return Finding(tuple(points), steepest=_steepest(points), lowest=lowest, rose=rose)


def advice(finding: Finding) -> str:
    """What to do with it."""
    if not finding.rose:
        return (
            f"the loss never rose, not even at {finding.points[-1].learning_rate:.2g}, the largest "
            "rate: what is too much cannot be told; try again with more steps than "
            f"{len(finding.points)} (--num-steps)"
        )
    return (
        f"the loss fell fastest at {finding.steepest:.2g} and was lowest at {finding.lowest:.2g}: "
        "try training.learning_rate between them"
    )


def draw_finding(finding: Finding, title: str, path: Path) -> None:
    """The loss over the rate, both places marked."""
    with picture(path) as plots:
        axes = next(plots)
        rates = [point.learning_rate for point in finding.points]
        axes.plot(rates, [point.loss for point in finding.points], color=PALE_BLUE, linewidth=1.8)
        for rate, name in ((finding.steepest, "steepest"), (finding.lowest, "lowest")):
            axes.axvline(rate, color=RED, linestyle=":", label=f"{name}: {rate:.2g}")
        axes.set(
            title=title, xlabel="learning rate", ylabel="nats per token, smoothed", xscale="log"
        )
        axes.legend(frameon=False)


def _lowest(points: Sequence[Point]) -> float:
    return min(points, key=lambda point: point.loss).learning_rate


def _steepest(points: Sequence[Point]) -> float:
    """Up to the lowest point: what comes after does not fall."""
    falling = [point for point in points if point.learning_rate <= _lowest(points)]
    if len(falling) < 3:
        return falling[-1].learning_rate
    slopes = np.gradient(
        [point.loss for point in falling], np.log([point.learning_rate for point in falling])
    )
    return falling[int(np.argmin(slopes))].learning_rate
