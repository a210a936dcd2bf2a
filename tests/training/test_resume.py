"""Stopping and going on gives bit for bit the run that was never stopped."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from io import StringIO
from pathlib import Path

import pytest
import torch
from rich.console import Console

from tests.training.tiny import TinyRun, tiny_config
from training.corpora.load import load_corpus
from training.errors import CheckpointError
from training.loop.interruption import Interruption
from training.loop.train import Outcome, train
from training.pipeline import Desk, WhatToTrain, train_model
from training.runs.checkpoints import LAST, Checkpoint
from training.runs.code_version import code_version
from training.runs.metrics import METRICS_FILE, MetricsLog, read_history
from training.runs.records import EvaluationRecord, Observers, RunRecord, StepRecord
from training.runs.run_folder import RunFolder

ROOT = Path(__file__).parents[2]


@dataclass
class Recorder:
    """Remembers what a run computes, and sends a signal to itself after one of its steps."""

    signal_after: int | None = None
    steps: list[tuple[int, float, float, float]] = field(default_factory=list)
    evaluations: list[tuple[int, float, float, bool, str]] = field(default_factory=list)

    def started(self, record: RunRecord) -> None:
        """Nothing to remember."""

    def stepped(self, record: StepRecord) -> None:
        """Everything but the clock."""
        self.steps.append((record.step, record.loss, record.gradient_norm, record.learning_rate))
        if record.step == self.signal_after:
            os.kill(os.getpid(), signal.SIGINT)

    def looking(self) -> None:
        """Nothing is known yet."""

    def evaluated(self, record: EvaluationRecord) -> None:
        """Everything but the clock."""
        self.evaluations.append(
            (
                record.step,
                record.train_loss,
                record.validation_loss,
                record.is_best,
                record.sample,
            )
        )

    def finished(self) -> None:
        """Nothing to close."""


def go(tiny_run: TinyRun, folder: Path, recorder: Recorder, *, resume: bool = False) -> Outcome:
    """Train the tiny config in `folder`."""
    folder.mkdir(exist_ok=True)
    checkpoint = Checkpoint.load(folder / LAST) if resume else None
    log = MetricsLog(folder / METRICS_FILE)
    try:
        with Interruption() as interruption:
            return train(
                tiny_run.checkpoint.identity,
                tiny_run.tokens,
                folder,
                Observers([log, recorder]),
                interruption,
                checkpoint,
            )
    finally:
        log.finished()


def weights_of(folder: Path) -> list[torch.Tensor]:
    """Of the last checkpoint."""
    return list(Checkpoint.load(folder / LAST).weights.values())


@pytest.fixture(scope="module")
def uninterrupted(
    tiny_run: TinyRun, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Recorder, Path]:
    """What there is to be equal to."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    recorder = Recorder()
    assert go(tiny_run, folder, recorder).is_complete
    return recorder, folder


@pytest.mark.parametrize("stop_after", [1, 30, 43, 85], ids=lambda step: f"step {step}")
def test_ctrl_c(
    tiny_run: TinyRun, uninterrupted: tuple[Recorder, Path], tmp_path: Path, stop_after: int
) -> None:
    """A real SIGINT: first step, middle of an epoch, its end, one before the last."""
    wanted, wanted_folder = uninterrupted
    first, second = Recorder(signal_after=stop_after), Recorder()
    outcome = go(tiny_run, tmp_path, first)
    assert (outcome.is_complete, outcome.position.step) == (False, stop_after)
    assert go(tiny_run, tmp_path, second, resume=True).is_complete
    assert first.steps + second.steps == wanted.steps
    assert first.evaluations + second.evaluations == wanted.evaluations
    assert all(map(torch.equal, weights_of(tmp_path), weights_of(wanted_folder)))


def test_kill_9(tiny_run: TinyRun, uninterrupted: tuple[Recorder, Path], tmp_path: Path) -> None:
    """Killed at step 50, going on from the checkpoint of step 43; no step is logged twice."""
    wanted, wanted_folder = uninterrupted
    program = f"""
        import os, signal, sys
        from pathlib import Path
        from tests.training.test_resume import Recorder, go
        from tests.training.tiny import TinyRun
        from training.corpora.load import load_corpus
        from training.runs.run_folder import RunFolder
        import torch

        class Dying(Recorder):
            def stepped(self, record):
                if record.step == 50:
                    os.kill(os.getpid(), signal.SIGKILL)

        torch.set_num_threads(1)
        folder = RunFolder(Path({str(tiny_run.folder.path)!r}))
        config = folder.identity().config
        run = TinyRun(config, load_corpus(config.corpus), folder, "")
        go(run, Path({str(tmp_path)!r}), Dying())
    """
    died = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], cwd=ROOT, check=False)
    assert died.returncode == -signal.SIGKILL
    assert Checkpoint.load(tmp_path / LAST).position.step == 43

    rest = Recorder()
    assert go(tiny_run, tmp_path, rest, resume=True).is_complete
    assert rest.steps == wanted.steps[43:]
    assert rest.evaluations == wanted.evaluations[2:]
    assert all(map(torch.equal, weights_of(tmp_path), weights_of(wanted_folder)))
    logged = read_history(tmp_path / METRICS_FILE)
    assert [(s.step, s.loss) for s in logged.steps] == [s[:2] for s in wanted.steps]
    assert [e.step for e in logged.evaluations] == [e[0] for e in wanted.evaluations]


