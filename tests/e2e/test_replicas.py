"""Three servers share their sessions, and no turn is lost, doubled or other, whatever happens."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.running_server import PLAIN, REPOSITORY, RunningServer, free_port, running_server
from tests.e2e.talking import Talk
from tests.service.sessions.redis_server import RedisServer, running_redis

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

_STORE = REPOSITORY / "model_store"
_NUM_SESSIONS = 48
_NUM_REPLICAS = 3
_LEAST_TURNS = 4


class Replicas:
    """Servers that can be ended and started again, each at its port."""

    def __init__(self, folder: Path, session_store: str) -> None:
        self._folder = folder
        self._settings: dict[str, Any] = {"models": "shakespeare", "session_store": session_store}
        self._ports = [free_port() for _ in range(_NUM_REPLICAS)]
        self._running: dict[int, tuple[RunningServer, ExitStack]] = {}

    @property
    def urls(self) -> list[str]:
        """Of all."""
        return [f"http://127.0.0.1:{port}" for port in self._ports]

    def start(self, number: int) -> None:
        """Start one, and wait until it is ready."""
        stack = ExitStack()
        server = stack.enter_context(
            running_server(_STORE, self._folder, port=self._ports[number], **self._settings)
        )
        self._running[number] = (server, stack)

    def kill(self, number: int) -> None:
        """With -9."""
        self._running.pop(number)[1].close()

    def end(self, number: int) -> None:
        """With SIGTERM, and wait for its end."""
        server, stack = self._running.pop(number)
        server.terminate()
        assert 0 == server.process.wait(timeout=60)
        stack.close()

    def close(self) -> None:
        """All of them."""
        for number in list(self._running):
            self.kill(number)


def _disturb(replicas: Replicas, redis: RedisServer) -> None:
    """A server is killed, Redis too, and all servers are ended and started one by one."""
    time.sleep(1)
    replicas.kill(0)
    time.sleep(1)
    replicas.start(0)
    redis.stop()
    time.sleep(2)
    redis.start()
    time.sleep(1)
    for number in range(_NUM_REPLICAS):
        replicas.end(number)
        replicas.start(number)


async def _talk(replicas: Replicas, redis: RedisServer) -> tuple[list[Talk], Counter[object]]:
    limits = httpx.Limits(max_connections=_NUM_SESSIONS)
    refused: Counter[tuple[int, str]] = Counter()
    async with httpx.AsyncClient(timeout=60, limits=limits, verify=PLAIN) as http:
        talks = [Talk(replicas.urls, seed, http, refused) for seed in range(_NUM_SESSIONS)]
        disturbing = asyncio.create_task(asyncio.to_thread(_disturb, replicas, redis))

        async def run(talk: Talk) -> None:
            await talk.begin()
            while not disturbing.done() or len(talk.texts) < _LEAST_TURNS:
                await talk.turn()

        await asyncio.gather(disturbing, *(run(talk) for talk in talks))
    return talks, Counter(dict(refused))


async def _alone(folder: Path, num_turns: list[int]) -> list[list[str]]:
    """The texts of the same sessions on one server that nobody disturbs."""
    settings: dict[str, Any] = {"models": "shakespeare", "session_store": "memory://"}
    opening = running_server(_STORE, folder, **settings)
    server = await asyncio.to_thread(opening.__enter__)
    try:
        limits = httpx.Limits(max_connections=_NUM_SESSIONS)
        async with httpx.AsyncClient(timeout=60, limits=limits, verify=PLAIN) as http:
            talks = [Talk([server.url], seed, http, Counter()) for seed in range(_NUM_SESSIONS)]

            async def run(talk: Talk, number: int) -> None:
                await talk.begin()
                for _ in range(number):
                    await talk.turn()

            await asyncio.gather(*map(run, talks, num_turns))
    finally:
        await asyncio.to_thread(opening.__exit__, None, None, None)
    return [talk.texts for talk in talks]


def test_sessions_go_on_whatever_happens_to_the_servers(tmp_path: Path) -> None:
    """48 of them at once. Clients only ask again, as they are told to."""
    with running_redis(tmp_path) as redis, ExitStack() as stack:
        replicas = Replicas(tmp_path, redis.url)
        stack.callback(replicas.close)
        for number in range(_NUM_REPLICAS):
            replicas.start(number)
        talks, refused = asyncio.run(_talk(replicas, redis))

        with httpx.Client(base_url=replicas.urls[1], timeout=30, verify=PLAIN) as client:
            for talk in talks:
                log = client.get(f"/sessions/{talk.session}/log").json()
                _, *turns = log["turns"]
                assert list(range(1, len(turns) + 1)) == [turn["version"] for turn in turns]
                assert "".join(talk.texts) == "".join(turn["text"] for turn in turns)
                named = [turn for turn in turns if turn["prompt"]]
                assert len(talk.texts) == len(named)
        with redis.client() as inside:
            for talk in talks:
                assert b"0" == inside.hget(f"lstm:s:{talk.session}", "leased_until_s")

    expected = asyncio.run(_alone(tmp_path, [len(talk.texts) for talk in talks]))
    assert expected == [talk.texts for talk in talks]
    assert refused[(0, "connection")] > 0
    num_turns = sum(len(talk.texts) for talk in talks)
    if found := os.environ.get("LSTM_TEST_REPLICAS_FIGURES"):
        report = {"turns": num_turns, "refused": {str(key): n for key, n in refused.items()}}
        Path(found).write_text(json.dumps(report), encoding="utf-8")
