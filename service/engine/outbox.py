"""Events of a round on their way to the event loop, and room for it to send the first of a text."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable

from service.engine.request import Chunk, Event
from service.engine.stream import TokenStream, deliver

_log = logging.getLogger(__name__)

_NUM_TURNS = 4
"""Of the event loop: one delivers, those after it make an event of it and write that."""

_MOST_S = 0.001


class Outbox:
    """Events of several streams, delivered with one wake-up of the event loop.

    One of an engine's threads at a time uses it: that whose turn it is.
    """

    def __init__(self) -> None:
        self._events: list[tuple[TokenStream, Event]] = []
        self._num_first = 0

    def put(self, stream: TokenStream, event: Event) -> None:
        """An event, behind those of the same round."""
        self._events.append((stream, event))
        if isinstance(event, Chunk) and stream.num_sent == len(event.token_N) > 0:
            self._num_first += 1

    def publish(self, loop: asyncio.AbstractEventLoop | None) -> int:
        """Deliver all; returns of how many texts the first tokens are among them."""
        events, num_first = self._events, self._num_first
        if not events or loop is None:
            return 0
        self._events, self._num_first = [], 0
        return num_first if _called_soon(loop, deliver, events) else 0


def make_way(loop: asyncio.AbstractEventLoop | None) -> None:
    """Let go of the interpreter's lock until the event loop has sent what it was given before.

    It would get the lock when the thread waits for the model the next time: about half of a
    millisecond later, which is much of the time that a first event takes. It is waited for for one
    millisecond at most.
    """
    has_sent = threading.Event()
    if loop is not None and _called_soon(loop, _after, _NUM_TURNS, has_sent.set):
        has_sent.wait(_MOST_S)


def _after(num_turns: int, then: Callable[[], None]) -> None:
    """Call `then` so many turns of the event loop later."""
    if num_turns == 0:
        then()
    else:
        asyncio.get_running_loop().call_soon(_after, num_turns - 1, then)


def _called_soon(
    loop: asyncio.AbstractEventLoop, function: Callable[..., None], *values: object
) -> bool:
    """Have the event loop call something; returns whether it will: it may be closed."""
    try:
        loop.call_soon_threadsafe(function, *values)
    except RuntimeError:  # nobody is left to hear it
        _log.debug("%s came after the end of the event loop", function.__name__)
        return False
    return True
