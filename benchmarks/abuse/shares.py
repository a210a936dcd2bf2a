"""Attacks on what clients share: sessions, rows, the prefix cache and the queue."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import Any

from benchmarks.abuse.line import Line, request
from benchmarks.abuse.scene import ATTACKER, Scene, case
from benchmarks.abuse.watch import NEIGHBOUR

_CREATE = request("POST", "/sessions", {})
_MOST_RETRY_S = 60


@case("many-sessions")
async def many_sessions(scene: Scene) -> None:
    """Creates 10,050 sessions; the neighbour's has to be there afterwards. Up to twice the time."""
    theirs = (await scene.ask("POST", "/sessions", {}, source=NEIGHBOUR)).json()["id"]
    await scene.crowd((_create(scene, ATTACKER, 1256) for _ in range(8)), 2 * scene.seconds)
    after = await scene.ask("GET", f"/sessions/{theirs}", source=NEIGHBOUR)
    if after.status != 200:
        scene.fault(f"the neighbour's session is gone: {after.status}")


async def _fill(scene: Scene) -> None:
    """Create 10,000 sessions as 16 clients."""
    await scene.crowd((_create(scene, f"127.0.1.{n + 1}", 625) for n in range(16)), 60)


async def _create(scene: Scene, source: str, number: int) -> None:
    async with scene.line(source) as line:
        for _ in range(number):
            await line.send(_CREATE)
            answer = await line.answer()
            if answer.headers.get("connection", "") == "close":
                return


@case("session-lists", prepare=_fill)
async def session_lists(scene: Scene) -> None:
    """Asks 200 times for the list of sessions, eight at a time, where 10,000 are."""
    times_s: list[float] = []

    async def look(source: str) -> None:
        async with scene.line(source) as line:
            for _ in range(25):
                started_s = time.perf_counter()
                await line.send(request("GET", "/sessions"))
                await line.answer()
                times_s.append(time.perf_counter() - started_s)

    await scene.crowd((look(f"127.0.1.{n + 1}") for n in range(8)), 2 * scene.seconds)
    scene.figures["lists"] = len(times_s)
    scene.figures["list_ms_most"] = round(max(times_s, default=0) * 1000, 1)


@case("single-flight", options=("--max-rows", "4"), mixes=False)
async def single_flight(scene: Scene) -> None:
    """Asks for 60 texts of 6,000 tokens and then sends a prompt that a neighbour sends too."""
    texts = (_write(scene, {"prompt": "ROMEO:", "max_tokens": 6000}) for _ in range(60))
    crowd = asyncio.ensure_future(scene.crowd(texts, 2 * scene.seconds))
    await asyncio.sleep(1.0)
    alone_s = await _first_event_s(scene, "A prompt that nobody else sends. " * 60)
    tasks = [crowd]
    for number in range(3):
        prompt = f"{number}, a prompt that both of them send. " * 50
        # More than one, so that each engine has one.
        leaders = (_write(scene, {"prompt": prompt}) for _ in range(4))
        tasks.append(asyncio.ensure_future(scene.crowd(leaders, 60)))
        await asyncio.sleep(0.2)
        follower_s = await _first_event_s(scene, prompt)
        scene.figures[f"follower_s {number}"] = round(follower_s, 3)
        if follower_s > 2 * alone_s + 0.5:
            times = f"{follower_s:.1f} s instead of {alone_s:.1f}"
            scene.fault("a prompt that another client has sent before waits longer", times)
            break
    scene.figures["alone_s"] = round(alone_s, 3)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _write(scene: Scene, body: dict[str, Any], **headers: str) -> None:
    async with scene.line() as line:
        await line.send(request("POST", "/generate", body, headers))
        await line.swallow()


async def _first_event_s(scene: Scene, prompt: str) -> float:
    started_s = time.perf_counter()
    body = {"prompt": prompt, "max_tokens": 5, "stream": True}

    async def read(line: Line) -> None:
        async for _ in line.events():
            return

    async with scene.line(NEIGHBOUR) as line:
        await line.send(request("POST", "/generate", body))
        try:
            await asyncio.wait_for(read(line), 2 * scene.seconds)
        except TimeoutError:
            scene.fault("no first event in twice the time")
    return time.perf_counter() - started_s


