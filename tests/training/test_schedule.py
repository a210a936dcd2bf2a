"""The learning rate over the steps."""

from __future__ import annotations

import pytest

from training.schedule import WarmupCosine


def test_shape() -> None:
    """Up in a line, down in half a cosine, to the fraction that was asked for."""
    schedule = WarmupCosine(peak=1.0, num_steps=101, warmup_fraction=0.1, final_fraction=0.01)
    rates = [schedule(step) for step in range(101)]
    assert rates[0] == pytest.approx(1 / 11)
    assert rates[10] == 1.0
    assert rates[55] == pytest.approx((1.0 + 0.01) / 2)
    assert rates[100] == pytest.approx(0.01)
    assert rates[:11] == sorted(set(rates[:11]))
    assert rates[10:] == sorted(set(rates[10:]), reverse=True)


@pytest.mark.parametrize("num_steps", [1, 2, 3])
def test_very_short_runs(num_steps: int) -> None:
    """No division by zero, never above the peak."""
    schedule = WarmupCosine(0.5, num_steps, warmup_fraction=0.5, final_fraction=0.0)
    assert all(0.0 <= schedule(step) <= 0.5 for step in range(num_steps))


def test_without_warmup_the_first_step_is_at_the_peak() -> None:
    """warmup_fraction = 0 is allowed."""
    assert WarmupCosine(0.5, 10, warmup_fraction=0.0, final_fraction=0.0)(0) == 0.5
