"""A lane that rests is well, one that should have been heard of is not."""

from __future__ import annotations

import pytest

from service.engine.heartbeats import REST_S, Heartbeats


class Clock:
    """A clock that stands still."""

    now_s = 100.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    """What the heartbeats go by."""
    return Clock()


@pytest.fixture
def heartbeats(clock: Clock) -> Heartbeats:
    """Of an engine of two lanes."""
    return Heartbeats(2, clock)


def test_the_age_is_that_of_the_lane_that_is_silent_for_longest(
    heartbeats: Heartbeats, clock: Clock
):
    """Whatever the others do."""
    clock.now_s += 3
    heartbeats.beat(0)

    assert 3 == heartbeats.age_s


def test_a_lane_that_rests_is_not_silent(heartbeats: Heartbeats, clock: Clock):
    """Nothing is due before its rest is over; then it is."""
    heartbeats.rest(0)
    heartbeats.rest(1)
    clock.now_s += REST_S

    assert 0 == heartbeats.age_s
    clock.now_s += 2
    assert 2 == heartbeats.age_s


def test_a_lane_that_was_woken_and_does_not_get_up_is_missed(heartbeats: Heartbeats, clock: Clock):
    """From the moment on in which it was woken, not from the end of its rest."""
    heartbeats.rest(0)
    heartbeats.rest(1)
    clock.now_s += 1
    heartbeats.beat(1)
    clock.now_s += 2

    assert 2 == heartbeats.age_s


def test_others_are_those_that_can_take_work(heartbeats: Heartbeats, clock: Clock):
    """A lane that rests can, one that is late cannot."""
    heartbeats.rest(1)
    clock.now_s += 4

    assert [1] == heartbeats.others(0)
    assert [] == heartbeats.others(1)
