"""compare, find-lr, sweep, gradients: which training is a good one."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.text import Text

from training.commands.arguments import (
    DataFolder,
    Flat,
    Options,
    Picture,
    Positive,
    Process,
    Source,
    TextOrConfig,
)
from training.commands.given import name_of, told_apart
from training.commands.piped import at_hand
from training.commands.planned import config_and_corpus
from training.commands.status import DONE, INTERRUPTED
from training.commands.trained import tell_of_text
from training.config.files import with_overrides
from training.corpora.load import load_corpus
from training.loop.trainer import Trainer
from training.loop.vectors import vectors_of
from training.runs.lock import only_one
from training.runs.run_folder import RunFolder, new_identity
from training.tuning.comparison import Axis, Run, comparison_table, draw_comparison
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


class Comparison(Options):
    """What a comparison shows."""

    output: Annotated[Picture, Parameter(help="the picture to write, .png or .pdf")] = Path(
        "compare.png"
    )
    by: Annotated[Axis, Parameter(help="what the curves are drawn over")] = "epoch"


class Search(Options):
    """How a learning rate is searched for."""

    output: Annotated[Picture, Parameter(help="the picture to write, .png or .pdf")] = Path(
        "find-lr.png"
    )
    num_steps: Annotated[Positive, Parameter(help="how many steps to train", metavar="N")] = 150


class Trials(Options):
    """How much a sweep tries."""

    num_trials: Annotated[
        Positive | None,
        Parameter(help="try so many (default: num_trials of the file)", metavar="N"),
    ] = None


class Gradients(Options):
    """Which layers are looked at."""

    output: Annotated[Picture, Parameter(help="the picture to write, .png or .pdf")] = Path(
        "gradients.png"
    )
    hidden_size: Annotated[Positive, Parameter(help="how wide the layers are", metavar="H")] = 128
    num_steps: Annotated[Positive, Parameter(help="how far back to look", metavar="T")] = 200


def compare(
    runs: Annotated[
        list[Path],
        Parameter(
            help="folders of trainings; the others are compared with the first", metavar="RUN_DIR"
        ),
    ],
    /,
    *,
    comparison: Annotated[Comparison, Flat] = Comparison(),
    process: Annotated[Process, Flat] = Process(),
) -> int:
    """Put trainings side by side: a table, and a picture of their curves."""
    loaded = [Run.load(folder) for folder in runs]
    process.console.print(comparison_table(loaded))
    draw_comparison(loaded, comparison.by, comparison.output)
    process.console.print(Text(f"curves: {comparison.output}"), soft_wrap=True)
    return DONE


def find_lr(
    text_or_config: TextOrConfig = None,
    /,
    *,
    source: Annotated[Source, Flat] = Source(),
    search: Annotated[Search, Flat] = Search(),
    process: Annotated[Process, Flat] = Process(),
) -> int:
    """Find a good learning rate: raise it until training breaks, and draw that."""
    process.require_alone("find-lr")
    config, source = told_apart(text_or_config, source)
    if config is None and source.text is not None:  # before a pipe's text has a name of its copy's
        source = source.model_copy(update={"name": name_of(source)})
    waiting = process.waiting
    with at_hand(source.text, process) as text, tempfile.TemporaryDirectory() as folder:
        source = source.model_copy(update={"text": text})
        wanted, corpus = config_and_corpus(config, source, waiting)
        wanted = with_overrides(wanted, name=source.name)
        tell_of_text(corpus, process)
        identity = new_identity(wanted, corpus, waiting)
        tokens = RunFolder(Path(folder)).tokens(identity, corpus, waiting)
        tokens.make()  # shown by itself, not as a part of the search
        with waiting.during("raising the learning rate"):
            trainer = Trainer(identity, tokens, vectors=vectors_of(identity))
            finding = find_learning_rate(trainer, num_steps=search.num_steps)
    draw_finding(finding, wanted.name, search.output)
    process.console.print(Text(f"{advice(finding)}\nthe curve: {search.output}"), soft_wrap=True)
    return DONE


def sweep(
    sweep: Annotated[
        Path, Parameter(help="a .toml file that says what to vary: docs/tuning.md", metavar="SWEEP")
    ],
    /,
    *,
    folder: Annotated[
        Path | None,
        Parameter(
            name="--dir",
            help="where the trials and the report are kept (default: runs/NAME-sweep)",
            metavar="DIR",
        ),
    ] = None,
    trials: Annotated[Trials, Flat] = Trials(),
    data: DataFolder = None,
    process: Annotated[Process, Flat] = Process(),
) -> int:
    """Find better settings by many short trainings."""
    process.require_alone("sweep")
    wanted = Sweep.load(sweep)
    if trials.num_trials is not None:
        wanted = wanted.with_num_trials(trials.num_trials)
    folder = folder or Path("runs") / f"{wanted.base.name}-sweep"
    with only_one(folder, process.say):
        base = wanted.base
        corpus = load_corpus(base.corpus, data, base.cleaning, process.waiting)
        tell_of_text(corpus, process)
        study = open_study(wanted, corpus, folder)
        is_complete = search(wanted, study, folder, corpus, process.console)
    if not is_complete:
        process.console.print("stopped; the same command goes on", highlight=False)
        return INTERRUPTED
    page = write_report(study, folder)
    process.console.print(trials_table(study))
    process.console.print(Text(f"the report: {page}"), soft_wrap=True)
    return DONE


def gradients(
    *,
    options: Annotated[Gradients, Flat] = Gradients(),
    process: Annotated[Process, Flat] = Process(),
) -> int:
    """Draw how far back RNN, GRU and LSTM can learn; needs no text."""
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
        process.console.print(f"{name}: {found}", highlight=False)
    process.console.print(Text(f"the picture: {options.output}"), soft_wrap=True)
    return DONE
