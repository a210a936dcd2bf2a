"""Two processes train what one would: same batch, same losses."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.training.tiny import TinyRun, sentences
from training.batches.columns import Columns
from training.errors import CheckpointError, ConfigError
from training.loop.trainer import Trainer
from training.loop.vectors import Vectors
from training.loop.workers import Read, Workers
from training.models.language_model import LanguageModel
from training.runs.checkpoints import Checkpoint
from training.runs.metrics import History, read_history

REPOSITORY = Path(__file__).parents[3]
CONFIG = """
name = "tiny"
[corpus]
path = {text!r}
[model]
hidden_size = 16
embedding_size = 8
{model}
{sections}
[training]
epochs = {epochs}
batch_size = 8
window = {window}
unknown_rate = 0.0
activation_regularisation = 0.5
evaluations_per_epoch = 2
"""
VECTORS = '[vectors]\npath = "v.txt"\nformat = "glove"'
WORDS = '[tokenizer]\nkind = "word"'


def train(
    folder: Path,
    text_file: Path,
    *,
    processes: int,
    model: str = "",
    sections: str = VECTORS,
    epochs: int = 1,
    window: int = 16,
    resume: bool = False,
) -> subprocess.CompletedProcess[str]:
    """By the command line, as a user would."""
    config = folder / "tiny.toml"
    filled = CONFIG.format(
        text=str(text_file), model=model, sections=sections, epochs=epochs, window=window
    )
    config.write_text(filled, encoding="utf-8")
    (folder / "v.txt").write_text("e" + " 0.25 -1" * 4 + "\nt" + " 0.5 1" * 4 + "\n", "utf-8")
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    command = ["-m", "training.cli", "train", str(config), "--threads", "1"]
    command += ["--run-dir", str(folder / "run"), *(["--resume"] if resume else [])]
    return subprocess.run(
        [sys.executable, *(launcher if processes > 1 else []), *command],
        cwd=REPOSITORY,
        check=False,
        capture_output=True,
        text=True,
        timeout=110,
    )


def history(folder: Path) -> History:
    """What was logged."""
    return read_history(folder / "run" / "metrics.jsonl")


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_two_processes_take_the_same_steps(text_file: Path, tmp_path: Path) -> None:
    """From the same word vectors, logged once; what they leave can be resumed by two only."""
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    assert train(tmp_path / "one", text_file, processes=1).returncode == 0
    together = train(tmp_path / "two", text_file, processes=2)
    assert together.returncode == 0, together.stderr
    one, two = history(tmp_path / "one"), history(tmp_path / "two")
    assert len(one.steps) == len(two.steps) == 43
    np.testing.assert_allclose(
        [step.loss for step in two.steps], [step.loss for step in one.steps], rtol=1e-4
    )
    np.testing.assert_allclose(
        [step.gradient_norm for step in two.steps],
        [step.gradient_norm for step in one.steps],
        rtol=1e-2,
    )
    assert two.evaluations[-1].validation_loss == pytest.approx(
        one.evaluations[-1].validation_loss, rel=1e-4
    )
    assert together.stdout.count("nats per token") == 3
    last = Checkpoint.load(tmp_path / "two" / "run" / "last.pt")
    assert [len(part) for part in last.carried] == [8] * 4
    assert len(last.random_states) == 2
    assert not np.array_equal(last.random_states[0], last.random_states[1])

    refused = train(tmp_path / "two", text_file, processes=1, resume=True)
    assert refused.returncode == 1
    assert "was trained by 2 processes, now there are 1" in refused.stderr
    again = train(tmp_path / "two", text_file, processes=2, resume=True)
    assert again.returncode == 0, again.stderr


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_window_may_leave_out_a_whole_direction(text_file: Path, tmp_path: Path) -> None:
    """The last window of an epoch is one row: nothing is read from the right, and all goes on."""
    both_ways = "bidirectional = true"
    outcome = train(tmp_path, text_file, processes=2, model=both_ways, epochs=2, window=673)
    assert outcome.returncode == 0, outcome.stderr
    assert 4 == len(history(tmp_path).steps)


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "model",
    [
        "adaptive_cutoffs = [4, 9]\nadaptive_division = 2.0",
        "adaptive_cutoffs = [4, 9]\ntied = true\nprojection_size = 8",
    ],
    ids=["narrow", "tied"],
)
def test_a_window_may_leave_out_clusters_of_words(tmp_path: Path, model: str) -> None:
    """Each process reads 8 words at a step: of some clusters none."""
    text_file = tmp_path / "text.txt"
    text_file.write_text(sentences(12_000), encoding="utf-8")
    words = WORDS + '\n[publish]\nprecision = "float32"'
    outcome = train(tmp_path, text_file, processes=2, model=model, sections=words, window=2)
    assert outcome.returncode == 0, outcome.stderr
    losses = [step.loss for step in history(tmp_path).steps]
    assert len(losses) > 50
    assert losses[-1] < 0.8 * losses[0]


LEAVING = """
from pathlib import Path
import torch
from tests.training.models.small import small_model
from training.loop.workers import joined_workers

