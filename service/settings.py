"""Settings, from the environment (`LSTM_SERVE_*`) or the command line; loud when wrong."""

from __future__ import annotations

import os
import re
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

ENV_PREFIX = "LSTM_SERVE_"
_LINK = re.compile(r"(?:tcp|udp|sctp)://\S+:\d+")
_LINK_NAME = re.compile(
    ENV_PREFIX + r"(\w+_)??(?:PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_(?:ADDR|PORT|PROTO))?)?"
    r"|SERVICE_HOST|SERVICE_PORT(?:_\w+)?)"
)

_STORE = re.compile(r"memory://|sqlite://(?:/.+)?")

_Positive = Annotated[int, Field(ge=1)]
_Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class UnknownSetting(ValueError):
    """The environment names a setting that does not exist."""


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


class CapsuleSettings(BaseSettings):
    """The keys of capsules."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, frozen=True, extra="forbid", hide_input_in_errors=True
    )

    capsule_keys: SecretStr | None = Field(
        None,
        description="Keys of capsules, `ID:KEY` by commas, KEY being 32 bytes in base64; the first "
        "one seals, all open. Without one there are no capsules.",
    )
    capsule_keys_file: Path | None = Field(
        None, description="A file of such keys; they come after those of `capsule_keys`."
    )

    def capsule_key_text(self) -> str:
        """All of them, one after the other.

        Raises:
            OSError, UnicodeDecodeError: The file cannot be read.
        """
        text = self.capsule_keys.get_secret_value() if self.capsule_keys else ""
        if self.capsule_keys_file is not None:
            text += "\n" + self.capsule_keys_file.read_text(encoding="utf-8")
        return text


class Settings(CapsuleSettings, StoreSettings, AddressSettings):
    """Everything that can be set, with its default.

    Raises:
        pydantic.ValidationError: A value is not what the setting takes.
        UnknownSetting: An environment variable with our prefix is none of these.
    """

    models: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Models to serve, `name` or `name@version`, by commas; all if empty."
    )
    default_model: str | None = Field(
        None,
        description="The model for requests that name none; the first of `models` if not set, or "
        "the one that was published first.",
    )

    max_rows: _Positive = Field(
        256, description="Most texts of one model that run at the same time."
    )
    num_lanes: _Positive | None = Field(
        None,
        description="Lanes of a model's engine: bursts that run at the same time; one for each "
        "core, at most 4, if not set.",
    )
    num_threads: _Positive | None = Field(
        None, description="Threads of one lane; its share of the cores if not set."
    )
    target_burst_ms: Annotated[float, Field(ge=0, le=1000)] = Field(
        15.0,
        description="Time that one burst of steps should take, in ms; 0 makes each burst one step.",
    )
    max_burst_steps: Annotated[int, Field(ge=1, le=256)] = Field(
        128, description="Most steps of one burst."
    )
    prefix_cache_bytes: Annotated[int, Field(ge=0)] = Field(
        64 << 20,
        description="Memory of one model for prompts that it has read; 0 reads each prompt anew.",
    )
    max_unread_tokens: _Positive = Field(
        1024,
        description="Unread tokens of a stream; a text whose reader is further behind is paused.",
    )
    max_waiting_requests: _Positive = Field(
        1024, description="Most requests that wait for a row; more get 429."
    )
    max_waiting_tokens: _Positive = Field(
        4_000_000, description="Most tokens that the waiting requests add up to; more get 429."
    )

    default_max_tokens: _Positive = Field(256, description="`max_tokens` where none is given.")
    max_tokens: _Positive = Field(16_384, description="Largest `max_tokens` of a request.")
    max_prompt_tokens: _Positive = Field(65_536, description="Longest prompt of a request.")
    max_waiting_characters: _Positive = Field(
        4_000_000,
        description="Most characters of long prompts that wait to be tokenised; more get 429.",
    )
    max_result_bytes: _Positive = Field(
        256 << 20,
        description="Most memory of answers that are not streamed, log-probabilities above all; "
        "more get 429.",
    )
    max_body_bytes: _Positive = Field(1 << 20, description="Largest request body; more gets 413.")
    max_bodies_bytes: _Positive = Field(
        64 << 20, description="Most memory of all request bodies; more get 429."
    )
    body_timeout_s: _Seconds = Field(30.0, description="Time for a client to send its request.")
    max_timeout_s: _Seconds = Field(
        300.0, description="Time for one request, and the largest `timeout_s` that it may ask for."
    )
    stream_keep_alive_s: _Seconds = Field(
        15.0, description="A stream in which nothing was sent for this long gets a comment."
    )
    write_timeout_s: _Seconds = Field(
        60.0, description="A client that takes nothing for this long is disconnected."
    )

    session_store: str = Field(
        "sqlite://",
        description="Where sessions are kept: `sqlite:///PATH`, a file; `sqlite://`, one in the "
        "platform's data folder; `memory://`, gone with the server.",
    )
    keep_session_texts: bool = Field(
        True, description="Keep what sessions read and write, for their log."
    )
    checkpoint_every: _Positive = Field(
        256,
        description="Tokens between the rows of a session that are kept to go back to, near its "
        "end; farther back they are farther apart.",
    )
    session_idle_ttl_s: _Seconds = Field(
        3600.0, description="A session ends when nobody uses it for this long."
    )
    session_max_age_s: _Seconds = Field(7 * 24 * 3600.0, description="A session ends at this age.")
    capsule_ttl_s: _Seconds = Field(
        7 * 24 * 3600.0, description="A capsule can be opened for this long."
    )
    max_sessions: _Positive = Field(
        10_000,
        description="Most sessions; for a new one the longest unused one is evicted of whoever has "
        "the most.",
    )
    max_owner_sessions: _Positive = Field(
        10_000,
        description="Most sessions that one client has made; its longest unused one is evicted for "
        "a new one.",
    )
    max_session_bytes: _Positive = Field(
        256 << 20,
        description="Most bytes of sessions; the longest unused ones are evicted of whoever has "
        "the most.",
    )

    max_connections: _Positive = Field(
        4096,
        description="Most connections; the longest idle one is closed for a new one. Fewer if the "
        "limit of open files is lower.",
    )
    keep_alive_s: _Seconds = Field(
        620.0,
        description="An idle connection is closed after this long; longer than what proxies keep.",
    )
    trusted_proxies: str = Field(
        "",
        description="Addresses or networks of proxies, by commas, whose `X-Forwarded-For` and "
        "`X-Forwarded-Proto` are believed; none if empty.",
    )

    grace_period_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        20.0, description="Time for running texts to finish after SIGTERM."
    )
    heartbeat_timeout_s: _Seconds = Field(
        10.0, description="The server is not ready when an engine had no heartbeat for longer."
    )
    hang_timeout_s: _Seconds = Field(
        60.0, description="The server exits when an engine had no heartbeat for this long."
    )
    log_format: Literal["text", "json"] = Field("text", description="Form of the log lines.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least important log lines that are written."
    )

    @field_validator("session_store")
    @classmethod
    def _is_a_place(cls, url: str) -> str:
        if not _STORE.fullmatch(url):
            raise ValueError("is none of sqlite:///PATH, sqlite:// and memory://")
        return url

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, proxies: str) -> str:
        for part in filter(None, (part.strip() for part in proxies.split(","))):
            ip_network(part, strict=False)
        return proxies

    @field_validator("models", mode="before")
    @classmethod
    def _split_commas(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value


def forget_service_links() -> list[str]:
    """Take out of the environment what Kubernetes puts there for services called lstm-serve-....

    Such variables have our prefix: https://kubernetes.io/docs/concepts/services-networking/service/

    Returns:
        Their names; of a service of which none holds an address, none, since each has one. What is
        set for the server itself stays.
    """
    settings = {ENV_PREFIX + name.upper() for name in Settings.model_fields}
    services: dict[str, list[str]] = {}
    for name, value in os.environ.items():
        found = _LINK_NAME.fullmatch(name)
        if found and (name not in settings or _LINK.fullmatch(value)):
            services.setdefault(found[1] or "", []).append(name)
    links = sorted(
        name
        for names in services.values()
        if any(_LINK.fullmatch(os.environ[each]) for each in names)
        for name in names
    )
    for name in links:
        del os.environ[name]
    return links


def refuse_unknown_environment() -> None:
    """Raise UnknownSetting if the environment has a variable with our prefix that is no setting."""
    known = {ENV_PREFIX + name.upper() for name in Settings.model_fields}
    for name in sorted(os.environ):
        if name.upper().startswith(ENV_PREFIX) and name.upper() not in known:
            raise UnknownSetting(f"{name} is not a setting; see lstm-serve serve --help")
