"""The models that are served now, while the store changes.

What is served is one value, `current`, which a reload replaces at one moment. Whoever has found a
model before goes on with that one. A version that is not served any more stays for the sessions
that go on with it, is loaded again when one comes back, and ends when nobody has used it for a
while; its engine ends when nobody holds it.

    store ──load──> served ──a newer one──> older <──load── a session comes back
                      └──gone from the store──┴──unused──> leaving ──last text──> ended
"""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal
from weakref import ref

from service.artifacts.errors import ArtifactError
from service.artifacts.reference import Reference
from service.artifacts.snapshot import Snapshot
from service.artifacts.store import ModelStore
from service.engine.worker import Engine
from service.models.errors import CannotServe, ModelBroken, ModelUnknown, ReloadFailed
from service.models.loader import ModelLoader
from service.models.loading import EngineSizes
from service.models.registry import ModelRegistry, ServedModel
from service.runtime.memory import return_free_memory

Outcome = Literal["changed", "unchanged", "failed"]
_LOOK_S = 1.0
_SETTLE_S = 0.25
"""A store in which nothing has changed for so long is looked into: nobody copies into it now."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Changes:
    """What a reload has done; models are `name@version`.

    Attributes:
        added: Served from now on.
        removed: Not any more, but for sessions and texts that have begun on them.
        kept: Served as before.
        refused: Should be served and cannot be, with the reason.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    kept: tuple[str, ...]
    refused: dict[str, str]

    @property
    def outcome(self) -> Outcome:
        """One word for it."""
        return "changed" if self.added or self.removed else "unchanged"


