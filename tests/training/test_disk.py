"""Full disks, exhausted memory, file systems that cannot do everything."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.documented import documented
from tests.training.tiny import TinyRun
from training import disk
from training.cli import main
from training.commands import trained
from training.commands.failures import explained
from training.errors import CheckpointError, DiskError
from training.publishing import trial
from training.runs.checkpoints import Checkpoint
from training.runs.curves import CurvesDrawing
from training.runs.enduring import Enduring
from training.runs.records import EvaluationRecord

pytestmark = pytest.mark.timeout(240)  # programs are started, some of which load torch

ROOT = Path(__file__).parents[2]
SAVE_WITH_LITTLE_ROOM = """
import resource, sys
from pathlib import Path
from training.errors import DiskError
from training.runs.checkpoints import Checkpoint
checkpoint = Checkpoint.load(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
try:
    checkpoint.save(Path(sys.argv[2]))
except DiskError as error:
    print(error)
"""


@pytest.mark.parametrize("room", [0, 100, 8_192, 20_000])
def test_a_checkpoint_without_room_leaves_the_old_one(
    tiny_run: TinyRun, tmp_path: Path, room: int
) -> None:
    """By a real limit, which torch's own writer would answer by an abort."""
    old = tmp_path / "last.pt"
    tiny_run.checkpoint.save(old)
    before = old.read_bytes()
    done = subprocess.run(
        [sys.executable, "-c", SAVE_WITH_LITTLE_ROOM, tiny_run.folder.best, old, str(room)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    expected = r"cannot write .*last\.pt: .*it needs about .* are free: make room"
    assert re.search(expected, done.stdout)
    assert before == old.read_bytes()
    assert os.listdir(tmp_path) == ["last.pt"]


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.EPERM])
def test_a_file_system_without_fsync_and_chmod_will_do(
    tiny_run: TinyRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Checkpoints and versions are written all the same."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        patch.setattr(Path, "chmod", refuse)
        tiny_run.checkpoint.save(tmp_path / "c.pt")
        words = ["publish", "--run-dir", str(tiny_run.folder.path)]
        assert main([*words, "--store", str(tmp_path / "store")]) == 0
    assert Checkpoint.load(tmp_path / "c.pt").position == tiny_run.checkpoint.position
    assert (tmp_path / "store/tiny/1/manifest.json").exists()


def test_a_disk_that_fails_to_flush_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not every failure is a file system's way."""

    def fail(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fail)
    phrase = documented("No space left on device; it needs about")
    with pytest.raises(DiskError, match=phrase), disk.whole_file(tmp_path / "f", 5) as file:
        file.write(b"12345")
    assert list(tmp_path.iterdir()) == []


def test_the_store_is_tried_before_any_work(
    text_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Not writable, without room; nothing is left of the trial."""
    monkeypatch.chdir(tmp_path)
    words = ["run", "--text", str(text_file), "--name", "mine", "--store"]
    (tmp_path / "file").write_text("x", encoding="utf-8")
    for store in ("/proc/none", "file/store"):
        assert main([*words, store]) == 1
        assert documented("Nothing was trained") in capsys.readouterr().err
    monkeypatch.setattr(trial, "free_bytes", lambda _folder: 1_000)
    assert main([*words, "store"]) == 1
    assert f"store {documented('has no room for')} the model" in capsys.readouterr().err
    assert os.listdir(tmp_path) == ["file"]


def test_a_training_that_cannot_be_published_is_kept(
    tiny_run: TinyRun,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The next command is printed."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "model.onnx")

    monkeypatch.setattr(trained, "publish_checkpoint", full)
    folder, store = tiny_run.folder.path, tmp_path / "my store"
    assert main(["run", "--resume", "--run-dir", str(folder), "--store", str(store)]) == 1
    error = capsys.readouterr().err
    assert "cannot write model.onnx: No space left on device" in error
    assert documented("the training is kept in") in error
    assert f"\n  lstm-train publish --run-dir {folder} --store '{store}'\n" in error


def test_exhausted_memory_is_explained() -> None:
    """Torch's, numpy's and Python's; faults of the program are none of these."""
    raised: list[BaseException] = [MemoryError()]
    try:
        torch.empty(1 << 60, dtype=torch.uint8)
    except RuntimeError as torch_error:
        raised.append(torch_error)
    try:
        np.empty(1 << 60, np.uint8)
    except MemoryError as numpy_error:
        raised.append(numpy_error)
    assert len(raised) == 3
    for error in raised:
        message = explained(error)
        assert message is not None
        assert documented("the memory is exhausted") in message
        assert "training.batch_size" in message
    assert explained(RuntimeError("mat1 and mat2 cannot be multiplied")) is None


def test_an_observer_that_fails_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A picture is not worth a training."""

    def fail(*_: object) -> None:
        raise CheckpointError("no fonts")

    monkeypatch.setattr("training.runs.curves.draw_curves", fail)
    told: list[str] = []
    observer = Enduring(CurvesDrawing(tmp_path, "t"), "drawing curves.png", told.append)
    for step in range(3):
        observer.evaluated(EvaluationRecord(step, 1.0, 1.0, 1.0, False, "", 1.0))
    observer.finished()
    assert told == ["note: drawing curves.png failed (no fonts): the training goes on without"]


def test_what_cannot_go_on_says_what_can(
    tiny_run: TinyRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Complete, more epochs, another text."""
    resume = ["train", "--resume", "--run-dir", str(tiny_run.folder.path)]
    assert main(resume) == 0
    output = capsys.readouterr().out
    assert documented("the run was complete already") in output
    assert f"lstm-train publish --run-dir {tiny_run.folder.path}" in output
    assert main([*resume, "--epochs", "5"]) == 1
    error = capsys.readouterr().err
    assert documented("cannot be changed when a run is resumed") in error
    assert "training.restarts" in error
    other = tmp_path / "other.txt"
    other.write_text("x\n" * 5_000, encoding="utf-8")
    assert main([*resume, "--text", str(other)]) == 1
    assert documented("Bring back the text that it was trained on") in capsys.readouterr().err
