"""How much a name may ask for."""

import pytest

from service.access.errors import LimitReached
from service.access.limits import Allowance, Limits

SECOND_NS = 1_000_000_000


class _Clock:
    now_ns = 0

    def __call__(self) -> int:
        return self.now_ns


@pytest.fixture
def clock():
    """Stands still."""
    return _Clock()


def _refusal(act, *arguments) -> tuple[str, float]:
    with pytest.raises(LimitReached) as refused:
        act(*arguments)
    assert str(refused.value).startswith(f"{refused.value.param}: ")
    return refused.value.param, refused.value.retry_after_s


def test_requests_come_back_evenly(clock):
    """Who waits as long as they were told is let in."""
    allowance = Allowance(Limits(requests_per_minute=2), clock)
    allowance.take_request()
    allowance.take_request()

    assert ("requests_per_minute", 30.0) == _refusal(allowance.take_request)
    clock.now_ns = 30 * SECOND_NS
    allowance.take_request()
    assert ("requests_per_minute", 30.0) == _refusal(allowance.take_request)


def test_tokens_are_reserved_and_settled(clock):
    """What was not written is given back; what was read counts at the end."""
    allowance = Allowance(Limits(tokens_per_minute=60), clock)
    text = allowance.begin(50)

    assert ("tokens_per_minute", 1.0) == _refusal(allowance.begin, 11)
    text.close(10)
    text.close(10)
    allowance.begin(50).close(170)
    assert ("tokens_per_minute", 121.0) == _refusal(allowance.begin, 0)


def test_a_text_longer_than_a_minutes_tokens_is_let_in_once(clock):
    """Nothing is refused for ever."""
    allowance = Allowance(Limits(tokens_per_minute=60), clock)
    allowance.begin(1_000).close(1_000)

    assert ("tokens_per_minute", 1000.0) == _refusal(allowance.begin, 10**6)


def test_streams_are_those_that_are_under_way(clock):
    """A place is given back once."""
    allowance = Allowance(Limits(streams=1), clock)
    text = allowance.begin(5)

    assert ("streams", 1.0) == _refusal(allowance.begin, 5)
    text.close(5)
    text.close(5)
    allowance.begin(5)
    assert ("streams", 1.0) == _refusal(allowance.begin, 5)


def test_what_was_taken_stays_taken_when_limits_change(clock):
    """And without a limit nothing is refused."""
    allowance = Allowance(Limits(requests_per_minute=1, streams=1), clock)
    allowance.take_request()
    allowance.limit(Limits(requests_per_minute=2, streams=2))
    allowance.take_request()

    assert ("requests_per_minute", 30.0) == _refusal(allowance.take_request)
    allowance.limit(Limits())
    for _ in range(100):
        allowance.take_request()
        allowance.begin(10**9)
