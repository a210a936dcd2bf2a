"""A search for better hyper-parameters: many short runs, chosen by what the ones before found.

Optuna (Akiba et al. 2019, arXiv:1907.10902) proposes the values, by its tree-structured Parzen
estimator (Bergstra et al. 2011), and gives up runs that are worse than the median of the others at
the same epoch. The study is one SQLite file; each trial is a run folder beside it. So a search that
was stopped, even by kill -9, goes on where it was, in the middle of a run. The study
remembers what all trials share, the text and the rest of the config: others cannot be compared.

<folder>/study.db  report.md  sweep.png  trials/0/  trials/1/ ...
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import optuna
from optuna.trial import Trial, TrialState
from rich.console import Console
from rich.markup import escape
from rich.text import Text

from training.batches.columns import Columns
from training.batches.token_files import Ids
from training.config.optimisation import OptimisationConfig
from training.config.train import TrainConfig
from training.corpora.corpus import Corpus
from training.errors import ConfigError, CorpusError, DivergedError
from training.loop.interruption import Interruption
from training.loop.train import train
from training.loop.vectors import vectors_of
from training.runs.metrics import METRICS_FILE, MetricsLog
from training.runs.progress import ProgressDisplay
from training.runs.records import EvaluationRecord, Observer, Observers, RunRecord, StepRecord
from training.runs.run_folder import RunFolder
from training.tuning.sweep_space import Sweep, shown
from training.waiting import Waiting

STUDY_FILE = "study.db"
REFUSED = "refused"
"""Attribute of a trial whose values do not go together: why."""
_GOES_ON = "goes on with the run of trial"
_SHARED = "shared by all trials"


def open_study(sweep: Sweep, corpus: Corpus, folder: Path) -> optuna.Study:
    """The study of the folder, a new one if there is none.

    Raises:
        ConfigError: it is the study of another sweep, config or text.
    """
    folder.mkdir(parents=True, exist_ok=True)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = optuna.storages.RDBStorage(f"sqlite:///{(folder / STUDY_FILE).resolve()}")
    for name in set(optuna.get_all_study_names(storage)) - {sweep.base.name}:
        raise ConfigError(f"{folder} holds a study of the model {name!r}: choose another --dir")
    study = optuna.create_study(
        study_name=sweep.base.name,
        storage=storage,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=4),
        load_if_exists=True,
    )
    now = sweep.shared(corpus)
    before = study.user_attrs.get(_SHARED, study.user_attrs)
    different = sorted(key for key in now if key not in before or before[key] != now[key])
    if before and different:
        raise ConfigError(
            f"{folder} holds a study of another sweep: {sweep.file} differs from it in "
            f"{', '.join(different)}; choose another --dir"
        )
    study.set_user_attr(_SHARED, now)
    # With the same seed again a search that goes on would propose what it has already tried.
    study.sampler = optuna.samplers.TPESampler(seed=sweep.options.seed + len(study.trials))
    return study


def search(
    sweep: Sweep, study: optuna.Study, folder: Path, corpus: Corpus, console: Console
) -> bool:
    """Run trials until as many as the sweep wants have ended; False if it was interrupted.

    Trials that were cut off by the end of their process are taken up first.

    Raises:
        TrainingError: the text or the vectors cannot be read.
    """
    for cut_off in study.get_trials(states=(TrialState.RUNNING,)):
        run = cut_off.user_attrs.get(_GOES_ON, cut_off.number)
        study.tell(cut_off.number, state=TrialState.FAIL)
        study.enqueue_trial(cut_off.params, user_attrs={_GOES_ON: run})
    while num_ended(study) < sweep.options.num_trials:
        trial = study.ask()
        values = {name: r.suggest(trial, name) for name, r in sweep.options.space.items()}
        run = RunFolder(folder / "trials" / str(trial.user_attrs.get(_GOES_ON, trial.number)))
        title = f"\n[bold]trial {trial.number}[/]: {escape(shown(values))}"
        console.print(title, highlight=False, soft_wrap=True)
        observers: list[Observer] = [MetricsLog(run.path / METRICS_FILE), ProgressDisplay(console)]
        try:
            config = sweep.variant(values)
            if not _run_trial(config, study, trial, run, corpus, observers, Waiting(console)):
                return False
        except ConfigError as refusal:
            # Each value fits alone, but not these together. A pruned trial without a loss is the
            # worst one to the sampler; one that failed would be forgotten and proposed again.
            trial.set_user_attr(REFUSED, str(refusal))
            study.tell(trial, state=TrialState.PRUNED)
            console.print(Text(f"refused: {refusal}"), soft_wrap=True)
        _clear(run)
    return True


def num_ended(study: optuna.Study) -> int:
    """Trials that came to their end: by the last epoch, by what they had shown, or refused."""
    return len(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED)))


def _run_trial(
    config: TrainConfig,
    study: optuna.Study,
    trial: Trial,
    folder: RunFolder,
    corpus: Corpus,
    observers: Sequence[Observer],
    waiting: Waiting,
) -> bool:
    """Whether it came to its end.

    Raises:
        ConfigError: the values do not fit each other, or this text.
    """
    checkpoint = folder.resume(config, corpus) if folder.last.exists() else None
    identity = folder.begin(config, corpus, waiting) if checkpoint is None else checkpoint.identity
    judge = _Judge(trial, config.training.evaluations_per_epoch)
    all_observers = Observers([*observers, judge])
    try:
        with Interruption() as interruption:
            tokens = folder.tokens(identity, corpus, waiting)
            _require_room(tokens.train, config.training)
            vectors = vectors_of(identity) if checkpoint is None else None
            outcome = train(
                identity,
                tokens,
                folder.path,
                all_observers,
                interruption,
                checkpoint,
                vectors=vectors,
            )
    except (_GivenUpError, DivergedError):
        study.tell(trial, state=TrialState.PRUNED)
    else:
        if not outcome.is_complete:
            return False
        study.tell(trial, outcome.position.best_loss)
    finally:
        all_observers.finished()
    return True


def _require_room(ids: Ids, config: OptimisationConfig) -> None:
    """Tell too many columns, which are a matter of the trial, from what is wrong with the text."""
    try:
        Columns(ids, config.batch_size, config.window)
    except CorpusError as error:
        raise ConfigError(str(error)) from error


def _clear(folder: RunFolder) -> None:
    """A search of 50 runs would leave gigabytes; what was learned is in the metrics."""
    folder.last.unlink(missing_ok=True)
    folder.best.unlink(missing_ok=True)
    shutil.rmtree(folder.path / "tokens", ignore_errors=True)


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

    def looking(self) -> None:
        """Nothing is known yet."""

    def evaluated(self, record: EvaluationRecord) -> None:
        # Not by steps: with another batch size an epoch has another number of them.
        number = round(record.epoch * self._evaluations_per_epoch)
        self._trial.report(record.validation_loss, number)
        if self._trial.should_prune():
            raise _GivenUpError

    def finished(self) -> None:
        pass
