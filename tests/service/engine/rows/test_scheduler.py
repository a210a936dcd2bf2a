import pytest

from service.engine.rows.progress import Progress
from service.engine.rows.scheduler import Scheduler


def _scheduler(capacity, *jobs, clients=None):
    scheduler = Scheduler(capacity)
    for request_id, (num_to_read, num_to_write) in enumerate(jobs):
        client = clients[request_id] if clients else "a"
        scheduler.add(request_id, client=client, progress=Progress(num_to_read, num_to_write))
    return scheduler


def _plan(scheduler, *, reading):
    return [(s.request_id, s.most_steps) for s in scheduler.plan(reading=reading)]


def test_first_come_first_served():
    """Slots go to those who came first, the lowest slot first; the rest wait."""
    scheduler = _scheduler(2, (1, 1), (1, 1), (1, 1))

    assert [(0, 0), (1, 1)] == scheduler.admit().admitted
    assert (2, 0) == (scheduler.num_running, scheduler.num_parked)


def test_a_slot_is_free_at_once_for_the_next():
    """Whoever leaves makes room for the one at the head of the queue."""
    scheduler = _scheduler(2, (0, 1), (0, 1), (0, 1))
    scheduler.admit()

    scheduler.remove(0)

    assert [(2, 0)] == scheduler.admit().admitted
    assert [(2, 0), (1, 1)] == [(s.request_id, s.slot) for s in scheduler.plan(reading=False)]


def test_a_newcomer_gets_its_share_at_once():
    """The newest request of a client with many slots makes room, and is the next of its own."""
    scheduler = _scheduler(3, *[(0, 9)] * 5, clients="aaaab")

    admission = scheduler.admit()
    assert ([(0, 0), (4, 1), (1, 2)], []) == (admission.admitted, admission.displaced)
    scheduler.add(5, client="b", progress=Progress(0, 9))
    scheduler.add(6, client="c", progress=Progress(0, 9))
    admission = scheduler.admit()
    assert ([(6, 2)], [(1, 2)]) == (admission.admitted, admission.displaced)
    assert scheduler.num_returning == 1
    scheduler.remove(0)
    assert [(1, 0)] == scheduler.admit().admitted
    assert scheduler.num_returning == 0


def test_a_newcomer_comes_before_those_who_have_had_a_slot():
    """However old the requests are that the others have left in the queue."""
    scheduler = _scheduler(2, *[(0, 9)] * 6, clients="abcabc")
    scheduler.admit()
    scheduler.add(6, client="d", progress=Progress(0, 9))

    admitted = []
    for ended in (0, 1, 2, 6):
        scheduler.remove(ended)
        admitted += [request_id for request_id, _ in scheduler.admit().admitted]
        scheduler.check_integrity()
    assert [2, 6, 3, 4] == admitted


def test_equal_shares_are_left_alone():
    """Nobody loses a slot to somebody who would then have more."""
    scheduler = _scheduler(3, *[(0, 9)] * 6, clients="aabbba")
    scheduler.admit()

    assert ([], []) == (scheduler.admit().displaced, scheduler.admit().admitted)


def test_rows_that_read_and_rows_that_write_have_bursts_of_their_own():
    """A row reads to its end before it writes."""
    scheduler = _scheduler(4, (10, 5), (3, 5), (0, 2), (2, 0))
    scheduler.admit()

    assert [(0, 10), (1, 3), (3, 2)] == _plan(scheduler, reading=True)
    assert [(2, 2)] == _plan(scheduler, reading=False)
    done = [scheduler.settle(s, num_steps=2, ended=False) for s in scheduler.plan(reading=True)]
    assert [False, False, True] == done
    scheduler.remove(3)
    assert not scheduler.settle(scheduler.plan(reading=True)[1], num_steps=1, ended=False)
    assert [(0, 8)] == _plan(scheduler, reading=True)
    assert [(1, 5), (2, 2)] == _plan(scheduler, reading=False)


