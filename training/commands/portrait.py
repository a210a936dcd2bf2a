"""look: what a text is, and what a training on it would be."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import torch
from cyclopts import Parameter
from rich.text import Text

from training.commands.arguments import DataFolder, Flat, Options, Picture, Process, Source
from training.commands.planned import config_and_corpus
from training.commands.status import DONE
from training.config.paths import for_shell
from training.config.recipes import reasons_of
from training.config.train import TrainConfig
from training.loop.pace import Pace, measure_pace
from training.portrait.drawing import draw_portrait
from training.portrait.portrait import Portrait, portrait_of
from training.portrait.table import portrait_table, two_columns

_CONFIG_ENDINGS = (".toml", ".json")
_RARE = 5
_LONG_S = 2 * 3600.0


class Look(Options):
    """What is shown."""

    output: Annotated[Picture, Parameter(help=".png or .pdf")] = Path("look.png")
    data: DataFolder = None


def look(
    text: Annotated[
        Path,
        Parameter(
            help="a file or folder as for `run --text`, or a config (.toml) that names one",
            metavar="TEXT",
        ),
    ],
    /,
    *,
    look: Annotated[Look, Flat] = Look(),
    process: Annotated[Process, Flat] = Process(),
) -> int:
    """Say what a text is, what `run` would make of it and how long that would take."""
    process.require_alone("look")
    console = process.console
    is_config = text.suffix in _CONFIG_ENDINGS
    with console.status("reading"):
        # By the function that `run` asks too: what is shown is what would be done.
        config, corpus = (
            config_and_corpus(text, Source(data=look.data))
            if is_config
            else config_and_corpus(None, Source(text=text, name=model_name(text), data=look.data))
        )
        portrait = portrait_of(corpus)
    console.print(portrait_table(portrait, corpus.name))
    with console.status("training a few steps"), tempfile.TemporaryDirectory() as folder:
        pace = measure_pace(config, corpus, portrait.sample, Path(folder))
    num_train = corpus.train.num_characters
    reasons = {} if is_config else reasons_of(config, num_train)
    plan = _plan(config, portrait, pace, reasons)
    what = "the config" if is_config else "run --text"
    console.print(two_columns(f"what {what} would make of it", plan))
    draw_portrait(portrait, corpus.name, look.output)
    console.print(Text(f"picture: {look.output}\nnext: {_next(text, config)}"), soft_wrap=True)
    return DONE


def model_name(text: Path) -> str:
    """A name for a model of a file, after the file."""
    plain = re.sub(r"[^a-z0-9._-]+", "-", text.resolve().name.split(".")[0].lower())
    return plain.strip("-._")[:64] or "mine"


def _plan(
    config: TrainConfig, portrait: Portrait, pace: Pace, reasons: dict[str, str]
) -> Iterable[tuple[str, str]]:
    tokenizer, model, training = config.tokenizer, config.model, config.training
    rare = portrait.alphabet.num_rarer_than(_RARE)
    if not reasons:
        reasons = {
            "tokens": f"{tokenizer.kind}, as the config says",
            "size": f"{model.num_layers}x{model.hidden_size}, as the config says",
            "epochs": f"{training.epochs}, as the config says",
            "columns": f"{training.batch_size} of windows of {training.window}",
        }
    yield from reasons.items()
    sampled = " (of a sample)" if portrait.is_sampled else ""
    yield "vocabulary", f"{pace.vocabulary_size:,} tokens{sampled}"
    if rare and tokenizer.kind == "character" and tokenizer.min_count < _RARE:
        advice = (
            f"{rare:,} come fewer than {_RARE} times, too few to be learned: min_count = {_RARE} "
            "in a config's [tokenizer] makes one sign of them"
        )
        yield "rare characters", advice
    yield "parameters", f"{pace.num_parameters:,}"
    time = (
        f"about {_duration(pace.training_s)} on this machine, at most: {pace.num_steps:,} steps at "
        f"{pace.tokens_per_s:,.0f} tokens/s ({pace.precision}, {torch.get_num_threads()} threads), "
        "and looks at the held-out part; then it is measured and published"
    )
    if pace.training_s > _LONG_S and training.epochs > 1:
        time += f"; --epochs 1 takes about {_duration(pace.training_s / training.epochs)}"
    yield "time", time


def _next(text: Path, config: TrainConfig) -> str:
    """The command that trains so, as it can be pasted."""
    if text.suffix in _CONFIG_ENDINGS:
        return f"lstm-train run {for_shell(str(text))}"
    return f"lstm-train run --text {for_shell(str(text))} --name {config.name}"


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{max(seconds, 1):.0f} s"
    if seconds < 2 * 3600:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds / 3600:.1f} hours"
