"""The learning rate as a pure function of the step."""

from __future__ import annotations

import math
from dataclasses import dataclass


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
