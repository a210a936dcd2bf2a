"""Clients of all kinds, well-behaved and not, for the soak."""

from __future__ import annotations

import asyncio
import collections
import json
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

_CANARY = {"prompt": "JULIET:\n", "max_tokens": 150, "seed": 11, "temperature": 0.9, "top_p": 0.9}
_OPTIONS: Sequence[dict[str, Any]] = (
    {},
    {"temperature": 0},
    {"temperature": 0.7, "top_k": 40},
    {"top_p": 0.95, "top_k": 50},
    {"min_p": 0.05},
    {"repetition_penalty": 1.2, "presence_penalty": 0.3, "frequency_penalty": 0.2},
    {"logprobs": 3},
    {"stop": ["\n\n", ":"]},
    {"stream_every": 1},
)
_NONSENSE: Sequence[bytes] = (
    b"{",
    b"[1]",
    b'{"prompt": 5}',
    b'{"prompt": "a", "temperature": -1}',
    b'{"prompt": "a", "max_tokens": 1e999}',
    b'{"prompt": "\\ud800"}',
    b'{"prompt": "' + b"a" * 200_000 + b'"}',
)


@dataclass
class Found:
    """What has happened so far."""

    ended: collections.Counter[str] = field(default_factory=collections.Counter)
    num_tokens: int = 0
    wrong: list[str] = field(default_factory=list)
    resident: list[tuple[float, int]] = field(default_factory=list)
    canary: str | None = None


class Visitors:
    """Clients of a server; one method for each kind.

    Args:
        client: Of the server.
        found: Where they note what they saw.
        seed: Of their choices.
    """

    def __init__(self, client: httpx.AsyncClient, found: Found, seed: int) -> None:
        self._client = client
        self._found = found
        self._random = random.Random(seed)
        self.kinds: Mapping[Callable[[], Awaitable[None]], int] = {
            self.reads: 8,
            self.asks_at_once: 5,
            self.leaves: 4,
            self.dawdles: 1,
            self.talks: 3,
            self.sends_nonsense: 1,
            self.repeats: 1,
        }

    async def arrive(self) -> None:
        """A client of some kind."""
        [kind] = self._random.choices(list(self.kinds), list(self.kinds.values()))
        name = kind.__name__
        try:
            await kind()
            self._found.ended[name] += 1
        except (httpx.HTTPError, ValueError, KeyError) as error:
            self._found.wrong.append(f"{name}: {type(error).__name__}: {error}")

    async def reads(self) -> None:
        """Reads a stream to its end."""
        await self._stream(self._request())

    async def asks_at_once(self) -> None:
        """Waits for the whole text."""
        request = self._request()
        request.pop("stream_every", None)  # is for streams
        body = await self._post("/generate", request)
        self._found.num_tokens += body["usage"]["completion_tokens"]

    async def leaves(self) -> None:
        """Goes away after some events, or before the first."""
        await self._stream(
            self._request() | {"max_tokens": 2000}, most_events=self._random.randint(0, 5)
        )

    async def dawdles(self) -> None:
        """Takes a pause so long that the text has to wait for it."""
        request = self._request() | {"max_tokens": 3000, "logprobs": 10, "stream_every": 1}
        await self._stream(request, pause_s=self._random.uniform(3, 8))

    async def talks(self) -> None:
        """A session of some turns; sometimes leaves in the middle of one."""
        session = await self._post("/sessions", {"prompt": self._prompt()})
        path = f"/sessions/{session['id']}"
        for _ in range(self._random.randint(1, 4)):
            turn = self._request() | {"session": session["id"], "prompt": "\nA word. "}
            if self._random.random() < 0.2:
                await self._stream(turn, most_events=1)
                await self._until_noticed(session["id"])
            else:
                await self._stream(turn)
        response = await self._client.delete(path)
        self._check(response.status_code == 204, f"DELETE {response.status_code}")

    async def _until_noticed(self, session: str) -> None:
        """A turn whose client has left is over very soon: then the next one may begin."""
        turn = {"session": session, "max_tokens": 1}
        for _ in range(100):
            response = await self._client.post("/generate", json=turn)
            if response.status_code != 409:
                break
            await asyncio.sleep(0.05)
        self._check(response.status_code == 200, f"the next turn got {response.status_code}")

    async def sends_nonsense(self) -> None:
        """Gets an error that says what is wrong."""
        headers = {"content-type": "application/json"}
        content = self._random.choice(_NONSENSE)
        response = await self._client.post("/generate", content=content, headers=headers)
        self._check(400 <= response.status_code < 500, f"nonsense got {response.status_code}")
        self._check(bool(response.json()["error"]["message"]), "an error without a message")

    async def repeats(self) -> None:
        """Sends what was sent before, and wants what came then."""
        text = (await self._post("/generate", _CANARY))["text"]
        self._found.canary = self._found.canary or text
        self._check(text == self._found.canary, f"another text: {text!r}")

    def _prompt(self) -> str:
        if self._random.random() < 0.3:
            return "First Citizen:\nBefore we proceed any further, hear me speak.\n"
        letters = self._random.choices("abcdefghijkl \n", k=self._random.choice((3, 40, 900)))
        return "".join(letters)

    def _request(self) -> dict[str, Any]:
        return {
            "prompt": self._prompt(),
            "max_tokens": self._random.choice((1, 30, 200, 600)),
            "seed": self._random.getrandbits(63),
            **self._random.choice(_OPTIONS),
        }

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        response = await self._client.post(path, json=body)
        self._check(response.status_code in {200, 201}, f"{path} {response.status_code}")
        content: dict[str, Any] = response.json()
        return content

    async def _stream(
        self, body: dict[str, Any], *, most_events: int | None = None, pause_s: float = 0.0
    ) -> None:
        content = body | {"stream": True}
        num_events = 0
        event: dict[str, Any] = {}
        async with self._client.stream("POST", "/generate", json=content) as response:
            self._check(response.status_code == 200, f"/generate {response.status_code}")
            async for line in response.aiter_lines():
                if num_events == most_events:
                    return
                if line.startswith("data: "):
                    event = json.loads(line.removeprefix("data: "))
                    num_events += 1
                    self._found.num_tokens += event.get("num_tokens", 0)
                    self._check("error" not in event, f"{event}")
                    if num_events == 2 and pause_s:
                        await asyncio.sleep(pause_s)
        self._check("finish_reason" in event, "a stream without an end")

    def _check(self, fine: bool, otherwise: str) -> None:
        if not fine:
            raise ValueError(otherwise)