def train(workers):
    model = small_model()
    ids_TB = torch.randint(model.vocabulary_size, (4, 2))
    read = workers.reader(model, may_leave_out=False)
    read(ids_TB, ids_TB, model.zero_state(2)).nats_TB.mean().backward()
    workers.gathered(torch.ones(1))

with joined_workers() as workers:
    train(workers)
threads = sorted(path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm"))
print(f"left: {[name for name in threads if 'gloo' in name]}", flush=True)
"""


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.skipif(sys.platform != "linux", reason="threads are looked up in /proc")
def test_no_thread_outlives_the_group(tmp_path: Path) -> None:
    """One that did would abort the process now and then, when the interpreter is gone."""
    script = tmp_path / "leaving.py"
    script.write_text(LEAVING, encoding="utf-8")
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [sys.executable, *launcher, str(script)],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        check=False,
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("left: []") == 2


def test_parts_of_the_columns_are_all_of_them() -> None:
    """Each worker's windows beside the others' are the windows of one."""
    ids = np.arange(100)
    whole = Columns(ids, batch_size=6, window=5)
    parts = [Columns(ids, batch_size=6, window=5, part=(n, 3)) for n in range(3)]
    for n, window in enumerate(whole):
        inputs = np.concatenate([part[n].inputs_TB.numpy() for part in parts], axis=1)
        np.testing.assert_array_equal(inputs, window.inputs_TB.numpy())
        assert parts[0][n].num_tokens == window.num_tokens // 3


class _Noting(Workers):
    """Keeps what it was given to read with."""

    def reader(self, model: LanguageModel, *, may_leave_out: bool) -> Read:
        noted.append((model.get_parameter("embedding.weight").detach().clone(), may_leave_out))
        return model.read


noted: list[tuple[Tensor, bool]] = []
"""The embedding at that moment; a frozen dataclass has no place for it."""


def test_a_model_is_complete_before_it_is_shared(tiny_run: TinyRun) -> None:
    """Word vectors are in their places: others draw the rest of the embedding otherwise."""
    vectors = Vectors({1: np.full(8, 0.5, np.float32), 2: np.full(8, -0.5, np.float32)}, 24)
    trainer = Trainer(tiny_run.checkpoint.identity, tiny_run.tokens, _Noting(), vectors)
    embedding_VE, may_leave_out = noted.pop()
    assert torch.equal(trainer.model.get_parameter("embedding.weight"), embedding_VE)
    assert [[0.5] * 8, [-0.5] * 8] == embedding_VE[1:3].tolist()
    assert not may_leave_out


def test_columns_must_be_shared_out_equally(tiny_run: TinyRun) -> None:
    """The option is named."""
    with pytest.raises(ConfigError, match=r"training\.batch_size = 8 .* to 3 processes"):
        Trainer(tiny_run.checkpoint.identity, tiny_run.tokens, Workers(0, 3))


def test_a_run_keeps_its_number_of_processes(tiny_run: TinyRun) -> None:
    """Their random numbers are part of it."""
    trainer = Trainer(tiny_run.checkpoint.identity, tiny_run.tokens)
    object.__setattr__(trainer, "_workers", Workers(0, 2))
    with pytest.raises(CheckpointError, match="by 1 processes, now there are 2"):
        trainer.restore(tiny_run.checkpoint)
