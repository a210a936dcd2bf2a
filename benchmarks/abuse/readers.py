"""Attacks by those who ask for much and read fast, slowly or never."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from benchmarks.abuse.line import request
from benchmarks.abuse.scene import Scene, case

_MOST_TOKENS = 16_384
_WRITE_TIMEOUT_S = 3.0
_UNREAD = ("--write-timeout-s", f"{_WRITE_TIMEOUT_S:g}")


@case("nobody", mixes=False)
async def nobody(scene: Scene) -> None:
    """Does nothing."""
    await asyncio.sleep(scene.seconds)


@case("plain-streams")
async def plain_streams(scene: Scene) -> None:
    """Reads 64 streams, as a crowd of well-behaved clients: what all others are compared with."""
    await _read(scene, 64, stream=True)


@case("logprob-streams")
async def logprob_streams(scene: Scene) -> None:
    """Reads 16 streams with ten alternatives for each token."""
    await _read(scene, 16, stream=True, logprobs=10)


@case("eager-streams")
async def eager_streams(scene: Scene) -> None:
    """Reads 64 streams with an event for each token and ten alternatives."""
    await _read(scene, 64, stream=True, logprobs=10, stream_every=1)


@case("whole-answers-16", mixes=False)
async def whole_answers_16(scene: Scene) -> None:
    """Asks for 16 whole answers of 16,384 tokens with alternatives; for long."""
    await _read(scene, 16, most_s=7 * scene.seconds, logprobs=10)


@case("whole-answers-64", mixes=False)
async def whole_answers_64(scene: Scene) -> None:
    """Asks for 64 whole answers of 16,384 tokens with alternatives; for long."""
    await _read(scene, 64, most_s=14 * scene.seconds, logprobs=10)


@case("songci-streams")
async def songci_streams(scene: Scene) -> None:
    """Reads 16 streams of a model with a large vocabulary, by top_p and with alternatives."""
    await _read(scene, 16, stream=True, model="songci", top_p=0.9, logprobs=10, temperature=2)


@case("replacement-characters")
async def replacement_characters(scene: Scene) -> None:
    """Asks eight times at once for a text in which characters stay incomplete."""
    body = {"model": "songci", "prompt": "明月", "seed": 2, "temperature": 10, "max_tokens": 1746}
    await scene.crowd(
        scene.again(lambda: _swallow(scene, {**body, "stream": True})) for _ in range(8)
    )


async def _read(scene: Scene, number: int, most_s: float | None = None, **options: Any) -> None:
    body = {"prompt": "ROMEO:", "max_tokens": _MOST_TOKENS, "timeout_s": 300, **options}

    async def read() -> None:
        num_bytes = await _swallow(scene, body)
        scene.count("whole")
        scene.count("megabytes", round(num_bytes / 2**20, 1))

    started_s = time.monotonic()
    await scene.crowd((read() for _ in range(number)), most_s)
    scene.figures["took_s"] = round(time.monotonic() - started_s, 1)


async def _swallow(scene: Scene, body: dict[str, Any]) -> int:
    async with scene.line() as line:
        await line.send(request("POST", "/generate", body))
        return await line.swallow()


@case("unread-answers", options=_UNREAD, mixes=False)
async def unread_answers(scene: Scene) -> None:
    """Asks for 16 whole answers of 5 MB and never reads them; the write time-out is 3 s."""
    await _ignore(scene, 16, most_s=4 * scene.seconds, max_tokens=8192, logprobs=10)


@case("unread-streams", options=_UNREAD, mixes=False)
async def unread_streams(scene: Scene) -> None:
    """Asks for 64 streams and never reads them; the write time-out is 3 s."""
    options = {"stream": True, "stream_every": 1, "logprobs": 10, "max_tokens": _MOST_TOKENS}
    # The system's buffers hold some MB of each: it takes a while until they are full.
    await _ignore(scene, 64, most_s=40, **options)


async def _ignore(scene: Scene, number: int, most_s: float, **options: Any) -> None:
    """Fault: the server still holds their sockets when it has had the time to notice."""
    before = scene.victim.num_sockets()

    async def ignore() -> None:
        async with scene.line(receive_buffer=4096) as line:
            await line.send(request("POST", "/generate", {"prompt": "ROMEO:", **options}))
            await asyncio.sleep(3600)

    def is_free() -> bool:
        return before is None or (scene.victim.num_sockets() or 0) <= before + 5

    texts = scene.crowd((ignore() for _ in range(number)), 2 * most_s)
    ignoring = asyncio.create_task(texts)
    try:
        await asyncio.sleep(1)  # until all are there
        if not await scene.until(is_free, most_s):
            left = min(number, (scene.victim.num_sockets() or 0) - (before or 0))
            scene.fault(f"about {left} sockets of {number} are still held after {most_s:g} s")
    finally:
        ignoring.cancel()
        await asyncio.gather(ignoring, return_exceptions=True)
