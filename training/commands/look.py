"""evaluate, sample: what a model knows, and what it writes."""

from __future__ import annotations

import argparse

import numpy as np
from rich.console import Console
from rich.text import Text

from service.artifacts.store import ModelStore
from service.runtime.sampling import Sampling, SamplingOptions
from training.commands.arguments import DEFAULTS
from training.commands.make import checkpoint_of
from training.commands.status import DONE
from training.config.train import SampleConfig
from training.corpora.corpus import Corpus
from training.errors import ConfigError, CorpusError
from training.evaluation.adapting import cache_loss, dynamic_loss
from training.evaluation.losses import Loss
from training.export.step_graph import able_to_write
from training.pipeline import (
    corpus_of,
    evaluate_checkpoint,
)
from training.publishing.candidate import step_model
from training.runs.checkpoints import Checkpoint
from training.runs.run_folder import RunFolder
from training.served.beam_search import beam_search
from training.served.step_model import StepModel, find_published, read_as_trained
from training.served.surprise import surprises
from training.tables import losses_table, surprises_table

_OF_DRAWS = ("temperature", "top_k", "top_p", "min_p")
_OF_CACHE = ("cache_flatness", "cache_weight")
_IDLE = (
    ("model", True, "does nothing with --model", ("checkpoint", "data")),
    (
        "model",
        True,
        "needs a checkpoint: --run-dir, not --model",
        ("part", "dynamic", "cache", *_OF_CACHE),
    ),
    ("run_dir", True, "does nothing with --run-dir", ("places", "store")),
    ("cache", False, "does nothing without --cache", _OF_CACHE),
    ("beams", True, "does nothing with --beams", (*_OF_DRAWS, "seed", "num_samples")),
    ("beams", False, "does nothing without --beams", ("length_penalty",)),
)
"""If the first option is named (or, False: is not), the last ones are refused in these words."""


def evaluate(options: argparse.Namespace, console: Console) -> int:
    """Measure a checkpoint, or a published model."""
    options = _checked(options)
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
    artifact = find_published(ModelStore(options.store), options.model)
    model = StepModel.of_artifact(artifact)
    tokenizer = model.tokenizer
    with console.status("measuring"):
        texts = list(read_as_trained(artifact, options.text))
        pieces = tokenizer.encode_all(texts, are_items=tokenizer.special_ids.start_before_prompt)
        ids = np.concatenate([np.zeros(0, np.int64), *pieces])
        num_characters = sum(map(len, texts))
        if len(ids) < 2 or num_characters == 0:
            raise CorpusError(f"{options.text} is too short to be measured")
        loss, places = surprises(model, ids, options.places)
    console.print(losses_table(f"{model.name} on {options.text.name}", {"stateful": loss}))
    bits = loss.bits * loss.num_tokens / num_characters
    console.print(f"{num_characters:,} characters, {bits:.4f} bits per character", highlight=False)
    if places:
        console.print(surprises_table(places))
    return DONE


def sample(options: argparse.Namespace, console: Console) -> int:
    """Let a model write."""
    options = _checked(options)
    if options.model is not None:
        artifact = find_published(ModelStore(options.store), options.model)
        model, sample = StepModel.of_artifact(artifact), SampleConfig()
        defaults = artifact.manifest.defaults
    else:
        checkpoint = checkpoint_of(options)
        model, sample = step_model(checkpoint), checkpoint.identity.config.sample
        defaults = SamplingOptions(temperature=sample.temperature)
    prompt = sample.prompt if options.prompt is None else options.prompt
    num_tokens = options.num_tokens or sample.num_tokens
    if options.beams is None:
        texts = _drawn(options, model, prompt, num_tokens, defaults)
    else:
        texts = _searched(options, model, prompt, num_tokens)
    for title, text in texts.items():
        if len(texts) > 1:
            console.rule(title)
        console.print(Text(text), soft_wrap=True)
    return DONE


def _drawn(
    options: argparse.Namespace,
    model: StepModel,
    prompt: str,
    num_tokens: int,
    defaults: SamplingOptions,
) -> dict[str, str]:
    named = SamplingOptions(**{option: getattr(options, option) for option in _OF_DRAWS})
    chosen = dict(named.merged(defaults))  # as the server does
    samplings = [
        Sampling(seed=seed, **chosen)
        for seed in range(options.seed, options.seed + (options.num_samples or 1))
    ]
    written = model.write(prompt, num_tokens, samplings)
    return {f"seed {s.seed}": text for s, text in zip(samplings, written, strict=True)}


def _searched(
    options: argparse.Namespace, model: StepModel, prompt: str, num_tokens: int
) -> dict[str, str]:
    found = beam_search(
        model, prompt, num_tokens, num_beams=options.beams, length_penalty=options.length_penalty
    )
    return {f"log p {text.log_probability:.2f}": text.text for text in found}


def _checked(options: argparse.Namespace) -> argparse.Namespace:
    """The options, with defaults for those that were not named.

    Raises:
        ConfigError: one was named that does nothing beside the others.
    """
    named = {option for option, value in vars(options).items() if value is not None}
    for other, is_named, complaint, idle in _IDLE:
        for option in idle:
            if option in named and (other in named) == is_named:
                raise ConfigError(f"--{option.replace('_', '-')} {complaint}")
    return argparse.Namespace(
        **{
            option: DEFAULTS.get(option) if value is None else value
            for option, value in vars(options).items()
        }
    )
