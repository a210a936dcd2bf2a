"""Bodies of requests and responses: an unknown field or a wrong type is refused."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from service.api.errors import field_error
from service.inference.receipts import Receipt
from service.runtime.sampling import SamplingOptions


def whole_characters(text: str) -> str:
    """The text, if it has an encoding; raises ValueError if not."""
    # JSON may spell half of a surrogate pair, which is no character and has no encoding.
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"holds a lone surrogate, which is not a character, at position {error.start}"
        ) from error
    return text


Text = Annotated[str, AfterValidator(whole_characters)]
Name = Annotated[str, StringConstraints(max_length=128), AfterValidator(whole_characters)]
_Stop = Annotated[
    str, StringConstraints(min_length=1, max_length=64), AfterValidator(whole_characters)
]
ReportUnknown = Annotated[
    bool | None,
    Field(description="Tell which characters or words of the prompt the model has never seen."),
]
Capsule = Annotated[str, StringConstraints(min_length=1), AfterValidator(whole_characters)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]


class Body(BaseModel):
    """What is sent: no other fields than these, and no other types."""

    model_config = ConfigDict(extra="forbid", strict=True, protected_namespaces=())

    @model_validator(mode="before")
    @classmethod
    def _know_all_fields(cls, fields: object) -> object:
        # Before pydantic, which would make an error for each of 90,000 unknown ones.
        if isinstance(fields, dict):
            known = _fields_of(cls)
            for name in fields:
                if name not in known:
                    raise field_error(name, "there is no such field")
        return fields


@cache
def _fields_of(body: type[Body]) -> frozenset[str]:
    """Their names, as they are sent."""
    return frozenset(field.alias or name for name, field in body.model_fields.items())


_INTEGERS = frozenset(
    {"max_tokens", "top_k", "logprobs", "seed", "stream_every", "n", "best_of", "at", "to"}
)
_EVERY_TOKEN = 1 << 53
# What client libraries send for "off" or "not set", and what it means here.
_OFF: tuple[tuple[str, object, object], ...] = (
    ("prompt", None, ""),
    ("stream", None, False),
    ("stop", [], None),
    ("stop", "", None),
    ("logprobs", False, None),
    ("n", None, 1),
    ("top_k", 0, _EVERY_TOKEN),
    ("top_k", -1, _EVERY_TOKEN),
    ("seed", -1, None),
)
# What might mean "off" or "without end", and does not: what to say in its stead.
_NEAR_OFF: dict[str, tuple[Callable[[float], bool], str]] = {
    "repetition_penalty": (lambda value: value == 0, "must be greater than 0; 1 switches it off"),
    "top_p": (lambda value: value <= 0, "must be greater than 0; 1 switches it off"),
    "max_tokens": (lambda value: value < 1, "must be at least 1; leave it out for the default"),
    "timeout_s": (
        lambda value: value <= 0,
        "must be greater than 0; leave it out for the server's longest",
    ),
}


class Lenient(Body):
    """Takes other spellings whose meaning is plain: 20.0 for 20, and those of "off"."""

    spellings_of_off: ClassVar[tuple[tuple[str, object, object], ...]] = _OFF

    @model_validator(mode="before")
    @classmethod
    def _spell(cls, fields: object) -> object:
        if not isinstance(fields, dict):
            return fields
        spelt = dict(fields)
        for name in _INTEGERS & spelt.keys():
            value = spelt[name]
            if isinstance(value, float) and value.is_integer():
                spelt[name] = int(value)
        for name, off, meaning in cls.spellings_of_off:
            value = spelt.get(name, ...)
            if value == off and type(value) is type(off):
                spelt[name] = meaning
        for name, (is_wrong, message) in _NEAR_OFF.items():
            value = spelt.get(name)
            if isinstance(value, int | float) and is_wrong(value):
                raise field_error(name, message)
        return spelt


IF_STREAM_EVERY: dict[str, Any] = {
    "if": {"properties": {"stream_every": {"type": "integer"}}, "required": ["stream_every"]},
    "then": {"properties": {"stream": {"const": True}}, "required": ["stream"]},
}


class _Writing(Lenient):
    max_tokens: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Most tokens to write; by default 256, or what the server sets."
    )


class WritingRequest(SamplingOptions, _Writing):
    """How much to write, how to choose, and how to send it."""

    model_config = ConfigDict(strict=True, json_schema_extra=IF_STREAM_EVERY)

    stop: _Stop | Annotated[list[_Stop], Field(min_length=1, max_length=16)] | None = Field(
        None, description="The text ends before the first of these; they are not part of it."
    )
    seed: Seed | None = Field(
        None, description="The same request with the same seed gives the same text."
    )
    logprobs: Annotated[int, Field(ge=0, le=10)] | None = Field(
        None, description="Report each token's log-probability, and this many of the best."
    )
    stream: bool = Field(False, description="Answer with server-sent events.")
    stream_every: Annotated[int, Field(ge=1)] | None = Field(
        None,
        description="Most tokens of one event, with `stream`; by default as many as one burst "
        "made, and at most 64 with `logprobs`.",
    )
    timeout_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = Field(
        None, description="The request fails after this many seconds."
    )
    return_capsule: bool | None = Field(
        False, description="Give the past at the end of the text as a capsule."
    )
    receipt: bool | None = Field(False, description="Give what the text follows from as a receipt.")

    @model_validator(mode="after")
    def _options_agree(self) -> Self:
        if self.stream_every is not None and not self.stream:
            raise field_error("stream_every", "is for streams: set stream to true, or leave it out")
        return self


class RegenerateRequest(WritingRequest):
    """How to write the last turn again: as it was asked for, but for what is said here."""

    spellings_of_off = tuple(spelling for spelling in _OFF if spelling[0] != "stop")

    stop: _Stop | Annotated[list[_Stop], Field(max_length=16)] | None = Field(
        None,
        description="The text ends before the first of these; an empty list: nowhere. By default "
        "as in that turn.",
    )
    seed: Seed | None = Field(None, description="By default another one, drawn at random.")
    max_tokens: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Most tokens to write; by default as in that turn."
    )


class Candidate(Body):
    """A token and its natural log-probability.

    It is of the model's own distribution: before temperature, penalties and truncation.
    """

    id: int
    token: str
    logprob: float


class TokenLogprob(Candidate):
    """A token of the text, with the best candidates at its place."""

    top: list[Candidate]


class ChoiceProbability(Body):
    """A choice, the sum of its tokens' log-probabilities, and with what probability it is drawn."""

    choice: str
    logprob: float
    probability: float


