"""A server that plays prepared bytes, one answer for each request of any connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from service.load.target import Target

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
CUT = object()
"""In the place of an answer: the connection is closed."""


def streamed(*events: bytes) -> bytes:
    """An answer of these events, a chunk each."""
    chunks = (b"%x\r\n%b\n\n\r\n" % (len(event) + 2, event) for event in events)
    return HEAD + b"".join(chunks) + b"0\r\n\r\n"


def whole(status: bytes, body: bytes, *headers: bytes) -> bytes:
    """An answer that is no stream."""
    lines = [b"HTTP/1.1 %b" % status, b"content-type: application/json", *headers]
    return b"\r\n".join([*lines, b"content-length: %d" % len(body), b"", body])


@asynccontextmanager
async def playing(
    answer: Callable[[int], bytes | object], piece: int = 1 << 16
) -> AsyncIterator[Target]:
    """Answer request number n with `answer(n)`, in pieces of so many bytes."""
    num_asked = 0
    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal num_asked
        serving.add(asyncio.current_task())  # type: ignore[arg-type]
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                await reader.readexactly(length)
                played = answer(num_asked)
                num_asked += 1
                if not isinstance(played, bytes):
                    break
                for start in range(0, len(played), piece):
                    writer.write(played[start : start + piece])
                    await writer.drain()
                    await asyncio.sleep(0)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield Target("127.0.0.1", server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving)
