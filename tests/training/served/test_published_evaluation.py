"""`lstm-train evaluate --model`: a text is read as the model was given its own."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from service.artifacts.manifest import MANIFEST_FILE
from service.artifacts.store import Artifact, ModelStore
from tests.tiny_model import publish
from training.cli import main
from training.config.files import load_config
from training.corpora.load import load_corpus
from training.errors import ConfigError
from training.served.step_model import read_as_trained

POEMS = """
name = "poems"
[corpus]
path = "poems.txt"
items = "paragraphs"
shuffled = true
[cleaning]
simplified_chinese = true
[model]
hidden_size = 16
num_layers = 1
embedding_size = 16
[training]
epochs = 1
batch_size = 8
window = 16
[publish]
max_perplexity_increase = 1.0
"""
TRADITIONAL = "雲龍國書馬鳥魚車門風"


@pytest.fixture
def poems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Artifact:
    """A published model of poems of two lines, and `held_out.txt` as it was before cleaning."""
    monkeypatch.chdir(tmp_path)
    draws = random.Random(3)
    couplets = [
        "\n".join("".join(draws.choices(TRADITIONAL, k=5)) for _ in "ab") for _ in "x" * 500
    ]
    Path("poems.txt").write_text("\n\n".join(couplets) + "\n", encoding="utf-8")
    Path("poems.toml").write_text(POEMS, encoding="utf-8")
    assert main(["run", "poems.toml", "--store", "store"]) == 0
    corpus = load_corpus(load_config(Path("poems.toml")).corpus)
    Path("held_out.txt").write_text("\n\n".join(corpus.validation) + "\n", encoding="utf-8")
    return ModelStore(Path("store")).verify("poems", 1)


def test_the_figure_of_held_out_items_is_the_published_one(
    poems: Artifact, capsys: pytest.CaptureFixture[str]
) -> None:
    """Items begin and end as in training, and traditional characters become simplified ones."""
    capsys.readouterr()
    command = ["evaluate", "--model", "poems", "--store", "store", "--text", "held_out.txt"]
    assert main([*command, "--places", "0"]) == 0
    shown = capsys.readouterr().out
    published = poems.manifest.evaluations[0]
    assert published.method == "stateful"
    assert f"{published.num_tokens:,}" in shown
    assert f"{published.nats_per_token:.4f}" in shown
    assert f"{published.perplexity:.4f}" in shown
    poems_read = Path("held_out.txt").read_text(encoding="utf-8").rstrip("\n").split("\n\n")
    assert f"{sum(map(len, poems_read)):,} characters" in shown
    assert "<unk>" not in shown


def trained_on(folder: Path, *, are_items: bool = True, **config: Any) -> Artifact:
    """A model of random weights whose manifest says that it was trained so."""
    manifest = publish(folder, start_before_prompt=are_items) / MANIFEST_FILE
    content = json.loads(manifest.read_text(encoding="utf-8"))
    content["provenance"]["config"] = config
    manifest.write_text(json.dumps(content), encoding="utf-8")
    return ModelStore(folder).verify("tiny", 1)


@pytest.mark.parametrize(
    ("corpus", "content", "texts"),
    [
        ({"name": "names"}, "Emma\n\nOlivia\nAva", ["emma", "olivia", "ava"]),
        ({"name": "song-ci"}, "A\nb\n\n\nC\n", ["a\nb", "c"]),
        ({"path": "x.txt", "items": "lines"}, "b\na\n", ["b", "a"]),
        (
            {"path": "x", "format": "jsonl", "items": "documents", "text_field": "t"},
            '{"t": "One\\ntwo"}\n{"t": "3"}\n',
            ["one\ntwo", "3"],
        ),
    ],
)
def test_items_are_what_the_corpus_of_the_model_says(
    tmp_path: Path, corpus: dict[str, str], content: str, texts: list[str]
) -> None:
    """In the order of the file, each cleaned as the corpus was."""
    artifact = trained_on(tmp_path / "store", corpus=corpus, cleaning={"lowercase": True})
    file = tmp_path / "text"
    file.write_text(content, encoding="utf-8")
    assert list(read_as_trained(artifact, file)) == texts


def test_pages_are_items_too(tmp_path: Path) -> None:
    """Of a crawl; what is no such file is refused by its own reader."""
    corpus = {"path": "x", "format": "wet", "items": "documents"}
    artifact = trained_on(tmp_path / "store", corpus=corpus)
    file = tmp_path / "pages.warc.wet"
    page = "A page.\n"
    head = f"WARC/1.0\r\nWARC-Type: conversion\r\nContent-Length: {len(page)}\r\n\r\n"
    file.write_bytes(f"{head}{page}\r\n\r\n".encode())
    assert list(read_as_trained(artifact, file)) == [page]


def test_a_text_that_is_no_collection_is_cleaned_and_left_whole(tmp_path: Path) -> None:
    """Line ends are characters of it."""
    file = tmp_path / "text"
    file.write_text("A\n\nB", encoding="utf-8")
    artifact = trained_on(tmp_path / "a", are_items=False, cleaning={"lowercase": True})
    assert "".join(read_as_trained(artifact, file)) == "a\n\nb"
    artifact = trained_on(tmp_path / "b", are_items=False)
    assert "".join(read_as_trained(artifact, file)) == "A\n\nB"


def test_documents_of_an_endless_text(tmp_path: Path) -> None:
    """JSON lines are read as they were for training, other files as they are."""
    corpus = {"path": "x", "format": "jsonl", "text_field": "t"}
    artifact = trained_on(tmp_path / "store", are_items=False, corpus=corpus)
    for name, text in (("x.jsonl", "One\n\nTwo\n\n"), ("x.txt", '{"t": "One"}\n{"t": "Two"}\n')):
        (tmp_path / name).write_text('{"t": "One"}\n{"t": "Two"}\n', encoding="utf-8")
        assert "".join(read_as_trained(artifact, tmp_path / name)) == text


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "provenance.config.corpus: wrong config"),
        ({"corpus": {"path": "x.txt"}}, "provenance.config.corpus: no 'items'"),
        ({"cleaning": {"lowercase": 1}}, "provenance.config.cleaning: wrong config\n  lowercase:"),
    ],
)
def test_a_manifest_that_does_not_say_how_is_refused(
    tmp_path: Path, config: dict[str, Any], message: str
) -> None:
    """With the model's name and the field's: a guess would be a wrong figure."""
    artifact = trained_on(tmp_path, **config)
    with pytest.raises(ConfigError, match=f"tiny@1, {message}"):
        read_as_trained(artifact, tmp_path / "text")
