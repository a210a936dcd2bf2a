"""Bodies of POST /v2/models/{model}/infer: texts as tensors of bytes.

As of https://github.com/kserve/open-inference-protocol and Triton's extension for binary data.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from service.api.errors import field_error
from service.api.kserve.schemas import Sequenced
from service.api.native.schemas import Body, Name, Text

MOST_TEXTS = 64
_Size = Annotated[int, Field(ge=1, le=MOST_TEXTS)]


class InputParameters(Body):
    """Nothing in JSON: the size of binary data is taken off where that is read."""


class InputTensor(Body):
    """Texts to go on from."""

    name: Literal["text_input"]
    datatype: Literal["BYTES"]
    shape: Annotated[list[_Size], Field(min_length=1, max_length=2)] = Field(
        description="How many texts: [n] or [n, 1]."
    )
    parameters: InputParameters | None = None  # before the data, which are not missing but there
    data: list[Text] | list[Annotated[list[Text], Field(min_length=1, max_length=1)]] = Field(
        min_length=1, max_length=MOST_TEXTS, description="The texts, if they are not binary data."
    )

    @model_validator(mode="after")
    def _is_of_its_shape(self) -> Self:
        if self.shape[1:] not in ([], [1]) or len(self.data) != self.shape[0]:
            raise field_error(
                "inputs", f"text_input: {len(self.data)} texts are not of the shape {self.shape}"
            )
        return self

    @property
    def texts(self) -> list[str]:
        """All of them."""
        return [each if isinstance(each, str) else each[0] for each in self.data]


class OutputParameters(Body):
    """How an output is sent."""

    binary_data: bool | None = Field(None, description="As binary data behind the JSON.")


class OutputTensor(Body):
    """An output that is wanted."""

    name: Literal["text_output"]
    parameters: OutputParameters | None = None


class TensorParameters(Sequenced):
    """How to write, in which sequence, and how to send it."""

    binary_data_output: bool = Field(
        False, description="Outputs are sent as binary data, unless they say otherwise."
    )
    timeout: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Microseconds for the whole request."
    )

    @property
    def timeout_s(self) -> float | None:
        """Seconds for it."""
        return None if self.timeout is None else self.timeout / 1e6


class TensorRequest(Body):
    """Texts to go on from, as the one input tensor."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "inputs": [
                        {
                            "name": "text_input",
                            "shape": [1],
                            "datatype": "BYTES",
                            "data": ["ROMEO:"],
                        }
                    ],
                    "parameters": {"max_tokens": 50, "seed": 7},
                }
            ]
        }
    )

    id: Name | None = Field(None, description="Is given back.")
    inputs: Annotated[list[InputTensor], Field(min_length=1, max_length=1)]
    outputs: Annotated[list[OutputTensor], Field(max_length=1)] | None = None
    parameters: TensorParameters | None = None

    @model_validator(mode="after")
    def _a_sequence_has_one_text(self) -> Self:
        asked = self.parameters
        if asked and asked.sequence_id is not None and len(self.inputs[0].texts) > 1:
            raise field_error("inputs", "a sequence goes on with one text at a time")
        return self

    @property
    def is_answered_in_binary(self) -> bool:
        """Whether the texts are sent behind the JSON."""
        said = self.outputs[0].parameters if self.outputs else None
        if said is not None and said.binary_data is not None:
            return said.binary_data
        return self.parameters is not None and self.parameters.binary_data_output


class ShownParameters(BaseModel):
    """Of an output that is sent as binary data."""

    binary_data_size: int


class ShownTensor(BaseModel):
    """The texts; each element of binary data is its length, four bytes in little endian, and it."""

    name: Literal["text_output"]
    datatype: Literal["BYTES"]
    shape: list[int]
    data: list[str] | None = None
    parameters: ShownParameters | None = None


class TensorResponse(BaseModel):
    """The texts that go on from those of the request, in their order and shape."""

    model_config = ConfigDict(protected_namespaces=())

    id: str | None = None
    model_name: str
    model_version: str
    outputs: list[ShownTensor]
