"""Where the server is."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.settings.names import ENV_PREFIX


class AddressSettings(BaseSettings):
    """Where the server is."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, frozen=True, extra="forbid")

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: Annotated[int, Field(ge=0, le=65535)] = Field(8000, description="Port to listen on.")

    @field_validator("host")
    @classmethod
    def _refuse_empty(cls, host: str) -> str:
        # The system would take it for all interfaces; a variable is empty by mistake.
        if not host.strip():
            raise ValueError("is empty; to listen on all interfaces, say 0.0.0.0 or ::")
        return host
