"""sample: what a model writes."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter
from pydantic import Field

from service.artifacts.store import ModelStore
from service.runtime.sampling import Sampling, SamplingOptions
from training.commands.arguments import (
    MODEL_STORE,
    CheckpointOrModel,
    Flat,
    Natural,
    Options,
    Positive,
    Process,
)
from training.commands.idle import refuse_idle
from training.commands.make import checkpoint_of
from training.commands.piped import say
from training.commands.status import DONE, FAILED
from training.config.train import SampleConfig
from training.errors import ConfigError
from training.publishing.candidate import step_model
from training.served.beam_search import beam_search
from training.served.step_model import StepModel, find_published
from training.terminal import output_is_incomplete, write_exactly

_MOST_UNKNOWN = 10


class Writing(Options):
    """What is written, and how many times."""

    prompt: Annotated[
        str | None,
        Parameter(
            help="how the text begins (default: as the config says)",
            metavar="TEXT",
            allow_leading_hyphen=True,
        ),
    ] = None
    num_tokens: Annotated[
        Positive | None,
        Parameter(
            help="how long it gets, in tokens (default: 300, or as the config says)", metavar="N"
        ),
    ] = None
    seed: Annotated[
        Natural | None, Parameter(help="another number, another text (default: 0)", metavar="N")
    ] = None
    num_samples: Annotated[
        Positive | None,
        Parameter(
            help="write so many texts, of this seed and the next ones (default: 1)", metavar="N"
        ),
    ] = None
    beams: Annotated[
        Positive | None,
        Parameter(
            help="do not draw: search for the most probable text, following N at a time",
            metavar="N",
        ),
    ] = None
    length_penalty: Annotated[
        Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)] | None,
        Parameter(help="of --beams: 0 prefers short texts (default: 0.6)", metavar="A"),
    ] = None


def sample(
    *,
    of: Annotated[CheckpointOrModel, Flat] = CheckpointOrModel(),
    writing: Annotated[Writing, Flat] = Writing(),
    options: Annotated[SamplingOptions, Flat] = SamplingOptions(),
    process: Annotated[Process, Flat] = Process(),
) -> int:
    """Let a model write."""
    named = {name for name, value in options if value is not None}
    refuse_idle(of.named | writing.named | named)
    if of.model is not None:
        artifact = find_published(ModelStore(of.store or MODEL_STORE), of.model)
        model, sample = StepModel.of_artifact(artifact), SampleConfig()
        options = options.merged(artifact.manifest.defaults)  # as the server does
    else:
        checkpoint = checkpoint_of(of.required_run_dir, of.checkpoint or "best")
        model, sample = step_model(checkpoint), checkpoint.identity.config.sample
        options = options.merged(SamplingOptions(temperature=sample.temperature))
    prompt = sample.prompt if writing.prompt is None else writing.prompt
    if unknown := model.unknown(prompt, _MOST_UNKNOWN):
        shown = " ".join(map(repr, unknown))
        say(f"of the prompt, the model has never seen (the first {len(unknown)}): {shown}")
    num_tokens = writing.num_tokens or sample.num_tokens
    if writing.beams is None:
        texts = _drawn(model, prompt, num_tokens, options, writing)
    else:
        texts = _searched(model, prompt, num_tokens, writing.beams, writing.length_penalty)
    for title, text in texts.items():
        if len(texts) > 1:
            process.console.rule(title)
        write_exactly(process.console, text)
    return FAILED if output_is_incomplete(process.console) else DONE


def _drawn(
    model: StepModel, prompt: str, num_tokens: int, options: SamplingOptions, writing: Writing
) -> dict[str, str]:
    first = writing.seed or 0
    if first + (writing.num_samples or 1) > 2**63:
        raise ConfigError("--seed and --num-samples go beyond 2^63-1, the largest seed")
    seeds = range(first, first + (writing.num_samples or 1))
    samplings = [Sampling(seed=seed, **dict(options)) for seed in seeds]
    written = model.write(prompt, num_tokens, samplings)
    return {f"seed {seed}": text for seed, text in zip(seeds, written, strict=True)}


def _searched(
    model: StepModel, prompt: str, num_tokens: int, num_beams: int, length_penalty: float | None
) -> dict[str, str]:
    penalty = 0.6 if length_penalty is None else length_penalty
    found = beam_search(model, prompt, num_tokens, num_beams=num_beams, length_penalty=penalty)
    return {f"log p {text.log_probability:.2f}": text.text for text in found}
