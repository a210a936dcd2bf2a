"""GET /capacity: what there is room for, as the server counts it when it takes or refuses work."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from service.api.errors import responses
from service.api.state import ServiceState, State
from service.models.registry import ServedModel
from service.sessions.policy import Holding

router = APIRouter(tags=["health"])


class Room(BaseModel):
    """A bound, what of it is in use, and the rest."""

    most: int
    used: int
    free: int

    @classmethod
    def of(cls, most: int, used: int) -> Room:
        """With the rest; a bound that was lowered may be exceeded for a while."""
        return cls(most=most, used=used, free=max(0, most - used))


class ModelCapacity(BaseModel):
    """Room of one model."""

    row_bytes: int = Field(description="Of one text's row, as caches and paused texts keep it.")
    session_bytes: int = Field(
        description="Of a session's row, once all of the vocabulary was in it; kept turns and "
        "places come on top of it."
    )
    rows: Room = Field(description="Texts that run at the same time.")
    waiting: Room = Field(description="Requests that wait for a row.")
    cache_bytes: Room = Field(description="Of prompts that were read.")
    cached_rows: int
    free_sessions: int = Field(description="So many more of these sessions fit: by both bounds.")


class Capacity(BaseModel):
    """Room of the server: models by `name@version`, and what they share."""

    models: dict[str, ModelCapacity]
    sessions: Room
    session_bytes: Room
    account_sessions: int = Field(description="Most sessions of one account.")
    result_bytes: Room = Field(description="Of answers that are not streamed.")


@router.get("/capacity", summary="How much more fits?", responses=responses(503))
async def capacity(state: State) -> Capacity:
    """Rows, sessions and memory: bounds, use and the rest."""
    holding = await state.inference.sessions.holding()
    limits, accounts = state.session_limits, state.inference.accounts
    return Capacity(
        models={model.ref: _of(model, state, holding) for model in state.inference.models},
        sessions=Room.of(limits.max_sessions, holding.num_sessions),
        session_bytes=Room.of(limits.max_bytes, holding.num_bytes),
        account_sessions=limits.max_owner_sessions,
        result_bytes=Room.of(state.inference.limits.max_result_bytes, accounts.num_result_bytes),
    )


def _of(model: ServedModel, state: ServiceState, holding: Holding) -> ModelCapacity:
    status, sizes, limits = model.engine.status, state.inference.live.sizes, state.session_limits
    sessions = Room.of(limits.max_sessions, holding.num_sessions)
    session_bytes = Room.of(limits.max_bytes, holding.num_bytes)
    return ModelCapacity(
        row_bytes=model.row_bytes,
        session_bytes=model.session_bytes,
        rows=Room.of(status.num_rows, status.num_running),
        waiting=Room.of(sizes.limits.max_waiting_requests, status.num_waiting),
        cache_bytes=Room.of(sizes.prefix_cache_bytes, status.num_cache_bytes),
        cached_rows=status.num_cached_prompts,
        free_sessions=min(sessions.free, session_bytes.free // model.session_bytes),
    )