class LiveModels:
    """Loads, serves and ends models. Used on one event loop, but for `look` and `load` in threads.

    Args:
        loader: Knows what is to be served.
        registry: What is served at first.
        seen: What the store looked like before that was loaded.
        idle_s: An older version that nobody has used for so long is ended.
        clock: Seconds, monotonic.

    Attributes:
        current: What is served now.
        tally: How reloads have ended.
    """

    def __init__(
        self,
        loader: ModelLoader,
        registry: ModelRegistry,
        *,
        seen: Snapshot = frozenset(),
        idle_s: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.current = registry
        self.tally: Counter[Outcome] = Counter()
        self._loader = loader
        self._seen = seen
        self._idle_s = idle_s
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()
        self._coming_back: dict[str, asyncio.Task[ServedModel]] = {}
        self._used_s: dict[str, float] = {}
        self._has_garbage = False
        self._leaving: list[tuple[ref[ServedModel], str, Engine]] = []

    @classmethod
    def load(cls, loader: ModelLoader, idle_s: float) -> LiveModels:
        """Load what is to be served; engines are not started.

        Raises:
            CannotServe: There is nothing to be served, or not what the settings name.
        """
        seen = loader.look()
        return cls(loader, loader.load(), seen=seen, idle_s=idle_s)

    @property
    def store(self) -> ModelStore:
        """Where the models are."""
        return self._loader.store

    @property
    def sizes(self) -> EngineSizes:
        """What each of them gets of the machine."""
        return self._loader.sizes

    @property
    def engines(self) -> Iterator[tuple[str, Engine]]:
        """All that run, those of models that are leaving too, with their models' names."""
        yield from ((model.ref, model.engine) for model in self.current)
        yield from ((name, engine) for _, name, engine in self._leaving)

    def start(self) -> None:
        """Start the engines."""
        for model in self.current:
            model.engine.start()

    async def stop(self) -> None:
        """End all engines; texts that still run fail."""
        await asyncio.gather(*self._coming_back.values(), return_exceptions=True)
        await asyncio.gather(*(engine.stop() for _, engine in self.engines))

    async def find(self, name: str) -> ServedModel:
        """The version that a session or a capsule goes on with, `name@version`.

        One that is not served any more is loaded again, if the store still has it.

        Raises:
            ModelUnknown: There is none.
            ModelBroken: It is damaged, or there is no memory for it.
        """
        try:
            model = self.current.resolve(name)
        except ModelUnknown as unknown:
            if name not in self._coming_back:
                coming = asyncio.ensure_future(self._bring_back(name, unknown))
                coming.add_done_callback(lambda done: self._is_back(name, done))
                self._coming_back[name] = coming
            # Others may wait for it too: it goes on when this one leaves.
            model = await asyncio.shield(self._coming_back[name])
        if name in self.current.older:
            self._used_s[name] = self._clock()
        return model

    def _is_back(self, name: str, done: asyncio.Future[ServedModel]) -> None:
        self._coming_back.pop(name, None)
        if not done.cancelled():
            done.exception()  # it is looked at, even if nobody waits any more

    async def _bring_back(self, name: str, unknown: ModelUnknown) -> ServedModel:
        try:
            reference = Reference.parse(name)
        except ValueError:
            raise unknown from None
        async with self._one_at_a_time:
            try:
                model = await asyncio.to_thread(self._loader.load_version, reference)
            except ArtifactError as error:
                fault = error.below(self._loader.store.root)
                raise ModelBroken(f"model {name!r} is damaged: {fault}") from error
            except CannotServe as error:
                raise ModelBroken(str(error)) from error
            if model is None:
                raise unknown
            model.engine.start()
            self._used_s[name] = self._clock()
            self._serve(self.current.with_older([*self.current.older.values(), model]))
        _log.info("%s is loaded again, for a session or a capsule", name)
        return model

    async def reload(self) -> Changes:
        """Look into the store, and serve what is to be served now.

        Raises:
            ReloadFailed: It cannot be told what that is; all is served on as before.
        """
        async with self._one_at_a_time:
            started_s = self._clock()
            self._seen = await asyncio.to_thread(self._loader.look)
            try:
                registry = await asyncio.to_thread(self._loader.load, tuple(self.current))
            except CannotServe as error:
                self.tally["failed"] += 1
                self._has_garbage = True  # models that were loaded and never served
                _log.error("all models are served on as before: %s", error)
                raise ReloadFailed(f"all models are served on as before: {error}") from error
            changes = self._changes(registry)
            self._start_new(registry)
            self._serve(registry)
            self.tally[changes.outcome] += 1
            _log.info(
                "reloaded in %.2f s: added %s; removed %s; kept %s; refused %s",
                self._clock() - started_s,
                *(
                    ", ".join(names) or "none"
                    for names in (changes.added, changes.removed, changes.kept, changes.refused)
                ),
            )
            return changes

    async def tend(self, every_s: float) -> None:
        """End what nobody uses, and reload when the store has changed; for ever.

        Args:
            every_s: Between two looks at the store; 0: never.
        """
        while True:
            await asyncio.sleep(every_s or _LOOK_S)
            try:
                await self.let_go()
                if every_s and await self._has_changed():
                    await self.reload()
            except ReloadFailed:
                continue  # which is in the log, and tried again when something changes
            except Exception:  # noqa: BLE001 - one fault must not end the watch
                _log.exception("looking after the models failed")

    async def let_go(self) -> None:
        """Let older versions go that nobody has used for a while; end engines nobody holds."""
        now_s = self._clock()
        for name, model in self.current.older.items():
            if model.engine.num_requests:
                self._used_s[name] = now_s
        idle = {n for n in self.current.older if now_s - self._used_s[n] >= self._idle_s}
        if idle and not self._one_at_a_time.locked():  # a reload would start what has ended again
            stay = [model for name, model in self.current.older.items() if name not in idle]
            self._serve(self.current.with_older(stay))
        if self._has_garbage:  # a fault of a bad version has frames that hold the good ones
            self._has_garbage = False
            gc.collect()
        ended = [(name, engine) for held, name, engine in self._leaving if held() is None]
        self._leaving = [each for each in self._leaving if each[0]() is not None]
        for name, engine in ended:
            await engine.stop()
            _log.info("%s is ended: nothing uses it any longer", name)
        if ended:  # the rows that an engine kept of prompts hold each other
            gc.collect()
            await asyncio.to_thread(return_free_memory)

    async def _has_changed(self) -> bool:
        """Whether the store is another one than at the last reload, and stands still."""
        look = await asyncio.to_thread(self._loader.look)
        if look == self._seen:
            return False
        await asyncio.sleep(_SETTLE_S)
        stands_still = look == await asyncio.to_thread(self._loader.look)
        return stands_still and look != self._seen  # somebody else may have seen it meanwhile

    def _changes(self, registry: ModelRegistry) -> Changes:
        before, now = self.current.served, registry.served
        kept = tuple(name for name, model in now.items() if before.get(name) is model)
        return Changes(
            added=tuple(name for name in now if name not in kept),
            removed=tuple(name for name in before if name not in kept),
            kept=kept,
            refused=registry.broken,
        )

    def _start_new(self, registry: ModelRegistry) -> None:
        running = set(map(id, self.current))
        for model in registry:
            if id(model) not in running:
                model.engine.start()

    def _serve(self, registry: ModelRegistry) -> None:
        """From now on this is what is served."""
        stay = set(map(id, registry))
        gone = [model for model in self.current if id(model) not in stay]
        self._has_garbage = self._has_garbage or bool(gone)
        self._leaving += [(ref(model), model.ref, model.engine) for model in gone]
        self.current = registry
        now_s = self._clock()
        self._used_s = {name: self._used_s.get(name, now_s) for name in registry.older}
