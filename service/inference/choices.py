"""The texts of all prompts of one request: all are begun or none, and they end together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import Any, TypeVar

from service.inference.deadline import Deadline
from service.inference.delta import Delta
from service.inference.request import TextRequest
from service.inference.running import RunningText
from service.inference.start import Inference

_T = TypeVar("_T")
# What it takes of the event loop to begin a text, and to read a character of its prompt, about.
_START_S = 0.0003
_CHARACTER_S = 5e-7
_MOST_INLINE = 2048


class Choices:
    """Texts that are written at the same time. `close` must follow.

    Attributes:
        texts: In the order of their prompts, and those of one prompt in that of their seeds.
    """

    def __init__(self, texts: Sequence[RunningText]) -> None:
        self.texts = list(texts)
        self._pumps: list[asyncio.Task[None]] = []

    @classmethod
    async def start(
        cls,
        inference: Inference,
        asked: Sequence[TextRequest],
        *,
        n: int = 1,
        best_of: int | None = None,
    ) -> Choices:
        """Start `best_of` texts of each prompt, which is read once; by default `n`.

        They have one deadline, that of the first: all of them are one request.

        Raises:
            InvalidOption, ModelUnknown, ModelBroken, EngineError: One of them cannot be begun, or
                not in time, and so none is.
        """
        deadline = Deadline.after(inference.limits.timeout_s(asked[0].timeout_s))
        work = _started(inference, asked, n, best_of, deadline)
        return cls(await deadline.bound(work))

    async def deltas(self) -> AsyncIterator[tuple[int, Delta]]:
        """Their deltas as they come, each with the place of its text.

        Raises:
            EngineError: One of them has failed.
        """
        if len(self.texts) == 1:
            async for delta in self.texts[0].deltas():
                yield 0, delta
            return
        # Bounded: who reads too slowly has the texts parked, as with one alone.
        queue: asyncio.Queue[tuple[int, Delta | Exception]] = asyncio.Queue(len(self.texts))

        async def pump(place: int, text: RunningText) -> None:
            try:
                async for delta in text.deltas():
                    await queue.put((place, delta))
            except Exception as error:  # noqa: BLE001 - it is raised where the deltas are read
                await queue.put((place, error))

        self._pumps = [asyncio.ensure_future(pump(n, text)) for n, text in enumerate(self.texts)]
        num_running = len(self.texts)
        while num_running:
            place, item = await queue.get()
            if isinstance(item, Exception):
                raise item
            yield place, item
            num_running -= item.finish_reason is not None

    async def collect(self) -> list[Delta]:
        """All of each text as one delta."""
        return await _all(*(text.collect() for text in self.texts))

    async def close(self) -> None:
        """Free their rows."""
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)
        for text in self.texts:
            await text.close()


async def _started(
    inference: Inference,
    asked: Sequence[TextRequest],
    n: int,
    best_of: int | None,
    deadline: Deadline,
) -> list[RunningText]:
    """The texts of all prompts, begun one prompt after the other; or none."""
    texts: list[RunningText] = []
    try:
        for each in asked:
            # Hundreds of prompts that are read one after the other would hold up the loop.
            cost_s = (best_of or n) * _START_S
            cost_s += min(len(each.prompt), _MOST_INLINE) * _CHARACTER_S
            await inference.turnstile.enter(cost_s, each.identity.client)
            several = await inference.start_several(each, n=n, best_of=best_of, deadline=deadline)
            # Only turns of sessions are recorded.
            texts += [text for text in several.texts if isinstance(text, RunningText)]
    except BaseException:
        for text in texts:
            await text.close()
        raise
    return texts


async def _all(*work: Coroutine[Any, Any, _T]) -> list[_T]:
    """What all of them return; the first that fails ends the others."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
