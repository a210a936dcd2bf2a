"""`lstm-train`: what its verbs do; `arguments.py` says what they take.

Exit status: 0 done, 1 a `TrainingError` (its message is printed), 2 wrong command line, 130 stopped
by Ctrl-C.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.text import Text

from service.artifacts.store import ModelStore
from service.runtime.decoder import Sampling
from training.arguments import argument_parser
from training.candidate import build_graph, step_model
from training.checkpoints import Checkpoint
from training.comparison import Run, comparison_table, draw_comparison
from training.config import CorpusConfig, SampleConfig, TrainConfig, load_config, with_overrides
from training.corpora.corpus import Corpus
from training.corpora.load import at_path, load_corpus
from training.corpora.plain import read_pieces
from training.errors import ConfigError, CorpusError, TrainingError
from training.gradient_flow import ARCHITECTURES, draw_gradient_norms, gradient_norms
from training.learning_rate_finder import draw_finding, find_learning_rate
from training.pipeline import (
    Workplace,
    corpus_of,
    evaluate_checkpoint,
    publish_checkpoint,
    train_model,
)
from training.publish import choose_version
from training.recipes import recipe_for
from training.run_folder import RunFolder, new_identity
from training.step_model import StepModel, find_published
from training.surprise import surprises
from training.tables import losses_table, surprises_table
from training.trainer import Trainer
from training.workers import joined_workers
from training.writing import beam_search, write

_DONE, _FAILED, _INTERRUPTED = 0, 1, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of the console script; returns the exit status."""
    options = argument_parser().parse_args(arguments)
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    try:
        with joined_workers() as workers:
            options.workers = workers
            return _VERBS[options.command](options, Console(quiet=not workers.is_first))
    except (TrainingError, OSError) as error:
        Console(stderr=True).print(Text(f"lstm-train: {error}"), soft_wrap=True)
        return _FAILED
    except KeyboardInterrupt:
        Console(stderr=True).print("lstm-train: stopped")
        return _INTERRUPTED


def _run(options: argparse.Namespace, console: Console) -> int:
    config, corpus, folder = _what_to_train(options)
    store = ModelStore(options.store)
    name = config.name if config is not None else folder.identity().config.name
    # A version that is taken is told now, not after the training.
    choose_version(store, name, options.version)
    status = _train_in(folder, config, corpus, options, console)
    if status == _DONE and options.workers.is_first:
        best = Checkpoint.load(folder.best)
        # The best moment may be of before a resume, and the config's publish section of after it.
        best = best if config is None else best.with_config(config)
        publish_checkpoint(best, corpus, Workplace(folder, console), store, options.version)
    return status


def _train(options: argparse.Namespace, console: Console) -> int:
    config, corpus, folder = _what_to_train(options)
    return _train_in(folder, config, corpus, options, console)


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
        return _INTERRUPTED
    if outcome.stopped_early:
        console.print(f"stopped early: nothing better since step {outcome.position.best_step:,}")
    return _DONE


def _what_to_train(options: argparse.Namespace) -> tuple[TrainConfig | None, Corpus, RunFolder]:
    """Config, text and run folder; no config where a checkpoint has it."""
    if options.resume and options.config is None:
        return _what_to_resume(options)
    config, corpus = _config_and_corpus(options)
    config = with_overrides(
        config,
        name=options.name,
        epochs=options.epochs,
        seed=options.seed,
        precision=options.precision,
    )
    return config, corpus, RunFolder(options.run_dir or Path("runs") / config.name)


def _config_and_corpus(options: argparse.Namespace) -> tuple[TrainConfig, Corpus]:
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


def _evaluate(options: argparse.Namespace, console: Console) -> int:
    if options.model is not None:
        return _evaluate_published(options, console)
    checkpoint = _checkpoint(options)
    corpus = corpus_of(checkpoint.identity, options.data, options.text)
    with console.status("measuring"):
        losses = evaluate_checkpoint(checkpoint, corpus, RunFolder(options.run_dir))
    title = f"{checkpoint.identity.config.name}, step {checkpoint.position.step:,}"
    console.print(losses_table(title, losses))
    return _DONE


def _evaluate_published(options: argparse.Namespace, console: Console) -> int:
    if options.text is None:
        raise ConfigError("--model needs --text: which text is to be measured?")
    model = StepModel.of_artifact(find_published(ModelStore(options.store), options.model))
    text = "".join(read_pieces(options.text))
    with console.status("measuring"):
        ids = model.tokenizer.encode(text)
        if len(ids) < 2:
            raise CorpusError(f"{options.text} is too short to be measured")
        loss, places = surprises(model, ids, options.places)
    console.print(losses_table(f"{model.name} on {options.text.name}", {"stateful": loss}))
    bits = loss.bits * loss.num_tokens / len(text)
    console.print(f"{len(text):,} characters, {bits:.4f} bits per character", highlight=False)
    if places:
        console.print(surprises_table(places))
    return _DONE


