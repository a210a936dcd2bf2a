"""Triton's Python client over HTTP: what it can ask of a server that writes texts."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import pytest

from tests.e2e.running_server import RunningServer

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what gevent says while it is imported
    pytest.importorskip("tritonclient.http", reason="needs the extra [clients]")
import numpy as np
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


@pytest.fixture
def client(server: RunningServer) -> Iterator[triton.InferenceServerClient]:
    """As its documentation says."""
    client = triton.InferenceServerClient(url=f"127.0.0.1:{server.port}")
    yield client
    client.close()


def test_the_server_and_its_models_are_ready(client: triton.InferenceServerClient):
    """A model by its name and by its version."""
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("tiny")
    assert client.is_model_ready("tiny", "1")
    assert not client.is_model_ready("tiny", "2")
    assert not client.is_model_ready("other")


def test_the_server_and_its_models_tell_of_themselves(client: triton.InferenceServerClient):
    """What the protocol says that they do."""
    server, model = client.get_server_metadata(), client.get_model_metadata("tiny")

    assert "lstm-serve" == server["name"]
    assert {"sequence", "sequence(string_id)", "binary_tensor_data"} <= set(server["extensions"])
    assert ("tiny", ["1"]) == (model["name"], model["versions"])
    assert [{"name": "text_input", "datatype": "BYTES", "shape": [-1]}] == model["inputs"]
    assert [{"name": "text_output", "datatype": "BYTES", "shape": [-1]}] == model["outputs"]


def _input(*texts: str, binary: bool = True, shape: tuple[int, ...] = ()) -> triton.InferInput:
    tensor = triton.InferInput("text_input", list(shape or (len(texts),)), "BYTES")
    data = np.array([text.encode() for text in texts], np.object_).reshape(tensor.shape())
    return tensor.set_data_from_numpy(data, binary_data=binary)


def _texts(result: triton.InferResult) -> list[str]:
    found = result.as_numpy("text_output").reshape(-1).tolist()
    return [text.decode() if isinstance(text, bytes) else text for text in found]


@pytest.mark.parametrize("binary", [True, False])
def test_infer_writes_a_text_for_each(client: triton.InferenceServerClient, binary: bool):
    """As binary data, which is what it sends by itself, and as JSON; `generate` writes the same."""
    texts = ("Once ", "中é\n", "")
    wanted = [triton.InferRequestedOutput("text_output", binary_data=binary)]
    parameters = {"max_tokens": 12, "seed": 5, "temperature": 0.7}
    result = client.infer(
        "tiny", [_input(*texts, binary=binary)], outputs=wanted, parameters=parameters
    )
    by_itself = client.infer("tiny", [_input(*texts)], model_version="1", parameters=parameters)
    alone = [
        client.infer("tiny", [_input(text, shape=(1, 1))], parameters=parameters) for text in texts
    ]

    assert 12 * 3 == sum(map(len, _texts(result)))
    assert _texts(result) == _texts(by_itself) == [_texts(each)[0] for each in alone]
    assert (3,) == result.as_numpy("text_output").shape
    assert (1, 1) == alone[0].as_numpy("text_output").shape


def test_infer_goes_on_in_a_sequence(client: triton.InferenceServerClient):
    """By the client's own arguments; two turns are one uninterrupted text."""
    parameters = {"max_tokens": 10, "seed": 3, "temperature": 0}
    first = client.infer(
        "tiny", [_input("Once ")], sequence_id="mine", sequence_start=True, parameters=parameters
    )
    second = client.infer(
        "tiny", [_input("")], sequence_id="mine", sequence_end=True, parameters=parameters
    )
    whole = client.infer("tiny", [_input("Once ")], parameters={**parameters, "max_tokens": 20})

    assert _texts(whole) == [_texts(first)[0] + _texts(second)[0]]
    with pytest.raises(InferenceServerException) as caught:
        client.infer("tiny", [_input("")], sequence_id="mine", parameters=parameters)
    assert "404" == caught.value.status()


def test_infer_at_the_same_time(client: triton.InferenceServerClient):
    """Its asynchronous call, with a time-out of the protocol."""
    calls = [
        client.async_infer("tiny", [_input("a")], timeout=30_000_000, request_id="one")
        for _ in range(3)
    ]

    results = [call.get_result() for call in calls]
    assert ["one"] * 3 == [result.get_response()["id"] for result in results]


def test_infer_refuses_what_it_does_not_do(client: triton.InferenceServerClient):
    """By name: other tensors, compressed bodies, shared memory, bytes that are no text."""
    shared = triton.InferInput("text_input", [1], "BYTES")
    shared.set_shared_memory("region", 8)
    other = triton.InferInput("ids", [1], "INT64")
    other.set_data_from_numpy(np.array([1], np.int64))
    no_text = triton.InferInput("text_input", [1], "BYTES")
    no_text.set_data_from_numpy(np.array([b"\xff\xfe"], np.object_))
    refused = []
    for tensor, more in (
        (shared, {}),
        (other, {}),
        (no_text, {}),
        (_input("a"), {"request_compression_algorithm": "gzip"}),
        (_input("a"), {"priority": 3}),
    ):
        with pytest.raises(InferenceServerException) as caught:
            client.infer("tiny", [tensor], **more)
        refused.append((caught.value.status(), caught.value.message()))

    assert ["422", "422", "422", "415", "422"] == [status for status, _ in refused]
    for (_, message), told in zip(
        refused, ("shared_memory", "text_input", "UTF-8", "gzip", "priority"), strict=True
    ):
        assert told in message


def test_errors_are_its_own(client: triton.InferenceServerClient):
    """It reads the sentence and the status."""
    with pytest.raises(InferenceServerException) as caught:
        client.get_model_metadata("other")

    assert "404" == caught.value.status()
    assert "other" in caught.value.message()
