"""An open loop: requests come when they come, whether or not others have their answers.

Each is timed from the moment at which it was due: a server that stalls is charged for all who
would have come meanwhile. A closed loop asks them later and leaves the wait out: "coordinated
omission" (Gil Tene, "How NOT to Measure Latency").
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator

from service.load.connection import NO_CONNECTION, Connection
from service.load.recorder import Exchange, Recorder
from service.load.target import Target

NO_ANSWER = "no answer in time"


def arrivals(rate: float, draw: random.Random) -> Iterator[float]:
    """Moments of a Poisson process without end, in seconds from its beginning.

    Args:
        rate: Requests a second, on average.
        draw: The gaps are exponential, from here.
    """
    moment_s = 0.0
    while True:
        moment_s += draw.expovariate(rate)
        yield moment_s


async def open_loop(
    target: Target,
    requests: Iterator[bytes],
    moments_s: Iterator[float],
    recorder: Recorder,
    *,
    patience_s: float,
) -> None:
    """Ask at those moments until the recorder's window is over, then wait for what is due.

    Args:
        target: The server.
        requests: Whole requests without end.
        moments_s: When each is due, in seconds from now.
        recorder: Is told what comes of them; it counts by arrival.
        patience_s: An answer that is not there so long after the window is an error.
    """
    clients = _Clients(target, recorder)
    begun_s = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        window = group.create_task(recorder.run())
        asked: set[asyncio.Task[None]] = set()
        for moment_s in moments_s:
            due_s = begun_s + moment_s
            if due_s >= recorder.ends_s:
                break
            await asyncio.sleep(max(0.0, due_s - time.perf_counter()))
            task = group.create_task(clients.ask(next(requests), due_s))
            asked.add(task)
            task.add_done_callback(asked.discard)
        await window
        if asked:
            await asyncio.wait(asked, timeout=patience_s)
        for task in asked:
            task.cancel()
    clients.close()


class _Clients:
    """As many connections as there are requests at the same time; idle ones are used again."""

    def __init__(self, target: Target, recorder: Recorder) -> None:
        self._target = target
        self._recorder = recorder
        self._idle: list[Connection] = []

    async def ask(self, request: bytes, due_s: float) -> None:
        """Send a request that was due then, and read its answer."""
        connection = None
        try:
            connection = self._free() or await Connection.to(self._target, self._recorder)
            if self._recorder.begins_s <= due_s < self._recorder.ends_s:
                self._recorder.found.send_delay_s.append(time.perf_counter() - due_s)
            await connection.exchange(request, due_s)
        except OSError:
            self._recorder.ended(Exchange(due_s, error=NO_CONNECTION), time.perf_counter())
        except asyncio.CancelledError:
            if connection is not None:
                connection.close()
            self._recorder.ended(Exchange(due_s, error=NO_ANSWER), time.perf_counter())
            raise
        else:
            self._idle.append(connection)

    def close(self) -> None:
        """Leave."""
        for connection in self._idle:
            connection.close()

    def _free(self) -> Connection | None:
        while self._idle:
            if (connection := self._idle.pop()).is_open:
                return connection
        return None
