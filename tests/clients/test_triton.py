"""Triton's Python client over HTTP: what it can ask of a server that writes texts."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import pytest

from tests.e2e.running_server import RunningServer

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what gevent says while it is imported
    pytest.importorskip("tritonclient.http", reason="needs the extra [clients]")
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
    assert {"sequence", "sequence(string_id)"} <= set(server["extensions"])
    assert ("tiny", ["1"]) == (model["name"], model["versions"])
    assert ["text_input", "text_output"] == [
        tensor["name"] for tensor in (*model["inputs"], *model["outputs"])
    ]


def test_errors_are_its_own(client: triton.InferenceServerClient):
    """It reads the sentence and the status."""
    with pytest.raises(InferenceServerException) as caught:
        client.get_model_metadata("other")

    assert "404" == caught.value.status()
    assert "other" in caught.value.message()
