import pytest
from hypothesis import settings, stateful
from hypothesis import strategies as st

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
    scheduler._free.append(0)

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


class SchedulerMachine(stateful.RuleBasedStateMachine):
    """Any order of events, against queues kept in the plainest way."""

    capacity = 4

    def __init__(self):
        super().__init__()
        self.scheduler = Scheduler(self.capacity)
        self.next_id = 0
        self.client: dict[int, str] = {}
        self.waiting: dict[str, list[int]] = {client: [] for client in "abc"}
        self.running: dict[int, int] = {}
        self.parked: set[int] = set()
        self.left: dict[int, tuple[int, int]] = {}
        self.rides: dict[int, bool] = {}
        self.completed: list[int] = []

    @stateful.rule(
        client=st.sampled_from("abc"),
        num_to_read=st.integers(0, 5),
        num_to_write=st.integers(0, 5),
        may_ride=st.booleans(),
    )
    def add(self, client, num_to_read, num_to_write, may_ride):
        """Somebody comes."""
        if num_to_read + num_to_write == 0:
            return
        self.scheduler.add(
            self.next_id,
            client=client,
            progress=Progress(num_to_read, num_to_write),
            may_ride=may_ride,
        )
        self.rides[self.next_id] = may_ride
        self.left[self.next_id] = (num_to_read, num_to_write)
        self.client[self.next_id] = client
        self.waiting[client].append(self.next_id)
        self.next_id += 1

    @stateful.rule()
    def admit(self):
        """Each client's own in order; then nobody waits who has less than another."""
        admission = self.scheduler.admit()

        assert not {n for n, _ in admission.displaced} & {n for n, _ in admission.admitted}
        for request_id, slot in admission.displaced:
            assert slot == self.running.pop(request_id)
        for request_id, slot in admission.admitted:
            assert request_id == self.waiting[self.client[request_id]].pop(0)
            assert slot not in self.running.values()
            self.running[request_id] = slot
        for request_id, _ in admission.displaced:
            self.waiting[self.client[request_id]].insert(0, request_id)
        owners = [self.client[request_id] for request_id in self.running]
        if any(self.waiting.values()):
            assert self.capacity == len(self.running)
            poorest = min(owners.count(client) for client, ids in self.waiting.items() if ids)
            assert max(owners.count(client) for client in "abc") - poorest <= 1

    @stateful.rule(
        reading=st.booleans(),
        most_to_ride=st.integers(0, 4),
        max_steps=st.integers(1, 6),
        data=st.data(),
    )
    def burst(self, reading, most_to_ride, max_steps, data):
        """Everybody who reads, or writes, takes part; some draw their end id."""
        shares = self.scheduler.plan(reading=reading, most_to_ride=most_to_ride)
        assert {share.request_id: share.slot for share in shares} == {
            n: slot
            for n, slot in self.running.items()
            if reading == (self.left[n][0] > (most_to_ride if self.rides[n] else 0))
        }
        for share in shares:
            read, write = self.left[share.request_id]
            assert share.most_steps == (read if reading else read + write)
            ended = read < share.most_steps and data.draw(st.booleans())
            num_steps = read + 1 if ended else min(share.most_steps, max_steps)
            num_read = min(read, num_steps)
            self.left[share.request_id] = (read - num_read, write - (num_steps - num_read))
            done = ended or self.left[share.request_id] == (0, 0)
            assert done == self.scheduler.settle(share, num_steps=num_steps, ended=ended)
            if done:
                self.completed.append(share.request_id)
                self._remove(share.request_id)

    @stateful.precondition(lambda self: self.running)
    @stateful.rule(data=st.data())
    def park(self, data):
        """A reader is slow."""
        request_id = data.draw(st.sampled_from(sorted(self.running)))
        self.scheduler.park(request_id)
        del self.running[request_id]
        self.parked.add(request_id)

    @stateful.precondition(lambda self: self.parked)
    @stateful.rule(data=st.data())
    def resume(self, data):
        """It has caught up."""
        request_id = data.draw(st.sampled_from(sorted(self.parked)))
        self.scheduler.resume(request_id)
        self.parked.remove(request_id)
        self.waiting[self.client[request_id]].insert(0, request_id)

    @stateful.precondition(lambda self: self.left)
    @stateful.rule(data=st.data())
    def remove(self, data):
        """Somebody leaves, from anywhere."""
        self._remove(data.draw(st.sampled_from(sorted(self.left))))

    def _remove(self, request_id):
        self.scheduler.remove(request_id)
        del self.left[request_id]
        self.running.pop(request_id, None)
        self.parked.discard(request_id)
        queue = self.waiting[self.client[request_id]]
        if request_id in queue:
            queue.remove(request_id)

    @stateful.invariant()
    def everything_is_in_one_place(self):
        """Slots and requests are conserved, and nothing completes twice."""
        self.scheduler.check_integrity()
        assert len(self.completed) == len(set(self.completed))
        assert (len(self.running), len(self.parked)) == (
            self.scheduler.num_running,
            self.scheduler.num_parked,
        )


TestScheduler = SchedulerMachine.TestCase
TestScheduler.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
