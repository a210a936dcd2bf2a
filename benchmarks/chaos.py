"""Is every text what it would be alone, while everything around it goes wrong?

    python -m benchmarks.chaos [--requests 5000] [--seed 0] [--json FILE]

Texts and turns of sessions, of all bundled models and with options of all kinds, are asked for one
after the other: what comes then is the reference. Then sixty-four clients ask for them again. Some
leave in mid-stream and come back, some read slowly, so that texts are parked; a queue that is too
short refuses many; and the server is stopped (SIGSTOP) and goes on, again and again. Text, number
of tokens, reason of the end and log-probabilities must be those of the reference, and so must what
was seen by those who left. Exit status 1 if one is not.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import contextlib
import json
import random
import signal
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.abuse.line import Line, request
from benchmarks.abuse.sightings import Sightings
from benchmarks.abuse.victim import Victim, running
from benchmarks.machine import describe_machine, headline

_OPTIONS: Sequence[dict[str, Any]] = (
    {},
    {"temperature": 0},
    {"temperature": 0.7, "top_k": 40},
    {"top_p": 0.9},
    {"min_p": 0.05, "temperature": 1.5},
    {"repetition_penalty": 1.2, "presence_penalty": 0.3, "frequency_penalty": 0.2},
    {"logprobs": 3},
    {"stop": ["the", "\n\n", ", a"]},
    {"stop": ["e "], "logprobs": 1},
)
_PROMPTS = {
    "shakespeare": (
        "",
        "ROMEO:",
        "To be, or not to be",
        "First Citizen:\nBefore we proceed. " * 12,
    ),
    "names": ("", "Ma", "Jo"),
    "songci": ("", "浣溪沙", "明月", "春风又绿江南岸。" * 9),
}
_TURNS = 3
_CLIENTS = 64
_FEW = ("--max-rows", "4", "--max-waiting-requests", "4", "--max-unread-tokens", "64")
_WORTH_TRYING_AGAIN = {409, 429}
_WAYS = ("reads", "reads", "whole", "dawdles", "leaves")

Body = dict[str, Any]
Told = dict[str, Any]
"""Of a text: its parts put together."""


@dataclass
class Talk:
    """Requests that come one after the other: one text, or the turns of a session."""

    session: Body | None
    turns: list[Body]
    told: list[Told] = field(default_factory=list)


@dataclass
class Found:
    """What has happened so far."""

    ended: collections.Counter[str] = field(default_factory=collections.Counter)
    differs: list[str] = field(default_factory=list)


def talks(number: int, seed: int) -> Iterator[Talk]:
    """Talks of `number` requests together."""
    rng = random.Random(seed)
    while number > 0:
        model = rng.choice(("shakespeare", "shakespeare", "names", "songci"))
        turns = _TURNS if rng.random() < 0.2 else 1
        bodies = [_body(rng, model) for _ in range(turns)]
        number -= turns
        if turns == 1:
            yield Talk(None, bodies)
        else:
            opening = {"model": model, "prompt": rng.choice(_PROMPTS[model]), "seed": len(bodies)}
            yield Talk(opening, bodies)


def _body(rng: random.Random, model: str) -> Body:
    body = {"model": model, "prompt": rng.choice(_PROMPTS[model]), "timeout_s": 300}
    body |= {"max_tokens": rng.choice((1, 10, 40, 160)), "seed": rng.getrandbits(50)}
    return body | rng.choice(_OPTIONS)


class Client:
    """Asks a server, in one of several ways.

    Args:
        victim: The server.
        rng: Of its ways; None for a client who reads everything at once.
    """

    def __init__(self, victim: Victim, rng: random.Random | None, found: Found) -> None:
        self._address = (victim.host, victim.port)
        self._rng = rng
        self._found = found
        self._seen = Sightings()
        self._differs: list[str] = []  # of the latest turn

    async def talk(self, talk: Talk) -> None:
        """Ask for all of it; the first time it is the reference, then it is compared with that."""
        session = None
        if talk.session is not None:
            session = (await self._ask("POST", "/sessions", talk.session))["id"]
        for number, body in enumerate(talk.turns):
            asked = body if session is None else {**body, "session": session}
            told = await self._tell(asked, talk.told[number] if self._rng else None)
            if session and await self._version(session) != number + 1:
                # The whole text was on its way when its client left: it is part of the session.
                self._found.ended["a turn of a client who left was complete"] += 1
                self._differs.clear()
                return
            if self._rng is None:
                talk.told.append(told)
            elif told != talk.told[number]:
                self._differs.append(f"{asked}: {told}, alone {talk.told[number]}")
            self._found.differs += self._differs
            self._differs.clear()
        if session:
            await self._ask("DELETE", f"/sessions/{session}", None)

    async def _version(self, session: str) -> int:
        return int((await self._ask("GET", f"/sessions/{session}", None))["version"])

    async def _tell(self, body: Body, expected: Told | None) -> Told:
        """The text, after as many attempts as it takes."""
        while True:
            way = self._rng.choice(_WAYS) if self._rng else "reads"
            told = await self._attempt(body, way, expected)
            if told:
                self._found.ended[way] += 1
                return told
            await asyncio.sleep(0.05)

    async def _attempt(self, body: Body, way: str, expected: Told | None) -> Told | None:
        """The text; None if it was refused for now, or its client has left."""
        told: Told = {"text": "", "num_tokens": 0, "logprobs": [], "finish_reason": None}
        num_events = 0
        most_events = self._rng.randint(1, 4) if self._rng and way == "leaves" else None
        if way != "whole":
            body = {**body, "stream": True}
        if way in {"leaves", "dawdles"}:
            body["stream_every"] = 2
        async with self._line(4096 if way == "dawdles" else None) as line:
            await line.send(request("POST", "/generate", body))
            async for event in line.events():
                if event.get("status") in _WORTH_TRYING_AGAIN:
                    self._found.ended[f"refused with {event['status']}, and again"] += 1
                    return None
                if "error" in event:
                    raise RuntimeError(f"{body}: {event}")
                num_events += 1
                told["text"] += event["text"]
                told["num_tokens"] += event["num_tokens"] if way != "whole" else _num_tokens(event)
                told["logprobs"] += event.get("logprobs") or []
                told["finish_reason"] = event.get("finish_reason")
                if expected is not None and num_events == most_events:
                    self._compare_beginning(told, expected)
                    self._found.ended["left, and again"] += 1
                    return None
                if way == "dawdles":
                    await asyncio.sleep(0.01)
        return told

    def _compare_beginning(self, told: Told, expected: Told) -> None:
        num_logprobs = len(told["logprobs"])
        if (
            not expected["text"].startswith(told["text"])
            or expected["logprobs"][:num_logprobs] != told["logprobs"]
        ):
            self._differs.append(f"it begins {told}, alone {expected}")

    async def _ask(self, method: str, path: str, body: Body | None) -> Any:
        while True:
            async with self._line() as line:
                await line.send(request(method, path, body))
                answer = await line.answer()
            if answer.status not in _WORTH_TRYING_AGAIN:
                return answer.json() if answer.body else None
            await asyncio.sleep(0.05)

    @contextlib.asynccontextmanager
    async def _line(self, receive_buffer: int | None = None) -> AsyncIterator[Line]:
        line = await Line.to(self._address, "127.0.0.1", self._seen, receive_buffer)
        try:
            yield line
        finally:
            line.leave()


def _num_tokens(answer: Body) -> int:
    return int(answer["usage"]["completion_tokens"])


async def disturb(victim: Victim, rng: random.Random, found: Found) -> None:
    """Stop the server for up to a second, and let it go on; for ever."""
    while True:
        await asyncio.sleep(rng.uniform(0.3, 2.0))
        victim.send(signal.SIGSTOP)
        try:
            await asyncio.sleep(rng.uniform(0.05, 1.0))
        finally:
            victim.send(signal.SIGCONT)
        found.ended["the server was stopped"] += 1


async def compare(victim: Victim, number: int, seed: int) -> Found:
    """Ask for everything alone, and then in chaos."""
    found, alone = Found(), Found()
    all_talks = list(talks(number, seed))
    for talk in all_talks:
        await Client(victim, None, alone).talk(talk)
    print(f"alone: {dict(alone.ended)}", flush=True)
    todo = iter(all_talks)

    async def work(rng: random.Random) -> None:
        client = Client(victim, rng, found)
        for talk in todo:
            await client.talk(talk)

    disturbing = asyncio.create_task(disturb(victim, random.Random(seed), found))
    try:
        async with asyncio.TaskGroup() as tasks:
            for n in range(_CLIENTS):
                tasks.create_task(work(random.Random(f"{seed} {n}")))
    finally:
        disturbing.cancel()
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Compare, and print what was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=5000, metavar="N", help="default 5000")
    parser.add_argument("--seed", type=int, default=0, help="of everything (default 0)")
    parser.add_argument("--model-store", default="model_store", metavar="DIR")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was found here")
    options = parser.parse_args(arguments)
    machine = describe_machine()
    print(headline(machine), flush=True)
    with running(["--model-store", options.model_store, "--log-level", "warning", *_FEW]) as victim:
        found = asyncio.run(compare(victim, options.requests, options.seed))
        num_tracebacks = victim.num_tracebacks()
    print(f"in chaos: {dict(found.ended)}")
    for line in found.differs[:5]:
        print(f"differs: {line}")
    print(f"{len(found.differs)} differ; {num_tracebacks} tracebacks in the server's log")
    if options.json:
        report = {"machine": machine, "ended": found.ended, "differs": found.differs}
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    sys.exit(1 if found.differs or num_tracebacks else 0)


if __name__ == "__main__":
    main()
