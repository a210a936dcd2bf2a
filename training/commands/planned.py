"""What `run` and `train` are told: a config or a text, where the run lies, how it goes on."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from training.commands.arguments import (
    MODEL_STORE,
    Options,
    Positive,
    Process,
    Source,
    Store,
    as_told,
    option_name,
)
from training.commands.given import name_of, told_apart
from training.commands.next_commands import Told
from training.commands.piped import kept, unless_it_fails
from training.config.files import load_config, with_overrides
from training.config.paths import path_text
from training.config.recipes import recipe_for
from training.config.text import CorpusConfig
from training.config.train import TrainConfig
from training.corpora.corpus import Corpus
from training.corpora.load import at_path, load_corpus
from training.corpora.splitting import MIN_CHARACTERS
from training.errors import ConfigError
from training.pipeline import (
    WhatToTrain,
    corpus_of,
)
from training.runs.lock import only_one
from training.runs.run_folder import RunFolder
from training.waiting import SILENT, Waiting


class Training(Options):
    """How a run is trained, and where it lies."""

    run_dir: Annotated[
        Path | None,
        Parameter(help="where the training keeps its files (default: runs/NAME)", metavar="DIR"),
    ] = None
    resume: Annotated[bool, Parameter(help="go on with a training that was stopped")] = False
    epochs: Annotated[int | None, Parameter(help="read the text so many times", metavar="N")] = None
    seed: Annotated[int | None, Parameter(help="begin with other random numbers", metavar="N")] = (
        None
    )
    precision: Annotated[
        Literal["auto", "float32", "bfloat16"] | None,
        Parameter(help="number format while training; auto: the fastest that this CPU has"),
    ] = None
    tensorboard: Annotated[
        bool, Parameter(help="also write curves for TensorBoard into RUN_DIR/tensorboard")
    ] = False


class Destination(Options):
    """Where a model is published."""

    store: Store = MODEL_STORE
    version: Annotated[
        Positive | None,
        Parameter(
            help="the number of the version (default: the next free one; none is ever overwritten)",
            metavar="N",
        ),
    ] = None


def config_and_corpus(
    config: Path | None, source: Source, waiting: Waiting = SILENT
) -> tuple[TrainConfig, Corpus]:
    """What a fresh training needs; `waiting` shows how far the reading is.

    Raises:
        TrainingError: something is missing or wrong.
    """
    config, source = told_apart(config, source)
    if config is not None:
        wanted = load_config(config)
        if source.text is not None:
            corpus_config = at_path(wanted.corpus, source.text.resolve())
            wanted = wanted.model_copy(update={"corpus": corpus_config})
        corpus_config = as_told(wanted.corpus, source.corpus_options)
        wanted = wanted.model_copy(update={"corpus": corpus_config})
        return wanted, load_corpus(wanted.corpus, source.data, wanted.cleaning, waiting)
    if source.text is None:
        raise ConfigError(
            "nothing to train: name a text, like lstm-train run my.txt, or a config, or --resume"
        )
    read = as_told(CorpusConfig(path=path_text(source.text)), source.corpus_options)
    corpus = load_corpus(read, source.data, waiting=waiting)
    recipe = recipe_for(name_of(source), source.text, corpus.train.num_characters)
    read = as_told(recipe.corpus, source.corpus_options)
    return recipe.model_copy(update={"corpus": read}), corpus


def what_to_train(
    config: Path | None, source: Source, training: Training, process: Process
) -> WhatToTrain:
    """The run that a command means; what a pipe brings is kept in its folder.

    Raises:
        TrainingError: something is missing or wrong.
    """
    config, source = told_apart(config, source)
    if training.resume and config is None:
        return _what_to_resume(source, training, process)
    guard: AbstractContextManager[None] = nullcontext()
    if config is not None or source.text is not None:
        if config is None:  # before a pipe's text gets a name of the run's
            source = source.model_copy(update={"name": name_of(source)})
        folder = RunFolder(training.run_dir or Path("runs") / _name_of_model(config, source))
        text = source.text and kept(source.text, folder, process, resume=training.resume)
        if text != source.text and not training.resume:
            guard = unless_it_fails(folder)
        if text is None and training.resume and folder.last.exists():
            text = folder.text_of(folder.identity())
        source = source.model_copy(update={"text": text})
    with guard:
        wanted, corpus = config_and_corpus(config, source, process.waiting)
    wanted = with_overrides(
        wanted,
        name=source.name,
        epochs=training.epochs,
        seed=training.seed,
        precision=training.precision,
    )
    folder = RunFolder(training.run_dir or Path("runs") / wanted.name)
    return WhatToTrain(wanted, corpus, folder, resume=training.resume)


def _what_to_resume(source: Source, training: Training, process: Process) -> WhatToTrain:
    """A run that goes on has its config in its checkpoint."""
    of_the_text = ("items", "format", "text_field", "glob", "held_out_by")
    for field in ("epochs", "seed", "precision", *of_the_text):
        if field in training.named | source.named:
            raise ConfigError(
                f"{option_name(field)} cannot be changed when a run is resumed: leave it out to go "
                "on as the run began, or train anew in another --run-dir; for longer training give "
                "a config with training.restarts added"
            )
    if training.run_dir is None and source.name is None and source.text is None:
        raise ConfigError("--resume needs a config, --run-dir or --name to know which run")
    folder = RunFolder(training.run_dir or Path("runs") / name_of(source))
    identity = folder.identity()
    if source.name not in (None, identity.config.name):
        raise ConfigError(f"--name {source.name}: the run's model is {identity.config.name!r}")
    for field in ("encoding", "errors"):
        asked = getattr(source, field)
        if asked not in (None, getattr(identity.config.corpus, field)):
            raise ConfigError(f"{option_name(field)} cannot be changed when a run is resumed")
    text = source.text and kept(source.text, folder, process, resume=True)
    text = text or folder.text_of(identity)
    corpus = corpus_of(identity, source.data, text, process.waiting)
    return WhatToTrain(None, corpus, folder, resume=True)


def _name_of_model(config: Path | None, source: Source) -> str:
    """What it will be called, so that a pipe's text can be put where its run will lie."""
    if config is not None:
        return with_overrides(load_config(config), name=source.name).name
    return recipe_for(str(source.name), Path("text"), MIN_CHARACTERS).name


def folder_of_its_own(
    config: Path | None, source: Source, training: Training, process: Process
) -> AbstractContextManager[None]:
    """Holds the run's folder from the first second; what does not name one is refused later."""
    config, source = told_apart(config, source)
    folder = training.run_dir
    if folder is None and config is not None:
        folder = Path("runs") / (source.name or load_config(config).name)
    elif folder is None and (source.text is not None or source.name is not None):
        folder = Path("runs") / name_of(source)
    if folder is None or not process.workers.is_first:
        return nullcontext()
    return only_one(folder, process.say)


def what_was_told(
    what: WhatToTrain,
    source: Source,
    training: Training,
    process: Process,
    destination: Destination | None = None,
) -> Told:
    """What has to be told again when the run goes on, or is published."""
    return Told(
        what.run_folder.path,
        text=source.text,
        data=source.data,
        store=None if destination is None else destination.store,
        version=None if destination is None else destination.version,
        threads=process.threads,
        tensorboard=training.tensorboard,
        num_processes=process.workers.size,
    )
