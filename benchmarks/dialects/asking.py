"""One request in some dialect, by a client of some manners, compared with its reference."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping

from benchmarks.abuse.line import Answer, Line, request
from benchmarks.abuse.sightings import Sightings
from benchmarks.dialects.dialects import Asked, Dialect
from benchmarks.dialects.found import Found

BROKEN = (OSError, EOFError)
_MOST_S = 120.0


class Asker:
    """A client, at an address of its own.

    Attributes:
        source: The address.

    Args:
        address: Of the server.
        source: Its own.
        found: What it notes.
        references: The text of each (dialect, asked) alone; None while they are being made.
    """

    def __init__(
        self,
        address: tuple[str, int],
        source: str,
        found: Found,
        references: Mapping[tuple[str, Asked], str] | None,
    ) -> None:
        self.source = source
        self._address = address
        self._found, self._references = found, references

    @contextlib.asynccontextmanager
    async def line(self, receive_buffer: int | None = None) -> AsyncIterator[Line]:
        """A connection that is closed at once in the end."""
        line = await Line.to(self._address, self.source, Sightings(), receive_buffer)
        try:
            yield line
        finally:
            line.leave()

    async def ask(
        self,
        dialect: Dialect,
        asked: Asked,
        *,
        stream: bool,
        pause_s: float = 0.0,
        most_events: int | None = None,
    ) -> str | None:
        """The text; None if there is none, which is noted.

        Args:
            dialect: How to ask.
            asked: For what.
            stream: For events.
            pause_s: Between two of them.
            most_events: After so many it leaves.
        """
        pieces: list[str] = []
        outcome = "text"
        try:
            async with asyncio.timeout(_MOST_S), self.line(4096 if pause_s else None) as line:
                body = dialect.body(asked, stream)
                content = body if isinstance(body, bytes) else json.dumps(body).encode()
                path = dialect.stream_path if stream and dialect.stream_path else dialect.path
                await line.send(request("POST", path, content, dialect.headers(content)))
                answer = await line.head()
                if answer.status != 200:
                    outcome = await self._refusal(dialect, line, answer)
                elif stream:
                    outcome = await self._read(dialect, line, answer, pieces, pause_s, most_events)
                else:
                    pieces.append(dialect.whole(await _body(line, answer)))
        except BROKEN:
            outcome = "broken" if pieces else "no connection"
        except TimeoutError:
            outcome = "time-out"
        self._found.count(dialect.name, outcome)
        text = "".join(pieces)
        self._compare(dialect, asked, text, is_whole=outcome == "text")
        return text if outcome == "text" else None

    async def refused(self, dialect: Dialect, content: bytes) -> None:
        """Send what is no request, and look at the error."""
        outcome = "nonsense: "
        try:
            async with asyncio.timeout(_MOST_S), self.line() as line:
                await line.send(request("POST", dialect.path, content))
                answer = await line.head()
                if answer.status < 400:
                    self._found.note_difference(f"{dialect.name} took {content[:80]!r}")
                outcome += await self._refusal(dialect, line, answer)
        except BROKEN:
            outcome += "no connection"
        except TimeoutError:
            outcome += "time-out"
        self._found.count(dialect.name, outcome)

    async def _refusal(self, dialect: Dialect, line: Line, answer: Answer) -> str:
        body = await _body(line, answer)
        has_shape, has_id = dialect.has_shape(body), "x-request-id" in answer.headers
        self._found.note_error(dialect.name, body, has_shape=has_shape, has_id=has_id)
        return str(answer.status)

    async def _read(
        self,
        dialect: Dialect,
        line: Line,
        answer: Answer,
        pieces: list[str],
        pause_s: float,
        most_events: int | None,
    ) -> str:
        assert dialect.piece is not None
        num_events = 0
        async for data in _events(line, answer):
            event = json.loads(data)
            if "error" in event:
                has_shape = dialect.has_shape(data)
                self._found.note_error(dialect.name, data, has_shape=has_shape, has_id=True)
                return "error event"
            pieces.append(dialect.piece(event))
            num_events += 1
            if num_events == most_events:
                return "left"
            if pause_s:
                await asyncio.sleep(pause_s)
        return "text"

    def _compare(self, dialect: Dialect, asked: Asked, text: str, *, is_whole: bool) -> None:
        if self._references is None:
            return
        alone = self._references[dialect.name, asked]
        if text != alone if is_whole else not alone.startswith(text):
            self._found.note_difference(f"{dialect.name} {asked}: {text!r}, alone {alone!r}")


async def _body(line: Line, answer: Answer) -> bytes:
    return b"".join([piece async for piece in line.pieces(answer)])


async def _events(line: Line, answer: Answer) -> AsyncIterator[bytes]:
    """The data of each event that is JSON."""
    rest = b""
    async for piece in line.pieces(answer):
        *blocks, rest = (rest + piece).split(b"\n\n")
        for block in blocks:
            data = block.partition(b"data: ")[2].partition(b"\n")[0]
            if data.startswith(b"{"):
                yield data
