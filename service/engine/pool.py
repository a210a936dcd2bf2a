"""Several engines of one model as one: on machines with more cores than one engine can use.

A row is a value, so a session's turns may run on any of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from service.engine.limits import EngineStatus
from service.engine.request import Request
from service.engine.stream import TokenStream
from service.engine.worker import Engine


class EnginePool:
    """Hands each request to the engine that has the least to do.

    Args:
        engines: At least one; they share a prefix cache.
    """

    def __init__(self, engines: Sequence[Engine]) -> None:
        self.engines = tuple(engines)

    def start(self) -> None:
        """Start the threads; events go to the running event loop."""
        for engine in self.engines:
            engine.start()

    def submit(self, request: Request) -> TokenStream:
        """Hand in a request; see `Engine.submit`."""
        by_load = min(self.engines, key=lambda e: (not e.alive, e.num_requests))
        return by_load.submit(request)

    async def stop(self) -> None:
        """End the threads; requests that still run fail."""
        await asyncio.gather(*(engine.stop() for engine in self.engines))

    @property
    def status(self) -> EngineStatus:
        """All of them together: alive if all are, silent if one is."""
        return EngineStatus.of([engine.status for engine in self.engines])
