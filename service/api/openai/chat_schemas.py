"""Bodies of POST /v1/chat/completions."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from service.api.errors import field_error
from service.api.native.schemas import Body, Name, Text
from service.api.openai.fields import Drawing
from service.api.openai.schemas import OpenAIUsage


class TextPart(Body):
    """A part of a message's content; there are no others than texts."""

    type: Literal["text"]
    text: Text


class ChatMessage(Body):
    """What somebody has said."""

    role: Annotated[Name, Field(min_length=1)]
    content: Text | Annotated[list[TextPart], Field(max_length=256)] | None = None
    name: Name | None = Field(None, description="Taken, and not looked at.")
    refusal: None = None

    @property
    def text(self) -> str:
        """All of its content."""
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content)
        return self.content or ""


class ChatRequest(Drawing):
    """A chat to go on with, and how."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"messages": [{"role": "user", "content": "Hello!"}], "max_tokens": 50}]
        }
    )
    spellings_of_off: ClassVar[tuple[tuple[str, object, object], ...]] = (
        *Drawing.spellings_of_off,
        ("logprobs", None, False),
    )

    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=1024)] = Field(
        description="What was said, the oldest first."
    )
    max_tokens: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Most tokens of each answer; by default 256, or what the server sets."
    )
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = Field(
        None, description="The newer name of `max_tokens`."
    )
    logprobs: bool = Field(False, description="Tell each token's log-probability.")
    top_logprobs: Annotated[int, Field(ge=0, le=10)] | None = Field(
        None, description="And so many of the best at its place."
    )

    @property
    def most_tokens(self) -> int | None:
        """Of each answer."""
        return self.max_tokens if self.max_completion_tokens is None else self.max_completion_tokens

    @property
    def num_top(self) -> int | None:
        """Candidates that are told of; None: no tokens are."""
        return (self.top_logprobs or 0) if self.logprobs else None

    @model_validator(mode="after")
    def _fields_agree(self) -> Self:
        if self.top_logprobs is not None and not self.logprobs:
            raise field_error("top_logprobs", "needs logprobs: true")
        return self


class ChatCandidate(BaseModel):
    """A token, its log-probability, and its text in UTF-8."""

    token: str
    logprob: float
    bytes: list[int]


class ChatToken(ChatCandidate):
    """A token of the answer, with the best at its place."""

    top_logprobs: list[ChatCandidate]


class ChatLogprobs(BaseModel):
    """Of the answer's tokens."""

    content: list[ChatToken]
    refusal: None


class ChatChoice(BaseModel):
    """One of the answers; a chunk of a stream has a `delta` in place of the `message`."""

    index: int
    message: dict[str, Any]
    logprobs: ChatLogprobs | None
    finish_reason: Literal["stop", "length"] | None
    stop_reason: str | int | None = None
    token_ids: list[int] | None = None


class ChatResponse(BaseModel):
    """All answers; or a chunk of a stream (`chat.completion.chunk`)."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    system_fingerprint: str
    choices: list[ChatChoice]
    usage: OpenAIUsage | None
