"""A corpus in three parts: one to train on, one to choose by, one for the published figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.artifacts.manifest import Evaluation
from service.artifacts.store import ModelStore
from tests.training.tiny import TinyRun, sentences
from training.cli import main

WORDS = """
name = "words"
[corpus]
path = "ptb"
format = "ptb"
[tokenizer]
kind = "word"
split_punctuation = false
[model]
hidden_size = 16
num_layers = 1
embedding_size = 16
tied = true
[training]
epochs = 2
batch_size = 4
window = 16
"""


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelStore:
    """What a run on a corpus in the layout of Penn Treebank has published."""
    monkeypatch.chdir(tmp_path)
    Path("ptb").mkdir()
    for part, size in (("train", 6_000), ("valid", 4_000), ("test", 5_000)):
        lines = sentences(size).replace(".", " .").splitlines()
        text = "".join(f" {line} \n" for line in lines)
        Path(f"ptb/ptb.{part}.txt").write_text(text, encoding="utf-8")
    Path("words.toml").write_text(WORDS, encoding="utf-8")
    assert main(["run", "words.toml", "--store", "store"]) == 0
    return ModelStore(Path("store"))


def count_words(file: Path) -> int:
    """The end of a line is one too."""
    text = file.read_text(encoding="utf-8")
    return len(text.split()) + text.count("\n")


def test_published_figures_are_of_the_test_part(
    store: ModelStore, capsys: pytest.CaptureFixture[str]
) -> None:
    """And evaluate gives the same ones, in torch, if it is asked for that part."""
    artifact = store.verify("words", 1)
    in_float32 = [e for e in artifact.manifest.evaluations if e.precision == "float32"]
    assert {e.part for e in artifact.manifest.evaluations} == {"test"}
    card = (artifact.folder / "README.md").read_text(encoding="utf-8")
    assert "| test text, by the serving runtime |" in card
    num_words = {part: count_words(Path(f"ptb/ptb.{part}.txt")) for part in ("valid", "test")}
    assert in_float32[0].num_tokens == num_words["test"] - 1

    capsys.readouterr()
    assert main(["evaluate", "--run-dir", "runs/words", "--part", "test"]) == 0
    shown = capsys.readouterr().out
    assert "test text" in shown
    assert f"{in_float32[0].nats_per_token:.3f}" in shown
    assert main(["evaluate", "--run-dir", "runs/words", "--dynamic", "0"]) == 0
    shown = capsys.readouterr().out
    assert "validation text" in shown
    assert shown.count(f"{num_words['valid'] - 1:,}") == 2


def test_a_part_that_is_not_there(tiny_run: TinyRun, capsys: pytest.CaptureFixture[str]) -> None:
    """Is refused; figures of a text that was simply cut in two are of its end, and say so."""
    command = ["evaluate", "--run-dir", str(tiny_run.folder.path), "--part", "test"]
    assert main(command) == 1
    assert "has no test part, only a validation part" in capsys.readouterr().err
    assert main(["evaluate", "--model", "m", "--text", "t.txt", "--part", "test"]) == 1
    assert "--part needs a checkpoint: --run-dir, not --model" in capsys.readouterr().err


def test_manifests_of_before_there_were_parts() -> None:
    """Their figures are of the validation text."""
    old = Evaluation.model_validate(
        {
            "method": "stateful",
            "precision": "int8",
            "num_tokens": 9,
            "nats_per_token": 1.5,
            "bits_per_character": 2.0,
            "perplexity": 4.5,
        }
    )
    assert old.part == "validation"
