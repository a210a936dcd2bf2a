"""The door out of the engine thread: one request's events, read on the event loop.

Bounded without blocking: the engine compares what it has sent with what was read, and parks the row
of a reader that is too far behind.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from service.engine.errors import TimedOut
from service.engine.observer import Timings
from service.engine.request import Chunk, Event, Failed, Finished, Request


class TokenStream:
    """The events of one request: chunks, then exactly one `Finished` or `Failed`.

    Made and read on the event loop. Attributes with one writer each cross the threads: the engine
    writes `num_sent`, `parked`, `num_cached` (tokens of the prompt that it need not read) and
    `timings`, the loop writes `num_read`.

    Attributes:
        has_failed: Whether it ends with a `Failed`, which may be unread.

    Args:
        request_id: The engine's name of the request.
        on_close: Called when nobody will read any more, while the request still runs.
        on_caught_up: Called when a parked stream has been read to its end.
        on_go_back: Called when the text is to end at an earlier place; returns the new stream.
        arrived_s: Time of the engine's clock.
    """

    def __init__(
        self,
        request_id: int,
        on_close: Callable[[TokenStream], object],
        on_caught_up: Callable[[TokenStream], object],
        on_go_back: Callable[[TokenStream, Request], TokenStream],
        arrived_s: float = 0.0,
    ) -> None:
        self.request_id = request_id
        self.num_sent = 0
        self.num_read = 0
        self.num_cached = 0
        self.parked = False
        self.has_failed = False
        self.timings = Timings(arrived_s)
        self._on_close = on_close
        self._on_caught_up = on_caught_up
        self._on_go_back = on_go_back
        self._events: deque[Event] = deque()
        self._arrived = asyncio.Event()
        self._ended = False
        self._timer: asyncio.TimerHandle | None = None

    @property
    def num_unread(self) -> int:
        """Tokens that were sent and not read."""
        return self.num_sent - self.num_read

    def time_out_after(self, timeout_s: float, loop: asyncio.AbstractEventLoop) -> None:
        """End with TimedOut unless it has ended by then, whatever the engine is doing."""
        self._timer = loop.call_later(timeout_s, self._time_out)

    def deliver(self, event: Event) -> None:
        """An event has arrived; called on the event loop, in order."""
        if not self._ended:
            if not isinstance(event, Chunk):
                self.has_failed = isinstance(event, Failed)
                self._end()
            self._events.append(event)
            self._arrived.set()

    async def next(self) -> Event:
        """Wait for the next event; call it until it returns `Finished` or `Failed`."""
        while not self._events:
            self._arrived.clear()
            await self._arrived.wait()
        event = self._events.popleft()
        if isinstance(event, Chunk):
            self.num_read += len(event.token_N)
        # The engine sets `parked` and then looks at `num_read` again; this is the other half.
        if self.parked and not self._events:
            self._on_caught_up(self)
        return event

    def close(self) -> None:
        """Stop: the request's row is free at the next burst. Harmless when it has ended."""
        if not self._ended:
            self._end()
            self._on_close(self)

    def park(self) -> None:
        """End here, whatever is still to come: the text will go on another time."""
        if not self._ended:
            self._end()
            self._on_close(self)
            self._events.append(Finished("parked", None))
            self._arrived.set()

    def go_back(self, request: Request) -> TokenStream:
        """End here, and let the engine read `request` in this one's stead: it is never refused.

        Args:
            request: From an earlier row of this text to the place where it is to end.

        Raises:
            EngineError: The engine's thread has ended.
        """
        self._end()
        return self._on_go_back(self, request)

    def _time_out(self) -> None:
        self._on_close(self)
        self.deliver(Failed(TimedOut("the time for this request is over")))

    def _end(self) -> None:
        self._ended = True
        if self._timer is not None:
            self._timer.cancel()


def deliver(events: list[tuple[TokenStream, Event]]) -> None:
    """Events of several streams have arrived, in order; called on the event loop."""
    for stream, event in events:
        stream.deliver(event)
