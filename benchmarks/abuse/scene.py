"""Cases, and what a case has at hand."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from benchmarks.abuse.line import Answer, Body, Line, request
from benchmarks.abuse.sightings import Sightings
from benchmarks.abuse.victim import Victim

ATTACKER = "127.0.0.1"
_NONE: Mapping[str, str] = {}
_NO_ANSWER = (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)


@dataclass
class Scene:
    """A server, the time that there is, and what has been found.

    Attributes:
        victim: The server.
        seconds: Time of the case.
        turns: How many turns of sessions.
        minutes: Time of the mix.
        seen: Of all answers.
        faults: What is not as it should be, beside what all cases are measured by; how often.
        examples: Of faults.
        figures: Whatever else is worth to be written down.
    """

    victim: Victim
    seconds: float
    turns: int = 2000
    minutes: float = 0.5
    seen: Sightings = field(default_factory=Sightings)
    faults: collections.Counter[str] = field(default_factory=collections.Counter)
    examples: dict[str, str] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)

    @contextlib.asynccontextmanager
    async def line(
        self, source: str = ATTACKER, receive_buffer: int | None = None
    ) -> AsyncIterator[Line]:
        """A connection; it is cut at the end. For a client in a `crowd`, or an `attempt`."""
        address = (self.victim.host, self.victim.port)
        line = await Line.to(address, source, self.seen, receive_buffer)
        try:
            yield line
        finally:
            line.leave()

    async def attempt(self, client: Awaitable[object]) -> None:
        """Let a client act; that the server hung up on it is noted, and no error."""
        try:
            await client
        except ConnectionRefusedError:
            self.seen.note_end("refused")
        except _NO_ANSWER:
            self.seen.note_end("closed")

    async def ask(
        self,
        method: str,
        path: str,
        body: Body = None,
        headers: Mapping[str, str] = _NONE,
        *,
        source: str = ATTACKER,
        timeout_s: float = 15.0,
    ) -> Answer:
        """Ask and wait for the whole answer, on a connection of its own; status 0 if none comes."""
        content = request(method, path, body, headers)
        return await self.ask_raw(content, method, source=source, timeout_s=timeout_s)

    async def ask_raw(
        self,
        content: bytes,
        method: str = "GET",
        *,
        source: str = ATTACKER,
        timeout_s: float = 15.0,
    ) -> Answer:
        """The same with bytes of one's own."""
        found = Answer()

        async def client() -> None:
            nonlocal found
            async with self.line(source) as line:
                # Beside each other: a server may refuse before all of it is sent.
                sending = asyncio.ensure_future(line.send(content))
                try:
                    found = await line.answer(method)
                finally:
                    sending.cancel()
                    await asyncio.gather(sending, return_exceptions=True)

        try:
            async with asyncio.timeout(timeout_s):
                await self.attempt(client())
        except TimeoutError:
            self.seen.note_end("timeout")
        return found

    async def crowd(
        self, clients: Iterable[Coroutine[Any, Any, object]], most_s: float | None = None
    ) -> int:
        """Let all of them act at the same time; returns how many came to their end.

        Args:
            clients: They leave when the time is over.
            most_s: That time; the case's if not given.
        """
        tasks = [asyncio.ensure_future(self.attempt(client)) for client in clients]
        try:
            done, pending = await asyncio.wait(tasks, timeout=most_s or self.seconds)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            task.result()
        return len(tasks) - len(pending)

    def part(self, seconds: float) -> Scene:
        """The same for another attack, whose faults and figures are its own."""
        return replace(self, seconds=seconds, faults=collections.Counter(), examples={}, figures={})

    async def again(self, act: Callable[[], Coroutine[Any, Any, object]]) -> None:
        """Do it again and again until the time is over."""
        end_s = time.monotonic() + self.seconds
        while time.monotonic() < end_s:
            await self.attempt(act())

    async def until(self, look: Callable[[], bool], most_s: float) -> bool:
        """Look again and again until it is true; returns whether it was in that time."""
        end_s = time.monotonic() + most_s
        while not look():
            if time.monotonic() > end_s:
                return False
            await asyncio.sleep(0.05)
        return True

    def count(self, name: str, amount: float = 1) -> None:
        """Add to a figure."""
        self.figures[name] = self.figures.get(name, 0) + amount

    def fault(self, what: str, example: str = "") -> None:
        """Something is wrong, perhaps again."""
        self.faults[what] += 1
        self.examples.setdefault(what, example)


Attack = Callable[[Scene], Awaitable[None]]


@dataclass(frozen=True)
class Case:
    """An attack.

    Attributes:
        name: Of it.
        attack: What the attackers do.
        prepare: What they do before anybody watches.
        options: Of the server, where its defaults would hide the fault or take too long.
        descriptors: Most files that the server may have open.
        module: What serves instead of `service.cli`.
        unread_log: The server's standard error is a pipe that nobody reads.
        most_growth_bytes: More resident memory than before by this is a fault.
        excused: What does not count: "probe" or "neighbour", and why.
        ends_server: The server is, or may be, gone in the end.
        drains: It ends by SIGTERM, and is alive until then.
        mixes: It may be a part of the mix.
    """

    name: str
    attack: Attack
    prepare: Attack | None = None
    options: tuple[str, ...] = ()
    descriptors: int | None = None
    module: str = "service.cli"
    unread_log: bool = False
    most_growth_bytes: int | None = None
    excused: Mapping[str, str] = field(default_factory=dict)
    ends_server: bool = False
    drains: bool = False
    mixes: bool = True

    @property
    def own_server(self) -> bool:
        """Whether it needs a server that is started for it."""
        special = self.options or self.descriptors or self.unread_log or self.ends_server
        return bool(special) or self.module != "service.cli"


CASES: dict[str, Case] = {}


def case(name: str, **details: Any) -> Callable[[Attack], Attack]:
    """Register an attack under a name; `details` are attributes of `Case`."""

    def register(attack: Attack) -> Attack:
        CASES[name] = Case(name, attack, **details)
        return attack

    return register
