"""Bodies of a look inside of a model."""

from __future__ import annotations

from typing import Annotated, Literal, Self, get_args

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from service.api.errors import field_error
from service.api.native.schemas import Body, Candidate, Lenient, Name, Text
from service.inference.units import ScoreName
from service.runtime.inside.detectors import DETECTORS

DetectorName = Literal[
    "quotes", "line_start", "line_end", "capitals", "speaker", "first_line", "column", "line"
]
assert set(get_args(DetectorName)) == set(DETECTORS)

_Model = Annotated[
    Name | None,
    Field(description="`name` or `name@version`; by default the server's default model."),
]
_Text = Annotated[Text, StringConstraints(min_length=1)]
_Timeout = Annotated[
    Annotated[float, Field(gt=0, allow_inf_nan=False)] | None,
    Field(description="The request fails after this many seconds."),
]
_Span = Annotated[list[int], Field(min_length=2, max_length=2)]


class WantedActivation(Body):
    """An activation, and which of its units are to be told."""

    name: Name = Field(description="`layer<n>.<gate>`, or the name of a state tensor.")
    units: list[int] | None = Field(None, description="Numbers of units; by default all.")


class InspectRequest(Lenient):
    """A text to be read, and what of the model's inside is to be told."""

    spellings_of_off = ()
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"text": "ROMEO:\nO, she", "activations": [], "logprobs": 2}]
        }
    )

    model: _Model = None
    text: _Text = Field(description="What is read, from the start state.")
    activations: Annotated[list[WantedActivation], Field(max_length=64)] = Field(
        default=[], description="What is told of each token beside its probability."
    )
    encoding: Literal["json", "float16"] = Field(
        "json",
        description="`float16`: values in base64 of little-endian float16, token by token.",
    )
    logprobs: Annotated[int, Field(ge=0, le=10)] | None = Field(
        None, description="Report so many of the best candidates at each token's place."
    )
    timeout_s: _Timeout = None


class InspectedToken(Body):
    """A token of a text, the characters that it stands for, and how probable it was.

    The first token of all has no probability, unless the model reads something in front of it.
    """

    id: int
    token: str
    start: int
    end: int
    logprob: float | None
    surprisal_bits: float | None
    top: list[Candidate]


class InspectedActivation(Body):
    """What units were after each token: a row for each token, a number for each unit."""

    name: str
    units: list[int]
    values: list[list[float]] | None = Field(description="With `encoding` `json`.")
    base64: str | None = Field(description="The same with `float16`.")


class InspectResponse(Body):
    """What a model computed while it read a text; `text` is cleaned, as it was read."""

    model: str
    text: str
    unknown_tokens: int
    available: dict[str, int] = Field(description="How many units each activation has.")
    tokens: list[InspectedToken]
    activations: list[InspectedActivation]


class UnitsRequest(Lenient):
    """A text, a mark in it, and how reactions to it are measured."""

    spellings_of_off = ()
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"text": "ROMEO:\nO, she\n\nJULIET:\nAy me!", "detector": "speaker"}]
        }
    )

    model: _Model = None
    text: _Text = Field(description="What is read, from the start state.")
    detector: DetectorName | None = Field(
        None, description="What to look for by a rule; or give `spans`."
    )
    spans: Annotated[list[_Span], Field(min_length=1, max_length=1024)] | None = Field(
        None, description="What to look for: start and end of characters, end excluded."
    )
    activations: Annotated[list[Name], Field(min_length=1, max_length=64)] | None = Field(
        None, description="Whose units; by default those of all."
    )
    score: ScoreName = Field("correlation", description="How reactions are measured.")
    top: Annotated[int, Field(ge=1, le=1000)] = Field(20, description="So many units are told.")
    timeout_s: _Timeout = None

    @model_validator(mode="after")
    def _one_mark(self) -> Self:
        if (self.detector is None) == (self.spans is None):
            raise field_error("detector", "give either a detector or spans")
        return self


class ReactingUnit(Body):
    """A unit, its score, and its mean at marked tokens and at others (not of what counts)."""

    activation: str
    unit: int
    score: float
    mean_inside: float | None
    mean_outside: float | None


class UnitsResponse(Body):
    """The units whose scores are the largest, by their size."""

    model: str
    score: ScoreName
    num_tokens: int
    num_marked: int
    units: list[ReactingUnit]
