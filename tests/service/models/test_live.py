"""Models that come and go while others run on them."""

import asyncio
import gc
import shutil
from asyncio import to_thread
from contextlib import asynccontextmanager

import pytest

from service.artifacts.aliases import set_alias
from service.artifacts.reference import Reference
from service.artifacts.store import ModelStore
from service.limits import engine_limits
from service.models import loading
from service.models.errors import ModelBroken, ModelUnknown, ReloadFailed
from service.models.live import LiveModels
from service.models.loader import ModelLoader
from service.models.loading import EngineSizes
from service.settings import Settings
from tests import tiny_model
from tests.service.engine.engines import read, request_of, until
from tests.service.models.stores import DAMAGED


@asynccontextmanager
async def _live(root, *names, default=None, idle_s=0.0):
    """Models of a store, with their engines running."""
    sizes = EngineSizes(2, 1, 1, 0, engine_limits(Settings()))
    model_loader = ModelLoader(ModelStore(root), names, default, sizes)
    live = await to_thread(LiveModels.load, model_loader, idle_s)
    live.start()
    yield live
    await live.stop()


async def _let_go_until(live, condition):
    """Threads and coroutines let go of what they were told at some time."""
    async with asyncio.timeout(30):
        while not condition():
            await live.let_go()
            await asyncio.sleep(0.01)


def _refs(live):
    return [model.ref for model in live.current]


@pytest.fixture
def root(tmp_path):
    """A store with one model."""
    tiny_model.publish(tmp_path)
    return tmp_path


async def test_a_new_version_takes_the_name_and_the_old_one_its_texts_to_their_end(root):
    """Who has found the old one goes on with it; then it ends, and its memory is free."""
    async with _live(root) as live:
        old = live.current.resolve("tiny")
        engine = old.engine
        stream = engine.submit(request_of(max_tokens=400))
        await to_thread(tiny_model.publish, root, version=2, seed=1)
        changes = await live.reload()

        assert (("tiny@2",), ("tiny@1",), (), {}) == (
            changes.added,
            changes.removed,
            changes.kept,
            changes.refused,
        )
        assert "tiny@2" == live.current.resolve("tiny").ref == live.current.resolve(None).ref
        assert old is live.current.resolve("tiny@1")
        await live.let_go()
        tokens, event = await read(stream)
        assert (400, "length") == (len(tokens), event.reason)
        await live.let_go()
        assert ["tiny@2"] == _refs(live)
        await live.let_go()
        assert engine.alive, "somebody holds it"
        del old
        await _let_go_until(live, lambda: not engine.alive)
        assert [] == engine._rows.lanes
        assert ["tiny@2"] == [name for name, _ in live.engines]


async def test_what_has_not_changed_is_not_loaded_again(root, monkeypatch):
    """Nor read: the same value is served on."""
    async with _live(root) as live:
        tiny, verify, loaded = live.current.resolve("tiny"), ModelStore.verify, []

        def counted(store, name, version):
            loaded.append((name, version))
            return verify(store, name, version)

        monkeypatch.setattr(ModelStore, "verify", counted)
        await to_thread(tiny_model.publish, root, "other")
        changes = await live.reload()

        assert (("other@1",), (), ("tiny@1",)) == (changes.added, changes.removed, changes.kept)
        assert tiny is live.current.resolve("tiny")
        assert [("other", 1)] == loaded
        assert "unchanged" == (await live.reload()).outcome
        assert {"changed": 1, "unchanged": 1} == dict(live.tally)


@pytest.mark.parametrize("kind", ["manifest emptied", "model changed", "not run", "panic"])
async def test_a_bad_version_never_takes_the_place_of_a_good_one(root, kind):
    """It is refused, with the reason."""
    async with _live(root) as live:
        tiny = live.current.resolve("tiny")
        await to_thread(DAMAGED[kind], root, "tiny", 2)
        changes = await live.reload()

        assert ((), (), ("tiny@1",)) == (changes.added, changes.removed, changes.kept)
        assert ["tiny@2"] == [*changes.refused]
        assert tiny is live.current.resolve("tiny")


async def test_a_bad_version_is_logged_once_until_it_changes(root, caplog):
    """However often the store is looked into, for whatever reason."""

    def said() -> list[str]:
        found = [r.getMessage() for r in caplog.records if r.levelname in {"ERROR", "WARNING"}]
        caplog.clear()
        return [text.partition(":")[0] for text in found]

    bad = root / "tiny" / "2"
    at_first = ["tiny@2 cannot be served", "tiny@1 is served in place of tiny@2"]
    async with _live(root) as live:
        await to_thread(DAMAGED["model changed"], root, "tiny", 2)
        await live.reload()
        assert at_first == said()
        await to_thread(tiny_model.publish, root, "other")
        assert ["tiny@2"] == [*(await live.reload()).refused]
        assert [] == said()
        (bad / "README.md").write_text("touched")
        await live.reload()
        assert at_first == said()
        away = bad.rename(root.parent / "away")
        await live.reload()
        assert [] == said()
        away.rename(bad)
        await live.reload()
        assert at_first == said()


async def test_a_version_that_is_too_large_is_refused(root, monkeypatch):
    """Before it is loaded."""
    async with _live(root) as live:
        await to_thread(tiny_model.publish, root, version=2)
        monkeypatch.setattr(loading, "available_bytes", lambda: 1000)
        changes = await live.reload()

        assert "memory" in changes.refused["tiny@2"]
        assert "tiny@1" == live.current.resolve("tiny").ref


