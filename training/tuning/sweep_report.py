"""What a search found: a table, a page, a picture."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import optuna
from matplotlib.ticker import LogLocator, NullFormatter
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, TrialState
from rich.table import Table

from training.errors import ConfigError, DivergedError
from training.pictures import BLUE, RED, picture
from training.tuning.sweep import REFUSED, num_ended

REPORT_FILE = "report.md"
PICTURE_FILE = "sweep.png"
_MIN_TRIALS_FOR_IMPORTANCE = 4


def trials_table(study: optuna.Study, num_rows: int = 10) -> Table:
    """The best trials, best first."""
    names = _names(study)
    table = Table(title=f"{study.study_name}: best of {_counts(study)}")
    for heading in ("trial", "validation loss", *names):
        table.add_column(heading, justify="right")
    for trial in _completed(study)[:num_rows]:
        values = (_shown(trial.params[name]) for name in names)
        table.add_row(str(trial.number), f"{trial.value:.4f}", *values)
    return table


def write_report(study: optuna.Study, folder: Path) -> Path:
    """`report.md` and its picture; returns the page.

    Raises:
        DivergedError: no trial came to its end.
        ConfigError: the values of no trial went together.
    """
    _require_completed(study)
    draw_sweep(study, folder / PICTURE_FILE)
    names = _names(study)
    best, *_ = completed = _completed(study)
    lines = [
        f"# Sweep of {study.study_name}",
        "",
        f"{_counts(study)}. Validation loss in nats per token, `evaluation.losses.estimated_loss`.",
        "",
        f"![Trials]({PICTURE_FILE})",
        "",
        "| trial | validation loss | " + " | ".join(f"`{name}`" for name in names) + " |",
        "|" + "---|" * (2 + len(names)),
        *(
            f"| {trial.number} | {trial.value:.4f} | "
            + " | ".join(_shown(trial.params[name]) for name in names)
            + " |"
            for trial in completed
        ),
        "",
        "The best one, for the config:",
        "",
        "```toml",
        *_toml(best),
        "```",
    ]
    if len(completed) >= _MIN_TRIALS_FOR_IMPORTANCE:
        lines += [
            "",
            "How much each mattered (PED-ANOVA, Watanabe et al. 2023, arXiv:2304.10255):",
            "",
            *(f"- `{name}`: {share:.0%}" for name, share in importances(study).items()),
        ]
    if refused := _refused(study):
        lines += [
            "",
            "Refused, because the values do not go together:",
            "",
            *(f"- trial {trial.number}: {_reason(trial)}" for trial in refused),
        ]
    page = folder / REPORT_FILE
    page.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return page


def importances(study: optuna.Study) -> dict[str, float]:
    """Shares of the differences between trials, by hyper-parameter, the largest first."""
    return get_param_importances(study, evaluator=PedAnovaImportanceEvaluator())


def draw_sweep(study: optuna.Study, path: Path) -> None:
    """The loss over each hyper-parameter; later trials are darker."""
    names = _names(study)
    num_columns = min(3, len(names))
    num_rows = math.ceil(len(names) / num_columns)
    size = (0.8 + 3.2 * num_columns, 0.5 + 2.8 * num_rows)
    completed = _completed(study)
    losses = [trial.value or 0.0 for trial in completed]
    order = [trial.number for trial in completed]
    with picture(path, size, (num_rows, num_columns)) as plots:
        for number, (name, axes) in enumerate(zip(names, plots, strict=False)):
            values = [trial.params[name] for trial in completed]
            distribution = completed[0].distributions[name]
            if isinstance(distribution, CategoricalDistribution):
                values = [str(value) for value in values]
            elif isinstance(distribution, FloatDistribution | IntDistribution) and distribution.log:
                axes.set_xscale("log")
                axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
                axes.xaxis.set_major_formatter("{x:g}")
                axes.xaxis.set_minor_formatter(NullFormatter())
            axes.scatter(values, losses, c=order, cmap="Blues", edgecolors=BLUE, vmin=-5)
            axes.scatter(values[:1], losses[:1], marker="*", s=160, color=RED)
            axes.set(xlabel=name, ylabel="validation loss" if number % num_columns == 0 else "")


def _completed(study: optuna.Study) -> list[FrozenTrial]:
    """Best first."""
    trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return sorted(trials, key=lambda trial: trial.value or 0.0)


def _refused(study: optuna.Study) -> list[FrozenTrial]:
    trials = study.get_trials(deepcopy=False, states=(TrialState.PRUNED,))
    return [trial for trial in trials if REFUSED in trial.user_attrs]


def _reason(trial: FrozenTrial) -> str:
    """In one line."""
    return " ".join(str(trial.user_attrs[REFUSED]).split())


def _require_completed(study: optuna.Study) -> None:
    if _completed(study):
        return
    refused = _refused(study)
    if refused and len(refused) == num_ended(study):
        raise ConfigError(f"no trial was possible; the last one: {_reason(refused[-1])}")
    raise DivergedError("no trial came to its end: try smaller learning rates")


def _names(study: optuna.Study) -> Sequence[str]:
    return sorted(_completed(study)[0].params)


def _counts(study: optuna.Study) -> str:
    refused = len(_refused(study))
    given_up = num_ended(study) - len(_completed(study)) - refused
    counts = f"{num_ended(study)} trials, {given_up} of them given up early"
    return f"{counts}, {refused} refused" if refused else counts


def _shown(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _toml(trial: FrozenTrial) -> list[str]:
    """The values in their sections. Numbers, strings and booleans read the same in JSON."""
    sections: dict[str, list[str]] = defaultdict(list)
    for name, value in sorted(trial.params.items()):
        section, _, field = name.rpartition(".")
        sections[section].append(f"{field} = {json.dumps(value)}")
    return [
        line
        for section, fields in sorted(sections.items())
        for line in ([f"[{section}]"] if section else []) + fields
    ]
