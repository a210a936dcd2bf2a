"""What has to be JSON, by pydantic's models and OpenAI's client, of a model that can write it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import pytest
from pydantic import BaseModel, Field

from service.artifacts.chat import ROLES, ChatTemplate
from tests.e2e.running_server import RunningServer, running_server
from tests.tiny_model import JSON_CHARACTERS, publish, tokenizer_json

pytest.importorskip("openai", reason="needs the extra [clients]")
pytest.importorskip("outlines_core", reason="needs the extra [constrained]")
import openai

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


class Line(BaseModel):
    """A part of a scene."""

    by: Literal["romeo", "juliet"]
    loud: bool


class Scene(BaseModel):
    """Lines, and perhaps one more."""

    first: Line = Field(description="Who begins.")
    others: list[Line] = Field(max_length=2)
    last: Line | None


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server whose model knows braces."""
    folder = tmp_path_factory.mktemp("formats")
    template = ChatTemplate(template=ROLES)
    publish(folder / "store", tokenizer=tokenizer_json(JSON_CHARACTERS), chat_template=template)
    with running_server(folder / "store", folder, max_rows=8, constrained_output=True) as server:
        yield server


@pytest.fixture
def client(writer: RunningServer) -> Iterator[openai.OpenAI]:
    """As its documentation says."""
    with openai.OpenAI(base_url=f"{writer.url}/v1", api_key="none", timeout=60) as client:
        yield client


def test_parse_gives_the_model(client: openai.OpenAI):
    """With the strict schema that the client makes of it."""
    answer = client.chat.completions.parse(
        model="tiny",
        messages=[{"role": "user", "content": "a scene"}],
        response_format=Scene,
        max_tokens=400,
        seed=2,
    )

    assert "stop" == answer.choices[0].finish_reason
    assert isinstance(answer.choices[0].message.parsed, Scene)


def test_a_schema_of_pydantic(client: openai.OpenAI):
    """As pydantic writes it, and as it did when a remark could not stand beside a reference."""
    now, then = Scene.model_json_schema(), Scene.model_json_schema()
    first = then["properties"]["first"]
    first["allOf"] = [{"$ref": first.pop("$ref")}]
    for schema in (now, then):
        text = client.completions.create(
            model="tiny",
            prompt="a",
            max_tokens=400,
            seed=3,
            extra_body={
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "Scene", "schema": schema},
                }
            },
        )
        Scene.model_validate_json(text.choices[0].text)


def test_a_contradiction_is_told_with_its_place(client: openai.OpenAI):
    """As the client's own error."""
    schema = {"allOf": [{"type": "string"}, {"type": "integer"}]}
    named = {"type": "json_schema", "json_schema": {"name": "no", "schema": schema}}

    with pytest.raises(
        openai.BadRequestError, match="/type: nothing is string and integer"
    ) as told:
        client.completions.create(model="tiny", prompt="a", extra_body={"response_format": named})

    assert "response_format" == told.value.param
