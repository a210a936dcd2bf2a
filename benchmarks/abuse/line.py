"""A connection that lets its owner misbehave: HTTP/1.1 by hand over a socket."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks.abuse.sightings import Sightings

Body = Mapping[str, Any] | bytes | None
_NONE: Mapping[str, str] = {}


@dataclass
class Answer:
    """An answer; status 0 if none came."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)


def request(method: str, path: str, body: Body = None, headers: Mapping[str, str] = _NONE) -> bytes:
    """The bytes of a well-formed request."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
    return "\r\n".join([*lines, "", ""]).encode() + (b"" if body is None else content)


class Line:
    """A connection. Whatever comes is noted in `seen`."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seen: Sightings
    ) -> None:
        self.reader = reader
        self._writer = writer
        self._seen = seen

    @classmethod
    async def to(
        cls,
        address: tuple[str, int],
        source: str,
        seen: Sightings,
        receive_buffer: int | None = None,
    ) -> Line:
        """Connect; with few bytes of `receive_buffer` a server soon notices that nobody reads."""
        ours = socket.socket()
        try:
            ours.setblocking(False)
            ours.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if receive_buffer:
                ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            ours.bind((source, 0))
            await asyncio.get_running_loop().sock_connect(ours, address)
            limit = receive_buffer or 2**17
            reader, writer = await asyncio.open_connection(sock=ours, limit=limit)
        except BaseException:
            ours.close()
            raise
        return cls(reader, writer, seen)

    async def send(self, content: bytes) -> None:
        """Send, as fast as the server takes it."""
        if self._writer.transport.is_closing():  # uvloop would raise no OSError
            raise ConnectionResetError("the server has closed the connection")
        self._writer.write(content)
        await self._writer.drain()

    def end_sending(self) -> None:
        """Tell the server that no more comes, and go on listening."""
        self._writer.write_eof()

    def leave(self) -> None:
        """Close at once, whatever is still to come."""
        self._writer.transport.abort()

    async def head(self) -> Answer:
        """The next answer without its body."""
        status = 100
        lines: list[str] = []
        while status == 100:
            head = await self.reader.readuntil(b"\r\n\r\n")
            lines = head.decode("latin-1").split("\r\n")
            status = int(lines[0].split()[1])
        pairs = (line.partition(":") for line in lines[1:] if line)
        return Answer(status, {name.strip().lower(): value.strip() for name, _, value in pairs})

    async def answer(self, method: str = "GET") -> Answer:
        """The next answer, whole, and noted. It is to a request of `method`."""
        answer = await self.head()
        if method != "HEAD" and answer.status not in {204, 304}:
            answer.body = b"".join([piece async for piece in self.pieces(answer)])
        self._seen.note(answer.status, answer.headers, None if method == "HEAD" else answer.body)
        return answer

    @contextlib.asynccontextmanager
    async def answering(self) -> AsyncIterator[asyncio.Task[Answer]]:
        """Wait for the next answer beside whatever else is done, as long as that takes."""
        task = asyncio.ensure_future(self.answer())
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def pieces(self, answer: Answer) -> AsyncIterator[bytes]:
        """The body of an answer whose head has come, as it comes."""
        if answer.headers.get("transfer-encoding", "") == "chunked":
            while size := int((await self.reader.readuntil(b"\r\n")).split(b";")[0], 16):
                yield (await self.reader.readexactly(size + 2))[:-2]
            await self.reader.readuntil(b"\r\n")
        elif "content-length" in answer.headers:
            left = int(answer.headers["content-length"])
            while left:
                piece = await self.reader.read(min(left, 2**16))
                if not piece:
                    raise asyncio.IncompleteReadError(b"", left)
                left -= len(piece)
                yield piece
        else:
            while piece := await self.reader.read(2**16):
                yield piece

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        """The events of the next answer; of an answer that is none, its body."""
        answer = await self.head()
        if not answer.headers.get("content-type", "").startswith("text/event-stream"):
            answer.body = b"".join([piece async for piece in self.pieces(answer)])
            self._seen.note(answer.status, answer.headers, answer.body)
            yield {"status": answer.status, **(answer.json() if answer.body else {})}
            return
        self._seen.note(answer.status, answer.headers, None)
        rest = b""
        async for piece in self.pieces(answer):
            *blocks, rest = (rest + piece).split(b"\n\n")
            for block in blocks:
                data = block.partition(b"data: ")[2].partition(b"\n")[0]
                if block.startswith(b"event: error"):
                    self._seen.note_event(data)
                if data:
                    yield json.loads(data)

    async def swallow(self) -> int:
        """Read the next answer and throw it away; returns its bytes. Only errors are looked at."""
        answer = await self.head()
        is_error = answer.status >= 300
        if not is_error:
            self._seen.note(answer.status, answer.headers, None)
        kept, num_bytes = b"", 0
        async for piece in self.pieces(answer):
            num_bytes += len(piece)
            if is_error:
                kept += piece
            elif b"event: error" in piece:
                self._seen.note_event(piece.partition(b"event: error\ndata: ")[2].strip())
        if is_error:
            self._seen.note(answer.status, answer.headers, kept)
        return num_bytes