class Usage(Body):
    """Tokens that a request took; `cached_tokens` of the prompt were not read again.

    `unknown_tokens` of the prompt stand for what the model has never seen; `unknown` are the first
    ten different ones of these characters or words, with `report_unknown`.
    """

    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    unknown_tokens: int
    unknown: tuple[str, ...] | None = None


class GenerateResponse(Body):
    """The whole text of a generation."""

    id: str
    model: str
    session: str | None
    text: str
    finish_reason: Literal["length", "stop", "eos", "parked"]
    seed: int
    usage: Usage
    logprobs: list[TokenLogprob] | None = None
    capsule: str | None = None
    receipt: Receipt | None = None
    choice_probabilities: list[ChoiceProbability] | None = None


class GenerateEvent(Body):
    """One server-sent event of a generation; the last one has all fields.

    With `n` above 1 each has the `index` of its text.
    """

    index: int | None = None
    text: str
    num_tokens: int
    logprobs: list[TokenLogprob] | None = None
    finish_reason: Literal["length", "stop", "eos", "parked"] | None = None
    id: str | None = None
    model: str | None = None
    session: str | None = None
    seed: int | None = None
    usage: Usage | None = None
    capsule: str | None = None
    receipt: Receipt | None = None
    choice_probabilities: list[ChoiceProbability] | None = None
