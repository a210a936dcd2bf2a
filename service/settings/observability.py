"""What the server tells of itself beside its log."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.settings.names import ENV_PREFIX


class ObservabilitySettings(BaseSettings):
    """Metrics, traces, and which requests are slow."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, frozen=True, extra="forbid")

    metrics: bool = Field(True, description="Count for Prometheus, and answer `GET /metrics`.")
    metrics_vllm_names: bool = Field(
        False,
        description="Show some metrics under vLLM's names as well, for routers and autoscalers.",
    )
    otlp_endpoint: str = Field(
        "",
        description="Where traces are sent over OTLP/HTTP, such as "
        "`http://127.0.0.1:4318/v1/traces`; none are made if empty. Needs the extra "
        "`lstm-serve[otel]`.",
    )
    slow_request_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        0.0,
        description="A request that takes longer has a line in the log that says where its time "
        "went; 0: none has.",
    )

    @field_validator("otlp_endpoint")
    @classmethod
    def _is_http(cls, url: str) -> str:
        parts = urlsplit(url)
        if url and (parts.scheme not in ("http", "https") or not parts.hostname):
            raise ValueError("is no URL of http or https")
        return url
