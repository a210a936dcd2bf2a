"""Attacks by bodies: slow, large, and full of what is not wanted."""

from __future__ import annotations

import asyncio
import json
from functools import partial

from benchmarks.abuse.line import request
from benchmarks.abuse.scene import Scene, case

_HEAD = b"POST /generate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
_LARGE = 5 * 2**20
_MOST_GROWTH = 150 * 2**20


@case("slow-bodies", most_growth_bytes=_MOST_GROWTH, mixes=False)
async def slow_bodies(scene: Scene) -> None:
    """Sends 300 bodies of 1 MB but for their last byte, and holds them."""
    body = b'{"prompt": "' + b"a" * (2**20 - 1024)

    async def hold() -> None:
        async with scene.line() as line, line.answering() as answer:
            await line.send(_HEAD + b"Content-Length: 1048576\r\n\r\n" + body)
            await answer

    await scene.crowd(hold() for _ in range(300))


@case("unknown-keys")
async def unknown_keys(scene: Scene) -> None:
    """Sends bodies of 90,000 unknown keys, four at a time."""
    await _refused(scene, "{" + ",".join(f'"k{n}":0' for n in range(90_000)) + "}")


@case("wrong-items")
async def wrong_items(scene: Scene) -> None:
    """Sends lists of 400,000 items of the wrong type as stop strings, four at a time."""
    await _refused(scene, '{"stop":[' + ",".join("1" * 400_000) + "]}")


@case("long-stop-strings")
async def long_stop_strings(scene: Scene) -> None:
    """Sends 10,000 stop strings that are too long, four at a time."""
    await _refused(scene, json.dumps({"stop": ["s" * 70] * 10_000}))


async def _refused(scene: Scene, body: str) -> None:
    async def send() -> None:
        answer = await scene.ask("POST", "/generate", body.encode())
        if answer.status not in {0, 400, 413, 422, 429, 503}:
            scene.fault(f"status {answer.status}")

    await scene.crowd(scene.again(send) for _ in range(4))


@case("large-bodies")
async def large_bodies(scene: Scene) -> None:
    """Sends bodies of 5 MB, with and without their length; it wants to see the 413."""
    whole = _HEAD + b"Content-Length: %d\r\n\r\n" % _LARGE + b"a" * _LARGE
    piece = b"10000\r\n" + b"a" * 2**16 + b"\r\n"
    chunked = _HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + piece * (_LARGE // 2**16)
    chunked += b"0\r\n\r\n"

    async def send(content: bytes) -> None:
        # All of it first, and then the answer: as most clients do.
        async with scene.line() as line:
            await line.send(content)
            answer = await line.answer()
            if answer.status != 413:
                scene.fault(f"a body that is too large gets {answer.status}")

    await scene.crowd(scene.again(partial(send, content)) for content in (whole, chunked) * 2)
    if scene.seen.by_status["closed"]:
        scene.fault("clients that send too much are cut off before they see why")


@case("tiny-chunks")
async def tiny_chunks(scene: Scene) -> None:
    """Sends bodies of 200 KB in chunks of one byte, on four sockets; each has its answer."""
    body = json.dumps({"prompt": "a" * 200_000}).encode()
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"

    async def send() -> None:
        async with scene.line() as line:
            await line.send(_HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunks)
            answer = await line.answer()
            if answer.status not in {0, 413, 422, 429}:
                scene.fault(f"a body in pieces of one byte gets {answer.status}")

    await scene.crowd(scene.again(send) for _ in range(4))


@case("left-bodies")
async def left_bodies(scene: Scene) -> None:
    """Leaves in the middle of a body, ten at a time."""

    async def leave() -> None:
        async with scene.line() as line:
            await line.send(request("POST", "/generate", b'{"prompt": "' + b"a" * 5000)[:-2000])
            await asyncio.sleep(0.02)

    await scene.crowd(scene.again(leave) for _ in range(10))
