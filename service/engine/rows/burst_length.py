"""How many steps a burst should have."""

from __future__ import annotations

import math


class BurstLength:
    """As many steps as take about `target_s`, by what earlier bursts took.

    A new request waits for the bursts of one round: short bursts make that wait short.

    Args:
        target_s: Duration to aim at; 0 makes every burst one step.
        max_steps: Never more than this.
        event_s: With many rows a burst lasts at least so long for each of them. Each row gets an
            event from each burst, and the event loop shares the interpreter's lock and the cores
            with the engine: with shorter bursts, delivering events would take most of the time.
    """

    def __init__(self, target_s: float, max_steps: int, event_s: float = 0.0) -> None:
        self._target_s = target_s
        self._max_steps = max_steps
        self._event_s = event_s
        # A step's time grows with the rows in it: one estimate for each power of two.
        self._step_s: dict[int, float] = {}

    def observe(self, num_rows: int, num_steps: int, duration_s: float) -> None:
        """Learn from a burst; recent ones count most, and those that were cut short count less."""
        size, step_s = num_rows.bit_length(), duration_s / num_steps
        weight = 0.2 * min(1.0, num_steps / self.num_steps(num_rows))
        known_s = self._step_s.get(size, step_s)
        self._step_s[size] = known_s + weight * (step_s - known_s)

    def num_steps(self, num_rows: int, most_s: float = math.inf) -> int:
        """Steps of the next burst, of `num_rows` rows, that should take at most `most_s`."""
        if not self._step_s or self._target_s == 0:
            return 1
        size = num_rows.bit_length()
        known = min(self._step_s, key=lambda other: abs(other - size))
        # Of a size never seen: as if time grew with the rows, which at worst it does.
        step_s = self._step_s[known] * 2.0 ** max(0, size - known)
        target_s = min(most_s, max(self._target_s, num_rows * self._event_s))
        return max(1, min(self._max_steps, round(target_s / step_s)))
