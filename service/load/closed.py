"""A closed loop: N clients, each of which sends its next request when the last one has ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator

from service.load.connection import NO_CONNECTION, Connection
from service.load.recorder import Exchange, Recorder
from service.load.target import Target

_PAUSE_S = 1.0


async def closed_loop(
    target: Target, requests: Callable[[int], Iterator[bytes]], num_streams: int, recorder: Recorder
) -> None:
    """Let so many clients ask until the recorder's window is over.

    Whoever is refused asks again after the time that the server says (`Retry-After`), and after a
    second where it says none.

    Args:
        target: The server.
        requests: Whole requests without end, for client number n.
        num_streams: Clients.
        recorder: Is told what they see.
    """
    async with asyncio.TaskGroup() as group:
        clients = [
            group.create_task(_client(target, requests(n), recorder)) for n in range(num_streams)
        ]
        await recorder.run()
        for client in clients:
            client.cancel()


async def _client(target: Target, requests: Iterator[bytes], recorder: Recorder) -> None:
    while True:
        try:
            connection = await Connection.to(target, recorder)
        except OSError:
            now_s = time.perf_counter()
            recorder.ended(Exchange(now_s, error=NO_CONNECTION), now_s)
            await asyncio.sleep(_PAUSE_S)
            continue
        try:
            while connection.is_open:
                exchange = await connection.exchange(next(requests))
                if exchange.error is not None:
                    await asyncio.sleep(exchange.retry_after_s or _PAUSE_S)
        finally:
            connection.close()
