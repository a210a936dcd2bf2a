"""The two packages meet: what `lstm-train` publishes, the service serves."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.artifacts.store import ModelStore
from service.rows.row import Row
from service.runtime.decoder import SAMPLED, Burst
from service.runtime.reference.stepwise import StepwiseDecoder
from service.runtime.sampling import Sampling
from service.runtime.step import StepGraph
from service.settings import Settings
from tests.training.tiny import sentences

REPOSITORY = Path(__file__).parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the model that the command line makes of a text of one's own."""
    folder = tmp_path_factory.mktemp("contract")
    (folder / "mine.txt").write_text(sentences(6_000), encoding="utf-8")
    config = folder / "mine.toml"
    config.write_text(
        f"""
        name = "mine"
        [corpus]
        path = {str(folder / "mine.txt")!r}
        [model]
        hidden_size = 32
        num_layers = 2
        embedding_size = 16
        [training]
        epochs = 4
        batch_size = 8
        window = 32
        learning_rate = 0.01
        [publish]
        max_perplexity_increase = 0.05
        """,
        encoding="utf-8",
    )
    subprocess.run(
        [
            # Two threads, as most people train: the other tests have one.
            *(sys.executable, "-m", "training.cli", "run", str(config), "--threads", "2"),
            *("--store", str(folder / "store"), "--run-dir", str(folder / "run")),
        ],
        cwd=REPOSITORY,
        env=os.environ | {"COLUMNS": "120"},
        check=True,
        capture_output=True,
        timeout=170,
    )
    return folder / "store"


@pytest.fixture(scope="module")
def client(store: Path) -> Iterator[TestClient]:
    """The service on that store."""
    with TestClient(create_app(Settings(model_store=store))) as client:
        yield client


def test_what_was_trained_is_served(client: TestClient):
    """The model has learned to write its text's letters, and the server writes with it."""
    answer = client.post("/generate", json={"prompt": "The ", "max_tokens": 60, "seed": 1}).json()

    assert "mine@1" == answer["model"]
    assert 60 == len(answer["text"])
    assert set(sentences(6_000)) >= set(answer["text"])


def test_the_server_writes_what_the_published_graph_writes(client: TestClient, store: Path):
    """Nothing on the way from the socket to the model and back changes a token."""
    artifact = ModelStore(store).verify("mine", 1)
    decoder = StepwiseDecoder(
        StepGraph(artifact.read("model.onnx"), num_threads=1),
        capacity=1,
        never_drawn=[artifact.manifest.special_ids.unknown or 0],
    )
    tokenizer = next(iter(client.app.state.service.inference.models)).tokenizer  # type: ignore[attr-defined]
    prompt = tokenizer.encode("The ")
    decoder.load(0, Row.start(decoder.row_shape), Sampling(seed=5))
    forced_KB = np.array([[*prompt, *[SAMPLED] * 40]]).T
    result = decoder.burst(
        Burst(np.array([0]), forced_KB, np.array([len(forced_KB)]), np.array([True]))
    )
    expected = tokenizer.decode(result.token_KB[len(prompt) :, 0])

    body = {"prompt": "The ", "max_tokens": 40, "seed": 5, "temperature": 1}
    assert expected == client.post("/generate", json=body).json()["text"]


def test_provenance_is_told(client: TestClient):
    """Where the model came from and how good it is can be asked over HTTP."""
    manifest = client.get("/models/mine").json()

    assert "int8" == manifest["precision"]
    measured = {(e["method"], e["precision"]) for e in manifest["evaluations"]}
    assert {("stateful", "int8"), ("stateful", "float32")} <= measured
    assert manifest["parity"]["max_logit_difference"] < manifest["parity"]["tolerance"]
