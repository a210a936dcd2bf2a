"""When a request is over its time, from its arrival on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from service.engine.errors import TimedOut
from service.inference.begun import Begun

_T = TypeVar("_T")
_ARRIVED_S: ContextVar[float | None] = ContextVar("arrived_s", default=None)


@contextmanager
def arriving() -> Iterator[None]:
    """A request has arrived: all deadlines that are made in this block count from now.

    What a request waits for before anybody knows how much time it has (its body, its turn on the
    event loop) is time of the client's, too.
    """
    token = _ARRIVED_S.set(asyncio.get_running_loop().time())
    try:
        yield
    finally:
        _ARRIVED_S.reset(token)


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on the event loop's clock."""

    at_s: float

    @classmethod
    def after(cls, timeout_s: float) -> Self:
        """So much time from the arrival of the request that is answered; without one, from now."""
        arrived_s = _ARRIVED_S.get()
        if arrived_s is None:
            arrived_s = asyncio.get_running_loop().time()
        return cls(arrived_s + timeout_s)

    @property
    def time_left_s(self) -> float:
        """Time that is left; 0 when it is over."""
        return max(0.0, self.at_s - asyncio.get_running_loop().time())

    async def bound(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Do `work`, and end it when the time is over.

        Raises:
            TimedOut: It was.
        """
        begun = Begun(work)
        if not begun.waits:
            return await begun
        async with self.bounding():
            return await begun

    @asynccontextmanager
    async def bounding(self) -> AsyncIterator[None]:
        """End the block when the time is over.

        Raises:
            TimedOut: It was.
        """
        try:
            async with asyncio.timeout_at(self.at_s) as timeout:
                yield
        except TimeoutError as error:
            if timeout.expired():
                raise TimedOut("the time for this request is over") from error
            raise