@pytest.mark.parametrize("harm", ["manifest", "folder"])
async def test_damage_to_what_is_served_is_told_and_it_is_served_on(root, harm):
    """By a manifest that is no more; without its folder it is removed, if others are left."""
    await to_thread(tiny_model.publish, root, "other")
    async with _live(root) as live:
        if harm == "manifest":
            (root / "tiny/1/manifest.json").write_text("{")
            changes = await live.reload()
            assert (["tiny@1"], ()) == ([*changes.refused], changes.removed)
            assert "tiny@1" == live.current.resolve("tiny").ref
        else:
            shutil.rmtree(root / "tiny")
            assert ("tiny@1",) == (await live.reload()).removed
            with pytest.raises(ModelUnknown):
                await live.find("tiny@1")


@pytest.mark.parametrize("name", ["aliases.json", "tiny"])
async def test_a_store_that_cannot_be_told_changes_nothing(root, name):
    """Aliases that are damaged; no model at all."""
    async with _live(root) as live:
        before = live.current
        if name == "tiny":
            shutil.rmtree(root / name)
        else:
            (root / name).write_text("{")
        with pytest.raises(ReloadFailed, match=str(root)):
            await live.reload()
        assert before is live.current
        assert {"failed": 1} == dict(live.tally)


async def test_an_alias_is_moved_there_and_back(root):
    """Which is how a version is rolled out, and rolled back."""
    await to_thread(tiny_model.publish, root, version=2)
    await to_thread(set_alias, root, "prod", Reference("tiny", 1))
    async with _live(root, "prod", default="prod") as live:
        assert ["tiny@1"] == _refs(live)
        await to_thread(set_alias, root, "prod", Reference("tiny", 2))
        await live.reload()
        assert "tiny@2" == live.current.resolve("prod").ref == live.current.resolve(None).ref
        await to_thread(set_alias, root, "prod", Reference("tiny", 1))
        await live.reload()
        assert "tiny@1" == live.current.resolve("prod").ref == live.current.resolve(None).ref


async def test_a_version_that_the_settings_name_stays(root):
    """Whatever else comes."""
    async with _live(root, "tiny@1") as live:
        await to_thread(tiny_model.publish, root, version=2)
        assert "unchanged" == (await live.reload()).outcome
        assert "tiny@1" == live.current.resolve("tiny").ref


async def test_a_session_finds_the_version_that_it_began_with(root):
    """Loaded once for all who come back to it, not listed under its model's name, then let go."""
    await to_thread(tiny_model.publish, root, version=2)
    async with _live(root) as live:
        with pytest.raises(ModelUnknown):
            live.current.resolve("tiny@1")
        one, same = await asyncio.gather(live.find("tiny@1"), live.find("tiny@1"))

        assert one is same
        assert ["tiny@2", "tiny@1"] == _refs(live)
        assert "tiny@2" == live.current.resolve("tiny").ref
        assert 5 == len((await read(one.engine.submit(request_of())))[0])
        del one, same
        await _let_go_until(live, lambda: 1 == len(list(live.engines)))
        assert ["tiny@2"] == _refs(live)
        assert ["tiny@2"] == [name for name, _ in live.engines]


async def test_what_leaves_while_it_is_loaded_comes_all_the_same(root):
    """The next one need not begin anew."""
    await to_thread(tiny_model.publish, root, version=2)
    async with _live(root) as live:
        asking = asyncio.ensure_future(live.find("tiny@1"))
        await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        [coming] = live._coming_back.values()
        assert await coming is await live.find("tiny@1")


async def test_a_fault_holds_no_model(root):
    """What was raised for a bad version knows who has loaded the good ones."""
    gc.disable()
    try:
        async with _live(root) as live:
            await to_thread(DAMAGED["model changed"], root, "tiny", 3)
            await live.reload()
            await to_thread(tiny_model.publish, root, version=2)
            assert ("tiny@2",) == (await live.reload()).added
            await _let_go_until(live, lambda: ["tiny@2"] == [name for name, _ in live.engines])
    finally:
        gc.enable()


async def test_an_old_version_that_cannot_be_had_says_why(root):
    """Damaged, not there, of a model that is not served, or no version at all."""
    await to_thread(DAMAGED["model changed"], root, "tiny", 2)
    await to_thread(tiny_model.publish, root, "tiny", 3)
    await to_thread(tiny_model.publish, root, "other")
    async with _live(root, "tiny") as live:
        with pytest.raises(ModelBroken, match=r"model\.onnx"):
            await live.find("tiny@2")
        for name in ("tiny@4", "other@1", "tiny@x"):
            with pytest.raises(ModelUnknown):
                await live.find(name)


async def test_a_change_is_seen_once_the_store_stands_still(root):
    """By whoever looks after the models; of a bad one it is told once."""
    async with _live(root) as live:
        tending = asyncio.ensure_future(live.tend(0.02))
        await to_thread(tiny_model.publish, root, version=2)
        await until(lambda: "tiny@2" == live.current.resolve("tiny").ref)
        await to_thread(DAMAGED["model changed"], root, "tiny", 3)
        await until(lambda: live.current.broken)
        await to_thread(shutil.rmtree, root / "tiny")
        await until(lambda: live.tally["failed"])
        await asyncio.sleep(0.1)
        assert 1 == live.tally["failed"]
        assert "tiny@2" == live.current.resolve("tiny").ref
        tending.cancel()
