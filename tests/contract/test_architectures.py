"""Whatever `lstm-train` can make a step of, the service serves: it knows no architecture."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from rich.console import Console

from service.app import create_app
from service.artifacts.store import ModelStore
from service.settings import Settings
from tests.training.tiny import sentences
from training.config.files import parse_config
from training.corpora.load import load_corpus
from training.pipeline import Desk, WhatToTrain, publish_checkpoint, train_model
from training.runs.checkpoints import Checkpoint
from training.runs.run_folder import RunFolder

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

MODELS: dict[str, dict[str, object]] = {
    "gru": {"architecture": "gru"},
    "peephole": {"architecture": "peephole-lstm", "weight_drop": 0.2},
    "layernorm": {"architecture": "layernorm-lstm"},
    "tanh": {"architecture": "tanh-rnn"},
    "residual": {
        "residual": True,
        "num_layers": 3,
        "locked_dropout": True,
        "dropout_between": 0.1,
        "dropout_words": 0.1,
    },
    "projected": {"projection_size": 12},
    "words": {"adaptive_cutoffs": [5, 9], "adaptive_division": 2.0},
    "tied-words": {"adaptive_cutoffs": [5, 9], "tied": True, "embedding_size": 24},
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a model of every kind, each trained for a few steps."""
    folder = tmp_path_factory.mktemp("architectures")
    text = folder / "text.txt"
    text.write_text(sentences(6_000), encoding="utf-8")
    for name, model in MODELS.items():
        config = parse_config(
            {
                "name": name,
                "corpus": {"path": str(text), "held_out": 0.3 if "words" in name else 0.1},
                "tokenizer": {"kind": "word" if "words" in name else "character"},
                "model": {"hidden_size": 24, "embedding_size": 16} | model,
                "training": {
                    "epochs": 4 if "words" in name else 1,
                    "batch_size": 8,
                    "window": 32,
                    "precision": "float32",
                },
                "sample": {"num_tokens": 10},
                "publish": {
                    "precision": "float32" if name == "projected" else "int8",
                    "max_perplexity_increase": 0.05,
                    # Layer normalisation divides by what is small at first: roundings grow.
                    "parity_tolerance": 5e-3 if name == "layernorm" else 5e-4,
                },
            },
            source="test",
        )
        corpus = load_corpus(config.corpus)
        run_folder, console = RunFolder(folder / "runs" / name), Console(file=StringIO())
        train_model(WhatToTrain(config, corpus, run_folder), Desk(console))
        checkpoint, store = Checkpoint.load(run_folder.best), ModelStore(folder / "store")
        publish_checkpoint(checkpoint, corpus, run_folder, console, store, None)
    return folder / "store"


def test_all_are_served_alike(store: Path) -> None:
    """Alone and together a text is the same; what the manifest says is what was trained."""
    with TestClient(create_app(Settings(model_store=store))) as client:
        listed = {model["name"] for model in client.get("/models").json()["models"]}
        assert set(MODELS) == listed
        for name in MODELS:
            ask = {"model": name, "prompt": "The ", "max_tokens": 30, "seed": 3}
            first, second = (client.post("/generate", json=ask).json() for _ in range(2))
            assert 30 == first["usage"]["completion_tokens"]
            assert 30 == len(first["text"]) or "words" in name
            assert first["text"] == second["text"]
    architectures = {
        name: ModelStore(store).verify(name, 1).manifest.architecture for name in MODELS
    }
    assert "gru" == architectures["gru"]
    assert "lstm" == architectures["projected"]
