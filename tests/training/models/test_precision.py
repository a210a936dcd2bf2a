"""bfloat16 where the CPU has it, and never a silent substitute."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn

from training.config.optimisation import Precision
from training.errors import PrecisionError
from training.models import precision
from training.models.precision import resolve_precision


@pytest.mark.parametrize(
    ("asked", "works", "is_fast", "resolved"),
    [
        ("float32", True, True, "float32"),
        ("auto", True, True, "bfloat16"),
        ("auto", True, False, "float32"),
        ("auto", False, True, "float32"),
        ("bfloat16", True, False, "bfloat16"),
    ],
)
def test_resolution(
    monkeypatch: pytest.MonkeyPatch,
    asked: Precision,
    works: bool,
    is_fast: bool,
    resolved: str,
) -> None:
    """The word auto takes what is fast; an explicit wish is fulfilled if it works at all."""
    monkeypatch.setattr(precision, "_bfloat16_works", lambda: works)
    monkeypatch.setattr(precision, "_has_bfloat16_instructions", lambda: is_fast)
    assert resolve_precision(asked) == resolved


def test_impossible_wish_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not replaced by float32."""
    monkeypatch.setattr(precision, "_bfloat16_works", lambda: False)
    with pytest.raises(PrecisionError, match=r"training\.precision = 'bfloat16': this CPU"):
        resolve_precision("bfloat16")


def test_probe_tells_what_an_lstm_does_here() -> None:
    """The answer is whatever really happens on this CPU."""
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            nn.LSTM(8, 8)(torch.zeros(3, 1, 8))
        happens = True
    except RuntimeError:
        happens = False
    assert precision._bfloat16_works() == happens
    assert isinstance(precision._has_bfloat16_instructions(), bool)


def test_probe_starts_no_threads() -> None:
    """They would be there before training makes its threads flush denormals."""
    program = (
        "import os, torch; from training.models import precision; torch.set_num_threads(4); "
        "before = len(os.listdir('/proc/self/task')); precision._bfloat16_works(); "
        "print(len(os.listdir('/proc/self/task')) - before, torch.get_num_threads())"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert run.stdout.split() == [b"0", b"4"]
