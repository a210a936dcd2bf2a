"""A text in a file, and one tiny run that is trained once and looked at by many tests."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import onnx
import pytest
from rich.console import Console

from tests.training.tiny import TinyRun, sentences, tiny_config
from training.corpora.load import load_corpus
from training.pipeline import Desk, WhatToTrain, train_model
from training.publishing.candidate import Candidate, build_candidate, build_graph
from training.runs.run_folder import RunFolder


@pytest.fixture(scope="session")
def text_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """6,000 characters in a file."""
    path = tmp_path_factory.mktemp("text") / "sentences.txt"
    path.write_text(sentences(6_000), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def tiny_run(text_file: Path, tmp_path_factory: pytest.TempPathFactory) -> TinyRun:
    """Train once; nobody may change the folder."""
    config = tiny_config(text_file)
    corpus = load_corpus(config.corpus)
    folder = RunFolder(tmp_path_factory.mktemp("runs") / "tiny")
    screen = StringIO()
    desk = Desk(Console(file=screen, width=100))
    outcome = train_model(WhatToTrain(config, corpus, folder), desk)
    assert outcome.is_complete
    return TinyRun(config, corpus, folder, screen.getvalue())


@pytest.fixture(scope="session")
def tiny_graph(tiny_run: TinyRun) -> onnx.ModelProto:
    """The float32 step graph; nobody may change it."""
    return build_graph(tiny_run.checkpoint, "float32")


@pytest.fixture(scope="session")
def tiny_candidate(tiny_run: TinyRun) -> Candidate:
    """What would be published."""
    return build_candidate(tiny_run.checkpoint, tiny_run.held_out)