def test_a_short_prompt_rides_with_the_writers():
    """It is read and goes on in one burst; a long one, or one that must pause, is read apart."""
    scheduler = Scheduler(4)
    scheduler.add(0, client="a", progress=Progress(0, 9))
    scheduler.add(1, client="a", progress=Progress(4, 9), may_ride=True)
    scheduler.add(2, client="a", progress=Progress(5, 9), may_ride=True)
    scheduler.add(3, client="a", progress=Progress(4, 9))
    scheduler.admit()

    reading = scheduler.plan(reading=True, most_to_ride=4)
    writing = scheduler.plan(reading=False, most_to_ride=4)

    assert [(2, 5), (3, 4)] == [(s.request_id, s.most_steps) for s in reading]
    assert [(0, 9), (1, 13)] == [(s.request_id, s.most_steps) for s in writing]
    assert not scheduler.settle(writing[1], num_steps=6, ended=False)
    left = scheduler.plan(reading=False, most_to_ride=4)
    assert [(0, 9), (1, 7)] == [(s.request_id, s.most_steps) for s in left]


def test_reading_pauses_where_it_was_told_to():
    """A burst ends there, and the next goes on."""
    scheduler = Scheduler(1)
    scheduler.add(0, client="", progress=Progress(10, 1, pause_at=4))
    scheduler.admit()
    assert [(0, 4)] == _plan(scheduler, reading=True)
    scheduler.settle(scheduler.plan(reading=True)[0], num_steps=3, ended=False)
    assert [(0, 1)] == _plan(scheduler, reading=True)
    scheduler.settle(scheduler.plan(reading=True)[0], num_steps=1, ended=False)

    assert [(0, 6)] == _plan(scheduler, reading=True)


def test_a_request_is_complete_when_all_is_written_or_it_ended():
    """`settle` says so."""
    scheduler = _scheduler(2, (0, 3), (0, 9))
    scheduler.admit()
    first, second = scheduler.plan(reading=False)

    assert not scheduler.settle(first, num_steps=2, ended=False)
    assert scheduler.settle(second, num_steps=2, ended=True)
    assert scheduler.settle(scheduler.plan(reading=False)[0], num_steps=1, ended=False)


def test_a_parked_request_comes_back_before_those_who_wait():
    """It has waited already, and goes on where it was."""
    scheduler = _scheduler(1, (3, 4), (1, 1))
    scheduler.admit()
    scheduler.settle(scheduler.plan(reading=True)[0], num_steps=2, ended=False)

    scheduler.park(0)
    assert (True, []) == (scheduler.is_parked(0), scheduler.plan(reading=True))
    assert [(1, 0)] == scheduler.admit().admitted
    scheduler.resume(0)
    scheduler.add(2, client="a", progress=Progress(1, 1))
    scheduler.remove(1)

    assert [(0, 0)] == scheduler.admit().admitted
    assert [(0, 1)] == _plan(scheduler, reading=True)


def test_a_request_cannot_come_twice():
    """The engine's names are unique."""
    with pytest.raises(ValueError, match="request 0 is here already"):
        _scheduler(1, (1, 1)).add(0, client="", progress=Progress(1, 1))


def test_integrity_finds_a_slot_in_two_places():
    """A free slot that somebody uses is found."""
    scheduler = _scheduler(1, (1, 1))
    scheduler.admit()
    scheduler._free[0].append(0)

    with pytest.raises(AssertionError, match="slots"):
        scheduler.check_integrity()


def test_integrity_finds_a_lost_request():
    """As is a request that is nowhere."""
    scheduler = _scheduler(1, (1, 1))
    scheduler._waiting.clear()

    with pytest.raises(AssertionError, match="requests"):
        scheduler.check_integrity()


def test_integrity_finds_a_running_request_without_a_slot():
    """And one that runs nowhere."""
    scheduler = _scheduler(1, (1, 1))
    scheduler.admit()
    scheduler._places[0].slot = None

    with pytest.raises(AssertionError, match="no slot"):
        scheduler.check_integrity()


class _Watched(set):
    """Tells when something is taken out of it."""

    def __init__(self, look):
        super().__init__()
        self._look = look

    def remove(self, element):
        """Take it out, and look."""
        super().remove(element)
        self._look()


def test_a_request_is_always_in_one_of_the_counters(monkeypatch):
    """While it is parked and while it comes back: a drain that looks then must not miss it."""
    scheduler = _scheduler(1, (0, 5))
    scheduler.admit()
    seen = []
    release = scheduler._release

    def look():
        seen.append(scheduler.num_running + scheduler.num_parked + scheduler.num_returning)

    monkeypatch.setattr(scheduler, "_parked", _Watched(look))

    def watched(request_id):
        slot = release(request_id)
        seen.append(scheduler.num_running + scheduler.num_parked + scheduler.num_returning)
        return slot

    monkeypatch.setattr(scheduler, "_release", watched)
    scheduler.park(0)
    scheduler.resume(0)

    assert [1, 1] == seen
