"""POST /v2/models/{model}/infer by hand: what clients of good faith do not send."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from service.api.kserve.tensors import HEADER_LENGTH, data_of, elements

PATH = "/v2/models/tiny/infer"
_KINDS = ["application/json", "application/octet-stream", None]


def _json(*texts: Any, **more: Any) -> dict[str, Any]:
    tensor = {"name": "text_input", "shape": [len(texts)], "datatype": "BYTES", "data": list(texts)}
    return {"inputs": [{**tensor, **more}], "parameters": {"seed": 5, "max_tokens": 4}}


def _binary(data: bytes, size: int | None = None, shape: int = 1) -> tuple[bytes, dict[str, str]]:
    asked = _json(
        shape=[shape], parameters={"binary_data_size": len(data) if size is None else size}
    )
    del asked["inputs"][0]["data"]
    front = json.dumps(asked).encode()
    return front + data, {HEADER_LENGTH: str(len(front)), "content-type": _KINDS[1] or ""}


def test_json_in_json_out(client: TestClient):
    """The same text as `generate`, in the shape of the input."""
    answer = client.post(PATH, json=_json("Once ", "A")).json()
    one = client.post(
        "/v2/models/tiny/generate",
        json={"text_input": "A", "parameters": {"seed": 5, "max_tokens": 4}},
    ).json()
    nested = _json(["Once "], ["A"], shape=[2, 1])
    column = client.post("/v2/models/tiny/versions/1/infer", json={**nested, "id": "mine"}).json()

    assert ("tiny", "1") == (answer["model_name"], answer["model_version"])
    [tensor] = answer["outputs"]
    assert ("text_output", "BYTES", [2]) == (tensor["name"], tensor["datatype"], tensor["shape"])
    assert one["text_output"] == tensor["data"][1]
    assert ("mine", [2, 1]) == (column["id"], column["outputs"][0]["shape"])
    assert tensor["data"] == column["outputs"][0]["data"]


def test_binary_out_of_json(client: TestClient):
    """One without the other."""
    asked = {
        **_json("A"),
        "outputs": [{"name": "text_output", "parameters": {"binary_data": True}}],
    }
    answer = client.post(PATH, json=asked)
    length = int(answer.headers[HEADER_LENGTH])
    [tensor] = json.loads(answer.content[:length])["outputs"]

    assert "application/octet-stream" == answer.headers["content-type"]
    assert {"binary_data_size": len(answer.content) - length} == tensor["parameters"]
    [text] = client.post(PATH, json=_json("A")).json()["outputs"][0]["data"]
    assert [text] == elements(answer.content[length:])


@given(texts=st.lists(st.text(max_size=9), max_size=64))
def test_elements_are_what_they_were(texts: list[str]):
    """Whatever they hold."""
    assert texts == elements(data_of(texts))


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        (_json("A", name="ids"), 422, "text_input"),
        (_json("A", datatype="INT64"), 422, "BYTES"),
        (_json("A", shape=[2]), 422, "1 texts are not of the shape [2]"),
        (_json("A", "B", shape=[1, 2]), 422, "shape"),
        (_json(), 422, "inputs"),
        (_json(*"A" * 65), 422, "64"),
        (_json(3), 422, "valid string"),
        ({"inputs": []}, 422, "inputs"),
        ({**_json("A"), "outputs": [{"name": "ids"}]}, 422, "text_output"),
        ({**_json("A"), "parameters": {"details": True}}, 422, "details"),
        ({**_json("A", "B"), "parameters": {"sequence_id": 3}}, 422, "one text at a time"),
        ({**_json("A"), "parameters": {"sequence_start": True}}, 422, "sequence_id"),
        ({**_json("A"), "parameters": {"timeout": 0}}, 422, "greater than"),
    ],
)
def test_json_that_is_refused(client: TestClient, body: dict[str, Any], status: int, told: str):
    """By the field's name, in the protocol's shape."""
    answer = client.post(PATH, json=body)

    assert status == answer.status_code, answer.text
    assert told in answer.json()["error"]


@pytest.mark.parametrize(
    ("data", "size", "told"),
    [
        (b"\x01\x00", None, "ends within"),
        (struct.pack("<I", 9) + b"A", None, "longer than"),
        (struct.pack("<I", 1) + b"\xff", None, "no UTF-8"),
        (data_of(["A"]), 99, "binary_data_size"),
        (data_of(["A"]), -1, "binary_data_size"),
        (data_of(["A"]) + b"more", 5, "of no tensor"),
        (data_of(["A"] * 65), None, "64"),
    ],
)
def test_tensors_that_are_refused(client: TestClient, data: bytes, size: int | None, told: str):
    """Before anything is written."""
    content, headers = _binary(data, size)
    answer = client.post(PATH, content=content, headers=headers)

    assert 422 == answer.status_code, answer.text
    assert told in answer.json()["error"]


@pytest.mark.parametrize("length", ["99999", "-1", "x", "1e2", "9" * 5000, ""])
def test_a_length_that_is_none(client: TestClient, length: str):
    """Of the JSON."""
    content, headers = _binary(data_of(["A"]))
    answer = client.post(PATH, content=content, headers={**headers, HEADER_LENGTH: length})

    assert 422 == answer.status_code
    assert HEADER_LENGTH in answer.json()["error"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"content-type": "application/octet-stream"}, 200),
        ({"content-type": "text/plain"}, 415),
        ({"origin": "https://elsewhere.example"}, 415),
        ({"sec-fetch-site": "cross-site"}, 415),
        ({"sec-fetch-site": "same-origin", "content-type": "application/json"}, 200),
    ],
)
def test_pages_of_others_say_what_they_send(
    client: TestClient, headers: dict[str, str], status: int
):
    """Triton's client does not, and no browser sends its headers."""
    answer = client.post(PATH, content=json.dumps(_json("A")).encode(), headers=headers)

    assert status == answer.status_code, answer.text
