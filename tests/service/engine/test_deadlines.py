import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.engine.deadlines import Deadlines


def test_who_is_over_its_time_comes_out_once():
    """In the order of their deadlines; the rest stays."""
    deadlines = Deadlines()
    for request_id, deadline_s in enumerate([3.0, 1.0, 2.0]):
        deadlines.add(request_id, deadline_s)

    assert [1, 2] == list(deadlines.passed(2.5))
    assert [] == list(deadlines.passed(2.5))
    assert pytest.approx(0.5) == deadlines.time_left(2.5, 9.0)


def test_who_has_ended_is_forgotten():
    """It does not come out, and nobody wakes up for it."""
    deadlines = Deadlines()
    deadlines.add(0, 1.0)
    deadlines.add(1, 5.0)
    deadlines.discard(0)

    assert [] == list(deadlines.passed(2.0))
    assert pytest.approx(3.0) == deadlines.time_left(2.0, 9.0)


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 100)), max_size=400))
def test_ended_requests_take_no_room(steps):
    """However many came and went with a long time-out."""
    deadlines, live = Deadlines(), []
    for request_id, (ends, deadline_s) in enumerate(steps):
        deadlines.add(request_id, deadline_s)
        live.append(request_id)
        if ends:
            deadlines.discard(live.pop(0))

    assert deadlines.num_kept <= 2 * len(live) + 64
    assert sorted(live) == sorted(deadlines.passed(100.0))
