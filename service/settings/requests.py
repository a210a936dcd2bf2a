"""What a request may ask for, and what all requests may take."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.settings.names import ENV_PREFIX, Positive, Seconds


class RequestSettings(BaseSettings):
    """Bounds of requests and of answers."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, frozen=True, extra="forbid")

    default_max_tokens: Positive = Field(256, description="`max_tokens` where none is given.")
    max_tokens: Positive = Field(16_384, description="Largest `max_tokens` of a request.")
    max_texts: Positive = Field(
        16, description="Most texts of one prompt: largest `n` and `best_of`."
    )
    max_prompt_tokens: Positive = Field(65_536, description="Longest prompt of a request.")
    max_waiting_characters: Positive = Field(
        4_000_000,
        description="Most characters of long prompts that wait to be tokenised; more get 429.",
    )
    max_result_bytes: Positive = Field(
        256 << 20,
        description="Most memory of answers that are not streamed, log-probabilities above all; "
        "more get 429.",
    )
    max_body_bytes: Positive = Field(1 << 20, description="Largest request body; more gets 413.")
    max_bodies_bytes: Positive = Field(
        64 << 20,
        description="Most memory of all request bodies of more than 16 KB, of which one client has "
        "about half; more get 429.",
    )
    body_timeout_s: Seconds = Field(
        30.0,
        description="Time for a client to send its request; of a body of plain text, each 256 Ki "
        "characters.",
    )
    max_timeout_s: Seconds = Field(
        300.0, description="Time for one request, and the largest `timeout_s` that it may ask for."
    )
    stream_keep_alive_s: Seconds = Field(
        15.0, description="A stream in which nothing was sent for this long gets a comment."
    )
    write_timeout_s: Seconds = Field(
        60.0, description="A client that takes nothing for this long is disconnected."
    )
