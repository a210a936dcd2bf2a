"""A tiny sweep, and what tests do with it."""

from __future__ import annotations

from pathlib import Path

import optuna
from rich.console import Console

from tests.training.tiny import sentences
from training.corpora.corpus import Corpus
from training.corpora.load import load_corpus
from training.tuning.sweep import open_study, search
from training.tuning.sweep_space import Sweep

_CONFIG = """
name = "tiny"
[corpus]
path = "text.txt"
[model]
hidden_size = 8
num_layers = 1
embedding_size = 8
[training]
epochs = 9
batch_size = 8
window = 16
"""


SWEEP = """
config = "tiny.toml"
num_trials = 3
[fixed]
"training.epochs" = 1
[space."training.learning_rate"]
low = 1e-4
high = 1e-1
log = true
[space."training.batch_size"]
low = 4
high = 8
step = 4
[space."model.architecture"]
choices = ["lstm", "gru"]
"""


QUIET = Console(quiet=True)


def corpus_of(sweep: Sweep) -> Corpus:
    """What all its trials read."""
    return load_corpus(sweep.base.corpus, cleaning=sweep.base.cleaning)


def started(sweep_file: Path, folder: Path) -> optuna.Study:
    """The study as it is opened each time."""
    sweep = Sweep.load(sweep_file)
    return open_study(sweep, corpus_of(sweep), folder)


def searched(sweep_file: Path, folder: Path) -> optuna.Study:
    """The study when all trials have ended."""
    sweep, study = Sweep.load(sweep_file), started(sweep_file, folder)
    assert search(sweep, study, folder, corpus_of(sweep), QUIET)
    return study


def replaced(file: Path, before: str, after: str) -> None:
    """Change what the file says."""
    text = file.read_text("utf-8")
    assert before in text
    file.write_text(text.replace(before, after), encoding="utf-8")


def write_sweep(folder: Path) -> Path:
    """A sweep, its config and its text."""
    (folder / "text.txt").write_text(sentences(4_000), encoding="utf-8")
    (folder / "tiny.toml").write_text(_CONFIG, encoding="utf-8")
    file = folder / "sweep.toml"
    file.write_text(SWEEP, encoding="utf-8")
    return file
