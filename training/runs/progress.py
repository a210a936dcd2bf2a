"""What a person sees of a run: a live bar in a terminal, plain lines in a file or a pipe."""

from __future__ import annotations

import math
import time
from contextlib import ExitStack

from rich.console import Console
from rich.panel import Panel
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from training.runs.metrics import History
from training.runs.records import EvaluationRecord, RunRecord, StepRecord
from training.terminal import visible
from training.waiting import Waiting

_LINE_INTERVAL_S = 15.0
_FIRST_INTERVAL_S, _FIRST_MINUTE_S = 4.0, 60.0
"""At first somebody looks whether it goes at all."""
_SMOOTHING = 0.95
_STEPS_OF_ESTIMATE = 20
_LONGEST_SILENCE_S = 30.0
"""When steps are so slow that 20 of them would be too long a wait, fewer have to do."""


class ProgressDisplay:
    """An observer that shows loss, tokens/s and time left, and a sample at every evaluation."""

    def __init__(self, console: Console) -> None:
        """Live if `console` is a terminal; else a line every 4 s of the first minute, then 15 s."""
        self._console = console
        self._bar: Progress | None = None
        self._task = TaskID(0)
        self._num_steps = 0
        self._pace = _Pace()
        self._started_s = self._line_at_s = 0.0
        self._silent = ExitStack()
        self._first: StepRecord | None = None
        self._is_estimated = False

    def started(self, record: RunRecord) -> None:
        """Say what is trained, and show the bar."""
        self._num_steps = record.num_steps
        self._console.print(
            f"[bold]{record.name}[/]: {record.num_parameters:,} parameters, "
            f"{record.vocabulary_size:,} tokens in the vocabulary, "
            f"{record.num_train_tokens:,} to train on, "
            f"{record.num_validation_tokens:,} held out, "
            f"{record.num_steps:,} steps ({record.precision})",
            highlight=False,
            soft_wrap=True,
        )
        if record.first_step:
            self._console.print(f"resuming at step {record.first_step:,}", highlight=False)
        self._started_s = self._line_at_s = time.monotonic()
        if not self._console.is_terminal:
            self._silent.enter_context(Waiting(self._console).during("the first step"))
        else:
            self._bar = Progress(
                TextColumn("epoch {task.fields[epoch]:.2f}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("loss [bold]{task.fields[loss]:.3f}[/]"),
                TextColumn("{task.fields[speed]:,.0f} tokens/s"),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
                console=self._console,
            )
            self._task = self._bar.add_task(
                "train",
                total=record.num_steps,
                completed=record.first_step,
                epoch=record.first_step / record.steps_per_epoch,
                loss=float("nan"),
                speed=0.0,
            )
            self._bar.start()

    def stepped(self, record: StepRecord) -> None:
        """Move on."""
        self._silent.close()
        self._pace.take(record)
        self._estimate(record)
        if self._bar is not None:
            self._bar.update(
                self._task,
                completed=record.step,
                epoch=record.epoch,
                loss=self._pace.loss,
                speed=self._pace.tokens_per_s,
            )
        elif self._is_line_due():
            self._line_at_s = time.monotonic()
            left_s = (self._num_steps - record.step) * self._pace.seconds_per_step
            self._console.print(
                f"step {record.step}/{self._num_steps} epoch {record.epoch:.2f} "
                f"loss {self._pace.loss:.3f} {self._pace.tokens_per_s:,.0f} tokens/s "
                f"left {_duration(left_s)}",
                highlight=False,
                soft_wrap=True,
            )

    def _is_line_due(self) -> bool:
        now_s = time.monotonic()
        is_early = now_s - self._started_s < _FIRST_MINUTE_S
        interval_s = _FIRST_INTERVAL_S if is_early else _LINE_INTERVAL_S
        return self._pace.seconds_per_step > 0.0 and now_s - self._line_at_s >= interval_s

    def _estimate(self, record: StepRecord) -> None:
        """Say once how long it will take; the very first step, which is slow, does not count."""
        if self._first is None:
            self._first = record
        num_steps = record.step - self._first.step
        took_s = record.wall_time_s - self._first.wall_time_s
        left = self._num_steps - record.step
        is_known = num_steps >= _STEPS_OF_ESTIMATE or (num_steps and took_s > _LONGEST_SILENCE_S)
        if self._is_estimated or not is_known or not left:
            return
        self._is_estimated = True
        self._console.print(
            f"the remaining {left:,} steps will take about {_in_words(took_s / num_steps * left)}, "
            f"as the first {record.step - self._first.step} took {took_s:.1f} s; looks at the "
            "held-out text come on top. Ctrl-C stops it, and it can go on later",
            highlight=False,
            soft_wrap=True,
        )

    def looking(self) -> None:
        """In a terminal the bar's clock goes on; a file or a pipe gets lines if it takes long."""
        if self._bar is None:
            self._silent.enter_context(
                Waiting(self._console).during("looking at the held-out text")
            )

    def evaluated(self, record: EvaluationRecord) -> None:
        """Print the losses and the sample above the bar."""
        self._silent.close()
        self._line_at_s = time.monotonic()
        self._pace.go_on_from(record.wall_time_s)
        mark = "  [green]best so far[/]" if record.is_best else ""
        self._console.print(
            f"epoch {record.epoch:.2f}: training {record.train_loss:.4f}, "
            f"validation [bold]{record.validation_loss:.4f}[/] nats per token{mark}",
            highlight=False,
        )
        if record.sample:
            # A sample may well contain what is markup to rich or a command to a terminal.
            shown = Text(visible(record.sample))
            self._console.print(Panel(shown, title="sample", title_align="left"))

    def finished(self) -> None:
        """Take the bar down."""
        self._silent.close()
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


class _Pace:
    """Running means of loss and speed: a single window is too noisy to look at."""

    def __init__(self) -> None:
        self.loss = float("nan")
        self.seconds_per_step = 0.0
        self.tokens_per_s = 0.0
        self._before_s: float | None = None

    def go_on_from(self, wall_time_s: float) -> None:
        """What came before was no training."""
        self._before_s = wall_time_s

    def take(self, record: StepRecord) -> None:
        first = math.isnan(self.loss)
        self.loss = record.loss if first else _smoothed(self.loss, record.loss)
        if self._before_s is not None:
            took_s = max(record.wall_time_s - self._before_s, 1e-9)
            known = self.seconds_per_step > 0.0
            self.seconds_per_step = _smoothed(self.seconds_per_step, took_s) if known else took_s
            self.tokens_per_s = record.num_tokens / self.seconds_per_step
        self._before_s = record.wall_time_s


def evaluation_table(history: History) -> Table:
    """All evaluations of a run."""
    table = Table(
        title="evaluations (nats per token)",
        caption="lower is better, *: the best; validation: of text that is never trained on; "
        "training: measured with parts of the model left out (dropout), so it may be the higher",
        caption_justify="left",
    )
    for heading in ("step", "epoch", "training", "validation", "time"):
        table.add_column(heading, justify="right")
    best = min((e.validation_loss for e in history.evaluations), default=float("inf"))
    for record in history.evaluations:
        table.add_row(
            f"{record.step:,}",
            f"{record.epoch:.2f}",
            f"{record.train_loss:.4f}",
            f"{record.validation_loss:.4f}" + (" *" if record.validation_loss == best else "  "),
            _duration(record.wall_time_s),
        )
    return table


def _smoothed(mean: float, value: float) -> float:
    return _SMOOTHING * mean + (1.0 - _SMOOTHING) * value


def _in_words(seconds: float) -> str:
    """Two digits at most: it is a guess."""
    for unit, length_s in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 1.5 * length_s:
            number = seconds / length_s
            return (
                f"{number:.1f} {unit}"
                if number < 10 and unit != "minutes"
                else f"{number:.0f} {unit}"
            )
    return f"{seconds:.0f} seconds" if seconds >= 2 else "a second or two"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 48:
        return f"{hours / 24:.1f} days"
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