def test_ctrl_c_on_the_command_line(text_file: Path, tmp_path: Path) -> None:
    """Exit status 130, a message that says how to go on, and the way it says works."""
    config = tmp_path / "slow.toml"
    config.write_text(
        f'name = "slow"\n[corpus]\npath = {str(text_file)!r}\n'
        "[model]\nhidden_size = 64\nembedding_size = 8\n"
        "[training]\nepochs = 60\nbatch_size = 8\nwindow = 16\n",
        encoding="utf-8",
    )
    run_dir = tmp_path / "run"
    command = [sys.executable, "-m", "training.cli", "train", str(config), "--threads", "1"]
    with subprocess.Popen(
        [*command, "--run-dir", str(run_dir)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        deadline = time.monotonic() + 40
        while not (run_dir / LAST).exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert f"lstm-train train --resume --run-dir {run_dir}" in output.replace("\n", "")
    stopped = Checkpoint.load(run_dir / LAST).position.step
    assert 0 < stopped < 60 * 43
    # Going on is what the other tests compare; here it only has to start where it stopped.
    corpus = load_corpus(RunFolder(run_dir).identity().config.corpus)
    assert RunFolder(run_dir).resume(None, corpus).position.step == stopped


def test_finished_run_is_not_trained_again(
    tiny_run: TinyRun, uninterrupted: tuple[Recorder, Path]
) -> None:
    """Resuming it returns at once."""
    recorder = Recorder()
    assert go(tiny_run, uninterrupted[1], recorder, resume=True).is_complete
    assert recorder.steps == []


def test_another_program_is_told(tiny_run: TinyRun, tmp_path: Path) -> None:
    """The losses from here on may be others than those of the program that began the run."""
    folder = RunFolder(tmp_path / "run")
    shutil.copytree(tiny_run.folder.path, folder.path)
    for began, notes in ((code_version(), 0), ("0.0.1", 1), (None, 1)):
        checkpoint = Checkpoint.load(folder.last)
        identity = checkpoint.identity.model_copy(update={"code_version": began})
        replace(checkpoint, identity=identity).save(folder.last)
        shown = StringIO()
        what = WhatToTrain(None, tiny_run.corpus, folder, resume=True)
        train_model(what, Desk(Console(file=shown)))
        told = f"begun by version {began or 'unknown'}, goes on with {code_version()}"
        assert notes == shown.getvalue().count(told)


def test_patience(text_file: Path, tmp_path: Path, tiny_run: TinyRun) -> None:
    """With a learning rate that ruins the model nothing gets better, and it stops."""
    config = tiny_config(text_file, epochs=50, learning_rate=1.0, clip_norm=100.0, patience=3)
    identity = tiny_run.checkpoint.identity.model_copy(update={"config": config})
    recorder = Recorder()
    with Interruption() as interruption:
        outcome = train(identity, tiny_run.tokens, tmp_path, recorder, interruption)
    assert outcome.stopped_early
    assert outcome.is_complete
    assert [is_best for *_, is_best, _ in recorder.evaluations][-3:] == [False] * 3
    assert outcome.position.num_stale_evaluations == 3


def test_calibration_can_be_added(text_file: Path, tiny_run: TinyRun, tmp_path: Path) -> None:
    """No step depends on it; but it is not taken back, since the best moment has been given it."""
    calibrated = tiny_config(text_file, calibrate=True)
    resumed = tiny_run.folder.resume(calibrated, tiny_run.corpus)
    assert resumed.identity.config.training.calibrate
    folder = RunFolder(tmp_path)
    resumed.save(folder.last)
    with pytest.raises(CheckpointError, match="calibrate = True, now False"):
        folder.resume(tiny_run.config, tiny_run.corpus)


def test_finished_run_can_be_given_a_restart(
    text_file: Path, uninterrupted: tuple[Recorder, Path], tiny_run: TinyRun, tmp_path: Path
) -> None:
    """It then is the run that had the restart from the beginning."""
    more = [{"epochs": 1, "learning_rate": 0.004}]
    config = tiny_config(text_file, restarts=more)
    identity = tiny_run.checkpoint.with_config(config).identity
    whole, added = Recorder(), Recorder()
    with Interruption() as interruption:
        train(identity, tiny_run.tokens, tmp_path, whole, interruption)
    resumed = RunFolder(uninterrupted[1]).resume(config, tiny_run.corpus)
    with Interruption() as interruption:
        train(resumed.identity, tiny_run.tokens, tmp_path, added, interruption, resumed)
    assert whole.steps == uninterrupted[0].steps + added.steps
    assert len(added.steps) == 43
    other = tiny_config(text_file, restarts=more, epochs=3)
    with pytest.raises(CheckpointError, match="epochs = 2, now 3"):
        tiny_run.folder.resume(other, tiny_run.corpus)


@pytest.fixture
def _ctrl_c() -> Iterator[None]:
    """Python's own answer to Ctrl-C, which a shell takes away from what runs in the background."""
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, previous)


@pytest.mark.usefixtures("_ctrl_c")
def test_second_ctrl_c_ends_at_once() -> None:
    """The first asks, the second does not."""
    with Interruption() as interruption:
        os.kill(os.getpid(), signal.SIGINT)
        assert interruption.requested
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
