"""The turnstile: crowds come a few at a time, in turns, and nobody is lost."""

import asyncio

import pytest

from service.inference.turnstile import Turnstile


class Crowd:
    """Tasks that pass; says who did in which iteration of the event loop.

    By the clock, each of them takes `slowness` times what it states.
    """

    def __init__(self, costs_s, clients=None, slowness=1.0):
        self.clock_s = 0.0
        self.slowness = slowness
        self.turnstile = Turnstile(lambda: self.clock_s)
        self.iteration = 0
        self.passed = {}
        self.tasks = [
            asyncio.create_task(self._pass(n, cost, clients[n] if clients else "a"))
            for n, cost in enumerate(costs_s)
        ]

    async def _pass(self, number, cost_s, client):
        await self.turnstile.enter(cost_s, client)
        self.clock_s += cost_s * self.slowness
        self.passed[number] = self.iteration

    async def all_passed(self):
        """Count iterations until all have."""
        while not all(task.done() for task in self.tasks):
            await asyncio.sleep(0)
            self.iteration += 1

    @property
    def most_at_once(self):
        """Most that passed in one iteration."""
        iterations = list(self.passed.values())
        return max(iterations.count(n) for n in iterations)


@pytest.mark.parametrize(("cost_s", "most"), [(0.0005, 4), (0.001, 2), (0.0015, 1)])
async def test_a_crowd_passes_a_few_at_a_time_and_in_order(cost_s, most):
    """Two milliseconds in each iteration."""
    crowd = Crowd([cost_s] * 40)
    await crowd.all_passed()

    assert most == crowd.most_at_once
    assert list(range(40)) == list(crowd.passed)


async def test_where_pieces_take_longer_than_they_state_fewer_pass():
    """Four at first, and two in the end, however slow it is."""
    crowd = Crowd([0.0005] * 200, slowness=6.0)
    await crowd.all_passed()

    iterations = list(crowd.passed.values())
    assert 4 == iterations.count(iterations[0])
    assert 2 == iterations.count(iterations[150])
    assert list(range(200)) == list(crowd.passed)


async def test_clients_take_turns():
    """Who comes after another's crowd waits for one piece of it."""
    crowd = Crowd([0.0015] * 42, clients=["a"] * 40 + ["b", "c"])
    await crowd.all_passed()

    assert [0, 1, 40, 41] == sorted(list(crowd.passed)[:4])


async def test_alone_nobody_waits():
    """Not even for the next iteration."""
    turnstile = Turnstile()
    entering = turnstile.enter(0.001, "a")

    with pytest.raises(StopIteration):
        entering.send(None)


async def test_after_a_long_piece_the_loop_is_left_alone_for_as_long():
    """Ten milliseconds of work, and then ten for the others."""
    loop = asyncio.get_running_loop()
    turnstile = Turnstile()
    await turnstile.enter(0.02, "a")
    started_s = loop.time()
    await turnstile.enter(0.0005, "a")

    assert loop.time() - started_s >= 0.018


async def test_who_leaves_while_waiting_holds_up_nobody():
    """Before and after its turn has come."""
    crowd = Crowd([0.0015] * 10)
    await asyncio.sleep(0)
    for n in range(1, 10, 2):
        crowd.tasks[n].cancel()
    await asyncio.wait_for(crowd.all_passed(), 5)

    assert {0, 2, 4, 6, 8} <= set(crowd.passed)
    await asyncio.sleep(0)
    with pytest.raises(StopIteration):
        crowd.turnstile.enter(0.001, "a").send(None)
