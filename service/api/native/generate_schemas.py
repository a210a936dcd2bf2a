"""Bodies of POST /generate."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from service.api.errors import field_error
from service.api.native.clamp_schema import Clamps
from service.api.native.schemas import (
    IF_STREAM_EVERY,
    Capsule,
    Name,
    ReportUnknown,
    Text,
    WritingRequest,
)
from service.api.patterns import MOST_PATTERN, schema_pattern
from service.patterns.pattern import Pattern

_Choice = Annotated[Text, StringConstraints(min_length=1, max_length=1024)]
_FORMS = ("choices", "regex", "json_schema")


class GenerateRequest(WritingRequest):
    """What to read, how much to write, and how to choose."""

    model_config = ConfigDict(
        json_schema_extra={
            **IF_STREAM_EVERY,
            "examples": [
                {"prompt": "ROMEO:", "max_tokens": 200, "seed": 7, "stream": True},
                {"prompt": "O, ", "temperature": 0.7, "top_p": 0.95, "stop": ["\n\n"]},
            ],
        }
    )

    prompt: Text = Field("", description="Text to go on from; may be empty. It is not repeated.")
    report_unknown: ReportUnknown = False
    n: Annotated[int, Field(ge=1)] = Field(
        1, description="How many texts to write; the prompt is read once."
    )
    best_of: Annotated[int, Field(ge=1)] | None = Field(
        None,
        description="Write so many texts, and give the `n` of them with the highest mean "
        "log-probability of a token; by default `n`.",
    )
    session: Name | None = Field(None, description="Go on from this session, and commit to it.")
    capsule: Capsule | None = Field(
        None, description="Go on from this past, as `return_capsule` gave it; not with `session`."
    )
    model: Name | None = Field(
        None, description="`name` or `name@version`; by default the server's default model."
    )

    @model_validator(mode="after")
    def _chooses_among_enough(self) -> Self:
        if self.best_of is not None and self.best_of < self.n:
            raise field_error("best_of", f"must be at least n, which is {self.n}")
        return self

    @model_validator(mode="after")
    def _has_one_past(self) -> Self:
        if self.capsule is not None and self.session is not None:
            raise field_error("capsule", "is the past of the text, and so is session: send one")
        return self

    choices: Annotated[list[_Choice], Field(min_length=1, max_length=64)] | None = Field(
        None, description="The text is one of these, by how probable each is as a whole."
    )
    choice_probabilities: bool | None = Field(
        False, description="Tell how probable each of `choices` was."
    )
    regex: Annotated[Text, StringConstraints(min_length=1, max_length=MOST_PATTERN)] | None = Field(
        None, description="The text matches this, from its first character to its last."
    )
    json_schema: dict[str, Any] | None = Field(
        None, description="The text is JSON that fits this schema."
    )

    @model_validator(mode="after")
    def _has_one_form(self) -> Self:
        given = [name for name in _FORMS if getattr(self, name) is not None]
        if len(given) > 1:
            raise field_error(given[1], f"and {given[0]} both say what the text is: send one")
        if self.choice_probabilities and self.choices is None:
            raise field_error("choice_probabilities", "is for choices: leave it out")
        if self.best_of is not None and self.choices is not None:
            raise field_error("best_of", "has no meaning beside choices: leave it out")
        return self

    clamp: Clamps = None

    @property
    def pattern(self) -> Pattern | None:
        """What the text has to match."""
        if self.regex is not None:
            return Pattern("regex", self.regex, "regex")
        return None if self.json_schema is None else schema_pattern(self.json_schema, "json_schema")
