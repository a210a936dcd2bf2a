"""How the engine of a model runs."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.settings.names import ENV_PREFIX, Positive


class EngineSettings(BaseSettings):
    """How much a model runs at once, and what waits for it."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, frozen=True, extra="forbid")

    max_rows: Positive = Field(
        256, description="Most texts of one model that run at the same time."
    )
    num_lanes: Positive | None = Field(
        None,
        description="Lanes of a model's engine: bursts that run at the same time; one for each "
        "core, at most 4, if not set.",
    )
    num_threads: Positive | None = Field(
        None, description="Threads of one lane; its share of the cores if not set."
    )
    target_burst_ms: Annotated[float, Field(ge=0, le=1000)] = Field(
        15.0,
        description="Processor time that one burst of steps should take, in ms; "
        "0 makes each burst one step.",
    )
    max_burst_steps: Annotated[int, Field(ge=1, le=256)] = Field(
        128, description="Most steps of one burst."
    )
    prefix_cache_bytes: Annotated[int, Field(ge=0)] = Field(
        64 << 20,
        description="Memory of one model for prompts that it has read; 0 reads each prompt anew.",
    )
    max_unread_tokens: Positive = Field(
        1024,
        description="Unread tokens of a stream; a text whose reader is further behind is paused.",
    )
    max_waiting_requests: Positive = Field(
        1024, description="Most requests that wait for a row; more get 429."
    )
    max_waiting_tokens: Positive = Field(
        4_000_000, description="Most tokens that the waiting requests add up to; more get 429."
    )
