"""That this process runs, told to Redis again and again; and leases that have to be given back."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress

from service.sessions.errors import StoreUnavailable
from service.sessions.redis.scripts import Scripts
from service.sessions.session import Lease

_BEATS = 4


class Leases:
    """Keeps this process's leases alive.

    A lease is void when its process has not been heard of for `alive_s`: a server that was killed
    does not make its sessions wait. If it comes to itself later, its fence refuses its commit.

    Args:
        scripts: Where leases are.
        alive_s: For how long a process is believed to run.
    """

    def __init__(self, scripts: Scripts, alive_s: float) -> None:
        self.holder = secrets.token_hex(16)
        self.alive_ms = int(alive_s * 1000)
        self._scripts = scripts
        self._pause_s = alive_s / _BEATS
        self._owed: list[dict[str, str]] = []
        self._beating: asyncio.Task[None] | None = None
        self._over = asyncio.Event()
        self._paying: set[asyncio.Task[None]] = set()

    def begin(self) -> None:
        """Tell Redis from now on; to be called before each lease."""
        if self._beating is None:
            self._beating = asyncio.create_task(self._beat())

    def give_back(self, lease: Lease) -> None:
        """Do it soon, or as soon as that can be; nobody waits."""
        self._owe({"id": lease.session.id, "fence": str(lease.fence)})

    def give_up(self, session: str, reservation: str) -> None:
        """The same of a lease that may have been made: whoever asked for it has had no answer."""
        self._owe({"id": session, "reservation": reservation})

    def _owe(self, asked: dict[str, str]) -> None:
        self._owed.append(asked)
        paying = asyncio.create_task(self._pay())
        self._paying.add(paying)
        paying.add_done_callback(self._paying.discard)

    async def close(self) -> None:
        """Give back what is left, if that can be done now."""
        if self._beating is not None:
            self._over.set()
            await asyncio.wait([self._beating, *self._paying])
            await self._pay()
            await self._tell(alive_ms=0)

    async def _beat(self) -> None:
        # Not cancelled at the end: a client in the middle of a command might take that for its own.
        while not self._over.is_set():
            await self._tell(alive_ms=self.alive_ms)
            await self._pay()
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._over.wait(), self._pause_s)

    async def _tell(self, alive_ms: int) -> None:
        with suppress(StoreUnavailable):
            await self._scripts.run("alive", {"holder": self.holder, "alive_ms": alive_ms})

    async def _pay(self) -> None:
        with suppress(StoreUnavailable):
            while self._owed:
                asked = self._owed[0]
                await self._scripts.run("release", asked)
                if asked in self._owed:  # not paid by another one meanwhile
                    self._owed.remove(asked)
