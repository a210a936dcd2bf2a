"""Texts that have to match something."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.settings.names import ENV_PREFIX, Positive, Seconds


class ConstraintSettings(BaseSettings):
    """Whether clients may say what a text has to match, and what that may cost."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, frozen=True, extra="forbid")

    constrained_output: bool = Field(
        False,
        description="Let requests say what a text has to match: `regex`, `json_schema`. Compiling "
        "that takes up to a core and 1 GB for a moment, and each model that is "
        "asked so a third of its memory again.",
    )
    pattern_timeout_s: Seconds = Field(
        5.0, description="Time to compile one pattern; more gets 422."
    )
    pattern_cache_entries: Positive = Field(
        64, description="Compiled patterns that are kept, of 1 MB at most each."
    )
