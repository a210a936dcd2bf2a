"""The command where only the server is installed."""

import io
import subprocess
import sys
import threading

import pytest

from tests.training.documented import documented
from tests.training.loop.test_workers import REPOSITORY
from training import entry

pytestmark = pytest.mark.timeout(240)  # programs are started, some of which load torch

WITHOUT = """
import sys
sys.modules["torch"] = None
from training.entry import main
sys.exit(main())
"""

DAMAGED = """
import builtins, sys
real = builtins.__import__
def load(name, *rest):
    if name == "torch":
        raise OSError("libtorch_cpu.so: file too short")
    return real(name, *rest)
builtins.__import__ = load
from training.entry import main
sys.exit(main())
"""
MISSING = "torch is not installed, which training needs"


@pytest.mark.parametrize(
    ("program", "words"),
    [
        (WITHOUT, MISSING),
        (DAMAGED, "what training needs cannot be loaded (libtorch_cpu.so: file too short)"),
    ],
)
def test_what_is_missing_is_named(program: str, words: str) -> None:
    """Not by a traceback."""
    assert words == MISSING or documented("what training needs cannot be loaded")
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=REPOSITORY,
        check=False,
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"lstm-train: {words}")
    assert done.stderr.count("\n") == 1
    assert "`make training`" in done.stderr


def test_a_slow_start_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the output, while the libraries are loaded."""
    is_told = threading.Event()

    class Told(io.StringIO):
        def write(self, text: str) -> int:
            assert text == f"lstm-train: {documented('loading the libraries')}\n"
            is_told.set()
            return len(text)

    monkeypatch.setattr(sys, "stderr", Told())
    monkeypatch.setattr(entry, "_PATIENCE_S", 0.01)
    with entry._said_while_it_loads():
        assert is_told.wait(60)
