"""Attacks at the end of a server's life, and on what is below it: signals, logs, engines."""

from __future__ import annotations

import asyncio
import signal
import time
from typing import Any

from benchmarks.abuse.line import request
from benchmarks.abuse.scene import Scene, case
from benchmarks.abuse.turns import ended_well

_STOP_S = 60.0


@case(
    "sigterm",
    options=("--grace-period-s", "2"),
    ends_server=True,
    drains=True,
    mixes=False,
    excused={"probe": "the server ends", "neighbour": "the server ends"},
)
async def sigterm(scene: Scene) -> None:
    """Uploads and reads streams while SIGTERM comes: each end has to say what it is."""

    async def stop() -> None:
        await asyncio.sleep(2.0)
        scene.victim.send(signal.SIGTERM)
        await asyncio.sleep(0.3)
        answer = await scene.ask("POST", "/generate", {"max_tokens": 1})
        if answer.status != 503:
            scene.fault(f"a new request got {answer.status}, not 503")

    clients = [_upload(scene, goes_on=n % 2 == 0) for n in range(16)]
    clients += [_read(scene, 200) for _ in range(8)]
    clients += [_read(scene, 16_384) for _ in range(48)]  # longer than the time that there is
    await scene.crowd([*clients, stop()], 20)
    if "ended streams" not in scene.figures or "whole streams" not in scene.figures:
        scene.fault("not every kind of stream came to its end")
    await ended_well(scene, 20)


async def _upload(scene: Scene, *, goes_on: bool) -> None:
    """Send the half of a body, and the rest after SIGTERM or never."""
    content = request("POST", "/generate", b'{"prompt": "' + b"a" * 400_000 + b'"}')
    async with scene.line() as line, line.answering() as answer:
        try:
            await line.send(content[:200_000])
            await asyncio.sleep(3.0)
            if goes_on and not answer.done():
                await line.send(content[200_000:])
            scene.count(f"uploads with {(await answer).status}")
        except (OSError, asyncio.IncompleteReadError):
            scene.fault("an upload has no answer")
            raise


async def _read(scene: Scene, max_tokens: int) -> None:
    body = {"prompt": "ROMEO:", "stream": True, "max_tokens": max_tokens}
    num_tokens = 0
    last: dict[str, Any] = {}
    async with scene.line() as line:
        await line.send(request("POST", "/generate", body))
        async for event in line.events():
            num_tokens += event.get("num_tokens", 0)
            last = event
    if "finish_reason" in last and num_tokens == max_tokens:
        scene.count("whole streams")
    elif last.get("error", {}).get("code") == "shutting_down":
        scene.count("ended streams")
    else:
        scene.fault(f"a stream of {max_tokens} ended after {num_tokens} tokens")


@case("unread-log", unread_log=True, mixes=False)
async def unread_log(scene: Scene) -> None:
    """Asks for a token again and again while nobody reads the server's log, which is a pipe."""

    async def ask() -> None:
        answer = await scene.ask("POST", "/generate", {"max_tokens": 1}, timeout_s=5)
        if answer.status != 200:
            scene.fault(f"frozen after {scene.figures.get('answered', 0)} answers")
        else:
            scene.count("answered")

    await scene.crowd((scene.again(ask) for _ in range(8)), scene.seconds + 6)


@case(
    "hung-engine",
    module="benchmarks.abuse.hanging",
    ends_server=True,
    mixes=False,
    excused={"probe": "a hung server may say so", "neighbour": "it has no time-out of its own"},
)
async def hung_engine(scene: Scene) -> None:
    """Lets all engines hang, and sends requests with a second each; its end, with --seconds 70."""
    slowest_s = 0.0
    hung_s = time.monotonic()

    async def ask(stream: bool, delay_s: float) -> None:
        nonlocal slowest_s
        await asyncio.sleep(delay_s)
        body = {"prompt": "ROMEO:", "max_tokens": 16_000, "timeout_s": 1.0, "stream": stream}
        started_s = time.perf_counter()
        async with scene.line() as line:
            await line.send(request("POST", "/generate", body))
            last: dict[str, Any] = {}
            async for event in line.events():
                last = event
            slowest_s = max(slowest_s, time.perf_counter() - started_s)
        if last.get("error", {}).get("code") != "timeout":
            scene.fault(f"not a time-out: {str(last)[:100]}")
        scene.count("timed out")

    async def hang() -> None:
        await asyncio.sleep(0.5)
        scene.victim.send(signal.SIGUSR1)

    clients = [ask(n % 2 == 0, delay_s) for delay_s in (0.0, 0.4, 1.0, 3.0) for n in range(4)]
    if await scene.crowd([*clients, hang()], max(scene.seconds, 8.0)) < len(clients) + 1:
        scene.fault("requests with timeout_s 1 are not answered")
    elif slowest_s > 1.25:
        scene.fault(f"answered after {slowest_s:.2f} s, with timeout_s 1")
    scene.figures["slowest_answer_s"] = round(slowest_s, 2)
    if scene.seconds <= _STOP_S:
        if not scene.victim.is_alive:
            scene.fault("the server is gone early")
    else:
        left_s = hung_s + _STOP_S + 5 - time.monotonic()
        await scene.until(lambda: not scene.victim.is_alive, left_s)
        process = scene.victim.process
        if scene.victim.is_alive or (process and process.returncode == 0):
            scene.fault(f"hung for {_STOP_S:g} s, it lives, or has ended with 0")
