"""Rules of numbers: no clock, no store."""

import random

import pytest

from service.sessions.policy import (
    Holding,
    SessionLimits,
    excess,
    kept_checkpoints,
    may_use,
)

_LIMITS = SessionLimits(
    idle_ttl_s=10, max_age_s=100, max_sessions=5, max_bytes=50, max_owner_sessions=3
)


@pytest.mark.parametrize(
    ("created_s", "used_s", "now_s", "why"),
    [
        (0, 0, 9, None),
        (0, 0, 10, "not used for 10 s"),
        (0, 95, 99, None),
        (0, 95, 100, "older than 100 s"),
        (0, 50, 200, "not used"),
    ],
)
def test_time_is_over(created_s, used_s, now_s, why):
    """Idle, or too old; the moment itself is over."""
    found = _LIMITS.why_over(created_s, used_s, now_s)

    assert (found is None) == (why is None) == (_LIMITS.expires_s(created_s, used_s) > now_s)
    assert (why or "") in (found or "")


@pytest.mark.parametrize(
    ("own", "together", "what"),
    [
        ((3, 10), (5, 50), None),
        ((4, 10), (5, 50), "account"),
        ((4, 10), (6, 60), "account"),
        ((1, 10), (6, 60), "sessions"),
        ((1, 10), (5, 51), "bytes"),
    ],
)
def test_what_there_is_too_much_of(own, together, what):
    """One's own excess first, then that of all."""
    assert what == excess(Holding(*own), Holding(*together), _LIMITS)


@pytest.mark.parametrize(
    ("asker", "owner", "may"),
    [
        ("key:a", "key:a", True),
        ("key:b", "key:a", False),
        ("127.0.0.1", "key:a", False),
        ("127.0.0.2", "127.0.0.1", True),
        ("key:a", "127.0.0.1", True),
    ],
)
def test_who_may_use_a_session(asker, owner, may):
    """A key protects it; without one its id does."""
    assert may == may_use(asker, owner)


@pytest.mark.parametrize("every", [1, 16, 256])
@pytest.mark.parametrize("most", [1, 40, 1000])
def test_checkpoints_are_few_and_near_enough(every, most):
    """However a text grows: about twice as much is read again as is gone back, or two steps."""
    draw, end, most_kept = random.Random(5), 0, 0
    kept: list[int] = []
    while end < min(200_000, 20_000 * most):
        step = draw.randint(1, most)
        fresh = range(end, end + step, max(every, 1))
        end += step
        last = max([*kept, *fresh])
        kept = kept_checkpoints([*kept, *fresh], end, every)
        most_kept = max(most_kept, len(kept))
        assert last in (kept[-1:] or [0])
        assert kept == sorted(set(kept))
        if draw.random() < 0.01:
            for place in draw.sample(range(end), min(end, 30)):
                before = max((each for each in kept if each <= place), default=0)
                assert place - before <= 2 * (end - place) + 2 * max(every, most)
    assert most_kept < 50


def test_places_beyond_the_end_are_not_kept():
    """Nor the start and the end themselves, and none twice."""
    assert [10] == kept_checkpoints([0, 10, 10, 20, 30], 20, 1)
    assert [] == kept_checkpoints([], 20, 1)
