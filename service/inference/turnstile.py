"""Work on the event loop that comes in crowds: a little of it in each iteration."""

from __future__ import annotations

import asyncio
from collections import deque

_BUDGET_S = 0.002


class Turnstile:
    """Lets about two milliseconds of work through in an iteration of the event loop.

    The loop does all that is ready before it looks for what has come meanwhile: if each of a
    hundred streams were to do a millisecond of work there, a probe would wait for all of them, and
    again at each of the iterations that its answer takes. Who has passed works until its next
    `await`; a piece that is longer than the budget leaves the loop to the others for as long.
    """

    def __init__(self) -> None:
        self._spent_s = 0.0
        self._waiting: deque[tuple[float, asyncio.Future[None]]] = deque()

    async def enter(self, cost_s: float) -> None:
        """Wait for the turn of a piece of work; first come first served.

        Args:
            cost_s: About how long it takes.
        """
        if not self._waiting and self._has_room(cost_s):
            self._spend(cost_s)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((cost_s, turn))
        await turn

    def _has_room(self, cost_s: float) -> bool:
        return self._spent_s == 0 or self._spent_s + cost_s <= _BUDGET_S

    def _spend(self, cost_s: float) -> None:
        if self._spent_s == 0:
            asyncio.get_running_loop().call_soon(self._rest)
        self._spent_s += cost_s

    def _rest(self) -> None:
        """The next iteration has come."""
        if self._spent_s > _BUDGET_S:
            asyncio.get_running_loop().call_later(self._spent_s, self._reopen)
        else:
            self._reopen()

    def _reopen(self) -> None:
        self._spent_s = 0.0
        while self._waiting and self._has_room(self._waiting[0][0]):
            cost_s, turn = self._waiting.popleft()
            if not turn.done():  # its task was not cancelled
                turn.set_result(None)  # before `_rest` is called, so that the work comes before it
                self._spend(cost_s)
