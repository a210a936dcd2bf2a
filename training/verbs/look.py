"""evaluate, sample: what a model knows, and what it writes."""

from __future__ import annotations

import argparse

from rich.console import Console
from rich.text import Text

from service.artifacts.store import ModelStore
from service.runtime.decoder import Sampling
from training.adapting_evaluation import cache_loss, dynamic_loss
from training.candidate import step_model
from training.checkpoints import Checkpoint
from training.config import SampleConfig
from training.corpora.corpus import Corpus
from training.corpora.plain import read_pieces
from training.errors import ConfigError, CorpusError
from training.evaluation import Loss
from training.export import able_to_write
from training.pipeline import (
    corpus_of,
    evaluate_checkpoint,
)
from training.run_folder import RunFolder
from training.step_model import StepModel, find_published
from training.surprise import surprises
from training.tables import losses_table, surprises_table
from training.verbs.make import checkpoint_of
from training.verbs.status import DONE
from training.writing import beam_search, write


def evaluate(options: argparse.Namespace, console: Console) -> int:
    """Measure a checkpoint, or a published model."""
    if options.model is not None:
        return _evaluate_published(options, console)
    checkpoint = checkpoint_of(options)
    corpus = corpus_of(checkpoint.identity, options.data, options.text)
    with console.status("measuring"):
        folder = RunFolder(options.run_dir)
        losses = evaluate_checkpoint(checkpoint, corpus, folder, options.part or "validation")
        losses |= _adapting_losses(options, checkpoint, corpus)
    name, step = checkpoint.identity.config.name, checkpoint.position.step
    title = f"{name}, step {step:,}, {options.part or 'validation'} text"
    console.print(losses_table(title, losses))
    return DONE


def _adapting_losses(
    options: argparse.Namespace, checkpoint: Checkpoint, corpus: Corpus
) -> dict[str, Loss]:
    tokens = RunFolder(options.run_dir).tokens(checkpoint.identity, corpus)
    ids = tokens.held_out(options.part or "validation")
    model = checkpoint.model()
    losses = {}
    if options.dynamic is not None:
        name = f"dynamic, rate {options.dynamic:g}: adapts to this text"
        losses[name] = dynamic_loss(model, ids, learning_rate=options.dynamic)
    if options.cache is not None:
        name = f"cache of {options.cache:,}: adapts to this text"
        losses[name] = cache_loss(
            able_to_write(model),
            ids,
            size=options.cache,
            flatness=options.cache_flatness,
            weight=options.cache_weight,
        )
    return losses


def _evaluate_published(options: argparse.Namespace, console: Console) -> int:
    if options.text is None:
        raise ConfigError("--model needs --text: which text is to be measured?")
    for option in ("dynamic", "cache", "part"):
        if getattr(options, option) is not None:
            raise ConfigError(f"--{option} needs a checkpoint: --run-dir, not --model")
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
    return DONE


def sample(options: argparse.Namespace, console: Console) -> int:
    """Let a model write."""
    if options.model is not None:
        model = StepModel.of_artifact(find_published(ModelStore(options.store), options.model))
        sample = SampleConfig()
    else:
        checkpoint = checkpoint_of(options)
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
    return DONE


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
