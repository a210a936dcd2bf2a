"""Connections, and the proxies that are believed."""

from __future__ import annotations

from ipaddress import ip_network

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.settings.names import ENV_PREFIX, Positive, Seconds


class ConnectionSettings(BaseSettings):
    """How many connections there are, and for how long."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, frozen=True, extra="forbid")

    max_connections: Positive = Field(
        4096,
        description="Most connections; the longest idle one is closed for a new one. Fewer if the "
        "limit of open files is lower.",
    )
    keep_alive_s: Seconds = Field(
        620.0,
        description="An idle connection is closed after this long; longer than what proxies keep.",
    )
    trusted_proxies: str = Field(
        "",
        description="Addresses or networks of proxies, by commas, whose `X-Forwarded-For` and "
        "`X-Forwarded-Proto` are believed; none if empty.",
    )

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, proxies: str) -> str:
        for part in filter(None, (part.strip() for part in proxies.split(","))):
            ip_network(part, strict=False)
        return proxies
