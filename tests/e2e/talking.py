"""A client of several servers, which asks again as docs/serving.md says, and of any of them."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx

AGAIN = {
    (409, "session_busy"),
    (429, "overloaded"),
    (503, "sessions_unavailable"),
    (503, "shutting_down"),
}
"""What the same request mends."""


@dataclass
class Talk:
    """A session's turns, one after the other, each of any of the servers.

    Attributes:
        urls: Of the servers.
        seed: Of the session.
        http: To ask with.
        refused: How often each error was seen; shared by all.
        session: Its id, once it is there.
        texts: Of the turns.
    """

    urls: list[str]
    seed: int
    http: httpx.AsyncClient
    refused: Counter[tuple[int, str]]
    session: str = ""
    texts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._draw = random.Random(self.seed)

    async def begin(self) -> None:
        """Make the session."""
        body = {"prompt": f"Speaker {self.seed}:\n", "seed": self.seed}
        self.session = (await self._whole("/sessions", body, {}))["id"]

    async def turn(self) -> None:
        """The next turn: streamed or whole, and to its end, whatever happens."""
        number = len(self.texts)
        streams = (self.seed + number) % 2 == 0
        left, text, part = 60 + 20 * (number % 3), "", 0
        while left:
            body: dict[str, Any] = {"session": self.session, "max_tokens": left}
            if part == 0:
                body["prompt"] = f"\n\nTurn {number}:\n"
            name = {"Idempotency-Key": f"{number}.{part}"}
            answer = await (self._streamed if streams else self._whole)("/generate", body, name)
            text += answer["text"]
            is_parked = answer["finish_reason"] == "parked"
            left = left - answer["usage"]["completion_tokens"] if is_parked else 0
            part += 1
        self.texts.append(text)

    async def _whole(
        self, path: str, body: dict[str, Any], headers: dict[str, str]
    ) -> dict[str, Any]:
        while True:
            try:
                answer = await self.http.post(self._any() + path, json=body, headers=headers)
            except httpx.TransportError:
                await self._pause((0, "connection"))
                continue
            if answer.is_success:
                found: dict[str, Any] = answer.json()
                return found
            await self._refusal(answer.status_code, answer.json(), answer.headers)

    async def _streamed(
        self, path: str, body: dict[str, Any], headers: dict[str, str]
    ) -> dict[str, Any]:
        """All events as one answer; a stream that breaks goes on after the last one of them."""
        text, last = "", dict[str, str]()
        while True:
            event: dict[str, Any] = {}
            try:
                url = self._any() + path
                asked = {**body, "stream": True, "stream_every": 7}
                async with self.http.stream(
                    "POST", url, json=asked, headers=headers | last
                ) as answer:
                    if not answer.is_success:
                        await answer.aread()
                        await self._refusal(answer.status_code, answer.json(), answer.headers)
                        continue
                    async for line in answer.aiter_lines():
                        if line.startswith("data: "):
                            event = json.loads(line.removeprefix("data: "))
                        elif line.startswith("id: "):
                            text += event["text"]
                            last = {"Last-Event-ID": line.removeprefix("id: ")}
            except httpx.TransportError:
                await self._pause((0, "connection"))
                continue
            if "finish_reason" in event:
                return event | {"text": text}
            if "error" in event:
                await self._refusal(503, event, httpx.Headers())
            else:
                await self._pause((0, "connection"))

    def _any(self) -> str:
        return self._draw.choice(self.urls)

    async def _refusal(self, status: int, body: dict[str, Any], headers: httpx.Headers) -> None:
        seen = (status, str(body["error"]["code"]))
        assert seen in AGAIN, body
        await self._pause(seen, float(headers.get("Retry-After", 1)))

    async def _pause(self, seen: tuple[int, str], wait_s: float = 0.2) -> None:
        self.refused[seen] += 1
        await asyncio.sleep(min(wait_s, 1.0) * self._draw.uniform(0.5, 1))
