"""Texts out of pipes are read once and kept; addresses are named as what they are."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from service.artifacts.store import ModelStore
from tests.training.documented import documented
from tests.training.tiny import sentences
from training.cli import main
from training.corpora.opened import PIPED

pytestmark = pytest.mark.timeout(240)  # programs are started, some of which load torch

ROOT = Path(__file__).parents[3]
TEXT = sentences(6_000)
CONFIG = """
name = "tiny"
[corpus]
path = "elsewhere.txt"
[model]
hidden_size = 8
embedding_size = 8
num_layers = 1
[training]
epochs = 1
batch_size = 8
window = 16
"""


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tiny.toml").write_text(CONFIG, encoding="utf-8")
    Path("x.txt").write_text(TEXT, encoding="utf-8")
    Path("x.txt.gz").write_bytes(gzip.compress(TEXT.encode()))


def shell(command: str, *, timeout_s: float = 110) -> subprocess.CompletedProcess[str]:
    """A line of bash, in which `lstm-train` is this program."""
    program = f'lstm-train() {{ "{sys.executable}" -m training.cli "$@"; }}; {command}'
    return subprocess.run(
        ["bash", "-c", program],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_s,
        stdin=subprocess.DEVNULL,
    )


def complaint(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What a command that must fail says."""
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert "/proc" not in error
    assert "/dev/fd" not in error
    return error


@pytest.mark.parametrize(
    "command",
    [
        "cat x.txt | lstm-train run tiny.toml --text -",
        "lstm-train run tiny.toml --text /dev/stdin < x.txt",
        "lstm-train run tiny.toml --text <(zcat x.txt.gz)",
        "lstm-train run tiny.toml --text <(iconv -f UTF-8 -t UTF-16 x.txt)",
        "mkfifo f; (sleep 1; cat x.txt > f) & lstm-train run tiny.toml --text f",
        "lstm-train run --epochs 1 --name tiny --text <(cat x.txt)",
    ],
)
def test_a_pipe_is_read_once(command: str) -> None:
    """From there to the store; nothing published says where it came from on this machine."""
    done = shell(f"{command} --store store --threads 1")
    assert done.returncode == 0, done.stderr
    artifact = ModelStore(Path("store")).verify("tiny", 1)
    assert artifact.manifest.provenance.corpus.name == PIPED
    assert artifact.manifest.provenance.corpus.num_characters == 6_000
    for text in (done.stdout, done.stderr, *map(str, artifact.manifest.provenance.config.values())):
        assert "/proc" not in text
        assert "/dev/fd" not in text
    readme = artifact.read("README.md").decode()
    assert "out of a pipe" in readme
    assert "/dev/fd" not in readme


def test_a_run_goes_on_without_its_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    """From the copy, wherever its folder is now; the pipe may bring the same text again."""
    begun = shell("cat x.txt.gz | lstm-train train tiny.toml --text - --run-dir r")
    assert begun.returncode == 0, begun.stderr
    Path("r").rename("moved")
    to = ["--run-dir", "moved"]
    assert main(["train", "--resume", *to]) == 0
    assert main(["train", "tiny.toml", "--resume", *to]) == 0
    assert main(["evaluate", *to]) == 0
    assert main(["publish", *to, "--store", "store"]) == 0
    for source in ("tiny.toml --text <(cat x.txt.gz)", "--text <(cat x.txt.gz)"):
        again = shell(f"lstm-train train {source} --resume --run-dir moved")
        assert again.returncode == 0, again.stderr
    other = shell("echo other | lstm-train train --text - --resume --run-dir moved")
    assert documented("brings another text than the run") in other.stderr
    assert gzip.decompress(Path("moved", PIPED).read_bytes()).decode() == TEXT
    assert "holds a run already" in complaint(capsys, "train", "tiny.toml", "--text", "-", *to)
    assert sorted(path.name for path in Path("moved").glob("piped*")) == [PIPED]


def test_nothing_is_left_of_a_pipe_that_is_refused() -> None:
    """No folder that looks like a run."""
    for source in ("echo short", "head -c 9000 /dev/urandom", "iconv -t UTF-16LE x.txt", "true"):
        refused = shell(f"{source} | lstm-train train tiny.toml --text -")
        assert refused.returncode == 1
        assert "the piped text" in refused.stderr
        assert not Path("runs", "tiny").exists()
    assert (
        "... | iconv -f UTF-16LE -t UTF-8 | lstm-train"
        in shell("iconv -t UTF-16LE x.txt | lstm-train train tiny.toml --text -").stderr
    )


def test_who_waits_says_so_and_can_be_stopped(tmp_path: Path) -> None:
    """A named pipe that nobody writes."""
    os.mkfifo("f")
    command = [sys.executable, "-m", "training.cli", "train", "tiny.toml", "--text", "f"]
    with subprocess.Popen(
        command, env=os.environ | {"PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert documented("waiting for the text from") + " the pipe f" in line
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 130
    assert not Path("runs", "tiny").exists()


def test_a_pipe_that_is_measured_or_tried_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy for as long as it takes."""
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    Path("temporary").mkdir()
    assert main(["run", "tiny.toml", "--text", "x.txt", "--store", "store"]) == 0
    for command in (
        "cat x.txt | lstm-train evaluate --model tiny --store store --text -",
        "lstm-train evaluate --run-dir runs/tiny --text <(cat x.txt)",
        "lstm-train publish --run-dir runs/tiny --store store --text <(cat x.txt)",
        "cat x.txt | lstm-train find-lr tiny.toml --text -",
    ):
        done = shell(command)
        assert done.returncode == 0, done.stderr
        assert str(tmp_path / "temporary") not in done.stdout
        assert list(Path("temporary").glob("lstm-train-*")) == []


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("--text - <&-", "is empty"),
        ("--text /dev/fd/77", "is not open"),
        ("--text /dev/zero", "is a device or a socket, not a text"),
        ("--text - < /dev/zero", "is a device or a folder, not a text"),
        ("--text - < /dev/null", "the piped text is empty"),
    ],
)
def test_what_cannot_be_read_is_named(command: str, message: str) -> None:
    """At once, without an end that never comes."""
    refused = shell(f"lstm-train train tiny.toml {command}", timeout_s=110)
    if "empty" not in message:
        documented(message)
    assert message in refused.stderr
    assert "/dev/fd" not in refused.stderr
    assert refused.returncode == 1


def test_a_terminal_is_no_text() -> None:
    """Nobody types 4,000 characters."""
    script = (
        "import pty, sys; sys.exit(pty.spawn([sys.executable, '-m', 'training.cli', 'train', "
        "'tiny.toml', '--text', '-']) >> 8)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=110,
    )
    assert documented("is the terminal") in done.stdout
    assert done.returncode == 1


@pytest.mark.parametrize("path", ["-", "/dev/stdin", "/dev/fd/63", "/proc/self/fd/0"])
def test_a_config_names_no_pipe(capsys: pytest.CaptureFixture[str], path: str) -> None:
    """It is read again when the pipe is gone."""
    Path("p.toml").write_text(CONFIG.replace("elsewhere.txt", path), encoding="utf-8")
    assert main(["train", "p.toml"]) == 1
    assert documented("which a config cannot name") in capsys.readouterr().err


def test_a_config_names_no_fifo(capsys: pytest.CaptureFixture[str]) -> None:
    """It does not wait for one either."""
    os.mkfifo("elsewhere.txt")
    assert documented("which a config cannot name") in complaint(capsys, "train", "tiny.toml")
