"""A search for hyper-parameters: it finds, reports, and goes on after being stopped."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from optuna.trial import TrialState

from tests.training.tuning.sweeps import QUIET, SWEEP, corpus_of, replaced, searched, started
from training.cli import main
from training.errors import ConfigError, CorpusError, DivergedError
from training.loop.interruption import Interruption
from training.runs.metrics import METRICS_FILE, read_history
from training.tuning import sweep as sweep_module
from training.tuning.sweep import open_study, search
from training.tuning.sweep_report import write_report
from training.tuning.sweep_space import Sweep


def test_a_sweep_reports_what_it_found(
    sweep_file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table, a page whose best values fit the config, a picture; more trials go on from there."""
    monkeypatch.chdir(sweep_file.parent)
    assert main(["sweep", "sweep.toml"]) == 0
    assert "best of 3 trials, 0 of them given up early" in capsys.readouterr().out
    folder = Path("runs/tiny-sweep")
    assert (folder / "sweep.png").read_bytes()[:4] == b"\x89PNG"
    assert sorted(path.name for path in (folder / "trials").iterdir()) == ["0", "1", "2"]

    assert main(["sweep", "sweep.toml", "--num-trials", "5", "--dir", str(folder)]) == 0
    output = capsys.readouterr().out
    assert "trial 3" in output
    assert "trial 2:" not in output
    page = (folder / "report.md").read_text("utf-8")
    losses = [float(loss) for loss in re.findall(r"^\| \d+ \| ([\d.]+) ", page, re.MULTILINE)]
    assert losses == sorted(losses)
    history = read_history(folder / "trials" / page.split("\n| ")[2].split()[0] / METRICS_FILE)
    best = min(evaluation.validation_loss for evaluation in history.evaluations)
    assert losses[0] == pytest.approx(best, abs=5e-5)
    found = tomllib.loads(page.split("```")[1].removeprefix("toml"))
    assert found["model"]["architecture"] in ("lstm", "gru")
    assert found["training"]["batch_size"] in (4, 8)
    assert "`training.learning_rate`: " in page


