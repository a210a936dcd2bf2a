"""What an answer has to be, in the words of OpenAI's clients and of vLLM's."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from service.api.errors import field_error
from service.api.native.schemas import Text
from service.api.patterns import MOST_PATTERN, regex_pattern, schema_pattern
from service.patterns.pattern import JSON_OBJECT, Pattern

_FORMAT = "response_format"
_OUTPUTS = "structured_outputs"
_Choice = Annotated[Text, StringConstraints(min_length=1)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class NamedSchema(_Part):
    """A schema; its name, its description and whether it is strict change nothing: it is."""

    json_schema: Annotated[dict[str, Any], Field(alias="schema")]
    name: Text | None = None
    description: Text | None = None
    strict: bool | None = None


class ResponseFormat(_Part):
    """What the text is: anything, a JSON object, or JSON that fits a schema.

    As of https://platform.openai.com/docs/api-reference/completions/create; a JSON object holds
    scalars, and objects and lists of scalars.
    """

    type: Literal["text", "json_object", "json_schema"]
    json_schema: NamedSchema | None = None

    @model_validator(mode="after")
    def _says_which_schema(self) -> Self:
        if (self.json_schema is not None) != (self.type == "json_schema"):
            raise field_error(_FORMAT, 'json_schema goes with the type "json_schema"')
        return self

    @property
    def pattern(self) -> Pattern | None:
        """What the text has to match."""
        if self.json_schema is not None:
            return schema_pattern(self.json_schema.json_schema, _FORMAT)
        return Pattern("regex", JSON_OBJECT, _FORMAT) if self.type == "json_object" else None


class StructuredOutputs(_Part):
    """What the text is, as vLLM has it: one of these."""

    regex: Annotated[Text, StringConstraints(min_length=1, max_length=MOST_PATTERN)] | None = None
    choice: Annotated[list[_Choice], Field(min_length=1, max_length=64)] | None = None
    json_schema: Annotated[dict[str, Any] | None, Field(alias="json")] = None
    json_object: bool | None = None

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if len([value for value in dict(self).values() if value]) != 1:
            raise field_error(_OUTPUTS, "must say one of regex, choice, json and json_object")
        return self

    @property
    def pattern(self) -> Pattern:
        """What the text has to match."""
        if self.json_schema is not None:
            return schema_pattern(self.json_schema, _OUTPUTS)
        if self.choice is not None:
            return regex_pattern("|".join(map(re.escape, self.choice)), _OUTPUTS)
        return Pattern("regex", self.regex or JSON_OBJECT, _OUTPUTS)
