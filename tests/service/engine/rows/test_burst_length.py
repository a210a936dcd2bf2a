import pytest

from service.engine.rows.burst_length import BurstLength


def test_the_first_burst_is_short():
    """Nothing is known yet of how long a step takes."""
    assert 1 == BurstLength(0.010, 32).num_steps(num_rows=1)


@pytest.mark.parametrize(("step_s", "expected"), [(0.001, 10), (0.0001, 32), (0.5, 1), (0.004, 2)])
def test_a_burst_takes_about_the_target(step_s, expected):
    """As many steps as fit, at least one, at most the maximum."""
    length = BurstLength(0.010, 32)

    length.observe(1, 4, 4 * step_s)

    assert expected == length.num_steps(num_rows=1)


def test_a_burst_may_be_held_shorter():
    """Than what many rows would make it."""
    length = BurstLength(0.010, 100, event_s=0.001)
    length.observe(64, 10, 0.010)

    assert [64, 20] == [length.num_steps(64), length.num_steps(64, most_s=0.020)]


def test_a_slow_burst_is_forgotten():
    """One slow burst shortens the next ones, not all."""
    length = BurstLength(0.010, 32)
    length.observe(1, 10, 0.010)
    length.observe(1, 10, 1.0)
    shortened = length.num_steps(num_rows=1)
    for _ in range(60):
        length.observe(1, 10, 0.010)

    assert (1, 10) == (shortened, length.num_steps(num_rows=1))


def test_few_rows_and_many_are_told_apart():
    """What was seen of as many rows counts; of more, time is thought to grow with them."""
    length = BurstLength(0.016, 1000)
    length.observe(1, 10, 0.001)
    assert (160, 10) == (length.num_steps(num_rows=1), length.num_steps(num_rows=16))
    length.observe(16, 10, 0.004)

    assert (160, 40) == (length.num_steps(num_rows=1), length.num_steps(num_rows=16))


def test_many_rows_make_bursts_longer():
    """Each row gets an event from each burst, and events cost the event loop time."""
    length = BurstLength(0.010, 1000, event_s=0.0004)
    length.observe(25, 10, 0.010)
    length.observe(250, 10, 0.010)

    assert 10 == length.num_steps(num_rows=25)
    assert 100 == length.num_steps(num_rows=250)


def test_no_target_means_one_step_a_burst():
    """Whatever steps take."""
    length = BurstLength(0, 32)
    length.observe(64, 1, 1e-6)

    assert 1 == length.num_steps(num_rows=64)
