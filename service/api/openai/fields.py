"""Fields that completions and chats share, and prompts in all the ways that they may be sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    BaseModel,
    Field,
    PlainValidator,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from service.api.errors import field_error
from service.api.native.schemas import Lenient, Name, Text, whole_characters
from service.api.openai.formats import ResponseFormat, StructuredOutputs
from service.inference.token_options import TokenOptions
from service.patterns.pattern import Pattern
from service.runtime.sampling import SamplingOptions

MOST_CHOICES = 256
"""Texts of one request: prompts times n, or best_of."""
_MOST_BIASED = 1024
_EVERY_TOKEN = 1 << 53
_SEEDS = 1 << 63
_Stop = Annotated[Text, StringConstraints(min_length=1, max_length=64)]
Prompt = str | tuple[int, ...]


def _prompts(value: object) -> tuple[Prompt, ...]:
    """A text, texts, tokens, or lists of tokens: one by one, so that a long list costs little."""
    if value is None:
        return ("",)
    if isinstance(value, str):
        return (whole_characters(value),)
    if not isinstance(value, list) or not value:
        raise ValueError("must be a text, a list of texts, of token ids, or of lists of token ids")
    if all(isinstance(each, str) for each in value):
        return tuple(map(whole_characters, _not_too_many(value)))
    if all(isinstance(each, list) for each in value):
        return tuple(_ids(each) for each in _not_too_many(value))
    return (_ids(value),)


def _ids(value: Sequence[object]) -> tuple[int, ...]:
    ids = tuple(each for each in value if isinstance(each, int) and not isinstance(each, bool))
    if len(ids) < len(value) or not ids:
        raise ValueError("must be a text, a list of texts, of token ids, or of lists of token ids")
    return ids


def _not_too_many(value: list[Any]) -> list[Any]:
    if len(value) > MOST_CHOICES:
        raise ValueError(f"at most {MOST_CHOICES} prompts go into one request")
    return value


def _biases(value: object) -> tuple[tuple[int, float], ...]:
    if value is None:
        return ()
    if not isinstance(value, dict):
        raise ValueError("must be an object of token ids and numbers")
    if len(value) > _MOST_BIASED:
        raise ValueError(f"at most {_MOST_BIASED} tokens can have a bias")
    return tuple((_token_id(name), _bias(name, bias)) for name, bias in value.items())


def _token_id(name: object) -> int:
    if not isinstance(name, str) or not name.isascii() or not name.isdigit() or len(name) > 10:
        raise ValueError('its names must be token ids, for instance "42"')
    return int(name)


def _bias(name: str, value: object) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not -100 <= value <= 100:  # type: ignore[operator] # it is a number
        raise ValueError(f"the bias of {name} must be a number from -100 to 100")
    return float(value)  # type: ignore[arg-type] # it is a number


Prompts = Annotated[
    tuple[Prompt, ...],
    PlainValidator(_prompts),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {"type": "array", "items": {"type": "string"}},
                {"type": "array", "items": {"type": "integer"}},
                {"type": "array", "items": {"type": "array", "items": {"type": "integer"}}},
            ]
        }
    ),
]
_Biases = Annotated[
    tuple[tuple[int, float], ...],
    PlainValidator(_biases),
    WithJsonSchema({"type": "object", "additionalProperties": {"type": "number"}}),
]


class StreamOptions(BaseModel):
    """What a stream tells besides the text."""

    model_config = {"extra": "forbid", "strict": True}

    include_usage: bool | None = Field(None, description="A last chunk tells the tokens taken.")
    include_obfuscation: bool | None = Field(None, description="Only `false`: nothing is padded.")


class Drawing(SamplingOptions, Lenient):
    """How to draw the tokens, and where texts end: the same for completions and chats."""

    spellings_of_off: ClassVar[tuple[tuple[str, object, object], ...]] = (
        ("stream", None, False),
        ("stop", [], None),
        ("stop", "", None),
        ("n", None, 1),
        ("top_k", 0, _EVERY_TOKEN),
        ("top_k", -1, _EVERY_TOKEN),
        ("seed", -1, None),
    )

    model: Name | None = Field(
        None, description="`name` or `name@version`; by default the server's default model."
    )
    n: Annotated[int, Field(ge=1, le=MOST_CHOICES)] = Field(1, description="Texts of each prompt.")
    stop: _Stop | Annotated[list[_Stop], Field(min_length=1, max_length=16)] | None = Field(
        None, description="The text ends before the first of these."
    )
    seed: Annotated[int, Field(ge=-_SEEDS, lt=_SEEDS)] | None = Field(
        None, description="The same request with the same seed gives the same texts."
    )
    stream: bool = Field(False, description="Answer with server-sent events.")
    stream_options: StreamOptions | None = Field(None, description="With `stream` only.")
    logit_bias: _Biases = Field((), description="Token ids, and what is added to their logits.")
    user: Name | None = Field(None, description="Taken and not looked at.")
    min_tokens: Annotated[int, Field(ge=0)] | None = Field(
        None, description="Before so many tokens no text ends by its model or a stop token."
    )
    ignore_eos: bool | None = Field(None, description="The sign for the end is never drawn.")
    stop_token_ids: Annotated[list[int], Field(max_length=256)] | None = Field(
        None, description="The text ends before the first of these tokens."
    )
    return_token_ids: bool | None = Field(
        None, description="Tell the ids of the tokens of prompts and texts."
    )
    cache_salt: Name | None = Field(
        None, description="A prompt goes on only from prompts that had the same one."
    )
    response_format: ResponseFormat | None = Field(
        None, description="What each text is: anything, or JSON."
    )
    structured_outputs: StructuredOutputs | None = Field(
        None, description="What each text is: one of `regex`, `choice`, `json`, `json_object`."
    )

    @property
    def pattern(self) -> Pattern | None:
        """What each text has to match."""
        if self.structured_outputs is not None:
            return self.structured_outputs.pattern
        return None if self.response_format is None else self.response_format.pattern

    @property
    def num_choices(self) -> int:
        """Texts that are written for each prompt."""
        return self.n

    @property
    def stops(self) -> tuple[str, ...]:
        """Stop strings."""
        if self.stop is None:
            return ()
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop)

    @property
    def tokens(self) -> TokenOptions:
        """What is asked of single tokens."""
        return TokenOptions(
            logit_bias=self.logit_bias,
            min_tokens=self.min_tokens or 0,
            ignore_eos=bool(self.ignore_eos),
            stop_token_ids=tuple(self.stop_token_ids or ()),
        )

    @property
    def tells_usage(self) -> bool:
        """Whether a stream ends with what it took."""
        return self.stream_options is not None and bool(self.stream_options.include_usage)

    @property
    def first_seed(self) -> int | None:
        """What the first text of each prompt is drawn with; those of the others follow from it."""
        return None if self.seed is None else self.seed % _SEEDS

    @model_validator(mode="after")
    def _has_one_form(self) -> Self:
        is_text = self.response_format is None or self.response_format.type == "text"
        if self.structured_outputs is not None and not is_text:
            raise field_error("structured_outputs", "and response_format both say what texts are")
        return self

    @model_validator(mode="after")
    def _stream_options_agree(self) -> Self:
        if self.stream_options is not None and not self.stream:
            raise field_error("stream_options", "is for streams: set stream to true")
        if self.stream_options is not None and self.stream_options.include_obfuscation:
            raise field_error("stream_options", "include_obfuscation: streams are not padded here")
        return self
