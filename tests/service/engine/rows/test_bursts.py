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

    def __init__(self, *prompt_sizes: int, may_ride: bool = False):
        decoder = TimedDecoder(capacity=4)
        self.scheduler = Scheduler(4)
        self.jobs: dict[int, Job] = {}
        limits = engine_limits(target_burst_s=0.020, max_burst_steps=100)
        self.bursts = Bursts(decoder, limits, lambda: decoder.now_s, lambda: decoder.busy_s)
        self.decoder = decoder
        self.may_ride = may_ride
        for size in prompt_sizes:
            self.add(size)

    def add(self, size: int, *, num_logprobs: int | None = None) -> None:
        """A request with a prompt of that size."""
        request_id = len(self.jobs)
        ids = np.ones(size, np.int64)
        sampling = Sampling(seed=0, num_logprobs=num_logprobs)
        request = Request(ids, 10_000, sampling, timeout_s=60)
        stream = TokenStream(request_id, lambda _: 0, lambda _: 0, lambda stream, _: stream)
        job = self.jobs[request_id] = Job.of(request, stream)
        self.scheduler.add(request_id, client="", progress=job.progress, may_ride=self.may_ride)
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
