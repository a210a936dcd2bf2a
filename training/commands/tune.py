"""compare, find-lr, sweep, gradients: which training is a good one."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

from training.commands.make import config_and_corpus
from training.commands.status import DONE, INTERRUPTED
from training.config.files import with_overrides
from training.corpora.load import load_corpus
from training.errors import ConfigError
from training.loop.trainer import Trainer
from training.loop.vectors import vectors_of
from training.runs.run_folder import RunFolder, new_identity
from training.tuning.comparison import Run, comparison_table, draw_comparison
from training.tuning.gradient_flow import (
    ARCHITECTURES,
    draw_gradient_norms,
    gradient_norms,
    half_life,
)
from training.tuning.learning_rate_finder import advice, draw_finding, find_learning_rate
from training.tuning.sweep import open_study, search
from training.tuning.sweep_report import trials_table, write_report
from training.tuning.sweep_space import Sweep


def compare(options: argparse.Namespace, console: Console) -> int:
    """Put runs side by side."""
    runs = [Run.load(folder) for folder in options.runs]
    console.print(comparison_table(runs))
    draw_comparison(runs, options.by, options.output)
    console.print(Text(f"curves: {options.output}"), soft_wrap=True)
    return DONE


def find_lr(options: argparse.Namespace, console: Console) -> int:
    """Search for a learning rate."""
    _require_alone(options)
    config, corpus = config_and_corpus(options)
    config = with_overrides(config, name=options.name)
    with tempfile.TemporaryDirectory() as folder, console.status("raising the learning rate"):
        identity = new_identity(config, corpus)
        tokens = RunFolder(Path(folder)).tokens(identity, corpus)
        trainer = Trainer(identity, tokens, vectors=vectors_of(identity))
        finding = find_learning_rate(trainer, num_steps=options.num_steps)
    draw_finding(finding, config.name, options.output)
    console.print(Text(f"{advice(finding)}\nthe curve: {options.output}"), soft_wrap=True)
    return DONE


def sweep(options: argparse.Namespace, console: Console) -> int:
    """Search, or go on with a search; then report."""
    _require_alone(options)
    wanted = Sweep.load(options.sweep)
    if options.num_trials is not None:
        wanted = wanted.with_num_trials(options.num_trials)
    folder = options.dir or Path("runs") / f"{wanted.base.name}-sweep"
    corpus = load_corpus(wanted.base.corpus, options.data, wanted.base.cleaning)
    study = open_study(wanted, corpus, folder)
    is_complete = search(wanted, study, folder, corpus, console)
    if not is_complete:
        console.print("stopped; the same command goes on", highlight=False)
        return INTERRUPTED
    page = write_report(study, folder)
    console.print(trials_table(study))
    console.print(Text(f"the report: {page}"), soft_wrap=True)
    return DONE


def gradients(options: argparse.Namespace, console: Console) -> int:
    """Draw how far gradients reach back."""
    norms = {
        name: gradient_norms(name, hidden_size=options.hidden_size, num_steps=options.num_steps)
        for name in ARCHITECTURES
    }
    draw_gradient_norms(norms, options.output)
    for name, norm_T in norms.items():
        half = half_life(norm_T)
        found = (
            f"more than half of the gradient is left after {len(norm_T) - 1} steps"
            if half is None
            else f"half of the gradient is gone after {half} steps"
        )
        console.print(f"{name}: {found}", highlight=False)
    console.print(Text(f"the picture: {options.output}"), soft_wrap=True)
    return DONE


def _require_alone(options: argparse.Namespace) -> None:
    """Refuse to do the same several times side by side."""
    if options.workers.size > 1:
        raise ConfigError(f"{options.command} is for one process: start it without torchrun")
