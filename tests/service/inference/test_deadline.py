"""When the time of a request is over."""

from __future__ import annotations

import asyncio

import pytest

from service.engine.errors import TimedOut
from service.inference.deadline import Deadline, arriving


async def test_deadlines_count_from_the_arrival():
    """Whenever they are made, also by tasks of the request; without an arrival, from now."""

    async def made() -> float:
        return Deadline.after(10).at_s

    began_s = asyncio.get_running_loop().time()
    with arriving():
        first = Deadline.after(10).at_s
        await asyncio.sleep(0.05)
        later = Deadline.after(10).at_s, await asyncio.create_task(made())
        with arriving():  # of another part of it
            part = Deadline.after(10).at_s
        after_part = Deadline.after(10).at_s
    alone = Deadline.after(10).at_s

    assert began_s + 10 <= first == later[0] == later[1] == after_part
    assert first + 0.04 < part <= alone


async def test_time_that_was_over_before_the_work_ends_it_when_it_waits():
    """At once."""
    with arriving():
        await asyncio.sleep(0.02)
        with pytest.raises(TimedOut):
            await Deadline.after(0.01).bound(asyncio.sleep(30))