class _AfterPolls(Interruption):
    """Ctrl-C after a number of steps."""

    def __init__(self, num_polls: int) -> None:
        self.num_polls = num_polls

    @property
    def requested(self) -> bool:  # type: ignore[override]
        self.num_polls -= 1
        return self.num_polls < 0

    def __enter__(self) -> _AfterPolls:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def test_a_cut_off_trial_goes_on_where_it_was(
    sweep_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its values, from its checkpoint; and counts once."""
    sweep = Sweep.load(sweep_file).with_num_trials(2)
    polls = _AfterPolls(30)
    monkeypatch.setattr(sweep_module, "Interruption", lambda: polls)
    corpus = corpus_of(sweep)
    study = open_study(sweep, corpus, tmp_path / "s")
    assert not search(sweep, study, tmp_path / "s", corpus, QUIET)
    [cut_off] = study.get_trials(states=(TrialState.RUNNING,))
    log = tmp_path / "s" / "trials" / str(cut_off.number) / METRICS_FILE
    before = read_history(log).steps
    assert 0 < len(before) <= 30

    polls.num_polls = 1_000_000
    study = open_study(sweep, corpus, tmp_path / "s")
    assert search(sweep, study, tmp_path / "s", corpus, QUIET)
    ended = study.get_trials(states=(TrialState.COMPLETE, TrialState.PRUNED))
    assert len(ended) == 2
    assert cut_off.params in [trial.params for trial in ended]
    history = read_history(log)
    assert history.steps[: len(before)] == before
    assert [step.step for step in history.steps] == list(range(1, len(history.steps) + 1))
    assert history.evaluations[-1].epoch == 1.0
    assert not list((tmp_path / "s" / "trials").glob("*/*.pt"))


def test_trials_that_diverge_are_given_up(sweep_file: Path, tmp_path: Path) -> None:
    """And counted; when all do, there is nothing to report, and that is said."""
    sweep = Sweep.load(sweep_file)
    corpus = corpus_of(sweep)
    study = open_study(sweep, corpus, tmp_path / "s")

    def diverge(*_: object, **__: object) -> None:
        raise DivergedError("the loss became nan")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweep_module, "train", diverge)
        assert search(sweep, study, tmp_path / "s", corpus, QUIET)
    assert len(study.get_trials(states=(TrialState.PRUNED,))) == 3
    with pytest.raises(DivergedError, match="smaller learning rates"):
        write_report(study, tmp_path / "s")


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("low = 1e-4\n", "", "training.learning_rate.range.low: Field required"),
        ("low = 1e-4", "low = 0.5", "'low' must be less than 'high'"),
        ("low = 1e-4", "low = 0", "'log' is for ranges above 0"),
        ("step = 4", "step = 0", "training.batch_size.range.step: Input should be greater"),
        ("high = 1e-1", "high = 7.0", "training.learning_rate: Input should be less than or equal"),
        ('"gru"', '"rwkv"', "model.architecture: Input should be 'lstm'"),
        ("training.batch_size", "training.batch", "training.batch: did you mean batch_size?"),
        (
            "choices = [",
            'low = 1\nhigh = 2\nchoices = ["lstm", ',
            "architecture.choice.low: there is no such key; there are choices",
        ),
        ('["lstm", "gru"]', "[]", "choice.choices: Tuple should have at least 1"),
        ("num_trials = 3", "num_trials = 0", "num_trials: Input should be greater than 0"),
        ("tiny.toml", "none.toml", "cannot read config"),
        ('"training.epochs" = 1', '"training.epochs" = 0', "training.epochs: Input should be gr"),
        ("config =", "config", "is not a TOML file"),
        ('"training.epochs" = 1', '"name.x" = 1', "name.x: there is no such field"),
        ("training.batch_size", "corpus.held_out", "'corpus.held_out' is the same for all trials"),
        (
            '"training.epochs" = 1',
            '"cleaning.lowercase" = true',
            "'cleaning.lowercase' is the same",
        ),
        ('"training.epochs" = 1', '"training.batch_size" = 1', "is both in 'fixed' and in 'space'"),
        ('space."training.batch_size"', 'space."tokenizer.min_count"', "cannot be compared"),
        ('space."training.batch_size"', 'space."publish.precision"', "cannot be compared"),
        (
            'space."training.batch_size"',
            'space."training.evaluations_per_epoch"',
            "cannot be compared",
        ),
    ],
    ids=lambda text: text[:24].strip() or "nothing",
)
def test_a_wrong_sweep_is_refused(sweep_file: Path, before: str, after: str, message: str) -> None:
    """Before anything is trained, by the name of the field."""
    assert before in SWEEP
    sweep_file.write_text(SWEEP.replace(before, after), encoding="utf-8")
    with pytest.raises(ConfigError, match=re.escape(message)) as refusal:
        Sweep.load(sweep_file)
    assert ("none.toml" if message == "cannot read config" else str(sweep_file)) in str(
        refusal.value
    )


_CHANGES = [
    ("sweep.toml", "high = 8", "high = 12", "in space;"),
    ("sweep.toml", '"training.epochs" = 1', '"training.epochs" = 2', "in fixed;"),
    ("tiny.toml", "hidden_size = 8", "hidden_size = 9", "in model;"),
    ("tiny.toml", "window = 16", "window = 17\nseed = 2", "in training;"),
    ("tiny.toml", "[model]", "held_out = 0.2\n[model]", "in corpus;"),
    ("tiny.toml", '"tiny"', '"other"', "holds a study of the model 'tiny'"),
    ("text.txt", "The", "the", "in corpus;"),
]


@pytest.mark.parametrize(("file", "before", "after", "message"), _CHANGES)
def test_a_study_keeps_what_its_trials_share(
    sweep_file: Path, tmp_path: Path, file: str, before: str, after: str, message: str
) -> None:
    """Losses of another space, config or text cannot be compared; what differs is named."""
    started(sweep_file, tmp_path / "s")
    started(sweep_file, tmp_path / "s")
    replaced(tmp_path / file, before, after)
    with pytest.raises(ConfigError, match=message):
        started(sweep_file, tmp_path / "s")


def test_what_takes_no_part_in_training_may_change(sweep_file: Path, tmp_path: Path) -> None:
    """A description, for instance; or how many trials are wanted."""
    started(sweep_file, tmp_path / "s")
    replaced(tmp_path / "tiny.toml", "[corpus]", 'description = "small"\n[corpus]')
    replaced(sweep_file, "num_trials = 3", "num_trials = 4")
    assert [] == started(sweep_file, tmp_path / "s").trials


def test_a_missing_sweep_is_named(tmp_path: Path) -> None:
    """Like any other file."""
    with pytest.raises(ConfigError, match="cannot read"):
        Sweep.load(tmp_path / "none.toml")


_UNEVEN = """
config = "tiny.toml"
num_trials = 4
[fixed]
"training.epochs" = 1
"publish.precision" = "float32"
[space."model.hidden_size"]
choices = [9, 20]
[space."model.projection_size"]
choices = [6, 12]
"""


def test_values_that_do_not_go_together_are_refused(sweep_file: Path, tmp_path: Path) -> None:
    """One trial, not the search: 12 is too wide for 9 only; the report says so."""
    replaced(tmp_path / "tiny.toml", "hidden_size = 8", "hidden_size = 16")
    sweep_file.write_text(_UNEVEN, encoding="utf-8")
    sweep = Sweep.load(sweep_file)
    study = open_study(sweep, corpus_of(sweep), tmp_path / "s")
    impossible = {"model.hidden_size": 9, "model.projection_size": 12}
    study.enqueue_trial(impossible)
    study.enqueue_trial({"model.hidden_size": 20, "model.projection_size": 12})
    # As it was left by a process that died of the first one.
    cut_off = study.ask()
    for name, values in sweep.options.space.items():
        values.suggest(cut_off, name)
    study = searched(sweep_file, tmp_path / "s")
    ended = study.get_trials(states=(TrialState.COMPLETE, TrialState.PRUNED))
    assert 4 == len(ended)
    refused = [trial for trial in ended if trial.params == impossible]
    assert refused
    assert all("less than hidden_size" in trial.user_attrs["refused"] for trial in refused)
    page = write_report(study, tmp_path / "s").read_text("utf-8")
    assert f", {len(refused)} refused." in page
    assert f"- trial {refused[0].number}: {sweep_file}, model.hidden_size = 9" in page
    assert "'projection_size' must be less than hidden_size" in page


def test_values_that_do_not_fit_the_text_are_refused(sweep_file: Path, tmp_path: Path) -> None:
    """More columns than tokens; if no trial is possible, the reason is what is told."""
    replaced(sweep_file, "low = 4\nhigh = 8\nstep = 4", "low = 8000\nhigh = 9000")
    study = searched(sweep_file, tmp_path / "s")
    with pytest.raises(ConfigError, match=r"no trial was possible; the last one: .* are too few"):
        write_report(study, tmp_path / "s")
    assert [] == list((tmp_path / "s" / "trials").glob("*/tokens"))


def test_trials_begin_with_word_vectors(sweep_file: Path, tmp_path: Path) -> None:
    """Of the config, in its width; other vectors give other losses."""
    table = '[vectors]\npath = "v.txt"\nformat = "glove"\ntrainable = false\n'
    replaced(tmp_path / "tiny.toml", "[training]", table + "[training]")
    replaced(sweep_file, "num_trials = 3", "num_trials = 1")
    with pytest.raises(CorpusError, match=r"cannot read vectors .*v\.txt"):
        searched(sweep_file, tmp_path / "none")
    losses = []
    for number in (1, 9):
        vectors = f"e{f' {number}' * 8}\nt{f' -{number}' * 8}\n"
        (tmp_path / "v.txt").write_text(vectors, encoding="utf-8")
        losses.append(searched(sweep_file, tmp_path / str(number)).best_value)
    assert losses[0] != losses[1]
    replaced(sweep_file, "training.batch_size", "model.embedding_size")
    with pytest.raises(ConfigError, match=r"sweep\.toml: 'model\.embedding_size'"):
        Sweep.load(sweep_file)
