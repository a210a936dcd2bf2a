"""Probes. They look and never generate, so that they answer at once whatever the load is."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from service.api.json_bytes import Json
from service.api.rendering import ErrorBody
from service.api.state import ServiceState, State
from service.engine.limits import EngineStatus

# Anybody may read it, so it does not say what is in the file.
_BAD_KEYS = "the newest file of API keys is not taken, those from before are let in; see the log"

router = APIRouter(prefix="/health", tags=["health"])


class EngineReport(BaseModel):
    """The engines of a model; `tokens_saved` counts the prompt tokens that the cache has saved."""

    alive: bool
    heartbeat_age_s: float
    running: int
    waiting: int
    parked: int
    cached_prompts: int
    cache_bytes: int
    tokens_saved: int


class HealthReport(BaseModel):
    """The state of the service; `error` says why it is not well."""

    status: str
    models: dict[str, EngineReport]
    broken: dict[str, str]
    sessions: str | None = Field(
        None, description="Why sessions cannot be read or written; other texts do not need them."
    )
    keys: str | None = Field(
        None, description="That the file of API keys is not taken; those from before are let in."
    )
    error: ErrorBody | None = None


@router.get("/live", summary="Is the process alive?", responses={503: {"model": HealthReport}})
async def live(state: State) -> Json:
    """503 when an engine is dead or hangs: only a restart helps. Overload is not unhealthy."""
    failure = state.engine_failure()
    return _report(state, "engine_dead", failure) if failure else _report(state)


@router.get("/ready", summary="Can it take requests?", responses={503: {"model": HealthReport}})
async def ready(state: State) -> Json:
    """503 with the reason.

    It is draining, an engine is dead or has no heartbeat, or requests that name no model cannot be
    answered. Other models that are damaged are named in `broken` and are no reason.
    """
    if state.draining:
        return _report(state, "shutting_down", "the server is shutting down")
    for name, engine in _engines(state).items():
        if not engine.alive:
            return _report(state, "engine_dead", f"the engine of {name} is dead")
        if engine.heartbeat_age_s > state.heartbeat_timeout_s:
            age = f"{engine.heartbeat_age_s:.1f} s"
            return _report(state, "engine_stuck", f"the engine of {name} is silent for {age}")
    if fault := state.inference.models.default_fault:
        return _report(state, "default_model_broken", fault)
    return _report(state)


def _engines(state: ServiceState) -> dict[str, EngineStatus]:
    return {model.ref: model.engine.status for model in state.inference.models}


def _report(state: ServiceState, code: str | None = None, reason: str = "") -> Json:
    report = HealthReport(
        status="ok" if code is None else code,
        models={
            name: EngineReport(
                alive=engine.alive,
                heartbeat_age_s=round(engine.heartbeat_age_s, 3),
                running=engine.num_running,
                waiting=engine.num_waiting,
                parked=engine.num_parked,
                cached_prompts=engine.num_cached_prompts,
                cache_bytes=engine.num_cache_bytes,
                tokens_saved=engine.num_tokens_saved,
            )
            for name, engine in _engines(state).items()
        },
        broken=state.inference.models.broken,
        sessions=state.inference.sessions.fault,
        keys=_BAD_KEYS if state.keys and state.keys.fault else None,
        error=ErrorBody(code=code, message=reason) if code else None,
    )
    return Json(report.model_dump(exclude_none=code is None), 503 if code else 200)
