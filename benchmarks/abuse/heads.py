"""Attacks on what reads the head of a request."""

from __future__ import annotations

import asyncio
import contextlib
import time

from benchmarks.abuse.scene import Scene, case

_MOST_BYTES = 100 * 2**20
_NOTICED_BYTES = 16 * 2**20
"""What a server that reads no more lets the sender write into the buffers of sockets, and more."""
_HEAD_S = 10.0
_CHUNKED = (
    b"POST /generate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)


@case("endless-header")
async def endless_header(scene: Scene) -> None:
    """Sends one header line of up to 100 MB."""
    await scene.crowd([_pour(scene, b"GET /health/live HTTP/1.1\r\nHost: x\r\nX: ", b"a" * 2**16)])


@case("endless-request-line")
async def endless_request_line(scene: Scene) -> None:
    """Sends a path of up to 100 MB."""
    await scene.crowd([_pour(scene, b"GET /", b"a" * 2**16)])


@case("endless-headers")
async def endless_headers(scene: Scene) -> None:
    """Sends short header lines, up to 100 MB of them, on four sockets."""
    start = b"GET /health/live HTTP/1.1\r\nHost: x\r\n"
    await scene.crowd(_pour(scene, start, b"Name: value\r\n" * 2000) for _ in range(4))


@case("endless-trailers")
async def endless_trailers(scene: Scene) -> None:
    """Sends a chunked body, and after it trailers of up to 100 MB, on four sockets."""
    start = _CHUNKED + b"2\r\n{}\r\n0\r\n"
    await scene.crowd(_pour(scene, start, b"Name: value\r\n" * 2000) for _ in range(4))


@case("endless-chunk-extension")
async def endless_chunk_extension(scene: Scene) -> None:
    """Sends a chunk's size with an extension of up to 100 MB, on four sockets."""
    await scene.crowd(_pour(scene, _CHUNKED + b"2;x=", b"a" * 2**16) for _ in range(4))


async def _pour(scene: Scene, start: bytes, piece: bytes) -> None:
    """Send `start` and then `piece` until there is an answer, an end, or 100 MB."""
    num_bytes = 0
    async with scene.line() as line, line.answering() as answer:
        try:
            await line.send(start)
            with contextlib.suppress(OSError):  # it was closed
                while num_bytes < _MOST_BYTES and not answer.done():
                    await line.send(piece)
                    num_bytes += len(piece)
            await answer
        finally:
            scene.count("megabytes", round(num_bytes / 2**20, 1))
            if num_bytes > _NOTICED_BYTES:
                scene.fault("the server reads more than 16 MB of a head that has no end")


@case("many-headers")
async def many_headers(scene: Scene) -> None:
    """Sends requests of 10,000 headers, one after the other on each of four sockets."""
    lines = "".join(f"N{n}: v\r\n" for n in range(10_000))
    content = f"GET /health/live HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode()

    async def send() -> None:
        if (await scene.ask_raw(content)).status == 200:
            scene.fault("10,000 headers are read")

    await scene.crowd(scene.again(send) for _ in range(4))


@case("trickled-header")
async def trickled_header(scene: Scene) -> None:
    """Sends a head byte by byte, one a second, on each of 50 sockets; for 12 s at least."""
    waiting = max(scene.seconds, _HEAD_S + 2)

    async def trickle() -> None:
        started_s = time.monotonic()
        async with scene.line() as line, line.answering() as answer:
            await line.send(b"GET /health/live HTTP/1.1\r\nHost: x\r\nX: ")
            while not answer.done():
                await line.send(b"a")
                await asyncio.wait([answer], timeout=1.0)
                if time.monotonic() - started_s > _HEAD_S + 1:
                    scene.fault(f"a head is waited for longer than {_HEAD_S:g} s")
            await answer

    await scene.crowd((trickle() for _ in range(50)), waiting)
