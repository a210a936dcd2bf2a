"""Attacks on the promise of sessions: a turn whose text was shown does not fail."""

from __future__ import annotations

import asyncio
import signal

from benchmarks.abuse.line import request
from benchmarks.abuse.scene import Scene, case

_CLIENTS = 32
_STOP = ["the", "\n\n", ", a", "I "]
_TINY = ("--max-rows", "8", "--max-waiting-requests", "8")


@case(
    "turns",
    options=_TINY,
    mixes=False,
    excused={"neighbour": "the queue is made so small that half of all are refused"},
)
async def turns(scene: Scene) -> None:
    """Has conversations with stop strings at twice the capacity: 2,000 turns, or --turns."""
    todo = iter(range(scene.turns))

    async def talk() -> None:
        path = await _session(scene)
        num_done = 0
        for _ in todo:
            num_done += await _turn(scene, path, max_tokens=80)
        report = (await scene.ask("GET", path)).json()
        if report["version"] != num_done:
            scene.fault(f"{num_done} turns ended, the session counts {report['version']}")

    most_s = max(6 * scene.seconds, scene.turns / 50)
    if await scene.crowd((talk() for _ in range(_CLIENTS)), most_s) < _CLIENTS:
        scene.fault(f"only {scene.figures.get('turns', 0)} turns in {most_s:g} s")


@case(
    "turns-at-the-end",
    ends_server=True,
    drains=True,
    mixes=False,
    excused={"probe": "the server ends", "neighbour": "the server ends"},
)
async def turns_at_the_end(scene: Scene) -> None:
    """Has 64 conversations with stop strings; SIGTERM comes in the middle of their turns."""

    async def talk() -> None:
        path = await _session(scene)
        while await _turn(scene, path, max_tokens=150):
            pass

    async def stop() -> None:
        await asyncio.sleep(3.0)
        scene.victim.send(signal.SIGTERM)

    await scene.crowd([*(talk() for _ in range(64)), stop()], 30 + scene.seconds)
    await ended_well(scene, 30)


async def ended_well(scene: Scene, within_s: float) -> None:
    """Fault: the server does not end, or not with 0."""
    await scene.until(lambda: not scene.victim.is_alive, within_s)
    process = scene.victim.process
    if process is None or process.returncode != 0:
        scene.fault(f"exit status {process and process.returncode} after SIGTERM")


async def _session(scene: Scene) -> str:
    while True:
        answer = await scene.ask("POST", "/sessions", {"prompt": "First Citizen:\n"})
        if answer.status == 201:
            return f"/sessions/{answer.json()['id']}"
        await asyncio.sleep(0.1)


async def _turn(scene: Scene, path: str, max_tokens: int) -> bool:
    """One turn, tried again after 429; returns whether it ended as it should."""
    body = {"session": path.rpartition("/")[2], "prompt": "\nA word. ", "stream": True}
    body |= {"stop": _STOP, "max_tokens": max_tokens, "temperature": 1.2}
    while True:
        shown, last = "", {}
        async with scene.line() as line:
            await line.send(request("POST", "/generate", body))
            try:
                async for last in line.events():
                    shown += last.get("text", "")
            except (OSError, asyncio.IncompleteReadError):
                last = {"error": {"code": "cut"}}
        if "finish_reason" in last:
            scene.count("turns")
            scene.count(f"ended by {last['finish_reason']}")
            return True
        code = last.get("error", {}).get("code", "nothing")
        if shown:
            scene.count("failed after text")
            scene.fault(f"turns failed after their text was shown ({code})")
            return False
        scene.count(f"refused: {code}")
        # Busy is a session whose last turn has just failed.
        if code not in {"overloaded", "session_busy"}:
            return False
        await asyncio.sleep(0.05)
