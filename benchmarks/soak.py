"""Does the server stay what it is, with all kinds of clients, for as long as you like?

    python -m benchmarks.soak [--model NAME] [--minutes 10] [--arrivals-per-s 12] [--json FILE]

Clients of many kinds arrive at random: some read a stream, some want an answer at once, some leave
in the middle, some stop reading for a while, some have a conversation, some send nonsense, with
sampling options of all kinds. Now and then the same request is sent again, which must give the same
text. In the end nothing may be left of any of them. Exit code 1 if anything was not as it should
be: an unexpected answer, another text, a row that is still in use, or memory that has grown by more
than 5 % from the second minute to the last.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import contextlib
import json
import os
import random
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from benchmarks.contestants import Server
from benchmarks.machine import describe_machine, headline
from service.artifacts.store import ModelStore

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
_MOST_GROWTH = 1.05


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
        body = await self._post("/generate", self._request())
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


async def soak(server: Server, pid: int, options: argparse.Namespace) -> tuple[Found, Any]:
    """Let visitors arrive for the time that is set; returns what they found and what is left."""
    found = Found()
    arrivals = random.Random(options.seed)
    end_s = time.monotonic() + options.minutes * 60
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=50)
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{server.port}", timeout=60, limits=limits
    ) as client:
        visitors = Visitors(client, found, options.seed)
        watching = asyncio.create_task(_watch(pid, found))
        async with asyncio.TaskGroup() as tasks:
            while time.monotonic() < end_s:
                tasks.create_task(visitors.arrive())
                await asyncio.sleep(arrivals.expovariate(options.arrivals_per_s))
        watching.cancel()
        report = None
        for _ in range(100):
            report = (await client.get("/health/ready")).json()
            if not any(_left(engine) for engine in report["models"].values()):
                break
            await asyncio.sleep(0.1)
    return found, report


def _left(engine: dict[str, Any]) -> int:
    return int(engine["running"] + engine["waiting"] + engine["parked"])


async def _watch(pid: int, found: Found) -> None:
    started_s = time.monotonic()
    while True:
        resident = _resident_bytes(pid)
        found.resident.append((time.monotonic() - started_s, resident))
        await asyncio.sleep(1)
        if len(found.resident) % 30 == 0:
            num_ended = sum(found.ended.values())
            print(
                f"{found.resident[-1][0]:5.0f} s {resident / 2**20:7.1f} MiB, {num_ended} clients, "
                f"{found.num_tokens} tokens, {len(found.wrong)} errors",
                flush=True,
            )


def _resident_bytes(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _mean_mib(found: Found, first_s: float, last_s: float) -> float:
    sizes = [size for at_s, size in found.resident if first_s <= at_s < last_s]
    return statistics.mean(sizes) / 2**20


def main(arguments: Sequence[str] | None = None) -> None:
    """Soak, print what was found; exit with 1 if something was wrong."""
    options = _options(arguments)
    store = ModelStore(options.model_store)
    ref = f"{options.model}@{store.versions(options.model)[-1]}"
    command = ["service.cli", "serve", "--model-store", str(options.model_store), "--models", ref]
    command += ["--log-level", "warning", "--max-rows", "64"]
    # Its cache is full soon, so that it is not what grows.
    server = Server(ref, [*command, "--prefix-cache-bytes", str(2**22)])
    machine = describe_machine()
    print(f"{ref}\n{headline(machine)}", flush=True)
    with server.running() as process:
        found, left = asyncio.run(soak(server, process.pid, options))
    last_s = found.resident[-1][0]
    # A short trial has no second minute: then its second tenth stands for it.
    minute_s = min(60.0, last_s / 10)
    second, last = (
        _mean_mib(found, start_s, start_s + minute_s) for start_s in (minute_s, last_s - minute_s)
    )
    wrong = list(found.wrong)
    wrong += [f"{name}: {_left(e)} rows left" for name, e in left["models"].items() if _left(e)]
    if last > second * _MOST_GROWTH:
        wrong.append(f"memory grew from {second:.1f} to {last:.1f} MiB")
    print(f"clients: {dict(found.ended)}, {found.num_tokens} tokens")
    print(f"resident: {second:.1f} MiB in the second minute, {last:.1f} MiB in the last")
    print(f"left: {left['models']}")
    for line in wrong[:20]:
        print(f"wrong: {line}")
    if options.json:
        report = {
            "machine": machine,
            "minutes": options.minutes,
            "clients": found.ended,
            "num_tokens": found.num_tokens,
            "resident_mib": {"second_minute": second, "last_minute": last},
            "wrong": wrong,
        }
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    sys.exit(1 if wrong else 0)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model-store", type=Path, default=Path("model_store"), metavar="DIR")
    parser.add_argument("--model", default="shakespeare", metavar="NAME")
    parser.add_argument("--minutes", type=float, default=10.0, metavar="M", help="default 10")
    parser.add_argument(
        "--arrivals-per-s", type=float, default=12.0, metavar="R", help="default 12"
    )
    parser.add_argument("--seed", type=int, default=0, help="of arrivals and choices (default 0)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was found here")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
