"""Output that never ends a training."""

from __future__ import annotations

import errno
import io
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from tests.training.documented import documented
from tests.training.tiny import TinyRun
from training.terminal import EnduringStream, visible, write_exactly

pytestmark = pytest.mark.timeout(240)  # programs are started, some of which load torch

ROOT = Path(__file__).parents[2]
CONFIG = """
name = "tiny"
[corpus]
path = {text!r}
[model]
hidden_size = 16
embedding_size = 8
[training]
epochs = {epochs}
batch_size = 8
window = 16
"""


def command(*words: str | Path) -> list[str]:
    """`lstm-train` of this checkout, to be started in any folder."""
    return [sys.executable, "-m", "training.cli", *map(str, words)]


def environment(**others: str) -> dict[str, str]:
    """Ours, with the checkout in front."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **others}


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    """Sentences and poems in Chinese."""
    text = tmp_path / "my text.txt"
    text.write_text("春眠不觉晓,处处闻啼鸟。\n" * 400, encoding="utf-8")
    path = tmp_path / "tiny.toml"
    path.write_text(CONFIG.format(text=str(text), epochs=1), encoding="utf-8")
    return path


class Failing(io.StringIO):
    """A stream that cannot be written."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def write(self, _text: str) -> int:
        """Fail."""
        raise OSError(self.number, os.strerror(self.number))


@pytest.mark.parametrize("number", [errno.EPIPE, errno.ENOSPC, errno.EIO, errno.EBADF])
def test_a_stream_that_fails_is_silent(number: int) -> None:
    """Said once, but not where a reader has left."""
    told: list[str] = []
    stream = EnduringStream(Failing(number), told.append)
    for _ in range(3):
        print("x", file=stream, flush=True)
    assert told == ([] if number == errno.EPIPE else [os.strerror(number)])
    assert stream.is_incomplete == (number != errno.EPIPE)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "gb18030", "utf-8"])
def test_what_an_encoding_lacks_is_replaced(encoding: str) -> None:
    """Boxes, Chinese and half a surrogate."""
    raw = io.BytesIO()
    stream = EnduringStream(io.TextIOWrapper(raw, encoding=encoding))
    console = Console(file=stream, width=40)  # type: ignore[arg-type]
    console.print(Panel(Text("春 a\ud800b"), title="sample"))
    console.file.flush()
    assert b"a?b" in raw.getvalue()


def test_control_characters_are_escaped_on_terminals_only() -> None:
    """Exactly the text and a line feed elsewhere."""
    text = "a\x1b[31m\x07\r\f\tb\x85\n"
    assert visible(text) == "a\\x1b[31m\\a\\r\\f\tb\\x85\n"
    for is_terminal, expected in ((False, text), (True, visible(text))):
        screen = io.StringIO()
        write_exactly(Console(file=screen, force_terminal=is_terminal), text)
        assert expected + "\n" == screen.getvalue()


def test_a_sample_in_a_pipe_is_exact(tiny_run: TinyRun) -> None:
    """Tabs and form feeds of the prompt too; on a full disk the status says that it is lost."""
    words = command("sample", "--run-dir", tiny_run.folder.path, "--num-tokens", "1", "--prompt")
    done = subprocess.run(
        [*words, "a\tb\r\x0c[old]"], capture_output=True, env=environment(), timeout=110, check=True
    )
    assert done.stdout.startswith(b"a\tb\r\x0c[old]")
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        lost = subprocess.run(
            [*words, "a"],
            stdout=full,
            stderr=subprocess.PIPE,
            env=environment(),
            timeout=110,
            check=False,
        )
    assert lost.returncode == 1
    assert documented("standard output cannot be written") in lost.stderr.decode()


@pytest.mark.parametrize(
    ("redirection", "settings"),
    [
        ("| true", {}),
        (">/dev/full", {}),
        (">&- 2>&- <&-", {}),
        (">out.txt", {"PYTHONIOENCODING": "ascii"}),
        (">out.txt", {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}),
    ],
)
def test_a_run_is_published_whatever_reads_it(
    config_file: Path, redirection: str, settings: dict[str, str]
) -> None:
    """To the end, with status 0, and without a traceback."""
    words = shlex.join(command("run", config_file, "--store", "store", "--threads", "1"))
    done = subprocess.run(
        ["bash", "-c", f"{words} {redirection}; exit ${{PIPESTATUS[0]}}"],
        cwd=config_file.parent,
        env=environment(**settings),
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert (config_file.parent / "store/tiny/1/manifest.json").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_the_printed_line_can_be_pasted(config_file: Path, number: signal.Signals) -> None:
    """With all options, whatever is in their names; its own text is not named again."""
    text = str(config_file.with_name("my text.txt"))
    config_file.write_text(CONFIG.format(text=text, epochs=20), encoding="utf-8")
    folder = "runs/[old] it's"
    words: list[str | Path]
    words = ["run", config_file, "--run-dir", folder, "--store", "my store", "--version", "7"]
    run = subprocess.Popen(
        command(*words, "--threads", "1", "--text", text),
        cwd=config_file.parent,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # Whoever runs the tests may ignore it, as `nohup` does; what they start would too.
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
    )
    log = config_file.parent / folder / "metrics.jsonl"
    until = time.monotonic() + 40
    while not (log.exists() and log.stat().st_size) and time.monotonic() < until:
        time.sleep(0.01)
    run.send_signal(number)
    output, _ = run.communicate(timeout=110)
    assert run.returncode == 130, output
    assert documented("stopped after step 84; go on with")[:18] in output
    line = output.rstrip().rsplit("\n", 1)[1].strip()
    assert line == (
        f"lstm-train run --resume --run-dir {shlex.quote(folder)} --text {shlex.quote(text)} "
        "--store 'my store' --version 7 --threads 1"
    )
    pasted = f'lstm-train() {{ {shlex.join(command())} "$@"; }}; {line}'
    subprocess.run(
        ["bash", "-c", pasted], cwd=config_file.parent, env=environment(), timeout=110, check=True
    )
    assert (config_file.parent / "my store/tiny/7/manifest.json").exists()
