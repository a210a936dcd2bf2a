"""What a run may go on with, and what it may not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.training.tiny import TinyRun, tiny_config
from training.cli import main
from training.config.text import CorpusConfig
from training.corpora.load import at_path, load_corpus
from training.errors import CheckpointError, CorpusError
from training.runs.run_folder import RunFolder


def test_another_config_cannot_go_on(text_file: Path, tiny_run: TinyRun) -> None:
    """The message names what differs; what does not take part in training may."""
    other = tiny_config(text_file, epochs=9, seed=4)
    with pytest.raises(CheckpointError, match="training was epochs = 2, now 9, seed = 1, now 4"):
        tiny_run.folder.resume(other, tiny_run.corpus)
    described = tiny_run.config.model_copy(update={"description": "new"})
    resumed = tiny_run.folder.resume(described, tiny_run.corpus)
    assert resumed.identity.config.description == "new"


def test_another_split_cannot_go_on(tiny_run: TinyRun) -> None:
    """What was held out would be trained on; but the text may lie elsewhere."""
    moved = tiny_run.config.corpus.model_copy(update={"path": "elsewhere.txt"})
    elsewhere = tiny_run.config.model_copy(update={"corpus": moved})
    resumed = tiny_run.folder.resume(elsewhere, tiny_run.corpus)
    assert moved == resumed.identity.config.corpus
    less = moved.model_copy(update={"held_out": 0.05})
    config = tiny_run.config.model_copy(update={"corpus": less})
    with pytest.raises(CheckpointError, match=r"corpus was held_out = 0\.1, now 0\.05\. Go on"):
        tiny_run.folder.resume(config, tiny_run.corpus)


def test_a_named_text_may_be_given_as_a_file(tiny_run: TinyRun, tmp_path: Path) -> None:
    """As `--text` does it: the same kind of corpus in another place."""
    named = tiny_run.config.model_copy(update={"corpus": CorpusConfig(name="names")})
    folder = RunFolder(tmp_path)
    tiny_run.checkpoint.with_config(named).save(folder.last)
    at_hand = at_path(named.corpus, tmp_path / "names.txt")
    resumed = folder.resume(named.model_copy(update={"corpus": at_hand}), tiny_run.corpus)
    assert at_hand == resumed.identity.config.corpus
    ordered = at_hand.model_copy(update={"shuffled": False})
    with pytest.raises(CheckpointError, match="corpus was shuffled = True, now False"):
        folder.resume(named.model_copy(update={"corpus": ordered}), tiny_run.corpus)


def test_another_text_cannot_go_on(tiny_run: TinyRun) -> None:
    """Recognised by its checksum."""
    corpus = replace(tiny_run.corpus, name="t.txt", sha256="0" * 64)
    with pytest.raises(CheckpointError, match=r"trained on sentences\.txt .* but t\.txt now has"):
        tiny_run.folder.resume(None, corpus)


def test_new_run_does_not_overwrite_an_old_one(tiny_run: TinyRun) -> None:
    """The message says both ways out."""
    with pytest.raises(CheckpointError, match=r"holds a run already: .*--resume.*--run-dir"):
        tiny_run.folder.begin(tiny_run.config, tiny_run.corpus)


def test_moved_text_can_be_named(tiny_run: TinyRun, tmp_path: Path) -> None:
    """`evaluate` finds it where --text says."""
    moved = tmp_path / "moved.txt"
    moved.write_bytes(Path(str(tiny_run.config.corpus.path)).read_bytes())
    run_dir = str(tiny_run.folder.path)
    assert main(["evaluate", "--run-dir", run_dir, "--text", str(moved)]) == 0
    with pytest.raises(CorpusError):
        load_corpus(tiny_run.config.corpus.model_copy(update={"path": "gone.txt"}))
