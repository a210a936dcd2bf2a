"""run, train, export, publish: from a text to a published model."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from rich.console import Console
from rich.text import Text

from service.artifacts.store import ModelStore
from training.commands.status import DONE, INTERRUPTED
from training.config.files import load_config, with_overrides
from training.config.model import ModelConfig
from training.config.recipes import recipe_for
from training.config.text import CorpusConfig
from training.config.train import TrainConfig
from training.corpora.corpus import Corpus
from training.corpora.load import at_path, load_corpus
from training.errors import ConfigError
from training.export.step_graph import able_to_write
from training.models.build import build_model
from training.pipeline import (
    Workplace,
    corpus_of,
    publish_checkpoint,
    train_model,
)
from training.publishing.candidate import build_graph
from training.publishing.publish import choose_version
from training.runs.checkpoints import Checkpoint
from training.runs.run_folder import RunFolder


def run(options: argparse.Namespace, console: Console) -> int:
    """Train and publish."""
    config, corpus, folder = _what_to_train(options)
    store = ModelStore(options.store)
    planned = config or folder.identity().config
    # What cannot be published is told now, not after the training.
    choose_version(store, planned.name, options.version)
    _require_able_to_write(planned.model)
    status = _train_in(folder, config, corpus, options, console)
    if status == DONE and options.workers.is_first:
        best = Checkpoint.load(folder.best)
        publish_checkpoint(best, corpus, Workplace(folder, console), store, options.version)
    return status


def train(options: argparse.Namespace, console: Console) -> int:
    """Train only."""
    config, corpus, folder = _what_to_train(options)
    return _train_in(folder, config, corpus, options, console)


def _require_able_to_write(config: ModelConfig) -> None:
    """Ask a model that has shapes but no weights, of the smallest vocabulary that will do."""
    vocabulary_size = max(config.adaptive_cutoffs, default=1) + 1
    with torch.device("meta"):
        able_to_write(build_model(config, vocabulary_size))


def _train_in(
    folder: RunFolder,
    config: TrainConfig | None,
    corpus: Corpus,
    options: argparse.Namespace,
    console: Console,
) -> int:
    workplace = Workplace(folder, console, options.tensorboard, options.workers)
    outcome = train_model(config, corpus, workplace, resume=options.resume)
    if not outcome.is_complete:
        console.print(
            f"stopped after step {outcome.position.step:,}; go on with\n"
            f"  lstm-train {options.command} --resume --run-dir {folder.path}",
            highlight=False,
            soft_wrap=True,
        )
        return INTERRUPTED
    if outcome.stopped_early:
        console.print(f"stopped early: nothing better since step {outcome.position.best_step:,}")
    return DONE


def _what_to_train(options: argparse.Namespace) -> tuple[TrainConfig | None, Corpus, RunFolder]:
    """Config, text and run folder; no config where a checkpoint has it."""
    if options.resume and options.config is None:
        return _what_to_resume(options)
    config, corpus = config_and_corpus(options)
    config = with_overrides(
        config,
        name=options.name,
        epochs=options.epochs,
        seed=options.seed,
        precision=options.precision,
    )
    return config, corpus, RunFolder(options.run_dir or Path("runs") / config.name)


def config_and_corpus(options: argparse.Namespace) -> tuple[TrainConfig, Corpus]:
    """What a fresh training needs.

    Raises:
        TrainingError: something is missing or wrong.
    """
    if options.config is None and options.text is None:
        raise ConfigError("nothing to train: give a CONFIG, or --text and --name, or --resume")
    if options.config is None:
        if options.name is None:
            raise ConfigError("--text needs --name: what is the model to be called?")
        corpus = load_corpus(CorpusConfig(path=str(options.text)), options.data)
        config = recipe_for(options.name, options.text, corpus.train.num_characters)
    else:
        config = load_config(options.config)
        if options.text is not None:
            corpus_config = at_path(config.corpus, options.text.resolve())
            config = config.model_copy(update={"corpus": corpus_config})
        corpus = load_corpus(config.corpus, options.data, config.cleaning)
    return config, corpus


def _what_to_resume(options: argparse.Namespace) -> tuple[None, Corpus, RunFolder]:
    """A run that goes on has its config in its checkpoint."""
    for option in ("epochs", "seed", "precision"):
        if getattr(options, option) is not None:
            raise ConfigError(f"--{option} cannot be changed when a run is resumed")
    if options.run_dir is None and options.name is None:
        raise ConfigError("--resume needs a CONFIG, --run-dir or --name to know which run")
    folder = RunFolder(options.run_dir or Path("runs") / options.name)
    identity = folder.identity()
    if options.name not in (None, identity.config.name):
        raise ConfigError(f"--name {options.name}: the run's model is {identity.config.name!r}")
    return None, corpus_of(identity, options.data, options.text), folder


def export(options: argparse.Namespace, console: Console) -> int:
    """Write the step graph of a checkpoint."""
    graph = build_graph(checkpoint_of(options), options.precision)
    options.output.write_bytes(graph.SerializeToString())
    size = options.output.stat().st_size
    console.print(Text(f"{options.output}: {size:,} bytes"), soft_wrap=True)
    return DONE


def publish(options: argparse.Namespace, console: Console) -> int:
    """Publish a checkpoint."""
    checkpoint = checkpoint_of(options)
    corpus = corpus_of(checkpoint.identity, options.data, options.text)
    workplace = Workplace(RunFolder(options.run_dir), console)
    store = ModelStore(options.store)
    publish_checkpoint(checkpoint, corpus, workplace, store, options.version)
    return DONE


def checkpoint_of(options: argparse.Namespace) -> Checkpoint:
    """The checkpoint that is meant.

    Raises:
        CheckpointError: it is not there.
    """
    folder = RunFolder(options.run_dir)
    return Checkpoint.load(folder.best if options.checkpoint == "best" else folder.last)
