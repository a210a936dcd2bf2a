"""run, train, export, publish: from a text to a published model."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Annotated, Literal

import torch
from cyclopts import Parameter
from rich.text import Text

from service.artifacts.store import ModelStore
from training.commands.arguments import (
    MODEL_STORE,
    DataFolder,
    Flat,
    Moment,
    Options,
    OutputFile,
    Positive,
    Process,
    RunCheckpoint,
    Source,
    Store,
    TextOrConfig,
    option_name,
)
from training.commands.given import name_of, told_apart
from training.commands.next_commands import Told
from training.commands.status import DONE
from training.commands.trained import publish_trained, say_what_next, train_as_told
from training.config.files import load_config, with_overrides
from training.config.model import ModelConfig
from training.config.recipes import recipe_for
from training.config.text import CorpusConfig
from training.config.train import TrainConfig
from training.corpora.corpus import Corpus
from training.corpora.load import at_path, load_corpus
from training.disk import whole_file
from training.errors import ConfigError
from training.export.step_graph import able_to_write
from training.models.build import build_model
from training.pipeline import (
    WhatToTrain,
    corpus_of,
    publish_checkpoint,
)
from training.publishing.candidate import build_graph
from training.publishing.publish import choose_version
from training.publishing.trial import require_room_to_train, try_store
from training.runs.checkpoints import Checkpoint
from training.runs.lock import only_one
from training.runs.run_folder import RunFolder


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


def run(
    text_or_config: TextOrConfig = None,
    /,
    *,
    source: Annotated[Source, Flat] = Source(),
    training: Annotated[Training, Flat] = Training(),
    destination: Annotated[Destination, Flat] = Destination(),
    process: Annotated[Process, Flat] = Process(),
) -> int:
    """Make a model of a text: train it, measure it, publish it into the model store."""
    store, version = ModelStore(destination.store), destination.version
    with _folder_of_its_own(text_or_config, source, training, process):
        what = _what_to_train(text_or_config, source, training)
        planned = what.config or what.run_folder.identity().config
        # What cannot be published is told now, not after the training.
        choose_version(store, planned.name, version)
        num_parameters = _require_able_to_write(planned.model)
        if process.workers.is_first:
            try_store(store, planned.name, num_parameters)
            require_room_to_train(what.run_folder.path, num_parameters)
        told = _told(what, source, training, process, destination)
        status = train_as_told("run", what, told, process)
        if status == DONE and process.workers.is_first:
            return publish_trained(what, told, store, process)
        return status


def train(
    text_or_config: TextOrConfig = None,
    /,
    *,
    source: Annotated[Source, Flat] = Source(),
    training: Annotated[Training, Flat] = Training(),
    process: Annotated[Process, Flat] = Process(),
) -> int:
    """Train only; `publish` puts the result into the model store later."""
    with _folder_of_its_own(text_or_config, source, training, process):
        what = _what_to_train(text_or_config, source, training)
        told = _told(what, source, training, process)
        return train_as_told("train", what, told, process)


class GraphFile(Options):
    """Where a step graph is written, and how."""

    output: Annotated[OutputFile, Parameter(help="the file to write, like mine.onnx")]
    precision: Annotated[
        Literal["float32", "int8"],
        Parameter(help="how the model's numbers are stored: int8 takes a quarter of the place"),
    ] = "float32"


def export(
    *,
    of: Annotated[RunCheckpoint, Flat],
    graph_file: Annotated[GraphFile, Flat],
    process: Annotated[Process, Flat] = Process(),
) -> int:
    """Write a trained model as an ONNX file, for programs of your own."""
    output = graph_file.output
    graph = build_graph(checkpoint_of(of.run_dir, of.checkpoint), graph_file.precision)
    content = graph.SerializeToString()
    with whole_file(output, len(content)) as file:
        file.write(content)
    size = output.stat().st_size
    process.console.print(Text(f"{output}: {size:,} bytes"), soft_wrap=True)
    return DONE


def publish(
    *,
    of: Annotated[RunCheckpoint, Flat],
    text: Annotated[
        Path | None, Parameter(help="where the text lies now, if it was moved", metavar="PATH")
    ] = None,
    data: DataFolder = None,
    destination: Annotated[Destination, Flat] = Destination(),
    process: Annotated[Process, Flat] = Process(),
) -> int:
    """Put a trained model into the model store, if it passes the tests."""
    checkpoint = checkpoint_of(of.run_dir, of.checkpoint)
    corpus = corpus_of(checkpoint.identity, data, text)
    folder, store = RunFolder(of.run_dir), ModelStore(destination.store)
    artifact = publish_checkpoint(
        checkpoint, corpus, folder, process.console, store, destination.version
    )
    say_what_next(artifact, store, checkpoint.identity.config.sample.prompt, process)
    return DONE


def checkpoint_of(run_dir: Path, which: Moment) -> Checkpoint:
    """A checkpoint of a run.

    Raises:
        CheckpointError: it is not there.
    """
    folder = RunFolder(run_dir)
    return Checkpoint.load(folder.best if which == "best" else folder.last)


def config_and_corpus(config: Path | None, source: Source) -> tuple[TrainConfig, Corpus]:
    """What a fresh training needs.

    Raises:
        TrainingError: something is missing or wrong.
    """
    config, source = told_apart(config, source)
    if config is not None:
        wanted = load_config(config)
        if source.text is not None:
            corpus_config = at_path(wanted.corpus, source.text.resolve())
            wanted = wanted.model_copy(update={"corpus": corpus_config})
        wanted = with_overrides(wanted, items=source.item_kind)
        return wanted, load_corpus(wanted.corpus, source.data, wanted.cleaning)
    if source.text is None:
        raise ConfigError(
            "nothing to train: name a text, like lstm-train run my.txt, or a config, or --resume"
        )
    name = name_of(source)
    source_config = CorpusConfig(path=str(source.text), items=source.item_kind)
    corpus = load_corpus(source_config, source.data)
    wanted = recipe_for(name, source.text, corpus.train.num_characters)
    return with_overrides(wanted, items=source.item_kind), corpus


def _what_to_train(config: Path | None, source: Source, training: Training) -> WhatToTrain:
    config, source = told_apart(config, source)
    if training.resume and config is None:
        return _what_to_resume(source, training)
    wanted, corpus = config_and_corpus(config, source)
    wanted = with_overrides(
        wanted,
        name=source.name,
        epochs=training.epochs,
        seed=training.seed,
        precision=training.precision,
    )
    folder = RunFolder(training.run_dir or Path("runs") / wanted.name)
    return WhatToTrain(wanted, corpus, folder, resume=training.resume)


def _what_to_resume(source: Source, training: Training) -> WhatToTrain:
    """A run that goes on has its config in its checkpoint."""
    for field in ("epochs", "seed", "precision", "items"):
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
    return WhatToTrain(None, corpus_of(identity, source.data, source.text), folder, resume=True)


def _folder_of_its_own(
    config: Path | None, source: Source, training: Training, process: Process
) -> AbstractContextManager[None]:
    """Holds the run's folder from the first second; what does not name one is refused later."""
    config, source = told_apart(config, source)
    name = name_of(source) if source.text is not None and config is None else source.name
    if name is None and config is not None:
        name = load_config(config).name
    folder = training.run_dir or (None if name is None else Path("runs") / name)
    if folder is None or not process.workers.is_first:
        return nullcontext()
    return only_one(folder, process.say)


def _told(
    what: WhatToTrain,
    source: Source,
    training: Training,
    process: Process,
    destination: Destination | None = None,
) -> Told:
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


def _require_able_to_write(config: ModelConfig) -> int:
    """Ask a model that has shapes but no weights, of the smallest vocabulary that will do.

    Returns how many parameters it has, at least.
    """
    vocabulary_size = max(config.adaptive_cutoffs, default=1) + 1
    with torch.device("meta"):
        return able_to_write(build_model(config, vocabulary_size)).num_parameters()
