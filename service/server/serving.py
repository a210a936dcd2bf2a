"""A server that drains: new work gets 503, running texts finish, then it ends.

It does so on SIGTERM (exit status 0), and when an engine is dead or hangs (exit status 1: whoever
watches the process starts it again). uvicorn by itself closes the listening socket at once, so that
a probe could not even be told why.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from types import FrameType

import uvicorn

from service.api.state import ServiceState
from service.server.connections import Connections

_log = logging.getLogger(__name__)
_POLL_S = 0.05
_WATCH_S = 1.0
_FLUSH_S = 5
_PARK_S = 5.0


class Server(uvicorn.Server):
    """Serves an application until it is told to stop.

    The first SIGTERM or SIGINT drains, the second one does not wait.

    Args:
        config: uvicorn's; its application must have been made by `create_app`.
        state: The application's state.
        connections: Those that `config` makes.
        grace_period_s: Time for running texts to finish.
        on_started: Called when it listens.

    Attributes:
        has_failed: It ended because of an engine.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        state: ServiceState,
        connections: Connections,
        *,
        grace_period_s: float,
        on_started: Callable[[], None],
    ) -> None:
        # Also the time that the last events of ended streams have to reach their readers.
        config.timeout_graceful_shutdown = _FLUSH_S
        self._ending = asyncio.Event()
        self._event_loop: asyncio.AbstractEventLoop | None = None
        super().__init__(config)
        self.has_failed = False
        self._is_told = False
        self._state = state
        self._connections = connections
        self._grace_period_s = grace_period_s
        self._on_started = on_started
        self._draining: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        """Start, and remember the loop for the signal handler."""
        self._event_loop = asyncio.get_running_loop()
        await super().startup(sockets)  # type: ignore[arg-type]
        if self.started:
            await self.on_tick(0)
            self._watching = asyncio.ensure_future(self._watch())
            self._on_started()

    @property
    def should_exit(self) -> bool:
        """Whether it is to end now; set by any thread, and by a signal."""
        return self._should_exit

    @should_exit.setter
    def should_exit(self, told: bool) -> None:
        self._should_exit = told
        if told and self._event_loop is not None:
            self._event_loop.call_soon_threadsafe(self._ending.set)

    async def main_loop(self) -> None:
        """Serve until it is to end. uvicorn's looks ten times a second whether it is."""
        await self._ending.wait()

    def handle_exit(self, _sig: int, _frame: FrameType | None) -> None:
        """Begin to drain; at the second signal, stop."""
        if self._is_told or self._event_loop is None:
            self.should_exit = True
            self._grace_period_s = 0
            return
        self._is_told = True
        self._event_loop.call_soon_threadsafe(self._begin_draining)

    async def _watch(self) -> None:
        """Look after connections and engines, and set the clock of the answers' dates."""
        while True:
            await asyncio.sleep(_WATCH_S)
            await self.on_tick(0)
            try:
                self._connections.sweep(asyncio.get_running_loop().time())
            except Exception:  # noqa: BLE001 - one connection must not end the watch over the others
                _log.exception("looking after the connections failed")
            if not self.has_failed and (failure := self._state.engine_failure()):
                _log.critical("%s: the server ends, to be started again", failure)
                self.has_failed = True
                self._state.failure = failure
                self._begin_draining()

    def _begin_draining(self) -> None:
        if not self._state.draining:
            self._state.draining = True
            self._draining = asyncio.ensure_future(self._drain())
            self._state.bodies.end()

    async def _drain(self) -> None:
        _log.info("shutting down: running texts have %g s to finish", self._grace_period_s)
        accounts = self._state.inference.accounts
        started_s = time.monotonic()
        while accounts.num_unfinished:
            if time.monotonic() - started_s >= self._grace_period_s:
                break
            await asyncio.sleep(_POLL_S)
        if accounts.num_unfinished:
            running = list(self._state.inference.running)
            _log.warning("the grace period is over: sessions are parked, other texts are ended")
            parking = [ending for text in running if (ending := text.park())]
            if parking:
                await asyncio.wait(parking, timeout=_PARK_S)
        await self._state.inference.live.stop()
        self.should_exit = True
