"""Older versions that leave while a reload looks at the store."""

import asyncio
import gc
import threading
from asyncio import to_thread

from service.models.loader import ModelLoader
from tests import tiny_model
from tests.service.models.test_live import _let_go_until, _live


async def test_an_old_version_stays_while_a_reload_looks(tmp_path, monkeypatch):
    """What the reload has seen running it does not start again."""
    for version in (1, 2):
        await to_thread(tiny_model.publish, tmp_path, version=version)
    async with _live(tmp_path) as live:
        await live.find("tiny@1")
        load, loads, goes_on = ModelLoader.load, threading.Event(), threading.Event()

        def slow(self, loaded):
            found = load(self, loaded)
            loads.set()
            assert goes_on.wait(30)
            return found

        monkeypatch.setattr(ModelLoader, "load", slow)
        reload = asyncio.ensure_future(live.reload())
        assert await to_thread(loads.wait, 30)
        await live.let_go()
        goes_on.set()

        assert "unchanged" == (await reload).outcome
        await _let_go_until(live, lambda: ["tiny@2"] == [name for name, _ in live.engines])


async def test_a_version_that_nobody_waits_for_may_be_missing(tmp_path):
    """Who asked for it has left: no line in the log."""
    await to_thread(tiny_model.publish, tmp_path)
    told = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    async with _live(tmp_path) as live:
        asking = asyncio.ensure_future(live.find("tiny@9"))
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        del asking  # whose frames hold what it has waited for
        async with asyncio.timeout(30):
            while live._coming_back:  # noqa: ASYNC110 - a task that tells nobody
                await asyncio.sleep(0.01)
        gc.collect()

    assert [] == told
