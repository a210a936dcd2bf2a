"""Work on the event loop that comes in crowds: a little of it in each iteration, of each client."""

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

    Clients take turns, and the pieces of one come in order: nobody waits for another's crowd.
    """

    def __init__(self) -> None:
        self._spent_s = 0.0
        # Of each client that waits, in the order of their turns.
        self._waiting: dict[str, deque[tuple[float, asyncio.Future[None]]]] = {}

    async def enter(self, cost_s: float, client: str) -> None:
        """Wait for the turn of a piece of work.

        Args:
            cost_s: About how long it takes.
            client: Whose it is.
        """
        if not self._waiting and self._has_room(cost_s):
            self._spend(cost_s)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(client, deque()).append((cost_s, turn))
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
        while self._waiting:
            client, pieces = next(iter(self._waiting.items()))
            cost_s, turn = pieces[0]
            if not turn.done() and not self._has_room(cost_s):
                return
            pieces.popleft()
            del self._waiting[client]
            if pieces:
                self._waiting[client] = pieces  # behind all others
            if not turn.done():  # its task was not cancelled
                turn.set_result(None)  # before `_rest` is called, so that the work comes before it
                self._spend(cost_s)
