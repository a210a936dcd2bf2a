"""How much may be told of a model's inside, and be done to it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.settings.names import ENV_PREFIX, Positive


class InspectSettings(BaseSettings):
    """Bounds of `/inspect` and `/inspect/units`, and of `clamp`."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, frozen=True, extra="forbid")

    max_inspect_tokens: Positive = Field(
        8192, description="Longest text whose reading can be looked into, in tokens."
    )
    max_inspect_values: Positive = Field(
        1 << 20, description="Most values of units that one request is told: tokens times units."
    )
    max_waiting_inspect_characters: Positive = Field(
        65_536,
        description="Most characters of texts that wait to be looked into; more get 429.",
    )
    max_clamps: Annotated[int, Field(ge=0, le=1024)] = Field(
        0, description="Most units that a request may hold by `clamp`; 0: none."
    )
