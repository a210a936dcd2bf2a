"""What the routes need, put together by `app`, typed, and handed to them by FastAPI."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from service.access.ring import KeyRing
from service.api.bodies import Bodies
from service.engine.errors import Draining
from service.inference.inspecting import Inspecting
from service.inference.sequences import Sequences
from service.inference.start import Inference
from service.observability.metrics import Metrics
from service.sessions.policy import SessionLimits


@dataclass(slots=True)
class ServiceState:
    """The running service.

    Attributes:
        inference: The use cases.
        inspecting: A look inside of a model.
        heartbeat_timeout_s: An engine silent for longer is not ready.
        hang_timeout_s: An engine silent for longer hangs.
        stream_keep_alive_s: A stream in which nothing was sent for this long gets a comment.
        bodies: Of the requests that are here.
        keys: API keys that are let in; None: they are not checked.
        metrics: What `GET /metrics` answers with; None: nothing is counted.
        sequences: Sessions under clients' names.
        session_limits: What bounds the sessions.
        draining: The server is going down; no new work.
        failure: What was found wrong with an engine, and ends the server.
    """

    inference: Inference
    inspecting: Inspecting
    heartbeat_timeout_s: float
    hang_timeout_s: float
    stream_keep_alive_s: float
    bodies: Bodies
    sequences: Sequences
    session_limits: SessionLimits
    keys: KeyRing | None = None
    metrics: Metrics | None = None
    draining: bool = False
    failure: str | None = None

    def engine_failure(self) -> str | None:
        """What is wrong with an engine that only a restart can mend; None if all is well."""
        if self.draining:  # then they end
            return self.failure
        for name, engine in self.inference.live.engines:
            status = engine.status
            if not status.alive:
                return f"the engine of {name} is dead"
            if status.heartbeat_age_s > self.hang_timeout_s:
                return f"the engine of {name} hangs"
        return None


def state_of(request: Request) -> ServiceState:
    """The service that answers a request."""
    state = request.app.state.service
    if not isinstance(state, ServiceState):
        raise TypeError("app.state.service is not set: use create_app")
    return state


def require_work_is_taken(state: ServiceState) -> None:
    """Raise Draining if the server is going down."""
    if state.draining:
        raise Draining("the server is shutting down")


# Coroutines that wait for nothing: FastAPI would run plain functions in a thread, for each request.


async def _state(request: Request) -> ServiceState:
    return state_of(request)


State = Annotated[ServiceState, Depends(_state)]


async def accepts_work(request: Request) -> None:
    """A dependency of every route that makes work; it has none of its own, which would take time.

    Raises:
        Draining: The server is going down.
    """
    require_work_is_taken(state_of(request))
