"""How the server ends, and what it says meanwhile."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.settings.names import ENV_PREFIX, Seconds


class LifetimeSettings(BaseSettings):
    """Health, the end, and the log."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, frozen=True, extra="forbid")

    grace_period_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        20.0, description="Time for running texts to finish after SIGTERM."
    )
    heartbeat_timeout_s: Seconds = Field(
        10.0, description="The server is not ready when an engine had no heartbeat for longer."
    )
    hang_timeout_s: Seconds = Field(
        60.0, description="The server exits when an engine had no heartbeat for this long."
    )
    log_format: Literal["text", "json"] = Field("text", description="Form of the log lines.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least important log lines that are written."
    )
