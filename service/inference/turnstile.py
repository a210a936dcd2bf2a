"""Long pieces of work on the event loop: one at a time, with room for short ones in between."""

from __future__ import annotations

import asyncio
import time
from collections import deque

_LONG_S = 0.008


class Turnstile:
    """Lets one piece of work through in an iteration of the event loop.

    The loop does all that is ready before it looks for what has come meanwhile: if each of a
    hundred streams were to do a millisecond of work there, a probe would wait for all of them, and
    again at each of the iterations that its answer takes. Who has passed works until its next
    `await`. If that has held up the loop for long, the loop is left to the others for as long.
    """

    def __init__(self) -> None:
        self._is_open = True
        self._passed_s = 0.0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def enter(self) -> None:
        """Wait for the next piece's turn; first come first served."""
        if self._is_open:
            self._let_pass()
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        await turn

    def _let_pass(self) -> None:
        self._is_open = False
        self._passed_s = time.perf_counter()
        asyncio.get_running_loop().call_soon(self._rest)

    def _rest(self) -> None:
        """The next iteration has come."""
        took_s = time.perf_counter() - self._passed_s
        if took_s > _LONG_S:
            asyncio.get_running_loop().call_later(took_s, self._reopen)
        else:
            self._reopen()

    def _reopen(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                self._let_pass()  # after it, so that `_rest` comes after the piece
                return
        self._is_open = True
