"""Bodies of POST /v1/completions."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from service.api.errors import field_error
from service.api.openai.fields import MOST_CHOICES, Drawing, Prompts


class CompletionRequest(Drawing):
    """Prompts to go on from, and how."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"model": "shakespeare", "prompt": "ROMEO:", "max_tokens": 100, "seed": 7},
                {"prompt": ["JULIET:", "NURSE:"], "n": 2, "logprobs": 1, "echo": True},
            ]
        }
    )
    spellings_of_off: ClassVar[tuple[tuple[str, object, object], ...]] = (
        *Drawing.spellings_of_off,
        ("echo", None, False),
        ("max_tokens", None, 16),
        ("suffix", "", None),
    )

    prompt: Prompts = Field(("",), description="What to go on from; empty: a new text.")
    max_tokens: Annotated[int, Field(ge=1)] = Field(16, description="Most tokens of each text.")
    best_of: Annotated[int, Field(ge=1, le=MOST_CHOICES)] | None = Field(
        None,
        description="Write so many texts of each prompt, and give the `n` with the highest "
        "log-probability per token.",
    )
    echo: bool = Field(False, description="Repeat the prompt in front of the text.")
    logprobs: Annotated[int, Field(ge=0, le=10)] | None = Field(
        None, description="Tell each token's log-probability, and so many of the best."
    )
    suffix: Any = Field(None, description="Refused: the models write forward only.")

    @property
    def num_choices(self) -> int:
        """Texts that are written for each prompt."""
        return self.best_of or self.n

    @model_validator(mode="after")
    def _fields_agree(self) -> Self:
        if self.suffix is not None:
            raise field_error("suffix", "the models write forward only: leave it out")
        if self.best_of is not None and self.best_of < self.n:
            raise field_error("best_of", f"must be at least n, which is {self.n}")
        if self.num_choices > self.n and self.stream:
            raise field_error("best_of", "cannot be streamed: which text is the best is known last")
        if len(self.prompt) * self.num_choices > MOST_CHOICES:
            name = "n" if self.best_of is None else "best_of"
            raise field_error(
                name, f"at most {MOST_CHOICES} texts are written for one request, of all prompts"
            )
        return self


class CompletionLogprobs(BaseModel):
    """Log-probabilities of a text's tokens, in lists side by side."""

    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float] | None]
    text_offset: list[int]


class CompletionChoice(BaseModel):
    """One of the texts; of a stream a part of it."""

    index: int
    text: str
    logprobs: CompletionLogprobs | None
    finish_reason: Literal["stop", "length"] | None
    stop_reason: str | int | None = None
    token_ids: list[int] | None = None
    prompt_token_ids: list[int] | None = None


class CachedTokens(BaseModel):
    """Tokens of the prompts that were known from earlier ones."""

    cached_tokens: int


class OpenAIUsage(BaseModel):
    """Tokens that a request took."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: CachedTokens


class CompletionResponse(BaseModel):
    """All texts; or a chunk of a stream, whose `usage` is null but for the last one."""

    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    system_fingerprint: str
    choices: list[CompletionChoice]
    usage: OpenAIUsage | None
