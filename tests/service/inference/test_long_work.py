"""Long prompts wait for their turn: in order, bounded, and not when nobody is there any more."""

import asyncio
import gc
import threading

import pytest

from service.engine.errors import Overloaded
from service.inference.long_work import LongWork


class Work:
    """Pieces of work that last until they are let go, one permit each."""

    def __init__(self):
        self.began: list[str] = []
        self.together = self.most_together = 0
        self.permits = threading.Semaphore(0)

    def piece(self, name):
        """One of them."""

        def work():
            self.began.append(name)
            self.together += 1
            self.most_together = max(self.most_together, self.together)
            assert self.permits.acquire(timeout=30)
            self.together -= 1
            return name

        return work


@pytest.fixture
def work():
    """A fresh one; everything is let go at the end."""
    work = Work()
    yield work
    work.permits.release(100)


async def _submit(prompts, work, *names, size=1):
    tasks = [asyncio.create_task(prompts.run(size, n[0], work.piece(n))) for n in names]
    async with asyncio.timeout(30):
        while not work.began:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    return tasks


async def test_clients_take_turns_and_each_keeps_its_order(work):
    """A client with many prompts does not make one with a single prompt wait for all of them."""
    prompts = LongWork(100, 1e6, "prompts wait")
    tasks = await _submit(prompts, work, "a1", "a2", "a3", "a4", "b1", "c1")
    work.permits.release(6)

    assert ["a1", "a2", "a3", "a4", "b1", "c1"] == await asyncio.gather(*tasks)
    assert ["a1", "a2", "b1", "c1", "a3", "a4"] == work.began
    assert 1 == work.most_together


async def test_characters_are_bounded_and_one_prompt_always_fits(work):
    """More are refused at once; there is room again when they are done."""
    prompts = LongWork(10, 1e6, "prompts wait")
    [first] = await _submit(prompts, work, "a1", size=1000)
    with pytest.raises(Overloaded) as caught:
        await prompts.run(1, "b", work.piece("b1"))
    work.permits.release(2)
    assert "a1" == await first

    assert 0 < caught.value.retry_after_s < 60
    assert "b1" == await prompts.run(1, "b", work.piece("b1"))


async def test_whoever_leaves_makes_room_and_is_never_worked_for(work):
    """One that waits leaves at once; one that is worked on holds the place until that is done."""
    prompts = LongWork(3, 1e6, "prompts wait")
    begun, waiting, other = await _submit(prompts, work, "a1", "a2", "b1")
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    new = asyncio.create_task(prompts.run(1, "c", work.piece("c1")))
    begun.cancel()
    await asyncio.gather(begun, return_exceptions=True)
    assert ["a1"] == work.began
    work.permits.release(3)

    assert ["b1", "c1"] == await asyncio.gather(other, new)
    assert ["a1", "b1", "c1"] == work.began
    assert (1, 0) == (work.most_together, prompts._num_characters)


async def test_a_turn_that_comes_as_its_owner_leaves_is_passed_on(work, monkeypatch):
    """Cancelled in the very round of the event loop in which the turn came."""
    prompts = LongWork(10, 1e6, "prompts wait")
    first, second, third = await _submit(prompts, work, "a1", "a2", "b1")
    give_turn = prompts._next

    def give_turn_and_cancel():
        give_turn()
        second.cancel()

    monkeypatch.setattr(prompts, "_next", give_turn_and_cancel)
    work.permits.release(3)

    assert "a1" == await first
    assert "b1" == await third
    assert "a2" not in work.began


async def test_work_that_fails_fails_its_own_prompt(work):
    """The next one is done."""
    prompts = LongWork(10, 1e6, "prompts wait")
    with pytest.raises(ZeroDivisionError):
        await prompts.run(1, "a", lambda: 1 // 0)
    work.permits.release(1)

    assert "a1" == await prompts.run(1, "a", work.piece("a1"))


async def test_a_failure_that_nobody_waits_for_is_no_fault_of_the_server():
    """A client that has left with a prompt which is refused afterwards: no line in the log."""
    told = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    goes_on = threading.Event()

    def refused():
        assert goes_on.wait(30)
        raise ValueError("too long")

    long_work = LongWork(1000, 1e6, "prompts wait")
    asking = asyncio.ensure_future(long_work.run(1, "a", refused))
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    del asking  # whose frames hold what it has waited for
    goes_on.set()
    with pytest.raises(ValueError, match="again"):
        await long_work.run(1, "a", _refuse)  # whose turn comes when the other one is done

    gc.collect()
    assert [] == told


def _refuse():
    raise ValueError("again")
