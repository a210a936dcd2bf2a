"""The door into the engine: bounded in requests and tokens.

One of two locks of an engine; the other one lets one lane's thread in at a time.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from service.engine.errors import EngineError, Overloaded
from service.engine.group import Group
from service.engine.request import Request
from service.engine.stream import TokenStream


@dataclass(frozen=True, slots=True)
class Submit:
    """A new request, alone or of a group."""

    request: Request
    stream: TokenStream
    group: Group | None = None


@dataclass(frozen=True, slots=True)
class Cancel:
    """Nobody reads this stream any more."""

    stream: TokenStream


@dataclass(frozen=True, slots=True)
class Resume:
    """The reader of this parked stream has caught up."""

    stream: TokenStream


@dataclass(frozen=True, slots=True)
class GoBack:
    """A text is to end at an earlier place: this reads it again up to there, in its stead."""

    request: Request
    stream: TokenStream


Command = Submit | Cancel | Resume | GoBack


class Inbox:
    """Commands from the event loop, in order.

    What counts against the bounds is every request from `offer` until the engine calls `taken` for
    it (it has a slot, or is gone).

    Args:
        max_requests: Requests that may wait.
        max_tokens: Tokens, to read and to write, that the waiting requests may add up to.

    Attributes:
        version: Changes with everything that a thread may wait for.
    """

    def __init__(self, *, max_requests: int, max_tokens: int) -> None:
        self._max_requests = max_requests
        self._max_tokens = max_tokens
        self._num_requests = 0
        self._num_tokens = 0
        self._commands: deque[Command] = deque()
        self._lock = threading.Lock()
        self._sleeping: list[tuple[threading.Condition, Callable[[], None]]] = []
        self.version = 0
        self._closed_by: Callable[[], EngineError] | None = None
        self._has_ended = False

    @property
    def num_requests(self) -> int:
        """Requests that wait for a slot."""
        return self._num_requests

    @property
    def num_commands(self) -> int:
        """Commands that the engine has not taken."""
        return len(self._commands)

    def offer(self, *submits: Submit, tokens_per_s: float) -> None:
        """Hand in a request, or the requests of a group: all of them, or none.

        Each counts with its prompt, which any of them may have to read.

        Raises:
            Overloaded: They do not fit.
            EngineError: The engine takes nothing any more.
        """
        num_steps = sum(submit.request.num_steps for submit in submits)
        with self._lock:
            if self._closed_by is not None:
                raise self._closed_by()
            # An empty inbox takes any single request or group: its size was judged at the door.
            fits = (
                self._num_requests + len(submits) <= self._max_requests
                and self._num_tokens + num_steps <= self._max_tokens
            )
            if self._num_requests and not fits:
                raise Overloaded(
                    f"{self._num_requests} requests with {self._num_tokens} tokens wait already",
                    retry_after_s=self._num_tokens / max(tokens_per_s, 1.0),
                )
            self._num_requests += len(submits)
            self._num_tokens += num_steps
            self._commands.extend(submits)
            self._wake_one()

    def post(self, command: Cancel | Resume | GoBack) -> bool:
        """Hand in a command about a stream, for which there is room: each request has few.

        Returns:
            Whether it will be taken: it will not after `end`.
        """
        with self._lock:
            if self._has_ended:
                return False
            self._commands.append(command)
            self._wake_one()
            return True

    def taken(self, request: Request) -> None:
        """A request does not wait any more."""
        with self._lock:
            self._num_requests -= 1
            self._num_tokens -= request.num_steps

    def take(self) -> Command | None:
        """The oldest command, or None; one at a time, so that a failure at one loses no other."""
        with self._lock:
            return self._commands.popleft() if self._commands else None

    def wait(self, version: int, timeout_s: float, on_wake: Callable[[], None]) -> None:
        """Sleep until there is something new since `version`, or the time is over.

        Args:
            version: What it was when the caller has last looked.
            timeout_s: Until it looks again by itself.
            on_wake: Called by whoever wakes it, at that moment, whether it gets up or not.
        """
        with self._lock:
            if self.version == version:
                sleeper = (threading.Condition(self._lock), on_wake)
                self._sleeping.append(sleeper)
                sleeper[0].wait(timeout_s)
                if sleeper in self._sleeping:  # nobody has woken it
                    self._sleeping.remove(sleeper)

    def wake(self) -> None:
        """Let all who wait look again."""
        with self._lock:
            self._wake_all()

    def close(self, reason: Callable[[], EngineError]) -> None:
        """Take no more requests: `offer` raises what `reason` makes. What is in stays in."""
        with self._lock:
            self._closed_by = reason
            self._wake_all()

    def end(self, reason: Callable[[], EngineError]) -> list[Command]:
        """Take nothing any more; returns what is in."""
        self.close(reason)
        with self._lock:
            self._has_ended = True
            commands = list(self._commands)
            self._commands.clear()
            return commands

    def _wake_one(self) -> None:
        """Any thread can take any command, and wakes the others if they have to do something.

        The one that fell asleep last: what its bursts need is still in its core's cache.
        """
        self.version += 1
        if self._sleeping:
            self._wake_last()

    def _wake_all(self) -> None:
        self.version += 1
        while self._sleeping:
            self._wake_last()

    def _wake_last(self) -> None:
        alarm, on_wake = self._sleeping.pop()
        on_wake()
        alarm.notify()
