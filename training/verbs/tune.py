"""compare, find-lr, sweep, gradients: which training is a good one."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.text import Text

from training.comparison import Run, comparison_table, draw_comparison
from training.gradient_flow import ARCHITECTURES, draw_gradient_norms, gradient_norms
from training.learning_rate_finder import draw_finding, find_learning_rate
from training.run_folder import RunFolder, new_identity
from training.sweep import Sweep, open_study, search
from training.sweep_report import trials_table, write_report
from training.trainer import Trainer
from training.verbs.make import config_and_corpus
from training.verbs.status import DONE, INTERRUPTED


def compare(options: argparse.Namespace, console: Console) -> int:
    """Put runs side by side."""
    runs = [Run.load(folder) for folder in options.runs]
    console.print(comparison_table(runs))
    draw_comparison(runs, options.by, options.output)
    console.print(Text(f"curves: {options.output}"), soft_wrap=True)
    return DONE


def find_lr(options: argparse.Namespace, console: Console) -> int:
    """Search for a learning rate."""
    config, corpus = config_and_corpus(options)
    with tempfile.TemporaryDirectory() as folder, console.status("raising the learning rate"):
        identity = new_identity(config, corpus)
        trainer = Trainer(identity, RunFolder(Path(folder)).tokens(identity, corpus))
        finding = find_learning_rate(trainer, num_steps=options.num_steps)
    draw_finding(finding, config.name, options.output)
    console.print(
        f"the loss fell fastest at {finding.steepest:.2g} and was lowest at {finding.lowest:.2g}: "
        f"try training.learning_rate between them\nthe curve: {options.output}",
        highlight=False,
        soft_wrap=True,
    )
    return DONE


def sweep(options: argparse.Namespace, console: Console) -> int:
    """Search, or go on with a search; then report."""
    wanted = Sweep.load(options.sweep)
    if options.num_trials is not None:
        wanted = wanted.with_num_trials(options.num_trials)
    folder = options.dir or Path("runs") / f"{wanted.base.name}-sweep"
    study = open_study(wanted, folder)
    is_complete = search(wanted, study, folder, options.data, console)
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
        half = int(np.argmax(norm_T < norm_T[0] / 2)) or len(norm_T)
        console.print(f"{name}: half of the gradient is gone after {half} steps", highlight=False)
    console.print(Text(f"the picture: {options.output}"), soft_wrap=True)
    return DONE
