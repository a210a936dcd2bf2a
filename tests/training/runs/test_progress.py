"""What a person sees."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from tests.training.tiny import TinyRun
from training.runs import progress
from training.runs.metrics import History
from training.runs.progress import ProgressDisplay, evaluation_table
from training.runs.records import EvaluationRecord, RunRecord, StepRecord

RUN = RunRecord("m", 1_234, 66, 9_000, 1_000, 100, 10, "float32", 0)
EVALUATION = EvaluationRecord(10, 1.0, 2.5, 2.25, True, "To [bold]be[/]", 75.0)


def step(number: int, loss: float = 2.0) -> StepRecord:
    """One step a second, 640 tokens each."""
    return StepRecord(number, number / 10, loss, 1.0, 0.1, 640, float(number))


def test_output_of_a_run(tiny_run: TinyRun) -> None:
    """Sizes, losses, samples, and a table with the best marked."""
    output = tiny_run.output
    assert "5,400 to train on, 600 held out" in output
    assert output.count("nats per token") >= 4
    assert output.count("sample") == 4
    assert "The " in output
    assert output.count(" * ") == 1


def test_lines_in_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """No control codes; loss, speed and time left from the running means."""
    monkeypatch.setattr(progress, "_LINE_INTERVAL_S", 0.0)
    screen = StringIO()
    display = ProgressDisplay(Console(file=screen))
    display.started(RUN)
    for number in range(1, 11):
        display.stepped(step(number))
    display.finished()
    assert "step 10/100 epoch 1.00 loss 2.000 640 tokens/s left 1:30" in screen.getvalue()
    assert "\x1b" not in screen.getvalue()


def test_an_evaluation_is_no_slow_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """It took 65 seconds; the speed of training is what it was."""
    monkeypatch.setattr(progress, "_LINE_INTERVAL_S", 0.0)
    screen = StringIO()
    display = ProgressDisplay(Console(file=screen))
    display.started(RUN)
    for number in range(1, 11):
        display.stepped(step(number))
    display.evaluated(EVALUATION)
    for number in (11, 12):  # the evaluation ended 75 s after the beginning
        display.stepped(replace(step(number), wall_time_s=number + 65.0))
    assert "step 12/100 epoch 1.20 loss 2.000 640 tokens/s left 1:28" in screen.getvalue()


def test_bar_in_a_terminal() -> None:
    """Live, with the same figures; the sample is text, not markup."""
    screen = StringIO()
    console = Console(file=screen, force_terminal=True, width=140, color_system=None)
    display = ProgressDisplay(console)
    display.started(RUN)
    for number in range(1, 11):
        display.stepped(step(number))
    display.evaluated(EVALUATION)
    display.finished()
    output = screen.getvalue()
    assert "10/100" in output
    assert "loss 2.000" in output
    assert "640 tokens/s" in output
    assert "To [bold]be[/]" in output
    assert "best so far" in output


def test_resumed_run_says_so() -> None:
    """And where it stands."""
    screen = StringIO()
    display = ProgressDisplay(Console(file=screen))
    display.started(RunRecord("m", 1, 2, 3, 4, 100, 10, "float32", 40))
    assert "resuming at step 40" in screen.getvalue()


def test_table_shows_time_and_best() -> None:
    """Hours where there are hours."""
    worse = EvaluationRecord(20, 2.0, 2.0, 2.5, False, "", 3_675.0)
    screen = StringIO()
    Console(file=screen, width=100).print(evaluation_table(History([], [EVALUATION, worse])))
    assert "2.2500 *" in screen.getvalue()
    assert "1:01:15" in screen.getvalue()
    assert "1:15 " in screen.getvalue()
