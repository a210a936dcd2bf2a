"""So much a minute, and never more."""

from hypothesis import given
from hypothesis import strategies as st

from service.access.rate import MINUTE_NS, Rate


@given(
    per_minute=st.integers(1, 10**6),
    asked=st.lists(
        st.tuples(st.integers(0, 3 * MINUTE_NS), st.integers(1, 2 * 10**6)), max_size=30
    ),
)
def test_no_stretch_of_time_lets_in_more_than_it_may(per_minute: int, asked: list):
    """A minute's amount at once, and what comes back in the stretch; whoever waits is let in."""
    rate, now_ns = Rate(per_minute), 0
    taken: list[tuple[int, int]] = []
    for pause_ns, wanted in asked:
        now_ns += pause_ns
        amount = min(wanted, per_minute)
        wait_ns = rate.wait_ns(amount, now_ns)
        if wait_ns:
            assert rate.wait_ns(amount, now_ns + wait_ns - 1) > 0
            now_ns += wait_ns
        assert 0 == rate.wait_ns(amount, now_ns)
        rate.take(amount, now_ns)
        taken.append((now_ns, amount))

    for n, (begin_ns, _) in enumerate(taken):
        for m in range(n, len(taken)):
            total = sum(amount for _, amount in taken[n : m + 1])
            assert total * MINUTE_NS <= per_minute * (MINUTE_NS + taken[m][0] - begin_ns)


def test_what_was_more_than_a_minutes_is_paid_off():
    """Nobody is let in before."""
    rate = Rate(60)
    rate.take(180, 0)

    assert 2 * MINUTE_NS + MINUTE_NS // 60 == rate.wait_ns(1, 0)
    assert 3 * MINUTE_NS == rate.wait_ns(10**9, 0), "as if it were a minute's"


def test_what_is_given_back_is_there_again():
    """And no more than a minute's."""
    rate = Rate(10)
    rate.take(10, 0)
    rate.take(-4, 0)
    assert [0, 6_000_000_000] == [rate.wait_ns(n, 0) for n in (4, 5)]
    rate.take(-100, 0)
    rate.take(10, 0)
    assert rate.wait_ns(1, 0) > 0
