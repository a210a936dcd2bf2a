"""Attacks by connections: many, silent, and soon gone."""

from __future__ import annotations

import asyncio
import contextlib
import time

from benchmarks.abuse.line import request
from benchmarks.abuse.scene import Scene, case

_ONLOOKER = "127.0.0.8"
_FIRST_BYTE_S = 30.0


@case("idle-sockets", descriptors=256)
async def idle_sockets(scene: Scene) -> None:
    """Opens 400 connections, half of which ask once, and keeps them; the server has 256 files."""
    await _hold(scene, 400)


@case("silent-sockets", descriptors=1024)
async def silent_sockets(scene: Scene) -> None:
    """Opens 1,024 connections, half of which ask once, and keeps them; 1,024 files."""
    await _hold(scene, 1024)


async def _hold(scene: Scene, number: int) -> None:
    async def hold(asks: bool) -> None:
        async with scene.line() as line:
            if asks:
                await line.send(request("GET", "/health/live"))
                await line.answer()
            await line.reader.read()  # it says nothing more
            scene.count("closed by the server")

    async def look() -> None:
        end_s = time.monotonic() + scene.seconds - 1
        while time.monotonic() < end_s:
            answer = await scene.ask("GET", "/health/ready", source=_ONLOOKER, timeout_s=2)
            if answer.status != 200:
                scene.fault(f"readiness is not answered, with {number} idle sockets")
            await asyncio.sleep(0.25)

    await scene.crowd([*(hold(n % 2 == 0) for n in range(number)), look()])
    closed = scene.figures.get("closed by the server", 0)
    if scene.seconds > _FIRST_BYTE_S + 5 and closed < number // 2:
        scene.fault(f"only {closed} of {number} silent sockets were closed")


@case("leaving-readers")
async def leaving_readers(scene: Scene) -> None:
    """Sends 200 clients a second that ask for a stream and leave at its beginning."""

    async def visit(waits: bool) -> None:
        body = {"prompt": "ROMEO:", "max_tokens": 2000, "stream": True, "logprobs": 2}
        async with scene.line() as line:
            await line.send(request("POST", "/generate", body))
            if waits:
                answer = await line.head()
                scene.seen.note(answer.status, answer.headers, None)
            else:
                await asyncio.sleep(0.01)

    started_s = time.monotonic()
    visitors: set[asyncio.Task[None]] = set()
    number = 0
    while time.monotonic() - started_s < scene.seconds:
        visitor = asyncio.ensure_future(scene.attempt(visit(number % 2 == 0)))
        visitors.add(visitor)
        visitor.add_done_callback(visitors.discard)
        number += 1
        await asyncio.sleep(max(0.0, started_s + number / 200 - time.monotonic()))
    scene.figures["clients"] = number
    for visitor in list(visitors):
        visitor.cancel()
    await asyncio.gather(*visitors, return_exceptions=True)
    await rows_are_free(scene)


async def rows_are_free(scene: Scene, within_s: float = 5.0) -> None:
    """Fault: texts still run although everybody has left."""
    end_s = time.monotonic() + within_s
    left = -1
    while time.monotonic() < end_s:
        answer = await scene.ask("GET", "/health/ready")
        with contextlib.suppress(ValueError, KeyError):
            engines = answer.json()["models"].values()
            left = sum(e["running"] + e["waiting"] + e["parked"] for e in engines)
        if 0 <= left <= 1:  # the neighbour's may be there
            return
        await asyncio.sleep(0.1)
    scene.fault(f"{left} texts run on after their readers have left")
