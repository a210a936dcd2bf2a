"""look: what a text is, and what a training on it would be."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import torch
from cyclopts import Parameter

from training.commands.arguments import (
    Flat,
    Options,
    Picture,
    Process,
    Source,
    TextOrConfig,
    option_name,
)
from training.commands.given import name_of, told_apart
from training.commands.next_commands import option_words
from training.commands.piped import at_hand
from training.commands.planned import config_and_corpus
from training.commands.status import DONE
from training.commands.trained import tell_of_text
from training.config.files import with_overrides
from training.config.paths import command, shown
from training.config.recipes import reasons_of
from training.config.train import TrainConfig
from training.corpora.corpus import Corpus
from training.corpora.streams import is_stream
from training.errors import ConfigError
from training.loop.pace import Pace, measure_pace
from training.portrait.drawing import draw_portrait
from training.portrait.portrait import Portrait, portrait_of
from training.portrait.table import portrait_table, two_columns

_NAMELESS = "mine"
_RARE = 5
_LONG_S = 2 * 3600.0


class Look(Options):
    """What is shown."""

    output: Annotated[Picture, Parameter(help=".png or .pdf")] = Path("look.png")


def look(
    text_or_config: TextOrConfig = None,
    /,
    *,
    source: Annotated[Source, Flat] = Source(),
    look: Annotated[Look, Flat] = Look(),
    process: Annotated[Process, Flat] = Process(),
) -> int:
    """Say what a text is, what `run` would make of it and how long that would take."""
    process.require_alone("look")
    path, given = told_apart(text_or_config, source)
    if path is None and given.text is None:
        raise ConfigError("nothing to look at: name a text, like lstm-train look my.txt")
    if path is None:  # before a pipe's text has a name of its copy's
        given = given.model_copy(update={"name": _model_name(given)})
    with at_hand(given.text, process) as text:
        # By the function that `run` asks too: what is shown is what would be done.
        at_hand_now = given.model_copy(update={"text": text})
        config, corpus = config_and_corpus(path, at_hand_now, process.waiting)
        config = with_overrides(config, name=given.name)
        _show(config, corpus, look.output, process, is_config=path is not None)
    process.say(f"picture: {shown(look.output)}\nnext: {_next(path, given)}")
    return DONE


def _show(
    config: TrainConfig, corpus: Corpus, picture: Path, process: Process, *, is_config: bool
) -> None:
    """What it is, how it would be trained, and the picture of it."""
    console, waiting = process.console, process.waiting
    tell_of_text(corpus, process)
    with waiting.during("looking at all of it", corpus.num_characters) as work:
        portrait = portrait_of(corpus, work)
    console.print(portrait_table(portrait, corpus.name))
    with waiting.during("training a few steps"), tempfile.TemporaryDirectory() as folder:
        pace = measure_pace(config, corpus, portrait.sample, Path(folder))
    reasons = {} if is_config else reasons_of(config, corpus.train.num_characters)
    plan = _plan(config, portrait, pace, reasons)
    what = "the config" if is_config else "run --text"
    console.print(two_columns(f"what {what} would make of it", plan))
    with waiting.during("drawing"):
        draw_portrait(portrait, corpus.name, picture)


def _model_name(source: Source) -> str:
    """As `run` would call it; to be looked at, a text needs no name."""
    try:
        return name_of(source)
    except ConfigError:
        return _NAMELESS


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
    threads = f"{torch.get_num_threads()} thread{'s' if torch.get_num_threads() > 1 else ''}"
    yield "parameters", f"{pace.num_parameters:,}"
    time = (
        f"about {_duration(pace.training_s)} on this machine, at most: {pace.num_steps:,} steps at "
        f"{pace.tokens_per_s:,.0f} tokens/s ({pace.precision}, {threads}), "
        "and looks at the held-out part; then it is measured and published"
    )
    if pace.training_s > _LONG_S and training.epochs > 1:
        time += f"; --epochs 1 takes about {_duration(pace.training_s / training.epochs)}"
    yield "time", time


def _next(path: Path | None, given: Source) -> str:
    """The command that trains so, as it can be pasted; a pipe has to be given once more."""
    words = ["lstm-train", "run", *([] if path is None else [str(path)])]
    for field in type(given).model_fields:
        value = getattr(given, field)
        for one in value if isinstance(value, tuple) else [value]:
            if one is not None:
                words += option_words(option_name(field), str(one))
    line = command(words)
    if given.text is not None and is_stream(given.text):
        return f"{line} (with what is sent into it once more)"
    return line


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{max(seconds, 1):.0f} s"
    if seconds < 2 * 3600:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds / 3600:.1f} hours"
