"""The learning rate over the steps."""

from __future__ import annotations

import pytest

from training.config.optimisation import OptimisationConfig, RestartConfig
from training.loop.schedule import Cycles, WarmupCosine


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


def test_restarts_come_one_after_the_other() -> None:
    """Each cycle as if it were alone; the first is the same with and without them."""
    plain = OptimisationConfig(epochs=2, learning_rate=0.4)
    longer = OptimisationConfig(
        epochs=2,
        learning_rate=0.4,
        restarts=(RestartConfig(epochs=3, learning_rate=0.1),),
    )
    alone, cycles = Cycles.from_config(plain, 10), Cycles.from_config(longer, 10)
    assert (alone.num_steps, cycles.num_steps) == (20, 50)
    assert [cycles(step) for step in range(20)] == [alone(step) for step in range(20)]
    second = WarmupCosine(0.1, 30, plain.warmup_fraction, plain.final_fraction)
    assert [cycles(step) for step in range(20, 50)] == [second(step) for step in range(30)]
    with pytest.raises(IndexError):
        cycles(50)


def test_without_warmup_the_first_step_is_at_the_peak() -> None:
    """warmup_fraction = 0 is allowed."""
    assert WarmupCosine(0.5, 10, warmup_fraction=0.0, final_fraction=0.0)(0) == 0.5