def _sample(options: argparse.Namespace, console: Console) -> int:
    if options.model is not None:
        model = StepModel.of_artifact(find_published(ModelStore(options.store), options.model))
        sample = SampleConfig()
    else:
        checkpoint = _checkpoint(options)
        model, sample = step_model(checkpoint), checkpoint.identity.config.sample
    prompt = sample.prompt if options.prompt is None else options.prompt
    num_tokens = options.num_tokens or sample.num_tokens
    texts = (_drawn if options.beams is None else _searched)(
        options, model, prompt, num_tokens, sample.temperature
    )
    for title, text in texts.items():
        if len(texts) > 1:
            console.rule(title)
        console.print(Text(text), soft_wrap=True)
    return _DONE


def _drawn(
    options: argparse.Namespace, model: StepModel, prompt: str, num_tokens: int, temperature: float
) -> dict[str, str]:
    samplings = [
        Sampling(
            seed=seed,
            temperature=temperature if options.temperature is None else options.temperature,
            top_k=options.top_k,
            top_p=options.top_p,
            min_p=options.min_p,
        )
        for seed in range(options.seed, options.seed + (options.num_samples or 1))
    ]
    written = write(model, prompt, num_tokens, samplings)
    return {f"seed {s.seed}": text for s, text in zip(samplings, written, strict=True)}


def _searched(
    options: argparse.Namespace, model: StepModel, prompt: str, num_tokens: int, _: float
) -> dict[str, str]:
    for option in ("temperature", "top_k", "top_p", "min_p", "num_samples"):
        if getattr(options, option) is not None:
            raise ConfigError(f"--{option.replace('_', '-')} does nothing with --beams")
    found = beam_search(
        model, prompt, num_tokens, num_beams=options.beams, length_penalty=options.length_penalty
    )
    return {f"log p {text.log_probability:.2f}": text.text for text in found}


def _compare(options: argparse.Namespace, console: Console) -> int:
    runs = [Run.load(folder) for folder in options.runs]
    console.print(comparison_table(runs))
    draw_comparison(runs, options.by, options.output)
    console.print(Text(f"curves: {options.output}"), soft_wrap=True)
    return _DONE


def _gradients(options: argparse.Namespace, console: Console) -> int:
    norms = {
        name: gradient_norms(name, hidden_size=options.hidden_size, num_steps=options.num_steps)
        for name in ARCHITECTURES
    }
    draw_gradient_norms(norms, options.output)
    for name, norm_T in norms.items():
        half = int(np.argmax(norm_T < norm_T[0] / 2)) or len(norm_T)
        console.print(f"{name}: half of the gradient is gone after {half} steps", highlight=False)
    console.print(Text(f"the picture: {options.output}"), soft_wrap=True)
    return _DONE


def _find_lr(options: argparse.Namespace, console: Console) -> int:
    config, corpus = _config_and_corpus(options)
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
    return _DONE


def _export(options: argparse.Namespace, console: Console) -> int:
    graph = build_graph(_checkpoint(options), options.precision)
    options.output.write_bytes(graph.SerializeToString())
    size = options.output.stat().st_size
    console.print(Text(f"{options.output}: {size:,} bytes"), soft_wrap=True)
    return _DONE


def _publish(options: argparse.Namespace, console: Console) -> int:
    checkpoint = _checkpoint(options)
    corpus = corpus_of(checkpoint.identity, options.data, options.text)
    workplace = Workplace(RunFolder(options.run_dir), console)
    store = ModelStore(options.store)
    publish_checkpoint(checkpoint, corpus, workplace, store, options.version)
    return _DONE


def _checkpoint(options: argparse.Namespace) -> Checkpoint:
    folder = RunFolder(options.run_dir)
    return Checkpoint.load(folder.best if options.checkpoint == "best" else folder.last)


_VERBS: dict[str, Callable[[argparse.Namespace, Console], int]] = {
    "run": _run,
    "train": _train,
    "evaluate": _evaluate,
    "sample": _sample,
    "export": _export,
    "compare": _compare,
    "find-lr": _find_lr,
    "gradients": _gradients,
    "publish": _publish,
}


if __name__ == "__main__":
    sys.exit(main())
