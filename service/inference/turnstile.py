"""Work on the event loop that comes in crowds: a little of it in each iteration, of each client."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

_BUDGET_S = 0.002
_MOST_SLOWNESS = 2.0


class Turnstile:
    """Lets about two milliseconds of work through in an iteration of the event loop.

    The loop does all that is ready before it looks for what has come meanwhile: if each of a
    hundred streams were to do a millisecond of work there, a probe would wait for all of them, and
    again at each of the iterations that its answer takes. Who has passed works until its next
    `await`; a piece that is longer than the budget leaves the loop to the others for as long.

    Clients take turns, and the pieces of one come in order: nobody waits for another's crowd.

    Costs are stated as on a fast core. How many times as long they take here is measured whenever
    there is a crowd: on a slow core, or a busy one, down to half as many pass. Fewer would hold
    up crowds of newcomers while the loop has other work.

    Args:
        clock: Seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._spent_s = 0.0
        self._slowness = 1.0
        # Of those that were let through together: what they cost, and when they began.
        self._stated_s = self._began_s = 0.0
        # Of each client that waits, in the order of their turns.
        self._waiting: dict[str, deque[tuple[float, asyncio.Future[None]]]] = {}

    async def enter(self, cost_s: float, client: str) -> None:
        """Wait for the turn of a piece of work.

        Args:
            cost_s: About how long it takes.
            client: Whose it is.
        """
        if not self._waiting and self._has_room(cost_s):
            if self._spent_s == 0:
                asyncio.get_running_loop().call_soon(self._rest)
            self._spent_s += cost_s
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(client, deque()).append((cost_s, turn))
        await turn

    def _has_room(self, cost_s: float) -> bool:
        return self._spent_s == 0 or (self._spent_s + cost_s) * self._slowness <= _BUDGET_S

    def _rest(self) -> None:
        """The next iteration has come."""
        if self._stated_s:
            times = (self._clock() - self._began_s) / self._stated_s
            times = min(max(times, 1.0), _MOST_SLOWNESS)
            self._slowness += 0.1 * (times - self._slowness)
            self._stated_s = 0.0
        if self._spent_s > _BUDGET_S:
            asyncio.get_running_loop().call_later(self._spent_s, self._reopen)
        else:
            self._reopen()

    def _begin(self) -> None:
        self._began_s = self._clock()

    def _reopen(self) -> None:
        self._spent_s = 0.0
        if turns := self._next_turns():
            self._stated_s = self._spent_s
            # One behind the other in the next iteration: what is between is measured.
            loop = asyncio.get_running_loop()
            loop.call_soon(self._begin)
            for turn in turns:
                turn.set_result(None)
            loop.call_soon(self._rest)

    def _next_turns(self) -> list[asyncio.Future[None]]:
        """Of those that wait, as many as there is room for."""
        turns: list[asyncio.Future[None]] = []
        while self._waiting:
            client, pieces = next(iter(self._waiting.items()))
            cost_s, turn = pieces[0]
            if not turn.done() and not self._has_room(cost_s):
                break
            pieces.popleft()
            del self._waiting[client]
            if pieces:
                self._waiting[client] = pieces  # behind all others
            if not turn.done():  # its task was not cancelled
                turns.append(turn)
                self._spent_s += cost_s
        return turns
