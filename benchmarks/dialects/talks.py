"""Sessions whose turns have names, by clients who ask again until a turn is there."""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import dataclass
from typing import Any

from benchmarks.abuse.line import Answer, request
from benchmarks.dialects.asking import BROKEN, Asker
from benchmarks.dialects.dialects import MODEL, is_native_error
from benchmarks.dialects.found import Found
from service.entropy import token_hex

_NAME = "sessions"
_AGAIN = {409, 429, 500, 503, 504}
_MOST_S = 60.0
_PAUSE_S = 0.2


@dataclass(frozen=True)
class Script:
    """What is said to a session: the prompt of each turn and its seed."""

    opening: str
    turns: tuple[tuple[str, int], ...]


def scripts(number: int, seed: int) -> list[Script]:
    """So many, of two to four turns."""
    rng = random.Random(seed)
    words = ("ROMEO:\n", "Good night. ", "\n\nJULIET:\n", "", "What news?\n")
    return [
        Script(
            rng.choice(words),
            tuple((rng.choice(words), rng.getrandbits(40)) for _ in range(rng.randint(2, 4))),
        )
        for _ in range(number)
    ]


class Talker:
    """Talks to sessions.

    Args:
        asker: Its connections.
        found: What it notes.
        references: The texts of each script alone; None while they are being made.
    """

    def __init__(
        self, asker: Asker, found: Found, references: dict[Script, list[str]] | None
    ) -> None:
        self._asker, self._found, self._references = asker, found, references

    async def talk(self, script: Script, rng: random.Random, *, keeps: bool) -> list[str]:
        """All turns of a script, each as often as it takes until it is told to be complete.

        Args:
            script: What to say.
            rng: Of its manners: now and then it leaves before the answer, and asks again.
            keeps: The session is left for a look in the end; else it is deleted.
        """
        opening = {"prompt": script.opening, "model": MODEL, "seed": 1}
        session = (await self._until_told("POST", "/sessions", opening, {}))["id"]
        texts: list[str] = []
        for prompt, seed in script.turns:
            body = {"session": session, "prompt": prompt, "seed": seed, "max_tokens": 40}
            name = {"Idempotency-Key": token_hex(8)}
            if self._references is not None and rng.random() < 0.2:
                await self._leave("/generate", body, name)
            texts.append((await self._until_told("POST", "/generate", body, name))["text"])
        told = await self._until_told("GET", f"/sessions/{session}", None, {})
        self._found.note_version(session, len(texts), int(told.get("version", 0)))
        if self._references is not None and texts != self._references[script]:
            self._found.note_difference(f"{script}: {texts}, alone {self._references[script]}")
        self._found.count(_NAME, "talk")
        if keeps:
            self._found.told[self._asker.source, session] = len(texts)
        else:
            await self._until_told("DELETE", f"/sessions/{session}", None, {})
        return texts

    async def look(self, session: str, told: int) -> None:
        """In the end: is all there that was told to be?"""
        answer = await self._until_told("GET", f"/sessions/{session}", None, {})
        self._found.note_version(session, told, int(answer.get("version", 0)))

    async def _leave(self, path: str, body: dict[str, Any], headers: dict[str, str]) -> None:
        try:
            async with self._asker.line() as line:
                await line.send(request("POST", path, body, headers))
                await asyncio.sleep(0.05)
                self._found.count(_NAME, "left, and again")
        except BROKEN:
            self._found.count(_NAME, "no connection")

    async def _until_told(
        self, method: str, path: str, body: dict[str, Any] | None, headers: dict[str, str]
    ) -> dict[str, Any]:
        """The answer; of a session that is not there, one without fields."""
        while True:
            try:
                async with asyncio.timeout(_MOST_S), self._asker.line() as line:
                    await line.send(request(method, path, body, headers))
                    answer = await line.head()
                    if answer.status != 204:  # which has no body, and no length of one
                        answer.body = b"".join([piece async for piece in line.pieces(answer)])
                if answer.status < 300:
                    self._found.count(_NAME, "turn" if headers else method)
                    content: dict[str, Any] = json.loads(answer.body) if answer.body else {}
                    return content
                self._note(answer)
                if answer.status not in _AGAIN:
                    if method == "POST":
                        raise RuntimeError(f"{path}: {answer.status} {answer.body!r}")
                    return {}
            except BROKEN:
                self._found.count(_NAME, "no connection, and again")
            except TimeoutError:
                self._found.count(_NAME, "time-out, and again")
            await asyncio.sleep(_PAUSE_S)

    def _note(self, answer: Answer) -> None:
        self._found.count(_NAME, f"{answer.status}, and again")
        has_shape, has_id = is_native_error(answer.body), "x-request-id" in answer.headers
        self._found.note_error(_NAME, answer.body, has_shape=has_shape, has_id=has_id)
