"""A text that comes in events, as an asynchronous iterator."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from types import TracebackType
from typing import Self

import httpx

from .asynchronous_sending import AsyncSender
from .calls import Call
from .errors import ShuttingDown
from .reading import Reading
from .retrying import Attempts
from .values import Event, Generation


class AsyncStream(AsyncIterator[Event]):
    """`Stream` with `async for` and `async with`; who does not read to the end must close it."""

    def __init__(
        self,
        sender: AsyncSender,
        ask: Callable[[], Awaitable[Call]],
        ended: Callable[[BaseException | None], None] | None = None,
    ) -> None:
        self._reading = Reading()
        self._ended = ended
        self._events = self._read(sender, ask)

    @property
    def text(self) -> str:
        """What has come of the text."""
        return self._reading.text

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        return await anext(self._events)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection; the server stops the text, and a session is what it was before."""
        await self._events.aclose()

    async def answer(self) -> Generation:
        """The whole text; what has not come yet is waited for.

        Raises:
            ApiError, ConnectionFailed: As iterating does.
        """
        async for _ in self._events:
            pass
        return self._reading.answer()

    async def _read(
        self, sender: AsyncSender, ask: Callable[[], Awaitable[Call]]
    ) -> AsyncGenerator[Event, None]:
        attempts = Attempts(await ask(), sender.retries)
        try:
            while self._reading.last is None:
                async with aclosing(self._read_connection(sender, attempts)) as events:
                    async for event in events:
                        yield event
        except BaseException as error:
            self._tell(None if self._reading.last else error)
            raise
        self._tell(None)

    def _tell(self, error: BaseException | None) -> None:
        if self._ended is not None:
            self._ended(error)

    async def _read_connection(
        self, sender: AsyncSender, attempts: Attempts
    ) -> AsyncGenerator[Event, None]:
        """What comes over one connection; then a pause, if that was not all."""
        reading = self._reading
        if reading.last_event_id:
            attempts.call = attempts.call.after(reading.last_event_id)
        cause: Exception | None = None
        async with sender.opened(attempts) as response:
            reading.reconnected()
            try:
                async for content in response.aiter_bytes():
                    for event in reading.feed(content):
                        attempts.made_progress()
                        yield event
                    if reading.has_ended:
                        break
            except httpx.TransportError as error:
                cause = error
        if reading.last is None:
            if reading.error is not None and not isinstance(reading.error, ShuttingDown):
                raise reading.error
            await sender.sleep(attempts.after_break(reading.error or cause))
