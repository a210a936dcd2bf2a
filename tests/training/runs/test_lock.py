"""One training in a folder."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.training.documented import documented
from tests.training.tiny import TinyRun
from training.cli import main
from training.errors import CheckpointError
from training.runs.lock import LOCK_FILE, only_one

pytestmark = pytest.mark.timeout(240)  # programs are started, some of which load torch

ROOT = Path(__file__).parents[3]
HOLD = """
import sys, time
from pathlib import Path
from training.runs.lock import only_one
with only_one(Path(sys.argv[1]), print):
    print("held", flush=True)
    time.sleep(50)
"""


def test_a_second_one_is_told_of_the_first(tmp_path: Path) -> None:
    """By process and host; kill -9 sets the folder free."""
    folder = tmp_path / "run"
    first = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert first.stdout is not None
    assert first.stdout.readline() == "held\n"
    phrase = documented("is in use: process") + f" {first.pid} on "
    with pytest.raises(CheckpointError, match=re.escape(phrase)), only_one(folder, print):
        pass
    first.send_signal(signal.SIGKILL)
    first.communicate(timeout=10)
    assert (folder / LOCK_FILE).exists()
    with only_one(folder, print):
        pass
    assert not (folder / LOCK_FILE).exists()


def test_nothing_is_left_of_a_run_that_did_not_begin(tmp_path: Path) -> None:
    """No folder, no file."""
    with only_one(tmp_path / "a" / "b", print):
        assert (tmp_path / "a" / "b" / LOCK_FILE).exists()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL])
def test_a_file_system_without_locks_is_tolerated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """With a note."""

    def flock(_descriptor: int, _operation: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    told: list[str] = []
    with only_one(tmp_path, told.append):
        assert documented("cannot be locked") in told[0]


def test_verbs_that_train_ask_and_those_that_read_do_not(
    tiny_run: TinyRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """train, run; sample, evaluate, publish."""
    folder = str(tiny_run.folder.path)
    store = ["--store", str(tmp_path / "store")]
    with only_one(tiny_run.folder.path, print):
        for verb in ("train", "run"):
            assert main([verb, "--resume", "--run-dir", folder]) == 1
            assert "is in use: process" in capsys.readouterr().err
        assert main(["sample", "--run-dir", folder, "--num-tokens", "3"]) == 0
        assert main(["evaluate", "--run-dir", folder]) == 0
        assert main(["publish", "--run-dir", folder, *store]) == 0
        assert main(["publish", "--run-dir", folder, *store]) == 0
    same = documented("has the very same weights")
    assert f"note: tiny@1 {same}" in capsys.readouterr().out


def test_a_sweep_beside_itself_is_refused(
    text_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both would write one study."""
    (tmp_path / "base.toml").write_text(
        f'name = "tiny"\n[corpus]\npath = "{text_file}"\n[model]\nhidden_size = 8\n'
        "embedding_size = 8\n[training]\nepochs = 1\nbatch_size = 8\nwindow = 16\n",
        encoding="utf-8",
    )
    sweep = tmp_path / "sweep.toml"
    sweep.write_text(
        'config = "base.toml"\nnum_trials = 1\n[space]\n'
        '"training.learning_rate" = { low = 1e-3, high = 1e-2, log = true }\n',
        encoding="utf-8",
    )
    folder = tmp_path / "study"
    with only_one(folder, print):
        assert main(["sweep", str(sweep), "--dir", str(folder)]) == 1
        assert os.listdir(folder) == [LOCK_FILE]
    assert "is in use: process" in capsys.readouterr().err
