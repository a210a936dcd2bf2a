"""Clients of all manners and dialects, for as long as is set."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.dialects.asking import BROKEN, Asker
from benchmarks.dialects.dialects import DIALECTS, Asked, Dialect
from benchmarks.dialects.found import Found
from benchmarks.dialects.talks import Script, Talker, scripts

_PROMPTS = ("ROMEO:\n", "To be, or not to be", "First Citizen:\nBefore we proceed. " * 8, "O")
_NONSENSE = (
    b"{",
    b"[1]",
    b"\xff\xfe",
    b'{"text_input": 5, "prompt": 5, "inputs": 5, "texts": 5, "messages": 5}',
    b'{"parameters": {"temperature": -1}, "temperature": -1}',
    b'{"max_tokens": 1e999}',
    b"[" * 50_000,
    b'{"prompt": "' + b"a" * 200_000 + b'", "no such field": 1}',
    b"a" * 3_000_000,
)
_LEAVES, _KEEPS = 0.15, 0.1


@dataclass(frozen=True)
class References:
    """What each request gives alone.

    Attributes:
        texts: By dialect and what is asked.
        talks: The texts of each script.
    """

    texts: Mapping[tuple[str, Asked], str]
    talks: dict[Script, list[str]]

    @classmethod
    async def of(cls, address: tuple[str, int], seed: int) -> References:
        """Ask for everything, one after the other.

        Raises:
            RuntimeError: Something got no text.
        """
        found, rng = Found(), random.Random(seed)
        asker = Asker(address, "127.0.0.1", found, None)
        texts: dict[tuple[str, Asked], str] = {}
        for dialect in DIALECTS:
            for prompt in _PROMPTS:
                for max_tokens in (8, 60, 200):
                    asked = Asked(prompt, rng.getrandbits(40), max_tokens)
                    text = await asker.ask(dialect, asked, stream=False)
                    if text is None:
                        raise RuntimeError(f"{dialect.name}: {found.outcomes}, {found.examples}")
                    texts[dialect.name, asked] = text
        talker = Talker(asker, found, None)
        talks = {each: await talker.talk(each, rng, keeps=False) for each in scripts(16, seed)}
        return cls(texts, talks)


async def crowd(
    address: tuple[str, int], references: References, number: int, seconds: float, seed: int
) -> Found:
    """Let so many clients ask for so long; returns what they have seen."""
    found, end_s = Found(), time.monotonic() + seconds
    async with asyncio.TaskGroup() as tasks:
        for n in range(number):
            source = f"127.1.{n // 250}.{n % 250 + 1}"
            client = Client(address, source, found, references, random.Random(f"{seed} {n}"))
            tasks.create_task(client.live(end_s))
    for (source, session), told in found.told.items():
        asker = Asker(address, source, found, references.texts)
        await Talker(asker, found, references.talks).look(session, told)
    return found


class Client:
    """One of them: each time it is another one, in another dialect.

    Args:
        address: Of the server.
        source: Its own.
        found: What it notes.
        references: What it compares with.
        rng: Of what it does.
    """

    def __init__(
        self,
        address: tuple[str, int],
        source: str,
        found: Found,
        references: References,
        rng: random.Random,
    ) -> None:
        self._asker = Asker(address, source, found, references.texts)
        self._talker = Talker(self._asker, found, references.talks)
        self._found, self._references, self._rng = found, references, rng
        self._asked: dict[str, list[Asked]] = {}
        for name, asked in references.texts:
            self._asked.setdefault(name, []).append(asked)

    async def live(self, end_s: float) -> None:
        """Ask until the time is over."""
        await asyncio.sleep(self._rng.uniform(0, 2))
        while time.monotonic() < end_s:
            if self._rng.random() < 1 / (len(DIALECTS) + 1):
                script = self._rng.choice(list(self._references.talks))
                await self._talker.talk(script, self._rng, keeps=self._rng.random() < _KEEPS)
            else:
                await self._visit(self._rng.choice(DIALECTS))
            await asyncio.sleep(self._rng.uniform(0, 0.5))

    async def _visit(self, dialect: Dialect) -> None:
        asked = self._rng.choice(self._asked[dialect.name])
        manner = self._rng.random()
        if manner < _LEAVES / 3:
            await self._asker.refused(dialect, self._rng.choice(_NONSENSE))
        elif manner < _LEAVES / 2:
            await self._break_off(dialect)
        elif dialect.piece is None or manner > 0.8:
            await self._asker.ask(dialect, asked, stream=False)
        else:
            most = self._rng.randint(0, 3) if manner < 2 * _LEAVES else None
            pause_s = 0.1 if manner > 0.65 else 0.0
            await self._asker.ask(dialect, asked, stream=True, most_events=most, pause_s=pause_s)

    async def _break_off(self, dialect: Dialect) -> None:
        """Half of a request, a while of nothing, and it is gone."""
        head = f"POST {dialect.path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        try:
            async with self._asker.line() as line:
                await line.send(head.encode() + b"Content-Length: 5000\r\n\r\n{")
                await asyncio.sleep(self._rng.uniform(0.1, 3))
            self._found.count(dialect.name, "broke off")
        except BROKEN:
            self._found.count(dialect.name, "no connection")
