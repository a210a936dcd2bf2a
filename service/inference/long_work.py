"""Long work off the event loop, as tokenising: one at a time, clients in turn, never too much."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TypeVar

from service.engine.errors import Overloaded

_T = TypeVar("_T")


class LongWork:
    """Runs work on texts in a thread, one at a time: it takes memory, and the interpreter.

    Used on one event loop.

    Args:
        max_characters: Of all texts that are here; more are refused.
        characters_per_s: How fast it goes, about.
        what: What waits, for people: `prompts wait to be tokenised`.
    """

    def __init__(self, max_characters: int, characters_per_s: float, what: str) -> None:
        self._max_characters = max_characters
        self._characters_per_s = characters_per_s
        self._what = what
        self._num_characters = 0
        self._is_busy = False
        # By client; the one that comes next is the first of them.
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    async def run(self, num_characters: int, client: str, work: Callable[[], _T]) -> _T:
        """The result of `work`, when it is this client's turn.

        Whoever is cancelled while it waits makes room at once; work that has begun is done to its
        end before the next one begins.

        Raises:
            Overloaded: Too many characters wait already.
        """
        self._enter(num_characters)
        try:
            await self._turn(client)
        except BaseException:
            self._num_characters -= num_characters
            raise

        def done(running: asyncio.Future[_T]) -> None:
            if not running.cancelled():
                running.exception()  # it is looked at, even if nobody waits any more
            self._num_characters -= num_characters
            self._next()

        running = asyncio.get_running_loop().run_in_executor(None, work)
        running.add_done_callback(done)
        return await asyncio.shield(running)

    def _enter(self, num_characters: int) -> None:
        # Any single text is taken: its length was judged at the door.
        if self._num_characters and self._num_characters + num_characters > self._max_characters:
            raise Overloaded(
                f"{self._what} already: {self._num_characters} characters",
                retry_after_s=self._num_characters / self._characters_per_s,
            )
        self._num_characters += num_characters

    async def _turn(self, client: str) -> None:
        if not self._is_busy:
            self._is_busy = True
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(client, deque()).append(turn)
        try:
            await turn
        except BaseException:
            if not turn.cancelled():  # it had come, but nobody was there any more
                self._next()
            raise

    def _next(self) -> None:
        """Give the turn to the first client's first text; the client then goes to the end."""
        while self._waiting:
            client = next(iter(self._waiting))
            turns = self._waiting.pop(client)
            turn = turns.popleft()
            if turns:
                self._waiting[client] = turns
            if not turn.done():
                turn.set_result(None)
                return
        self._is_busy = False
