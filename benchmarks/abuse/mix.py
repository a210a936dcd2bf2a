"""All attacks at once."""

from __future__ import annotations

import asyncio
import random
import time

from benchmarks.abuse.scene import CASES, Scene, case

_AT_A_TIME = 3


@case("mix", mixes=False, excused={"neighbour": "how long it waits is each attack's own case"})
async def mix(scene: Scene) -> None:
    """Lets three attacks at a time begin, drawn at random, for --minutes."""
    parts = [part for part in CASES.values() if part.mixes and not part.own_server]
    draws = random.Random(0)
    end_s = time.monotonic() + scene.minutes * 60

    async def lane() -> None:
        while time.monotonic() < end_s:
            part = draws.choice(parts)
            scene.count(part.name)
            # Its own faults are its own case's: beside two others it may be refused more.
            await part.attack(scene.part(draws.uniform(2, 5)))

    async with asyncio.TaskGroup() as lanes:
        for _ in range(_AT_A_TIME):
            lanes.create_task(lane())
