"""The page for people."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.settings.names import ENV_PREFIX


class WebSettings(BaseSettings):
    """The page for people."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, frozen=True, extra="forbid")

    web: bool = Field(True, description="Show the page for people at `GET /`.")
