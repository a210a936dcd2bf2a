"""What a person sees."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from tests.training.documented import documented
from tests.training.tiny import TinyRun
from training import waiting
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
    monkeypatch.setattr(progress, "_FIRST_INTERVAL_S", 0.0)
    screen = StringIO()
    display = ProgressDisplay(Console(file=screen))
    display.started(RUN)
    for number in range(1, 11):
        display.stepped(step(number))
    display.finished()
    assert "step 10/100 epoch 1.00 loss 2.000 640 tokens/s left 1:30" in screen.getvalue()
    assert "\x1b" not in screen.getvalue()


def test_years_are_not_told_in_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a long training, in days."""
    monkeypatch.setattr(progress, "_FIRST_INTERVAL_S", 0.0)
    screen = StringIO()
    display = ProgressDisplay(Console(file=screen))
    display.started(replace(RUN, num_steps=864_010))
    for number in range(1, 11):
        display.stepped(step(number))
    display.finished()
    assert "step 10/864010 epoch 1.00 loss 2.000 640 tokens/s left 10.0 days" in screen.getvalue()


def test_an_evaluation_is_no_slow_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """It took 65 seconds; the speed of training is what it was."""
    monkeypatch.setattr(progress, "_FIRST_INTERVAL_S", 0.0)
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


def said_of_steps(num_steps: int, seconds_per_step: float, *, total: int = 1_000) -> str:
    """What is printed over so many steps; the first of them takes ten times as long."""
    screen = StringIO()
    display = ProgressDisplay(Console(file=screen))
    display.started(replace(RUN, num_steps=total))
    for number in range(1, num_steps + 1):
        wall_time_s = (number + 9) * seconds_per_step
        display.stepped(replace(step(number), wall_time_s=wall_time_s))
    return screen.getvalue()


@pytest.mark.parametrize(
    ("seconds_per_step", "words"),
    [
        (0.01, "about 10 seconds"),
        (0.2, "about 3 minutes"),
        (5.0, "about 83 minutes"),
        (10.0, "about 2.8 hours"),
        (600.0, "about 6.9 days"),
    ],
)
def test_the_first_twenty_steps_say_how_long_it_will_take(
    seconds_per_step: float, words: str
) -> None:
    """Once, and without the very first step; sooner where steps are very slow."""
    output = said_of_steps(60, seconds_per_step)
    assert output.count(documented("steps will take about")) == 1
    assert words in output
    assert "20 took" in output or seconds_per_step >= 5.0
    assert "\x1b" not in output


def test_no_word_where_it_would_come_too_late() -> None:
    """Before there are twenty steps, and after the last one."""
    assert "will take" not in said_of_steps(20, 0.01)
    assert "will take" not in said_of_steps(21, 0.01, total=21)
    assert "will take" in said_of_steps(21, 0.01)


def test_a_resumed_run_reckons_from_where_it_stands() -> None:
    """Its first step is not step 1, and its clock goes on."""
    screen = StringIO()
    display = ProgressDisplay(Console(file=screen))
    display.started(replace(RUN, first_step=50))
    for number in range(51, 72):
        display.stepped(replace(step(number), wall_time_s=500.0 + number))
    assert "the remaining 29 steps will take about 29 seconds" in screen.getvalue()


def test_the_table_says_what_its_columns_are() -> None:
    """Below it, in a line."""
    screen = StringIO()
    Console(file=screen, width=100).print(evaluation_table(History([], [EVALUATION])))
    assert "lower is better, *: the best" in " ".join(screen.getvalue().split())


def test_a_long_look_into_a_pipe_is_not_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line now and then until it has ended; none of one that is short."""
    monkeypatch.setattr(waiting, "_FIRST_LINE_S", 0.05)
    monkeypatch.setattr(waiting, "_LINE_INTERVAL_S", 0.05)
    screen = StringIO()
    display = ProgressDisplay(Console(file=screen))
    display.started(RUN)
    display.stepped(step(1))
    display.looking()
    display.evaluated(EVALUATION)
    said = documented("looking at the held-out text")
    assert said not in screen.getvalue()

    display.looking()
    deadline_s = time.monotonic() + 30
    while screen.getvalue().count(said) < 2 and time.monotonic() < deadline_s:
        time.sleep(0.01)
    display.evaluated(EVALUATION)
    shown = screen.getvalue()
    time.sleep(0.2)
    assert shown.count(said) >= 2
    assert shown == screen.getvalue()


def test_a_look_that_fails_ends_its_lines() -> None:
    """The run ends without `evaluated`."""
    before = threading.active_count()
    display = ProgressDisplay(Console(file=StringIO()))
    display.started(RUN)
    display.stepped(step(1))
    display.looking()
    display.finished()
    assert before == threading.active_count()
