"""A search for hyper-parameters: it finds, reports, and goes on after being stopped."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from optuna.trial import TrialState
from rich.console import Console

from tests.training.tiny import sentences
from training import sweep as sweep_module
from training.cli import main
from training.errors import ConfigError, DivergedError
from training.interruption import Interruption
from training.metrics import METRICS_FILE, read_history
from training.sweep import Sweep, open_study, search
from training.sweep_report import write_report

_CONFIG = """
name = "tiny"
[corpus]
path = "text.txt"
[model]
hidden_size = 8
num_layers = 1
embedding_size = 8
[training]
epochs = 9
batch_size = 8
window = 16
"""
_SWEEP = """
config = "tiny.toml"
num_trials = 3
[fixed]
"training.epochs" = 1
[space."training.learning_rate"]
low = 1e-4
high = 1e-1
log = true
[space."training.batch_size"]
low = 4
high = 8
step = 4
[space."model.architecture"]
choices = ["lstm", "gru"]
"""
QUIET = Console(quiet=True)


@pytest.fixture
def sweep_file(tmp_path: Path) -> Path:
    """A sweep, its config and its text."""
    (tmp_path / "text.txt").write_text(sentences(4_000), encoding="utf-8")
    (tmp_path / "tiny.toml").write_text(_CONFIG, encoding="utf-8")
    file = tmp_path / "sweep.toml"
    file.write_text(_SWEEP, encoding="utf-8")
    return file


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
    study = open_study(sweep, tmp_path / "s")
    assert not search(sweep, study, tmp_path / "s", tmp_path, QUIET)
    [cut_off] = study.get_trials(states=(TrialState.RUNNING,))
    log = tmp_path / "s" / "trials" / str(cut_off.number) / METRICS_FILE
    before = read_history(log).steps
    assert 0 < len(before) <= 30

    polls.num_polls = 1_000_000
    study = open_study(sweep, tmp_path / "s")
    assert search(sweep, study, tmp_path / "s", tmp_path, QUIET)
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
    study = open_study(sweep, tmp_path / "s")

    def diverge(*_: object) -> None:
        raise DivergedError("the loss became nan")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweep_module, "train", diverge)
        assert search(sweep, study, tmp_path / "s", tmp_path, QUIET)
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
        ("training.batch_size", "training.batch", "training.batch: Extra inputs"),
        (
            "choices = [",
            'low = 1\nhigh = 2\nchoices = ["lstm", ',
            "architecture.choice.low: Extra inputs",
        ),
        ('["lstm", "gru"]', "[]", "choice.choices: Tuple should have at least 1"),
        ("num_trials = 3", "num_trials = 0", "num_trials: Input should be greater than 0"),
        ("tiny.toml", "none.toml", "cannot read config"),
        ('"training.epochs" = 1', '"training.epochs" = 0', "training.epochs: Input should be gr"),
        ("config =", "config", "is not a TOML file"),
    ],
    ids=lambda text: text[:24].strip() or "nothing",
)
def test_a_wrong_sweep_is_refused(sweep_file: Path, before: str, after: str, message: str) -> None:
    """Before anything is trained, by the name of the field."""
    assert before in _SWEEP
    sweep_file.write_text(_SWEEP.replace(before, after), encoding="utf-8")
    with pytest.raises(ConfigError, match=re.escape(message)):
        Sweep.load(sweep_file)


def test_a_study_keeps_its_space(sweep_file: Path, tmp_path: Path) -> None:
    """Values of another space cannot be compared."""
    open_study(Sweep.load(sweep_file), tmp_path / "s")
    sweep_file.write_text(_SWEEP.replace("high = 8", "high = 12"), encoding="utf-8")
    with pytest.raises(ConfigError, match="another sweep"):
        open_study(Sweep.load(sweep_file), tmp_path / "s")
    with pytest.raises(ConfigError, match="cannot read"):
        Sweep.load(tmp_path / "none.toml")
