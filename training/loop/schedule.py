"""The learning rate as a pure function of the step."""

from __future__ import annotations

import math
from dataclasses import dataclass

from training.config.optimisation import OptimisationConfig


@dataclass(frozen=True)
class WarmupCosine:
    """Linear warm-up to the peak, then half a cosine down to `final_fraction` of it.

    Being a function of the step alone it has no state that a checkpoint could forget.
    The shape is the one-cycle idea (Smith & Topin 2018, arXiv:1708.07120) with the cosine of
    Loshchilov & Hutter 2017 (arXiv:1608.03983).
    """

    peak: float
    num_steps: int
    warmup_fraction: float
    final_fraction: float

    @property
    def num_warmup_steps(self) -> int:
        """Steps before the peak."""
        return int(self.num_steps * self.warmup_fraction)

    def __call__(self, step: int) -> float:
        """Learning rate of step 0, 1, ... num_steps - 1."""
        if step < self.num_warmup_steps:
            return self.peak * (step + 1) / (self.num_warmup_steps + 1)
        num_decay_steps = max(1, self.num_steps - 1 - self.num_warmup_steps)
        done = min(1.0, (step - self.num_warmup_steps) / num_decay_steps)
        floor = self.peak * self.final_fraction
        return floor + (self.peak - floor) * 0.5 * (1.0 + math.cos(math.pi * done))


@dataclass(frozen=True)
class Cycles:
    """One warm-up and decay after the other: warm restarts (Loshchilov & Hutter 2017)."""

    cycles: tuple[WarmupCosine, ...]

    @classmethod
    def from_config(cls, config: OptimisationConfig, steps_per_epoch: int) -> Cycles:
        """The first cycle and its restarts."""
        lengths = [(config.epochs, config.learning_rate)]
        lengths += [(restart.epochs, restart.learning_rate) for restart in config.restarts]
        return cls(
            tuple(
                WarmupCosine(
                    peak, epochs * steps_per_epoch, config.warmup_fraction, config.final_fraction
                )
                for epochs, peak in lengths
            )
        )

    @property
    def num_steps(self) -> int:
        """Steps of all cycles."""
        return sum(cycle.num_steps for cycle in self.cycles)

    def __call__(self, step: int) -> float:
        """Learning rate of step 0, 1, ... num_steps - 1."""
        for cycle in self.cycles:
            if step < cycle.num_steps:
                return cycle(step)
            step -= cycle.num_steps
        raise IndexError("the schedule has no such step")
