import pytest
from hypothesis import settings, stateful
from hypothesis import strategies as st

from service.engine.scheduler import BurstLength, Scheduler


def _scheduler(capacity, *jobs):
    scheduler = Scheduler(capacity)
    for request_id, (num_to_read, num_to_write) in enumerate(jobs):
        scheduler.add(request_id, num_to_read=num_to_read, num_to_write=num_to_write)
    return scheduler


def test_first_come_first_served():
    """Slots go to those who came first, the lowest slot first; the rest wait."""
    scheduler = _scheduler(2, (1, 1), (1, 1), (1, 1))

    assert [(0, 0), (1, 1)] == scheduler.admit()
    assert (2, 1, 0) == (scheduler.num_running, scheduler.num_waiting, scheduler.num_parked)


def test_a_slot_is_free_at_once_for_the_next():
    """Whoever leaves makes room for the one at the head of the queue."""
    scheduler = _scheduler(2, (1, 1), (1, 1), (1, 1))
    scheduler.admit()

    scheduler.remove(0)

    assert [(2, 0)] == scheduler.admit()
    assert [(1, 1), (2, 0)] == [(s.request_id, s.slot) for s in scheduler.plan(1)]


def test_reading_and_writing_share_a_burst():
    """A share reads first, then writes, within the same number of steps for everyone."""
    scheduler = _scheduler(4, (10, 5), (3, 5), (0, 2), (2, 0))
    scheduler.admit()

    shares = scheduler.plan(4)

    assert [(4, 4), (3, 4), (0, 2), (2, 2)] == [(s.num_read, s.num_steps) for s in shares]


def test_a_request_is_complete_when_all_is_read_and_written_or_it_ended():
    """`settle` says so."""
    scheduler = _scheduler(2, (2, 3), (1, 9))
    scheduler.admit()
    first, second = scheduler.plan(4)

    assert not scheduler.settle(first, num_steps=4, ended=False)
    assert scheduler.settle(second, num_steps=2, ended=True)
    assert [1] == [s.num_steps for s in scheduler.plan(4) if s.request_id == 0]
    assert scheduler.settle(scheduler.plan(4)[0], num_steps=1, ended=False)


def test_a_parked_request_comes_back_before_those_who_wait():
    """It has waited already, and goes on where it was."""
    scheduler = _scheduler(1, (3, 4), (1, 1))
    scheduler.admit()
    scheduler.settle(scheduler.plan(2)[0], num_steps=2, ended=False)

    scheduler.park(0)
    assert (True, []) == (scheduler.is_parked(0), scheduler.plan(1))
    assert [(1, 0)] == scheduler.admit()
    scheduler.resume(0)
    scheduler.add(2, num_to_read=1, num_to_write=1)
    scheduler.remove(1)

    assert [(0, 0)] == scheduler.admit()
    assert [(1, 5)] == [(s.num_read, s.num_steps) for s in scheduler.plan(9)]


def test_a_request_cannot_come_twice():
    """The engine's names are unique."""
    with pytest.raises(ValueError, match="request 0 is here already"):
        _scheduler(1, (1, 1)).add(0, num_to_read=1, num_to_write=1)


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
    scheduler._jobs[0].slot = None

    with pytest.raises(AssertionError, match="no slot"):
        scheduler.check_integrity()


class SchedulerMachine(stateful.RuleBasedStateMachine):
    """Any order of events, against a queue kept in the plainest way."""

    def __init__(self):
        super().__init__()
        self.scheduler = Scheduler(3)
        self.next_id = 0
        self.waiting: list[int] = []
        self.running: dict[int, int] = {}
        self.parked: set[int] = set()
        self.left: dict[int, tuple[int, int]] = {}
        self.completed: list[int] = []

    @stateful.rule(num_to_read=st.integers(0, 5), num_to_write=st.integers(0, 5))
    def add(self, num_to_read, num_to_write):
        """Somebody comes."""
        if num_to_read + num_to_write == 0:
            return
        self.scheduler.add(self.next_id, num_to_read=num_to_read, num_to_write=num_to_write)
        self.left[self.next_id] = (num_to_read, num_to_write)
        self.waiting.append(self.next_id)
        self.next_id += 1

    @stateful.rule()
    def admit(self):
        """Free slots are given away, in order."""
        num_free = 3 - len(self.running)
        expected, self.waiting = self.waiting[:num_free], self.waiting[num_free:]

        admitted = self.scheduler.admit()

        assert expected == [request_id for request_id, _ in admitted]
        for request_id, slot in admitted:
            assert slot not in self.running.values()
            self.running[request_id] = slot

    @stateful.rule(max_steps=st.integers(1, 4), data=st.data())
    def burst(self, max_steps, data):
        """Everybody who runs takes part; some draw their end id."""
        shares = self.scheduler.plan(max_steps)
        assert self.running == {share.request_id: share.slot for share in shares}
        for share in shares:
            read, write = self.left[share.request_id]
            assert (min(read, max_steps), min(read + write, max_steps)) == (
                share.num_read,
                share.num_steps,
            )
            writes = share.num_steps > share.num_read
            ended = writes and data.draw(st.booleans())
            num_steps = share.num_read + 1 if ended else share.num_steps
            written = num_steps - share.num_read
            self.left[share.request_id] = (read - share.num_read, write - written)
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
        self.waiting.insert(0, request_id)

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
        if request_id in self.waiting:
            self.waiting.remove(request_id)

    @stateful.invariant()
    def everything_is_in_one_place(self):
        """Slots and requests are conserved, and nothing completes twice."""
        self.scheduler.check_integrity()
        assert len(self.completed) == len(set(self.completed))
        assert (len(self.running), len(self.waiting), len(self.parked)) == (
            self.scheduler.num_running,
            self.scheduler.num_waiting,
            self.scheduler.num_parked,
        )


TestScheduler = SchedulerMachine.TestCase
TestScheduler.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)


def test_the_first_burst_is_short():
    """Nothing is known yet of how long a step takes."""
    assert 1 == BurstLength(0.010, 32).num_steps(num_rows=1)


@pytest.mark.parametrize(("step_s", "expected"), [(0.001, 10), (0.0001, 32), (0.5, 1), (0.004, 2)])
def test_a_burst_takes_about_the_target(step_s, expected):
    """As many steps as fit, at least one, at most the maximum."""
    length = BurstLength(0.010, 32)

    length.observe(4, 4 * step_s)

    assert expected == length.num_steps(num_rows=1)


def test_a_slow_burst_is_forgotten():
    """One slow burst shortens the next ones, not all."""
    length = BurstLength(0.010, 32)
    length.observe(10, 0.010)
    length.observe(10, 1.0)
    shortened = length.num_steps(num_rows=1)
    for _ in range(60):
        length.observe(10, 0.010)

    assert (1, 10) == (shortened, length.num_steps(num_rows=1))


def test_many_rows_make_bursts_longer():
    """Each row gets an event from each burst, and events cost the event loop time."""
    length = BurstLength(0.010, 1000)
    length.observe(10, 0.010)

    assert 10 == length.num_steps(num_rows=25)
    assert 100 == length.num_steps(num_rows=250)


def test_no_target_means_one_step_a_burst():
    """Whatever steps take."""
    length = BurstLength(0, 32)
    length.observe(1, 1e-6)

    assert 1 == length.num_steps(num_rows=64)
