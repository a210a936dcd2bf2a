"""evaluate, sample: what a model knows, and what it writes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

import numpy as np
from cyclopts import Parameter
from pydantic import Field, model_validator

from service.artifacts.store import Artifact, ModelStore
from service.runtime.sampling import Sampling, SamplingOptions
from training.batches.shares import Shares
from training.batches.token_files import Ids
from training.commands.arguments import (
    MODEL_STORE,
    BadBytes,
    CheckpointOrModel,
    DataFolder,
    Encoding,
    Flat,
    Natural,
    Options,
    Positive,
    Process,
    require_text,
)
from training.commands.given import require_there
from training.commands.idle import refuse_idle
from training.commands.make import checkpoint_of
from training.commands.piped import at_hand, say, tell
from training.commands.status import DONE, FAILED
from training.config.train import SampleConfig
from training.corpora.corpus import HeldOutPart
from training.corpora.decoded import Decoding
from training.corpora.opened import shown
from training.errors import ConfigError, CorpusError
from training.evaluation.adapting import cache_loss, dynamic_loss
from training.evaluation.losses import Loss
from training.export.step_graph import able_to_write
from training.models.language_model import LanguageModel
from training.pipeline import compare_with_yardsticks, corpus_of, evaluate_checkpoint
from training.publishing.candidate import HeldOut, step_model
from training.runs.run_folder import RunFolder
from training.served.beam_search import beam_search
from training.served.step_model import StepModel, find_published, read_as_trained
from training.served.surprise import surprises
from training.tables import losses_table, meaning_of, surprises_table
from training.terminal import output_is_incomplete, write_exactly
from training.yardsticks.archivers import pack

Rate = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]

_MOST_UNKNOWN = 10


class Measures(Options):
    """What is measured on which text."""

    text: Annotated[
        Path | None,
        Parameter(
            help="with --model: the text to measure (- is standard input); with --run-dir: where "
            "its text lies now, if it was moved",
            metavar="FILE",
            allow_leading_hyphen=True,
        ),
    ] = None
    encoding: Encoding = None
    errors: BadBytes = None
    part: Annotated[
        HeldOutPart | None,
        Parameter(
            help="with --run-dir: which of the parts that were not trained on (default: validation)"
        ),
    ] = None
    data: DataFolder = None
    places: Annotated[
        Natural | None,
        Parameter(
            help="with --model: show so many of the most surprising places (default: 10)",
            metavar="N",
        ),
    ] = None
    dynamic: Annotated[
        Rate | None,
        Parameter(
            help="with --run-dir: also let it go on learning from the text as it reads, at this "
            "learning rate, like 0.1 (dynamic evaluation)",
            metavar="LR",
        ),
    ] = None
    cache: Annotated[
        Positive | None,
        Parameter(
            help="with --run-dir: also let it look back at its last N tokens (neural cache)",
            metavar="N",
        ),
    ] = None
    cache_flatness: Annotated[
        Rate | None,
        Parameter(help="of --cache: how much likeness counts (default: 0.3)", metavar="F"),
    ] = None
    cache_weight: Annotated[
        Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None,
        Parameter(help="of --cache: how much it is heeded (default: 0.1)", metavar="W"),
    ] = None

    @model_validator(mode="after")
    def _for_a_text(self) -> Self:
        require_text(self)
        return self


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


def evaluate(
    *,
    of: Annotated[CheckpointOrModel, Flat] = CheckpointOrModel(),
    measures: Annotated[Measures, Flat] = Measures(),
    process: Annotated[Process, Flat] = Process(),
) -> int:
    """Tell how well a model knows a text that it was not trained on."""
    refuse_idle(of.named | measures.named)
    with at_hand(measures.text, process) as text:
        return _evaluate(of, measures.model_copy(update={"text": text}), process)


def _evaluate(of: CheckpointOrModel, measures: Measures, process: Process) -> int:
    if of.model is not None:
        artifact = find_published(ModelStore(of.store or MODEL_STORE), of.model)
        return _evaluate_published(artifact, measures, process)
    run_dir = of.required_run_dir
    checkpoint = checkpoint_of(run_dir, of.checkpoint or "best")
    folder = RunFolder(run_dir)
    text = measures.text or folder.text_of(checkpoint.identity)
    corpus = corpus_of(checkpoint.identity, measures.data, text)
    tell(corpus.notes, process.console)
    part = measures.part or "validation"
    with process.console.status("measuring"):
        losses = evaluate_checkpoint(checkpoint, corpus, folder, part)
        tokens = folder.tokens(checkpoint.identity, corpus)
        held_out = HeldOut.of(part, corpus, tokens, checkpoint.identity.tokenizer)
        ids = held_out.ids
        losses |= _adapting_losses(checkpoint.model(), ids, measures)
    name, step = checkpoint.identity.config.name, checkpoint.position.step
    process.console.print(
        losses_table(f"{name}, step {step:,}, {part} text", losses, held_out.shares)
    )
    stateful = losses["stateful"]
    compare_with_yardsticks(checkpoint, corpus, folder, part, stateful, process.console)
    return DONE


def _adapting_losses(model: LanguageModel, ids: Ids, measures: Measures) -> dict[str, Loss]:
    losses = {}
    if (rate := measures.dynamic) is not None:
        name = f"dynamic, rate {rate:g}: adapts to this text"
        losses[name] = dynamic_loss(model, ids, learning_rate=rate)
    if (size := measures.cache) is not None:
        flatness, weight = measures.cache_flatness, measures.cache_weight
        losses[f"cache of {size:,}: adapts to this text"] = cache_loss(
            able_to_write(model),
            ids,
            size=size,
            flatness=0.3 if flatness is None else flatness,
            weight=0.1 if weight is None else weight,
        )
    return losses


def _evaluate_published(artifact: Artifact, measures: Measures, process: Process) -> int:
    if measures.text is None:
        raise ConfigError("--model needs --text: which text is to be measured?")
    require_there(measures.text)
    model = StepModel.of_artifact(artifact)
    tokenizer = model.tokenizer
    with process.console.status("measuring"):
        decoding = Decoding(measures.encoding or "utf-8", measures.errors or "strict")
        texts = list(read_as_trained(artifact, measures.text, decoding))
        tell(decoding.notes, process.console)
        pieces = tokenizer.encode_all(texts, are_items=tokenizer.special_ids.start_before_prompt)
        ids = np.concatenate([np.zeros(0, np.int64), *pieces])
        num_characters = sum(map(len, texts))
        if len(ids) < 2 or num_characters == 0:
            raise CorpusError(f"{shown(measures.text)} is too short to be measured")
        num_places = 10 if measures.places is None else measures.places
        loss, places = surprises(model, ids, num_places)
        shares = Shares.of(ids, num_characters, tokenizer.special_ids.unknown)
    console, title = process.console, f"{model.name} on {shown(Path(measures.text.name))}"
    console.print(losses_table(title, {"stateful": loss}, shares))
    bits = shares.bits_per_character(loss.nats)
    packed = pack(texts, are_items=tokenizer.special_ids.start_before_prompt)
    of_what = "" if packed.is_all else f" (of its first {packed.num_characters:,})"
    console.print(
        f"{num_characters:,} characters, {bits:.4f} bits per character "
        f"({meaning_of('bits/character')}); gzip -9 needs "
        f"{packed.gzip_bits:.4f} and xz {packed.xz_bits:.4f}{of_what}",
        highlight=False,
        soft_wrap=True,
    )
    if places:
        console.print(surprises_table(places))
    return DONE


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
