import numpy as np
import pytest

from service.engine.request import Chunk, Request
from service.engine.rows.bursts import Bursts
from service.engine.rows.job import Job
from service.engine.rows.scheduler import Scheduler
from service.engine.stream import TokenStream
from service.rows.row import Row
from service.runtime.reference.fake import FakeStep
from service.runtime.reference.stepwise import StepwiseDecoder
from service.runtime.sampling import Sampling
from tests.service.limits import engine_limits

_STEP_S = 0.001


class TimedDecoder(StepwiseDecoder):
    """A step takes a millisecond, whatever is in it."""

    def __init__(self, capacity: int):
        super().__init__(FakeStep(), capacity=capacity)
        self.now_s = self.busy_s = 0.0
        self.slowness = 1

    def burst(self, burst):
        """Time passes."""
        self.busy_s += _STEP_S * len(burst.forced_KB)
        self.now_s += _STEP_S * len(burst.forced_KB) * self.slowness
        return super().burst(burst)


class House:
    """A scheduler, a decoder, and the requests in them."""

    def __init__(
        self, *prompt_sizes: int, may_ride: bool = False, capacity: int = 4, event_s: float = 0.0
    ):
        decoder = TimedDecoder(capacity)
        self.scheduler = Scheduler(capacity)
        self.jobs: dict[int, Job] = {}
        limits = engine_limits(target_burst_s=0.020, max_burst_steps=100, event_s=event_s)
        self.bursts = Bursts(decoder, limits, lambda: decoder.now_s, lambda: decoder.busy_s)
        self.decoder = decoder
        self.may_ride = may_ride
        for size in prompt_sizes:
            self.add(size)

    def add(self, size: int, *, num_logprobs: int | None = None, client: str = "") -> None:
        """A request with a prompt of that size."""
        request_id = len(self.jobs)
        ids = np.ones(size, np.int64)
        sampling = Sampling(seed=0, num_logprobs=num_logprobs)
        request = Request(ids, 10_000, sampling, timeout_s=60, client=client)
        stream = TokenStream(request_id, lambda _: 0, lambda _: 0, lambda stream, _: stream)
        job = self.jobs[request_id] = Job.of(request, stream)
        self.scheduler.add(request_id, client=client, progress=job.progress, may_ride=self.may_ride)
        self.scheduler.admit()
        row = Row.start(self.decoder.row_shape)
        self.decoder.load(request_id, row, request.sampling)
        job.is_loaded = True

    def run(self) -> tuple[bool, int, int]:
        """One burst: whether it reads, its rows and its steps."""
        plan = self.bursts.plan(self.scheduler, self.jobs)
        assert plan is not None
        result = self.bursts.run(plan).result
        for share, job, num_steps in zip(plan.shares, plan.jobs, result.num_steps_B, strict=True):
            num_read = min(int(num_steps), job.progress.num_to_read)
            self.scheduler.settle(share, num_steps=int(num_steps), ended=False)
            job.stream.num_sent += int(num_steps) - num_read
            if job.can_begin:
                job.begin(Chunk(np.array([0]), None))
        return plan.reading, len(plan.shares), int(plan.num_steps_B.max())


def test_readers_and_writers_take_turns():
    """Each kind is as long as its own steps allow."""
    house = House(1, 500)
    begun = [house.run() for _ in range(2)]

    found = [house.run() for _ in range(8)]

    assert [True, False] == [reading for reading, _, _ in begun]
    assert [True, False] * 4 == [reading for reading, _, _ in found]
    assert [1] * 8 == [rows for _, rows, _ in found]
    assert [20, 20] == [steps for _, _, steps in found[-2:]]


def test_a_prompt_shorter_than_a_burst_is_read_with_the_first_words():
    """One burst instead of two: what is drawn first is known without a step."""
    house = House(1, may_ride=True)
    for _ in range(9):
        house.run()
    assert (False, 1, 20) == house.run()
    house.add(8)

    assert (True, 1, 8) == house.run()
    assert 1 == house.jobs[1].stream.num_sent
    # Two rows are thought to take twice as long, until they are seen not to.
    assert (False, 2, 10) == house.run()


@pytest.mark.parametrize(("num_logprobs", "steps"), [(None, 0), (2, 1)])
def test_a_newcomer_does_not_wait_for_all_others(num_logprobs, steps):
    """It begins alone, with what it has to read, and with a step if it has to draw to be seen."""
    house = House(1, 1)
    for _ in range(9):
        house.run()
    house.add(8, num_logprobs=num_logprobs)

    assert (True, 1, 8) == house.run()
    for _ in range(steps):
        assert (False, 1, 1) == house.run()
    assert 1 == house.jobs[2].stream.num_sent
    assert 3 == house.run()[1]


