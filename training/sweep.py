"""A search for better hyper-parameters: many short runs, chosen by what the ones before found.

Optuna (Akiba et al. 2019, arXiv:1907.10902) proposes the values, by its tree-structured Parzen
estimator (Bergstra et al. 2011), and gives up runs that are worse than the median of the others at
the same epoch. The study is one SQLite file; each trial is a run folder beside it. So a search that
was stopped, even by kill -9, goes on where it was, in the middle of a run.

<folder>/study.db  report.md  sweep.png  trials/0/  trials/1/ ...
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Self, cast

import optuna
from optuna.trial import Trial, TrialState
from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    PositiveInt,
    Tag,
    model_validator,
)
from rich.console import Console

from training.config import TrainConfig
from training.config_files import checked, load_config, parse_config, read_toml
from training.corpora.corpus import Corpus
from training.corpora.load import load_corpus
from training.errors import ConfigError, DivergedError
from training.interruption import Interruption
from training.loop import train
from training.metrics import METRICS_FILE, MetricsLog
from training.progress import ProgressDisplay
from training.records import EvaluationRecord, Observer, Observers, RunRecord, StepRecord
from training.run_folder import RunFolder

STUDY_FILE = "study.db"
_GOES_ON = "goes on with the run of trial"
Value = str | bool | int | float


class Choice(BaseModel):
    """A hyper-parameter is one of these."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    choices: Annotated[tuple[Value, ...], Field(min_length=1)]

    @property
    def ends(self) -> tuple[Value, ...]:
        """Values that all fit if any does."""
        return self.choices

    def suggest(self, trial: Trial, name: str) -> Value:
        """The trial's value."""
        return cast(Value, trial.suggest_categorical(name, self.choices))


class Range(BaseModel):
    """A hyper-parameter is a number between two others; an integer, if all are integers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    low: int | float
    high: int | float
    step: Annotated[int | float, Field(gt=0)] | None = None
    """Only low, low + step, low + 2 step ..."""
    log: bool = False
    """Small values as closely as large ones."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.low < self.high:
            raise ValueError("'low' must be less than 'high'")
        if self.log and (self.step is not None or self.low <= 0):
            raise ValueError("'log' is for ranges above 0, without 'step'")
        return self

    @property
    def ends(self) -> tuple[Value, ...]:
        """Values that all fit if any does."""
        return self.low, self.high

    def suggest(self, trial: Trial, name: str) -> Value:
        """The trial's value."""
        low, high, step = self.low, self.high, self.step
        if isinstance(low, int) and isinstance(high, int) and not isinstance(step, float):
            return trial.suggest_int(name, low, high, step=step or 1, log=self.log)
        return trial.suggest_float(name, low, high, step=step, log=self.log)


def _kind(values: object) -> str:
    has_choices = "choices" in values if isinstance(values, dict) else isinstance(values, Choice)
    return "choice" if has_choices else "range"


Values = Annotated[
    Annotated[Range, Tag("range")] | Annotated[Choice, Tag("choice")], Discriminator(_kind)
]
"""Told apart first, so that a mistake is not reported for both."""


