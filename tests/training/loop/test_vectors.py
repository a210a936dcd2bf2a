"""Word vectors: read in all formats, looked up, and clearly refused."""

from __future__ import annotations

import struct
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console

from tests.training.tiny import tiny_config
from training.config.model import VectorsConfig
from training.config.text import TokenizerConfig
from training.config.train import TrainConfig
from training.corpora.load import load_corpus
from training.errors import ConfigError, CorpusError
from training.loop.vectors import Vectors, load_vectors
from training.models.dropout import Dropout
from training.models.embedding import TokenEmbedding
from training.pipeline import Desk, WhatToTrain, train_model
from training.runs.checkpoints import Checkpoint
from training.runs.run_folder import RunFolder
from training.tokenization.build import build_tokenizer
from training.tokenization.tokenizer import TextTokenizer

WORDS = {"lamp": [1.0, 2.0, 3.0], "the": [4.0, 5.0, 6.0], "unheard": [7.0, 8.0, 9.0]}


@pytest.fixture
def tokenizer() -> TextTokenizer:
    """Of "the", "The", "lamp", "keeps" and "." as words."""
    config = TokenizerConfig(kind="word")
    return build_tokenizer(config, ["the lamp keeps The lamp."], has_items=False)


def content(layout: str) -> bytes:
    """The words in a format."""
    lines = [f"{word} " + " ".join(map(str, vector)) for word, vector in WORDS.items()]
    if layout == "glove":
        return ("\n".join(lines) + "\n").encode()
    if layout == "word2vec-binary":
        vectors = (
            word.encode() + b" " + struct.pack("<3f", *vector) + b"\n"
            for word, vector in WORDS.items()
        )
        return b"3 3\n" + b"".join(vectors)
    return ("\n".join(["3 3", *lines]) + "\n").encode()


def load(path: Path, layout: str, tokenizer: TextTokenizer, size: int = 3) -> Vectors:
    """What a run would begin with."""
    config = VectorsConfig.model_validate({"path": str(path), "format": layout})
    return load_vectors(config, tokenizer, size)


@pytest.mark.parametrize("layout", ["word2vec", "word2vec-binary", "glove", "fasttext"])
def test_all_formats(tmp_path: Path, tokenizer: TextTokenizer, layout: str) -> None:
    """Words without the space before them, and in lower case where only that is known."""
    (tmp_path / "v").write_bytes(content(layout))
    vectors = load(tmp_path / "v", layout, tokenizer)
    found = {
        tokenizer.backend.id_to_token(token): vector.tolist()
        for token, vector in vectors.by_id.items()
    }
    assert found == {" the": WORDS["the"], " The": WORDS["the"], " lamp": WORDS["lamp"]}
    assert vectors.coverage == pytest.approx(3 / tokenizer.vocabulary_size)


def test_the_exact_word_comes_before_the_lower_case_one(
    tmp_path: Path, tokenizer: TextTokenizer
) -> None:
    """Whatever their order in the file; and of a word that comes twice the first counts."""
    (tmp_path / "v").write_text("the 1 1\nThe 2 2\nthe 3 3\n", encoding="utf-8")
    by_id = load(tmp_path / "v", "glove", tokenizer, size=2).by_id
    vocabulary = tokenizer.backend.get_vocab()
    the, capital = vocabulary[" the"], vocabulary[" The"]
    assert by_id[the].tolist() == [1, 1]
    assert by_id[capital].tolist() == [2, 2]


@pytest.mark.parametrize(
    ("layout", "spoiled", "complaint"),
    [
        ("word2vec", b"the 1 2 3\n", "first line is not the number of words"),
        ("word2vec", b"1 4\nthe 1 2 3 4\n", r"have 4 numbers, model\.embedding_size is 3"),
        ("glove", b"the 1 2\n", "set embedding_size = 2"),
        ("glove", b"the 1 2 x\n", "with what is no number"),
        ("glove", b"the 1 2 nan\n", "with nan, infinity or beyond 1e9"),
        ("glove", b"nobody 1 2 3\n", "know none of the"),
        ("word2vec-binary", content("word2vec-binary")[:20], "it ends"),
        ("word2vec-binary", b"9 3\n" + b"x" * 20_000, "damaged at word 1 of 9"),
    ],
)
def test_damaged_files_are_refused(
    tmp_path: Path, tokenizer: TextTokenizer, layout: str, spoiled: bytes, complaint: str
) -> None:
    """With the file's name and the reason."""
    (tmp_path / "v.bin").write_bytes(spoiled)
    with pytest.raises(CorpusError, match=complaint) as refusal:
        load(tmp_path / "v.bin", layout, tokenizer)
    assert "v.bin" in str(refusal.value)


def test_a_missing_file_is_named(tmp_path: Path, tokenizer: TextTokenizer) -> None:
    """As any other."""
    with pytest.raises(CorpusError, match=r"none\.vec: .*No such file"):
        load(tmp_path / "none.vec", "glove", tokenizer)


def test_the_others_get_vectors_like_them() -> None:
    """Random, of the same mean and spread."""
    torch.manual_seed(1)
    embedding = TokenEmbedding(400, 50, Dropout(0.0, locked=False), 0.0, tied=False)
    known = {n: np.random.default_rng(n).normal(3.0, 0.1, 50).astype(np.float32) for n in range(9)}
    Vectors(known, 400).write_into(embedding)
    assert torch.equal(embedding.weight[5].detach(), torch.from_numpy(known[5]))
    others = embedding.weight[9:].detach()
    assert float(others.mean()) == pytest.approx(3.0, abs=0.01)
    assert float(others.std()) == pytest.approx(0.1, abs=0.01)


def config_with(text_file: Path, path: Path, **options: object) -> TrainConfig:
    """A tiny run that begins with vectors of characters."""
    table = tiny_config(text_file).model_dump(exclude_unset=True)
    table["vectors"] = {"path": str(path), "format": "glove", **options}
    return TrainConfig.model_validate(table)


@pytest.mark.parametrize("trainable", [True, False], ids=["tuned", "frozen"])
def test_a_run_begins_with_them(text_file: Path, tmp_path: Path, *, trainable: bool) -> None:
    """Says how many were found; frozen ones are at the end what they were."""
    path = tmp_path / "v.txt"
    path.write_text("e " + "0.25 " * 8 + "\nt " + "0.5 " * 8 + "\n", encoding="utf-8")
    config = config_with(text_file, path, trainable=trainable)
    screen = StringIO()
    folder = RunFolder(tmp_path / "run")
    desk = Desk(Console(file=screen, width=200))
    train_model(WhatToTrain(config, load_corpus(config.corpus), folder), desk)
    # T is found as t.
    assert "word vectors: 3 of 24 tokens (12.5%) begin with one of the file's" in screen.getvalue()
    checkpoint = Checkpoint.load(folder.last)
    vocabulary = checkpoint.identity.tokenizer.backend.get_vocab()
    row_E = checkpoint.weights["embedding.weight"][vocabulary["e"]]
    assert torch.equal(row_E, torch.full((8,), 0.25)) != trainable
    path.unlink()
    train_model(WhatToTrain(None, load_corpus(config.corpus), folder, resume=True), desk)


def test_frozen_and_tied_exclude_each_other(text_file: Path, tmp_path: Path) -> None:
    """The option is named."""
    table = config_with(text_file, tmp_path, trainable=False).model_dump(exclude_unset=True)
    table["model"] |= {"tied": True, "embedding_size": 16}
    with pytest.raises((ConfigError, ValueError), match=r"vectors\.trainable = false"):
        TrainConfig.model_validate(table)
