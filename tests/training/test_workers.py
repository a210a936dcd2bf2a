"""Two processes train what one would: same batch, same losses."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.training.tiny import TinyRun
from training.batches import Columns
from training.checkpoints import Checkpoint
from training.errors import CheckpointError, ConfigError
from training.metrics import History, read_history
from training.trainer import Trainer
from training.workers import Workers

REPOSITORY = Path(__file__).parents[2]
CONFIG = """
name = "tiny"
[corpus]
path = {text!r}
[model]
hidden_size = 16
embedding_size = 8
{model}
[training]
epochs = 1
batch_size = 8
window = 16
unknown_rate = 0.0
activation_regularisation = 0.5
evaluations_per_epoch = 2
"""


def train(
    folder: Path, text_file: Path, *, processes: int, model: str = "", resume: bool = False
) -> subprocess.CompletedProcess[str]:
    """By the command line, as a user would."""
    config = folder / "tiny.toml"
    config.write_text(CONFIG.format(text=str(text_file), model=model), encoding="utf-8")
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    command = ["-m", "training.cli", "train", str(config), "--threads", "1"]
    command += ["--run-dir", str(folder / "run"), *(["--resume"] if resume else [])]
    return subprocess.run(
        [sys.executable, *(launcher if processes > 1 else []), *command],
        cwd=REPOSITORY,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
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
    """And log them once. What they leave can be published, and resumed by two only."""
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


def test_parts_of_the_columns_are_all_of_them() -> None:
    """Each worker's windows beside the others' are the windows of one."""
    ids = np.arange(100)
    whole = Columns(ids, batch_size=6, window=5)
    parts = [Columns(ids, batch_size=6, window=5, part=(n, 3)) for n in range(3)]
    for n, window in enumerate(whole):
        inputs = np.concatenate([part[n].inputs_TB.numpy() for part in parts], axis=1)
        np.testing.assert_array_equal(inputs, window.inputs_TB.numpy())
        assert parts[0][n].num_tokens == window.num_tokens // 3


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