@case("forged-addresses", options=("--max-rows", "8"), mixes=False)
async def forged_addresses(scene: Scene) -> None:
    """Sends 64 texts of 2,000 tokens at a time in the name of eight addresses; eight rows."""
    names = ("X-Forwarded-For", "X-Real-IP", "Forwarded")

    def headers(number: int) -> dict[str, str]:
        address = f"10.1.2.{number % 8}"
        return {name: f"for={address}" if name == "Forwarded" else address for name in names}

    async def write(number: int) -> None:
        body = {"prompt": "ROMEO:", "max_tokens": 2000}
        await scene.again(lambda: _write(scene, body, **headers(number)))

    await scene.crowd(write(n) for n in range(64))


@case("long-prompts")
async def long_prompts(scene: Scene) -> None:
    """Sends 32 prompts of 60,000 characters at once with half a second each, and again."""
    timeout_s = 0.5
    slowest_s = 0.0
    number = 0

    async def send() -> None:
        nonlocal slowest_s, number
        number += 1
        prompt = f"{number} " + "speak, " * 8_571
        body = {"prompt": prompt, "max_tokens": 5, "timeout_s": timeout_s}
        async with scene.line() as line:
            started_s = time.perf_counter()
            await line.send(request("POST", "/generate", body))
            await line.answer()
            slowest_s = max(slowest_s, time.perf_counter() - started_s)
        await asyncio.sleep(max(0.0, 1.5 - (time.perf_counter() - started_s)))

    await scene.crowd((scene.again(send) for _ in range(32)), scene.seconds + 5)
    scene.figures["slowest_answer_s"] = round(slowest_s, 3)
    if slowest_s > timeout_s + 0.25:
        scene.fault(f"answered after {slowest_s:.2f} s, with timeout_s {timeout_s:g}")


@case("known-prompts")
async def known_prompts(scene: Scene) -> None:
    """Asks whether a neighbour has sent a certain prompt, by cached_tokens and by the time."""
    for letter in "abcdefghij":  # the model knows no digits: they would all be one prompt
        secret = f"My password is {letter * 9}, and nobody may know it. " * 20
        body = {"prompt": secret, "max_tokens": 1}
        await scene.ask("POST", "/generate", body, source=NEIGHBOUR)
        answer = await scene.ask("POST", "/generate", body)
        if answer.status == 200 and answer.json()["usage"]["cached_tokens"]:
            scene.fault("cached_tokens tells what another client has sent")
        await asyncio.sleep(0.1)


@case("flood", options=("--max-rows", "16"), mixes=False)
async def flood(scene: Scene) -> None:
    """Asks for 200 streams at once that may take 2 s each, from 20 addresses; 16 rows."""
    body = {"prompt": "ROMEO:", "max_tokens": 2000, "stream": True, "timeout_s": 2}

    async def ask(number: int) -> None:
        async with scene.line(f"127.0.2.{number % 20 + 1}") as line:
            await line.send(request("POST", "/generate", body))
            num_events = 0
            async for event in line.events():
                if "error" in event and "status" not in event and not num_events:
                    scene.fault("a stream with status 200 begins with its error")
                num_events += 1

    await scene.crowd((scene.again(partial(ask, n)) for n in range(200)), scene.seconds + 5)


@case(
    "overload",
    options=("--max-waiting-requests", "16", "--max-rows", "8"),
    mixes=False,
    excused={"neighbour": "the whole queue is made for 16"},
)
async def overload(scene: Scene) -> None:
    """Asks for 48 texts of 300 tokens at a time where 8 run and 16 wait; looks at each refusal."""

    async def ask() -> None:
        body = {"prompt": "ROMEO:", "max_tokens": 300}
        answer = await scene.ask("POST", "/generate", body)
        if answer.status == 429:
            retry_s = answer.headers.get("retry-after", "")
            if not (retry_s.isdecimal() and 1 <= int(retry_s) <= _MOST_RETRY_S):
                scene.fault(f"Retry-After: {retry_s!r}")
            await asyncio.sleep(0.1)
        elif answer.status != 200:
            scene.fault(f"status {answer.status}")

    await scene.crowd(scene.again(ask) for _ in range(48))
