"""Work that may be done at once."""

import asyncio

import pytest

from service.inference.begun import Begun


async def _at_once():
    return 7


async def _fails():
    raise KeyError("at once")


async def test_what_need_not_wait_is_done_when_it_has_begun():
    """Its result may be looked at again; what it raises comes at once."""
    begun = Begun(_at_once())

    assert (False, 7, 7) == (begun.waits, await begun, await begun)
    with pytest.raises(KeyError):
        Begun(_fails())


async def test_what_waits_goes_on_in_the_same_task():
    """Through several waits, of futures and of nothing; time limits within it hold."""

    async def work():
        async with asyncio.timeout(60):
            await asyncio.sleep(0)
            await asyncio.sleep(0.001)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await asyncio.Event().wait()
        return asyncio.current_task()

    begun = Begun(work())

    assert begun.waits
    assert asyncio.current_task() is await begun
    assert not begun.waits


async def test_who_is_cancelled_cancels_the_work():
    """Which can clean up, and may wait for that."""
    steps: list[str] = []

    async def work():
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            steps.append("cleaned up")
            raise

    async def wait():
        await Begun(work())

    waiting = asyncio.create_task(wait())
    await asyncio.sleep(0.001)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    assert ["cleaned up"] == steps


async def test_what_fails_later_fails_for_who_waits():
    """As of any coroutine."""

    async def work():
        await asyncio.sleep(0)
        raise KeyError("later")

    begun = Begun(work())
    with pytest.raises(KeyError, match="later"):
        await begun