class SweepConfig(BaseModel):
    """What is searched, by one TOML file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    config: str
    """The TOML of the model; relative paths are relative to this file."""
    num_trials: PositiveInt = 20
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 1
    space: Annotated[dict[str, Values], Field(min_length=1)]
    """By the dotted name of the field: "training.learning_rate"."""
    fixed: dict[str, Value] = {}
    """Fields in which all trials differ from the config: fewer epochs, for instance."""


@dataclass(frozen=True)
class Sweep:
    """A search, and the config that it varies."""

    options: SweepConfig
    base: TrainConfig

    @classmethod
    def load(cls, path: Path) -> Sweep:
        """Read and check both files, and that each range fits its field.

        Raises:
            ConfigError: something is wrong; the message names file and field.
        """
        options = checked(SweepConfig, read_toml(path), str(path))
        sweep = cls(options, load_config((path.parent / options.config).resolve()))
        sweep.variant({})
        for name, range_ in options.space.items():
            for value in range_.ends:
                sweep.variant({name: value})
        return sweep

    def with_num_trials(self, num_trials: int) -> Sweep:
        """The same, until so many trials have ended."""
        return replace(self, options=self.options.model_copy(update={"num_trials": num_trials}))

    def variant(self, values: dict[str, Value]) -> TrainConfig:
        """The config with these values in their places.

        Raises:
            ConfigError: a field is unknown, or a value does not fit.
        """
        table = self.base.model_dump(exclude_unset=True)
        for name, value in (self.options.fixed | values).items():
            place: dict[str, Any] = table
            *sections, field = name.split(".")
            for section in sections:
                place = place.setdefault(section, {})
            place[field] = value
        return parse_config(table, source=f"sweep, {values}")


def open_study(sweep: Sweep, folder: Path) -> optuna.Study:
    """The study of the folder, a new one if there is none.

    Raises:
        ConfigError: it is the study of another sweep.
    """
    folder.mkdir(parents=True, exist_ok=True)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        study_name=sweep.base.name,
        storage=f"sqlite:///{(folder / STUDY_FILE).resolve()}",
        pruner=optuna.pruners.MedianPruner(n_startup_trials=4),
        load_if_exists=True,
    )
    searched = sweep.options.model_dump(mode="json", include={"space", "fixed"})
    if study.user_attrs not in ({}, searched):
        raise ConfigError(f"{folder} holds a study of another sweep: choose another --dir")
    for key, value in searched.items():
        study.set_user_attr(key, value)
    # With the same seed again a search that goes on would propose what it has already tried.
    study.sampler = optuna.samplers.TPESampler(seed=sweep.options.seed + len(study.trials))
    return study


def search(
    sweep: Sweep, study: optuna.Study, folder: Path, data_folder: Path, console: Console
) -> bool:
    """Run trials until as many as the sweep wants have ended; False if it was interrupted.

    Trials that were cut off by the end of their process are taken up first.

    Raises:
        TrainingError: the corpus cannot be read, or a config does not fit.
    """
    for cut_off in study.get_trials(states=(TrialState.RUNNING,)):
        run = cut_off.user_attrs.get(_GOES_ON, cut_off.number)
        study.tell(cut_off.number, state=TrialState.FAIL)
        study.enqueue_trial(cut_off.params, user_attrs={_GOES_ON: run})
    corpus = load_corpus(sweep.base.corpus, data_folder, sweep.base.cleaning)
    while num_ended(study) < sweep.options.num_trials:
        trial = study.ask()
        values = {name: r.suggest(trial, name) for name, r in sweep.options.space.items()}
        run = RunFolder(folder / "trials" / str(trial.user_attrs.get(_GOES_ON, trial.number)))
        shown = ", ".join(f"{name} = {value}" for name, value in values.items())
        console.print(f"\n[bold]trial {trial.number}[/]: {shown}", highlight=False, soft_wrap=True)
        observers: list[Observer] = [MetricsLog(run.path / METRICS_FILE), ProgressDisplay(console)]
        if not _run_trial(sweep.variant(values), study, trial, run, corpus, observers):
            return False
    return True


def num_ended(study: optuna.Study) -> int:
    """Trials that came to their end, by the last epoch or before it by what they had shown."""
    return len(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED)))


def _run_trial(
    config: TrainConfig,
    study: optuna.Study,
    trial: Trial,
    folder: RunFolder,
    corpus: Corpus,
    observers: Sequence[Observer],
) -> bool:
    """Whether it came to its end."""
    checkpoint = folder.resume(config, corpus) if folder.last.exists() else None
    identity = folder.begin(config, corpus) if checkpoint is None else checkpoint.identity
    judge = _Judge(trial, config.training.evaluations_per_epoch)
    all_observers = Observers([*observers, judge])
    try:
        with Interruption() as interruption:
            tokens = folder.tokens(identity, corpus)
            outcome = train(identity, tokens, folder.path, all_observers, interruption, checkpoint)
    except (_GivenUpError, DivergedError):
        study.tell(trial, state=TrialState.PRUNED)
    else:
        if not outcome.is_complete:
            return False
        study.tell(trial, outcome.position.best_loss)
    finally:
        all_observers.finished()
    # A search of 50 runs would leave gigabytes; what was learned is in the metrics.
    folder.last.unlink(missing_ok=True)
    folder.best.unlink(missing_ok=True)
    shutil.rmtree(folder.path / "tokens", ignore_errors=True)
    return True


class _GivenUpError(Exception):
    """The trial is worse than most."""


class _Judge:
    """An observer that tells the study, and ends a run that is not worth its time."""

    def __init__(self, trial: Trial, evaluations_per_epoch: int) -> None:
        self._trial = trial
        self._evaluations_per_epoch = evaluations_per_epoch

    def started(self, record: RunRecord) -> None:
        pass

    def stepped(self, record: StepRecord) -> None:
        pass

    def evaluated(self, record: EvaluationRecord) -> None:
        # Not by steps: with another batch size an epoch has another number of them.
        number = round(record.epoch * self._evaluations_per_epoch)
        self._trial.report(record.validation_loss, number)
        if self._trial.should_prune():
            raise _GivenUpError

    def finished(self) -> None:
        pass