@pytest.mark.parametrize(("num_logprobs", "sent"), [(None, [1, 1]), (2, [6, 1])])
def test_newcomers_with_short_prompts_read_together(num_logprobs, sent):
    """None writes before all have read, unless one has to draw to be seen."""
    house = House(1, may_ride=True)
    for _ in range(9):
        house.run()
    house.add(3)
    house.add(8, num_logprobs=num_logprobs)

    reading, num_rows, _ = house.run()

    assert (num_logprobs is None, 2) == (reading, num_rows)
    assert sent == [house.jobs[n].stream.num_sent for n in (1, 2)]


def test_a_text_whose_first_token_is_not_known_takes_a_step():
    """It may end there, or it could not be had."""
    house = House(1)
    for _ in range(3):
        house.run()
    house.jobs[0].stream.num_sent = 0

    assert (False, 1, 1) == house.run()
    assert (False, 1, 20) == house.run()


def test_newcomers_do_not_keep_the_others_from_writing():
    """However many of them come: after those that begin, all write."""
    house = House(1, may_ride=True)
    for _ in range(4):
        house.run()
    found = []
    for _ in range(3):
        house.add(1)
        found += [house.run()[1], house.run()[1]]

    assert [1, 2, 1, 3, 1, 4] == found


def test_nor_from_reading():
    """Where all that write are new each time: those who read have every second burst."""
    house = House(500)
    for _ in range(4):
        house.run()
    found = []
    for n in range(1, 7):
        if n < 4:
            house.add(1, num_logprobs=1)
        house.jobs[n % 4 or 1].stream.num_sent = 0
        found.append(house.run()[0])

    assert [True, False] * 3 in (found, found[::-1])


@pytest.mark.parametrize("size", [3, 60])
def test_an_outsider_goes_before_a_crowd(size):
    """What one client has read and begun in its crowd, another one's newcomer need not wait for."""
    house = House(*[1] * 6, may_ride=True, capacity=10)
    for _ in range(20):
        house.run()
    for _ in range(2):
        house.add(60)
    house.add(size, client="other")
    other = house.jobs[8]

    found = []
    while other.stream.num_sent == 0:
        found.append(house.run())

    assert 1 == found[-1][1], "alone"
    assert size == sum(steps for _, num_rows, steps in found if num_rows == 1)
    assert not house.jobs[6].stream.num_sent


def test_outsiders_do_not_keep_a_crowd_from_writing():
    """Three bursts of those who go first, and then all that write."""
    house = House(*[1] * 6, may_ride=True, capacity=12)
    for _ in range(20):
        house.run()
    found = []
    for _ in range(5):
        house.add(1, client="other")
        found.append(house.run()[1])

    assert 1 == found[0]
    assert max(found) > 6
    assert 3 >= max(len(ones) for ones in "".join("x "[n > 1] for n in found).split())


def test_bursts_beside_a_crowd_are_short():
    """A crowd's are long, since each row costs an event; a neighbour's gaps are not."""
    house = House(*[1] * 6, may_ride=True, capacity=7, event_s=0.015)
    for _ in range(20):
        house.run()
    alone = house.run()
    house.add(1, client="other")
    while house.jobs[6].stream.num_sent == 0:
        house.run()
    beside = [house.run() for _ in range(2)]

    assert (False, 6, 90) == alone
    assert (False, 7, 40) == beside[-1]


def test_what_was_interrupted_goes_on():
    """The burst ends, and the next one is planned as ever."""
    house = House(1)
    for _ in range(9):
        house.run()
    house.bursts.take_up()
    plan = house.bursts.plan(house.scheduler, house.jobs)
    assert plan is not None
    assert house.bursts.is_running
    house.bursts.interrupt()

    result = house.bursts.run(plan).result

    assert not house.bursts.is_running
    assert [1] == result.num_steps_B.tolist()
    house.scheduler.settle(plan.shares[0], num_steps=1, ended=False)
    house.bursts.take_up()
    assert 15 <= house.run()[2] <= 20


def test_others_who_take_the_processor_do_not_make_bursts_shorter():
    """The steps take as much of it as before."""
    house = House(1)
    house.decoder.slowness = 10
    for _ in range(9):
        house.run()

    assert (False, 1, 20) == house.run()


def test_speed_is_what_bursts_did_lately():
    """Tokens/s, for telling when to come again."""
    house = House(1)
    for _ in range(60):
        house.run()

    assert house.bursts.tokens_per_s == pytest.approx(1 / _STEP_S, rel=0.01)


def test_nobody_is_no_burst():
    """None, not an empty one."""
    house = House()

    assert house.bursts.plan(house.scheduler, house.jobs) is None
