"""A closed loop of N clients, each of which sends its next request when the last one has ended.

It shares the machine with what it measures, so it is one thread of bare sockets: no HTTP library,
no JSON, one look at the bytes of each event.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

_NUM_TOKENS = re.compile(rb'"(?:num|completion)_tokens":(\d+)')
_LENGTH = re.compile(rb"content-length: *(\d+)\r\n", re.IGNORECASE)
_LAST_CHUNK = b"0\r\n\r\n"


@dataclass(frozen=True)
class Ask:
    """What each request asks for.

    Attributes:
        max_tokens: How much text.
        stream: As events, or at once.
        prompt_size: Characters of the prompt; None is `ROMEO:`.
        fresh: No prompt is sent twice.
    """

    max_tokens: int = 256
    stream: bool = True
    prompt_size: int | None = None
    fresh: bool = False


@dataclass(slots=True)
class Measurements:
    """What N clients saw between two moments; times in seconds."""

    num_streams: int
    duration_s: float = 0.0
    num_tokens: int = 0
    num_completed: int = 0
    client_cpu_s: float = 0.0
    first_event_s: list[float] = field(default_factory=list)
    gap_s: list[float] = field(default_factory=list)

    @property
    def tokens_per_s(self) -> float:
        """All clients together."""
        return self.num_tokens / self.duration_s

    def merge(self, other: Measurements) -> None:
        """Add another round of the same measurement."""
        self.duration_s += other.duration_s
        self.num_tokens += other.num_tokens
        self.num_completed += other.num_completed
        self.client_cpu_s += other.client_cpu_s
        self.first_event_s += other.first_event_s
        self.gap_s += other.gap_s


class _Client(asyncio.Protocol):
    """One client on one kept-alive connection."""

    def __init__(
        self, requests: Iterator[bytes], measurements: Measurements, *, stream: bool
    ) -> None:
        self._requests = requests
        self._stream = stream
        self._measurements = measurements
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._sent_s = 0.0
        self._event_s: float | None = None
        self._left = False
        self.counting = False
        self.failure: str | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.Transport):
            raise TypeError(f"not a stream: {transport!r}")
        self._transport = transport
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._left:
            self.failure = f"the server closed the connection: {exc}"

    def data_received(self, data: bytes) -> None:
        now_s = time.perf_counter()
        self._buffer += data
        if self._stream:
            *events, self._buffer = self._buffer.split(b"\n\n")
            for event in events:
                self._see(event, now_s)
            complete = self._buffer.endswith(_LAST_CHUNK)
        else:
            complete = self._is_whole()
            if complete:
                self._see(self._buffer, now_s)
        if complete:
            if self.counting:
                self._measurements.num_completed += 1
            self._buffer = b""
            self._send()

    def _is_whole(self) -> bool:
        head, _, body = self._buffer.partition(b"\r\n\r\n")
        length = _LENGTH.search(head + b"\r\n")
        return length is not None and len(body) >= int(length[1])

    def close(self) -> None:
        """Leave."""
        self._left = True
        if self._transport is not None:
            self._transport.close()

    def _send(self) -> None:
        if self._transport is None:
            return
        self._event_s = None
        self._sent_s = time.perf_counter()
        self._transport.write(next(self._requests))

    def _see(self, event: bytes, now_s: float) -> None:
        found = _NUM_TOKENS.search(event)
        if found is None:
            self.failure = event.decode(errors="replace")[-300:]
            return
        if self.counting:
            self._measurements.num_tokens += int(found[1])
            if self._event_s is None:
                self._measurements.first_event_s.append(now_s - self._sent_s)
            else:
                self._measurements.gap_s.append(now_s - self._event_s)
        self._event_s = now_s


async def measure(
    port: int, num_streams: int, ask: Ask, *, warmup_s: float, duration_s: float
) -> Measurements:
    """Run `num_streams` clients against POST /generate on this machine.

    Raises:
        RuntimeError: The server refused or broke a request.
    """
    loop = asyncio.get_running_loop()
    measurements = Measurements(num_streams)
    clients = []
    for n in range(num_streams):
        requests = _requests(ask, seed=n * 10**6)
        _, client = await loop.create_connection(
            lambda requests=requests: _Client(  # type: ignore[misc]
                requests, measurements, stream=ask.stream
            ),
            "127.0.0.1",
            port,
        )
        clients.append(client)
    await asyncio.sleep(warmup_s)
    started_s, cpu_before_s = time.perf_counter(), time.process_time()
    for client in clients:
        client.counting = True
    await asyncio.sleep(duration_s)
    measurements.duration_s = time.perf_counter() - started_s
    measurements.client_cpu_s = time.process_time() - cpu_before_s
    for client in clients:
        client.counting = False
        client.close()
    await asyncio.sleep(0.2)
    failures = [client.failure for client in clients if client.failure]
    if failures:
        raise RuntimeError(f"{len(failures)} of {num_streams} streams failed: {failures[0]}")
    return measurements


def _requests(ask: Ask, seed: int) -> Iterator[bytes]:
    """Whole HTTP requests without end; few different ones if they may repeat, made beforehand."""
    if ask.fresh:
        return (_request(ask, seed + n, seed + n) for n in itertools.count(time.time_ns()))
    return itertools.cycle([_request(ask, 0, seed + n) for n in range(8)])


def _request(ask: Ask, prompt_seed: int, seed: int) -> bytes:
    prompt = "ROMEO:\n"
    if ask.prompt_size is not None:
        letters = random.Random(prompt_seed).choices("abcdefgh \n", k=ask.prompt_size)
        prompt = "".join(letters)
    body = json.dumps(
        {
            "prompt": prompt,
            "max_tokens": ask.max_tokens,
            "temperature": 0.8,
            "seed": seed % 2**63,
            "stream": ask.stream,
        }
    ).encode()
    head = (
        "POST /generate HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
