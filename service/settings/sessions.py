"""Where sessions are kept, how many, and for how long."""

from __future__ import annotations

import re

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.settings.names import ENV_PREFIX, Positive, Seconds

_STORE = re.compile(r"memory://|sqlite://(?:/.+)?|rediss?://[^/]+(?:/\d*)?(?:\?.*)?|unix://.+")


class SessionSettings(BaseSettings):
    """The store of sessions and its bounds."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, frozen=True, extra="forbid")

    session_store: str = Field(
        "sqlite://",
        description="Where sessions are kept: `sqlite:///PATH`, a file; `sqlite://`, one in the "
        "platform's data folder; `memory://`, gone with the server; `redis://HOST:PORT/0` (or "
        "`rediss://`), shared by any number of servers.",
    )
    keep_session_texts: bool = Field(
        True, description="Keep what sessions read and write, for their log."
    )
    checkpoint_every: Positive = Field(
        256,
        description="Tokens between the rows of a session that are kept to go back to, near its "
        "end; farther back they are farther apart.",
    )
    session_idle_ttl_s: Seconds = Field(
        3600.0, description="A session ends when nobody uses it for this long."
    )
    session_max_age_s: Seconds = Field(7 * 24 * 3600.0, description="A session ends at this age.")
    capsule_ttl_s: Seconds = Field(
        7 * 24 * 3600.0, description="A capsule can be opened for this long."
    )
    max_sessions: Positive = Field(
        10_000,
        description="Most sessions; for a new one the longest unused one is evicted of whoever has "
        "the most.",
    )
    max_owner_sessions: Positive = Field(
        10_000,
        description="Most sessions that one client has made; its longest unused one is evicted for "
        "a new one.",
    )
    max_session_bytes: Positive = Field(
        256 << 20,
        description="Most bytes of sessions; the longest unused ones are evicted of whoever has "
        "the most.",
    )

    @field_validator("session_store")
    @classmethod
    def _is_a_place(cls, url: str) -> str:
        if not _STORE.fullmatch(url):
            raise ValueError(
                "is none of sqlite:///PATH, sqlite://, memory:// and redis://HOST:PORT/0"
            )
        return url
