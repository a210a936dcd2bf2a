"""Which models are served, and from where."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from service.settings.names import ENV_PREFIX, Seconds


class StoreSettings(BaseSettings):
    """Where the models are."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, frozen=True, extra="forbid")

    model_store: Path = Field(Path("model_store"), description="Folder of the published models.")

    @field_validator("model_store", mode="before")
    @classmethod
    def _refuse_empty_path(cls, path: object) -> object:
        if isinstance(path, str) and not path.strip():
            raise ValueError("is empty; the folder where it runs is `.`")
        return path


class ModelSettings(StoreSettings):
    """Which of them are served."""

    models: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Models to serve, `name` or `name@version`, by commas; all if empty."
    )
    default_model: str | None = Field(
        None,
        description="The model for requests that name none; the first of `models` if not set, or "
        "the one that was published first.",
    )
    reload_every_s: Annotated[float, Field(ge=0, le=3600)] = Field(
        1.0,
        description="Time between two looks at the store for new versions and moved aliases, which "
        "are then served; 0: only `POST /admin/reload` looks.",
    )
    older_version_idle_s: Seconds = Field(
        60.0,
        description="A version that only sessions still go on with is unloaded when none did for "
        "this long; the next one loads it again.",
    )

    @field_validator("models", mode="before")
    @classmethod
    def _split_commas(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value
