"""Older versions that leave while a reload looks at the store."""

import asyncio
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
