from hypothesis import settings, stateful
from hypothesis import strategies as st

from service.engine.rows.progress import Progress
from service.engine.rows.scheduler import Scheduler


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
