"""Bodies of POST /v2/models/{model}/generate."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from service.api.errors import field_error
from service.api.native.schemas import Body, Lenient, Name, Seed, Text
from service.runtime.sampling import SamplingOptions

_Stop = Annotated[Text, StringConstraints(min_length=1, max_length=64)]


class Sequenced(SamplingOptions, Lenient):
    """How to write, and in which sequence."""

    spellings_of_off: ClassVar[tuple[tuple[str, object, object], ...]] = (
        ("max_tokens", None, 20),
        ("stop", [], None),
        ("stop", "", None),
        ("top_k", 0, 1 << 53),
        ("top_k", -1, 1 << 53),
        ("sequence_start", None, False),
        ("sequence_end", None, False),
        ("sequence_id", 0, None),
        ("sequence_id", "", None),
    )

    max_tokens: Annotated[int, Field(ge=1)] = Field(20, description="Most tokens to write.")
    stop: _Stop | Annotated[list[_Stop], Field(min_length=1, max_length=16)] | None = Field(
        None, description="The text ends before the first of these."
    )
    seed: Seed | None = Field(None, description="Decides every draw.")
    sequence_id: Annotated[int, Field(ge=1, lt=2**64)] | Name | None = Field(
        None, description="Your name for a text that goes on; 0 and the empty one are none."
    )
    sequence_start: bool = Field(False, description="Begin the sequence with this request.")
    sequence_end: bool = Field(False, description="End it after this request.")

    @model_validator(mode="after")
    def _flags_are_of_a_sequence(self) -> Self:
        for name in ("sequence_start", "sequence_end"):
            if getattr(self, name) and self.sequence_id is None:
                raise field_error("sequence_id", f"must be given with {name}")
        return self

    @property
    def stops(self) -> tuple[str, ...]:
        """Stop strings."""
        if self.stop is None:
            return ()
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop)


class Parameters(Sequenced):
    """How to write, in which sequence, and what to tell."""

    spellings_of_off: ClassVar[tuple[tuple[str, object, object], ...]] = (
        *Sequenced.spellings_of_off,
        ("details", None, False),
    )

    details: bool = Field(False, description="Tell why the text ended, and of each token.")


class InferenceRequest(Body):
    """A text to go on from."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"text_input": "ROMEO:", "parameters": {"max_tokens": 50, "seed": 7}}]
        }
    )

    id: Name | None = Field(None, description="Is given back.")
    text_input: Text = Field(description="What to go on from; may be empty.")
    parameters: Parameters | None = Field(None, description="How.")


class ProtocolToken(BaseModel):
    """A token of the text."""

    id: int
    text: str
    logprob: float
    special: bool


class Details(BaseModel):
    """Why the text ended, and its tokens; of a stream those that are new."""

    finish_reason: Literal["length", "eos_token", "stop_sequence"] | None
    logprobs: list[ProtocolToken]


class InferenceResponse(BaseModel):
    """The text, or the next piece of it."""

    model_config = ConfigDict(protected_namespaces=())

    id: str | None = None
    model_name: str
    model_version: str
    text_output: str
    details: Details | None = None
